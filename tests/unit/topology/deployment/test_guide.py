"""docs/guides/deploy.md speaks of files, variables, ports and times that exist."""

import re

from tests.architecture.tree import ROOT
from tests.unit.topology.deployment.facts import command_faults, variables_of, yaml_of, yamls_of
from tests.unit.topology.deployment.image import image
from topology.deployment.workload import GRACE_S, VERSION
from topology.stages import RUNNING_STAGES

GUIDE = (ROOT / "docs/guides/deploy.md").read_text(encoding="utf-8")
PERSONS = {"ENACT_TENANT", "ENACT_ACCOUNT"}
"""Read by the command line."""


def test_every_file_it_names_is_in_the_tree() -> None:
    named = set(re.findall(r"`((?:deploy|docs|topology)/[\w./-]*|docker-compose\.yml)`", GUIDE))

    assert len(named) > 4
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_every_variable_it_names_is_read() -> None:
    named = set(re.findall(r"ENACT_[A-Z_]+", GUIDE))

    assert len(named) > 4
    assert named - PERSONS - {variable for stage in RUNNING_STAGES for variable in variables_of(stage)} == set()


def test_every_port_of_its_table_is_published_by_compose() -> None:
    told = set(re.findall(r"^\| `(127\.0\.0\.1:\d+)` \|", GUIDE, re.MULTILINE))
    published = {
        port.rpartition(":")[0] for service in yaml_of("docker-compose.yml")["services"].values() for port in service.get("ports", [])
    }

    assert told == published


def test_its_commands_numbers_and_user_are_the_deployment_s() -> None:
    commands = [line.partition("#")[0].split() for line in GUIDE.splitlines() if line.startswith("enact ")]

    assert len(commands) == 2
    assert [fault for command in commands for fault in command_faults(_with_identity(command))] == []
    assert f"A pod has {GRACE_S} s" in GUIDE
    assert f"user {image().user.partition(':')[0]}" in GUIDE
    assert f"newTag: {VERSION}" in GUIDE


def test_its_patch_of_the_credentials_meets_their_volume() -> None:
    (path,) = re.findall(r"path: (/spec/\S+)", GUIDE)
    found = yamls_of("deploy/k8s/base/invocation.yaml")[1]
    *way, last = path.strip("/").split("/")

    for part in way:
        found = found[int(part) if part.isdecimal() else part]

    assert found["secretName"] == "enact-credentials"
    assert last == "items"


def _with_identity(command: list[str]) -> list[str]:
    """What the guide exports before."""
    return [*command, "--tenant", "acme", "--account", "account-1"] if command[1] == "list" else command
