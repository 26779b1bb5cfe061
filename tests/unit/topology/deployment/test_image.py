"""The Dockerfile: what it copies is there, what it sets is read, whom it runs as, and how it is asked."""

import re
import tomllib

import pytest

from tests.architecture.tree import ROOT
from tests.unit.topology.deployment.facts import command_faults, variable_faults
from tests.unit.topology.deployment.image import image, parsed
from topology.deployment.workload import API_PORT, APPROVAL_DIR, CREDENTIALS_DIR, DATA_DIR, HEALTH_PORT, LIVE, USER_ID, VERSION, WORKLOADS

OURS = re.compile(r"ENACT_\w+")


def test_what_it_copies_is_in_the_tree_and_nothing_of_the_package_is_left_out() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    names = [name for line in image().copied for name in line.split()]

    assert [name for name in names if not (ROOT / name).exists()] == []
    assert set(packages) <= set(names)


def test_what_it_copies_passes_the_ignore_file_and_nothing_else_does() -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    names = {name for line in image().copied for name in line.split()}

    assert "*" in ignored
    assert {line[1:] for line in ignored if line.startswith("!")} == names


def test_every_variable_it_sets_is_read_by_the_stages() -> None:
    ours = {name: value for name, value in image().variables.items() if OURS.fullmatch(name)}

    assert list(variable_faults("api", ours)) == []
    assert image().variables["PYTHONSAFEPATH"] == "1"
    assert (image().data_dir, image().health_port) == (DATA_DIR, HEALTH_PORT)
    assert {image().variables["ENACT_HEALTH__HOST"], image().variables["ENACT_API__HOST"]} == {"0.0.0.0"}


def test_its_ports_folders_and_user_are_those_of_the_manifests() -> None:
    assert image().exposed == {HEALTH_PORT, API_PORT}
    assert set(image().folders) == {DATA_DIR, CREDENTIALS_DIR, APPROVAL_DIR}
    assert image().user == f"{USER_ID}:{USER_ID}"
    assert f"--uid {USER_ID}" in image().text


def test_its_commands_are_ours_and_it_is_asked_whether_it_is_alive() -> None:
    assert list(command_faults(image().health_command)) == []
    assert f"http://127.0.0.1:{HEALTH_PORT}{LIVE}" in image().health_command[-1]
    assert image().command == ["enact", "--help"]
    assert [fault for workload in WORKLOADS for fault in command_faults(workload.command)] == []


def test_it_installs_from_locks_with_hashes_and_names_no_host() -> None:
    installs = re.findall(r"pip install [^&\n]*", image().text)

    assert all("--require-hashes" in line or "--no-index" in line for line in installs)
    assert len(installs) == 3
    assert "://" not in image().text.replace("http://127.0.0.1", "")


def test_the_image_s_version_is_the_package_s() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    assert project["version"] == VERSION


@pytest.mark.parametrize("instruction", ["ENV", "EXPOSE", "USER", "HEALTHCHECK"])
def test_a_missing_instruction_is_caught(instruction: str) -> None:
    text = re.sub(rf"^{instruction} ", "# ", image().text, flags=re.MULTILINE)

    with pytest.raises(ValueError, match=instruction):
        parsed(text)


def test_a_variable_that_nobody_reads_is_caught() -> None:
    assert list(variable_faults("api", {"ENACT_HELTH__PORT": "9400"})) == ["ENACT_HELTH__PORT is no setting of api"]
