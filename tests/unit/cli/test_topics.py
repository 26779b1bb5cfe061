import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli import topics
from cli.exit_codes import Exit
from cli.topics import app
from cli.topology_apply import topology_apply
from tests.unit.cli.cluster import Cluster
from topology.spec import Sizing
from topology.topics import TOPICS, topic_name

SMALL = ["--partitions", "2", "--replication-factor", "1"]


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    """What the commands meet instead of a broker."""
    made = Cluster()
    monkeypatch.setattr(topics, "_admin", lambda settings, bootstrap: made)
    return made


def test_plan_says_what_would_be_created_with_exit_code_2_and_does_nothing(cluster: Cluster) -> None:
    result = CliRunner().invoke(app, ["plan", *SMALL])

    assert result.exit_code == Exit.CHANGES
    assert "create enact.executions.v1 with 2 partition(s), replication 1" in result.stdout
    assert cluster.calls == []


def test_plan_of_a_cluster_as_declared_is_quiet_with_exit_code_0(cluster: Cluster) -> None:
    topology_apply(cluster, Sizing(partition_count=2, replication_factor=1))

    result = CliRunner().invoke(app, ["plan", *SMALL])

    assert result.exit_code == 0
    assert "nothing to do" in result.stdout


def test_plan_explains_a_partition_count_that_cannot_be_changed_with_exit_code_1(cluster: Cluster) -> None:
    topology_apply(cluster, Sizing(partition_count=4, replication_factor=1))

    result = CliRunner().invoke(app, ["plan", *SMALL])

    assert result.exit_code == Exit.PROBLEM
    assert result.stderr.count("run with 4 partitions") == 1
    assert "and 17 more topics have 4 partition(s)" in result.stderr


def test_plan_as_json_is_one_document(cluster: Cluster) -> None:
    result = CliRunner().invoke(app, ["plan", "--json", *SMALL])

    document = json.loads(result.stdout)
    created = [action["spec"]["name"] for action in document["actions"] if action["action"] == "CreateTopic"]
    assert created == [topic_name(short) for short in TOPICS]
    assert document["problems"] == []


def test_apply_names_each_action_and_then_has_nothing_to_do(cluster: Cluster) -> None:
    first = CliRunner().invoke(app, ["apply", *SMALL])
    second = CliRunner().invoke(app, ["apply", *SMALL])

    assert first.exit_code == second.exit_code == 0
    assert "start enact.invocation at offset 0 of enact.executions.v1" in first.stdout
    assert "nothing to do" in second.stdout


def test_apply_refuses_what_it_cannot_mend_and_changes_nothing(cluster: Cluster) -> None:
    topology_apply(cluster, Sizing(partition_count=4, replication_factor=1))
    cluster.calls.clear()

    result = CliRunner().invoke(app, ["apply", *SMALL])

    assert result.exit_code == Exit.REFUSED
    assert "nothing was changed" in result.stderr
    assert cluster.calls == []


def test_a_missing_cluster_address_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ENACT_KAFKA__BOOTSTRAP_SERVERS", raising=False)
    monkeypatch.delenv("KAFKA_BOOTSTRAP_SERVERS", raising=False)

    result = CliRunner().invoke(app, ["plan"])

    assert result.exit_code == Exit.CONFIGURATION
    assert "ENACT_KAFKA__BOOTSTRAP_SERVERS" in result.stderr


def test_render_writes_what_is_missing_and_check_fails_on_a_stale_file(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").touch()
    root = ["--root", str(tmp_path)]

    assert CliRunner().invoke(app, ["render", "--check", *root]).exit_code == Exit.STALE
    assert CliRunner().invoke(app, ["render", *root]).exit_code == 0
    assert CliRunner().invoke(app, ["render", "--check", *root]).exit_code == 0

    (tmp_path / "docs/topology.md").write_text("edited by hand", encoding="utf-8")
    stale = CliRunner().invoke(app, ["render", "--check", *root])
    assert stale.exit_code == Exit.STALE
    assert "docs/topology.md" in stale.stderr
    assert "topology.svg" not in stale.stderr


def test_render_outside_a_source_tree_is_refused(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["render", "--root", str(tmp_path)])

    assert result.exit_code == Exit.CONFIGURATION
    assert list(tmp_path.iterdir()) == []


def test_specs_are_printed_for_tools_that_create_topics_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENACT_TOPIC_PREFIX", "shop")

    result = CliRunner().invoke(app, ["render", "--specs", *SMALL])

    assert [spec["name"] for spec in json.loads(result.stdout)] == [topic_name(short, "shop") for short in TOPICS]
