from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from cli.topology_apply import topology_apply, topology_plan
from enact.errors import BrokerError, ConfigurationError
from enact.kafka.admin import TopicDescription, TopicShape
from enact.kafka.transport import NextOffset, TopicPartition
from tests.unit.cli.cluster import Cluster
from topology.plan import Action
from topology.spec import Sizing
from topology.topics import TOPICS

SIZING = Sizing(partition_count=3, replication_factor=1)


def applied() -> Cluster:
    cluster = Cluster()
    topology_apply(cluster, SIZING)
    cluster.calls.clear()
    return cluster


def zeros(topic: str) -> dict[TopicPartition, NextOffset]:
    return {TopicPartition(topic, partition): NextOffset(0) for partition in range(3)}


def test_an_empty_cluster_gets_every_topic_and_the_logs_start_at_zero() -> None:
    cluster, heard = Cluster(), list[Action]()

    result = topology_apply(cluster, SIZING, on_action=heard.append)

    assert len(cluster.topics) == len(TOPICS)
    assert cluster.committed == {
        "enact.validation": zeros("enact.admissions.v1"),
        "enact.invocation": zeros("enact.executions.v1"),
        "enact.recording": zeros("enact.outcomes.v1"),
    }
    assert tuple(heard) == result.done
    assert result.warnings == ()


class SlowCluster(Cluster):
    """Shows a topic when it was asked for once more, and takes no offset for one that it does not show yet, as brokers do."""

    def __init__(self) -> None:
        super().__init__()
        self.made: list[TopicShape] = []

    def create_topic(self, spec: TopicShape) -> bool:
        self.made.append(spec)
        return True

    def describe_topics(self, names: Sequence[str]) -> dict[str, TopicDescription]:
        shown = super().describe_topics(names)
        for spec in self.made:
            super().create_topic(spec)
        self.made.clear()
        return shown

    def set_group_offsets(self, group: str, offsets: Mapping[TopicPartition, NextOffset], *, is_overwriting: bool = False) -> None:
        if not {partition.topic for partition in offsets} <= set(self.topics):
            raise BrokerError("The topic does not exist.")
        super().set_group_offsets(group, offsets, is_overwriting=is_overwriting)


def test_a_log_is_started_when_the_cluster_shows_its_topic() -> None:
    result = topology_apply(SlowCluster(), SIZING)

    assert result.warnings == ()


def test_applying_again_changes_nothing() -> None:
    cluster = applied()

    result = topology_apply(cluster, SIZING)

    assert result.done == ()
    assert cluster.calls == []


def test_drift_is_set_back_and_nothing_else_is_touched() -> None:
    cluster = applied()
    cluster.set_config("enact.ledger.v1", **{"retention.ms": "5", "compression.type": "zstd"})

    topology_apply(cluster, SIZING)

    assert cluster.calls == ["alter enact.ledger.v1"]
    assert cluster.topics["enact.ledger.v1"].configs["retention.ms"] == str(400 * 86_400_000)
    assert cluster.topics["enact.ledger.v1"].configs["compression.type"] == "zstd"


def test_a_wrong_partition_count_stops_everything_before_anything_is_changed() -> None:
    cluster = applied()
    del cluster.topics["enact.signals.v1"]
    cluster.topics["enact.ledger.v1"] = replace(cluster.topics["enact.ledger.v1"], partition_count=5)

    with pytest.raises(ConfigurationError, match=r"nothing was changed:\nenact\.ledger\.v1 has 5 partition\(s\), 3 are wanted"):
        topology_apply(cluster, SIZING)

    assert cluster.calls == []


def test_a_log_with_committed_offsets_is_never_started_again() -> None:
    cluster = applied()
    cluster.committed["enact.invocation"] = {TopicPartition("enact.executions.v1", 1): NextOffset(17)}

    assert topology_plan(cluster, SIZING).is_empty


def test_a_log_with_records_and_no_committed_offset_waits_for_an_operator() -> None:
    cluster = applied()
    cluster.committed.clear()
    cluster.ends = {TopicPartition(f"enact.{log}.v1", 2): NextOffset(1) for log in ("admissions", "executions", "outcomes")}

    assert topology_plan(cluster, SIZING).is_empty


def test_an_empty_log_that_an_interrupted_apply_did_not_start_is_started() -> None:
    cluster = applied()
    cluster.committed.clear()

    topology_apply(cluster, SIZING)

    assert cluster.calls == ["start enact.validation", "start enact.invocation", "start enact.recording"]


def test_a_live_group_is_told_and_does_not_stop_the_rest() -> None:
    cluster = Cluster(live_groups={"enact.validation"})

    result = topology_apply(cluster, SIZING)

    assert len(cluster.topics) == len(TOPICS)
    assert len(result.warnings) == 1
    assert "enact.validation was not started at offset 0" in result.warnings[0]
