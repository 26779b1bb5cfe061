from dataclasses import replace

import pytest

from topology.spec import Sizing, TopicSpec, topic_specs
from topology.topic import DAY_MS
from topology.topics import TOPICS


def specs(sizing: Sizing) -> dict[str, TopicSpec]:
    return {spec.short: spec for spec in topic_specs(sizing)}


def test_every_declared_topic_has_a_spec_with_the_broker_s_clock() -> None:
    made = specs(Sizing())

    assert list(made) == list(TOPICS)
    assert {spec.configs["message.timestamp.type"] for spec in made.values()} == {"LogAppendTime"}
    assert {spec.configs["unclean.leader.election.enable"] for spec in made.values()} == {"false"}


def test_intent_keyed_topics_share_one_partition_count_and_tables_have_one() -> None:
    made = specs(Sizing(partition_count=7))

    assert {short for short, spec in made.items() if spec.partition_count == 1} == {"switches", "registry"}
    assert {spec.partition_count for spec in made.values()} == {1, 7}


def test_decision_logs_flush_each_record_where_there_is_no_second_copy() -> None:
    single, triple = specs(Sizing(replication_factor=1)), specs(Sizing(replication_factor=3))

    assert {short for short, spec in single.items() if spec.configs.get("flush.messages") == "1"} == {"admissions", "executions"}
    assert not any("flush.messages" in spec.configs for spec in triple.values())


@pytest.mark.parametrize(("copies", "in_sync"), [(1, "1"), (2, "1"), (3, "2"), (5, "2")])
def test_a_quorum_is_asked_for_where_one_copy_may_be_missing(copies: int, in_sync: str) -> None:
    assert {spec.configs["min.insync.replicas"] for spec in topic_specs(Sizing(replication_factor=copies))} == {in_sync}


def test_retention_follows_the_design_and_the_cluster_s_choice() -> None:
    usual = specs(Sizing())
    chosen = specs(Sizing(dedupe_horizon_ms=40 * DAY_MS, input_retention_ms=3 * DAY_MS, dead_letter_retention_ms=20 * DAY_MS))

    days = {short: int(spec.configs["retention.ms"]) // DAY_MS for short, spec in usual.items() if "retention.ms" in spec.configs}
    assert days["intents.approved"] == days["tool-calls"] == days["tool-results"] == days["compensations"] == 7
    assert days["admissions"] == days["executions"] == 30
    assert days["outcomes"] == days["signals"] == 90
    assert days["ledger"] == days["ledger-checkpoints"] == 400
    assert days["notifications"] == days["validation.dlq"] == 14
    assert set(TOPICS) - set(days) == {"switches", "registry", "internal-objects"}
    assert chosen["executions"].configs["retention.ms"] == str(40 * DAY_MS)
    assert chosen["intents.returned"].configs["retention.ms"] == str(3 * DAY_MS)
    assert chosen["invocation.dlq"].configs["retention.ms"] == str(20 * DAY_MS)


def test_admissions_are_not_compacted_for_a_day_and_switches_roll_small_segments() -> None:
    made = specs(Sizing())

    assert made["admissions"].configs["cleanup.policy"] == "compact,delete"
    assert made["admissions"].configs["min.compaction.lag.ms"] == str(DAY_MS)
    assert made["executions"].configs["cleanup.policy"] == "delete"
    assert (made["switches"].configs["segment.ms"], made["switches"].configs["segment.bytes"]) == ("300000", str(8 * 1024 * 1024))
    assert made["executions"].configs["segment.ms"] == str(DAY_MS)


def test_each_log_names_the_group_that_starts_it() -> None:
    groups = {short: spec.log_of_group for short, spec in specs(Sizing(prefix="shop")).items() if spec.log_of_group is not None}

    assert groups == {"admissions": "shop.validation", "executions": "shop.invocation", "outcomes": "shop.recording"}


def test_a_sizing_that_cannot_work_is_refused_with_every_problem() -> None:
    with pytest.raises(ValueError, match=r"partition_count is 0.*; replication_factor is -1.*; dedupe_horizon_ms must be more"):
        replace(Sizing(), partition_count=0, replication_factor=-1, dedupe_horizon_ms=9 * DAY_MS)
