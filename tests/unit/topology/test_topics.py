import pytest

from topology.stages import STAGE_NAMES, STAGES, dead_letters, group_name, hyphenated
from topology.topic import MAX_INPUT_BYTES
from topology.topics import LARGEST_MESSAGE_BYTES, TOPICS, topic_name


def test_a_short_name_becomes_prefix_name_and_version() -> None:
    assert topic_name("intents.approved") == "enact.intents.approved.v1"
    assert topic_name("tool-calls", "shop-7") == "shop-7.tool-calls.v1"


def test_a_stage_name_with_an_underscore_is_hyphenated_outside_python() -> None:
    assert hyphenated("tool_mapping") == "tool-mapping"
    assert group_name("tool_mapping") == "enact.tool-mapping"
    assert topic_name("tool_mapping.dlq") == topic_name("tool-mapping.dlq") == "enact.tool-mapping.dlq.v1"


def test_an_undeclared_topic_is_refused_with_the_declared_ones() -> None:
    with pytest.raises(LookupError, match=r"no topic is declared as 'intents\.approve'.*intents\.approved"):
        topic_name("intents.approve")


@pytest.mark.parametrize("prefix", ["", "Enact", "enact.", "a..b", "-enact", "a" * 64, "en act", "enact_1", "enact\n"])
def test_a_prefix_that_cannot_name_topics_is_refused_without_being_repeated(prefix: str) -> None:
    with pytest.raises(ValueError, match="ENACT_TOPIC_PREFIX") as refusal:
        topic_name("ledger", prefix)

    assert len(prefix) < 2 or prefix not in str(refusal.value)


def test_the_stages_stand_in_the_order_a_record_meets_them() -> None:
    assert STAGE_NAMES == ("validation", "tool_mapping", "invocation", "recording", "compensation", "reconciliation", "api", "monitor")


def test_every_stage_but_api_and_monitor_has_dead_letters_of_twice_its_input() -> None:
    for stage in STAGES.values():
        short = dead_letters(stage.name)

        assert (short in TOPICS) is (stage.name not in {"api", "monitor"})
        if short in TOPICS:
            assert TOPICS[short].max_message_bytes >= 2 * max(TOPICS[read].max_message_bytes for read in stage.reads)


def test_the_largest_message_is_known_to_those_who_configure_clients() -> None:
    assert max(topic.max_message_bytes for topic in TOPICS.values()) == LARGEST_MESSAGE_BYTES
    assert LARGEST_MESSAGE_BYTES >= 2 * MAX_INPUT_BYTES


def test_the_two_decision_logs_are_the_logs_of_validation_and_invocation() -> None:
    decision_logs = {topic.short for topic in TOPICS.values() if topic.is_decision_log}

    assert decision_logs == {"admissions", "executions"}
    assert {stage.log for stage in STAGES.values()} - {None} == decision_logs | {"outcomes"}
