"""`enact doctor` on a real broker: what is well is well, and a broken topic, a stop and a dead letter are found. Nothing is changed."""

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from typer.testing import CliRunner

from cli.context import cluster
from cli.exit_codes import Exit
from cli.main import app
from cli.topology_apply import topology_apply
from enact.kafka.admin import KafkaAdmin
from enact.kafka.transport import OutRecord
from enact.settings import KafkaSettings
from topology.spec import Sizing, topic_specs
from topology.topics import topic_name


@pytest.fixture
def admin(broker_bootstrap: str) -> KafkaAdmin:
    return KafkaAdmin(KafkaSettings(bootstrap_servers=broker_bootstrap))


@pytest.fixture
def prefix(broker_bootstrap: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A set of topics of this test's own, as a cluster of somebody's: no `enact up` wrote it down."""
    found = f"doctor-{uuid4().hex[:8]}"
    monkeypatch.setenv("ENACT_KAFKA__BOOTSTRAP_SERVERS", broker_bootstrap)
    monkeypatch.setenv("ENACT_TOPIC_PREFIX", found)
    monkeypatch.setenv("ENACT_DATA_DIR", str(tmp_path))
    return found


def doctor() -> tuple[int, dict[str, Any]]:
    """Its exit code, and for each name all findings."""
    result = CliRunner().invoke(app, ["doctor", "--json"])
    found: dict[str, Any] = {}
    for one in json.loads(result.stdout)["findings"]:
        found.setdefault(one["name"], []).append(one)
    return result.exit_code, found


def test_a_cluster_without_topics_is_told_with_the_command_that_makes_them(prefix: str) -> None:
    exit_code, found = doctor()

    assert exit_code == Exit.PROBLEM
    assert found["broker"][0]["level"] == "ok"
    assert found["group protocol"][0]["level"] == "ok"
    assert "about 6 s" in found["take-over"][0]["text"]
    assert found["topics"][0]["text"] == f"{prefix}.intents.approved.v1 does not exist"
    assert "topics apply" in found["topics"][0]["next_step"]


def test_what_is_broken_is_found_and_nothing_is_changed(admin: KafkaAdmin, prefix: str) -> None:
    sizing = Sizing(prefix=prefix, partition_count=2, replication_factor=1)
    topology_apply(admin, sizing)
    names = [spec.name for spec in topic_specs(sizing)]
    dead = topic_name("validation.dlq", prefix)
    admin.alter_config(topic_name("ledger", prefix), {"retention.ms": "60000"})
    with cluster() as door:
        door.switches().engage("global", reason="the test looks")
        door.writer.send(OutRecord(topic=dead, partition=1, key=b"k", value=b"v", headers=(("enact-error-code", b"NULL_VALUE"),)))
        door.writer.flush(10.0)
    before = admin.describe_topics(names)

    exit_code, found = doctor()

    assert exit_code == Exit.PROBLEM
    drifted = next(one for one in found["topics"] if "settings differ" in one["text"])
    assert f"retention.ms of {prefix}.ledger.v1 is 60000" in drifted["text"]
    assert [one for one in found["topics"] if one["level"] == "fail"] == [drifted]
    assert found["copies"][0]["level"] == "warn"
    assert "P = 2" in found["partitions"][0]["text"]
    assert "by cli:" in found["switch"][0]["text"]
    assert f"1 in {dead}; the newest: 1 NULL_VALUE" in found["dead letters"][0]["text"]
    assert found["registry"][0]["level"] == "fail"
    assert {found[f"group {stage}"][0]["level"] for stage in ("validation", "tool_mapping", "invocation", "recording")} == {"warn"}
    assert found["clock"][0]["level"] == "warn"
    assert admin.describe_topics(names) == before
    assert admin.committed_offsets(f"{prefix}.tool-mapping") == {}
