"""The declared graph holds, and every rule of `verify` catches the fault it is there for."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from topology.stages import STAGES, Stage
from topology.topic import Cleanup, Partitions, Retention, Topic
from topology.topics import TOPICS
from topology.verify import problems


def with_topic(short: str, **changes: Any) -> dict[str, Topic]:
    return {**TOPICS, short: replace(TOPICS[short], **changes)}


def with_stage(name: str, **changes: Any) -> dict[str, Stage]:
    return {**STAGES, name: replace(STAGES[name], **changes)}


def without(short: str) -> dict[str, Topic]:
    return {name: topic for name, topic in TOPICS.items() if name != short}


def test_the_declared_graph_has_no_problem() -> None:
    assert problems(TOPICS, STAGES) == ()


TOPIC_FAULTS: dict[str, Callable[[], dict[str, Topic]]] = {
    "signals: nobody reads it": lambda: with_topic("signals", readers=()),
    "signals: nobody writes it": lambda: with_topic("signals", writers=()),
    "signals: 'marketing' is neither a stage nor a party outside": lambda: with_topic("signals", readers=("marketing",)),
    "tool-calls says monitor writes it, but the stage does not": lambda: with_topic(
        "tool-calls", writers=("validation", "tool_mapping", "compensation", "monitor")
    ),
    "tool-calls says recording reads it, but the stage does not": lambda: with_topic("tool-calls", readers=("invocation", "recording")),
    "invocation reads tool-calls, but the topic does not say so": lambda: with_topic("tool-calls", readers=("people",)),
    "recording writes signals, but the topic does not say so": lambda: with_topic("signals", writers=("cli",)),
    "invocation reads tool-calls, which is not declared": lambda: without("tool-calls"),
    "invocation: its inputs and log must all be keyed by intent with P partitions: tool-calls, executions": lambda: with_topic(
        "executions", partitions=Partitions.ONE
    ),
    "invocation: the table switches must have one partition, or be keyed by intent and compacted": lambda: with_topic(
        "switches", partitions=Partitions.INTENT, cleanup=Cleanup.DELETE
    ),
    "ledger: a key has at least one part": lambda: with_topic("ledger", key=()),
    "admissions: the tenant comes first in the key": lambda: with_topic("admissions", key=("action_intent_id", "tenant_id")),
    "registry: cleanup compact and retention 14 d contradict each other": lambda: with_topic("registry", retention=Retention.DAYS_14),
    "ledger: a decision log is the log of one stage": lambda: with_topic("ledger", is_decision_log=True),
    "executions: a decision log is kept for the dedupe horizon": lambda: with_topic("executions", retention=Retention.DAYS_14),
    "recording.dlq: this dead-letter topic is missing": lambda: without("recording.dlq"),
    "monitor.dlq: no stage has these dead letters": lambda: {
        **TOPICS,
        "monitor.dlq": replace(TOPICS["recording.dlq"], short="monitor.dlq"),
    },
    "recording.dlq: dead letters accept twice the input's size (4194304 bytes)": lambda: with_topic("recording.dlq", max_message_bytes=1),
    "recording.dlq: only recording writes its dead letters": lambda: with_topic("recording.dlq", writers=("recording", "cli")),
}


@pytest.mark.parametrize("sentence", TOPIC_FAULTS)
def test_a_fault_in_a_topic_is_named(sentence: str) -> None:
    assert sentence in problems(TOPIC_FAULTS[sentence](), STAGES)


STAGE_FAULTS: dict[str, Callable[[], dict[str, Stage]]] = {
    "recording reads validations, which is not declared": lambda: with_stage("recording", reads=("validations",)),
    "two stages have the same log": lambda: with_stage("recording", log="executions"),
    "executions: the log of invocation is written by it": lambda: with_stage("invocation", writes=("tool-results",)),
    "monitor writes switches, but the topic does not say so": lambda: with_stage("monitor", writes=("notifications", "switches")),
}


@pytest.mark.parametrize("sentence", STAGE_FAULTS)
def test_a_fault_in_a_stage_is_named(sentence: str) -> None:
    assert sentence in problems(TOPICS, STAGE_FAULTS[sentence]())
