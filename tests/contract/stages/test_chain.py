"""The output of each stage is valid input of the next, from real outputs; invocation has its own part of this suite."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from enact import ids
from enact.clock import ManualClock
from enact.intent_records import APPROVED_AT
from enact.kafka.partitioner import partition_of
from enact.kafka.transport import InRecord, Offset, OutRecord
from enact.mapping import remap
from enact.records import codec
from enact.records.enums import EventType, LedgerType, ParkReason
from enact.records.execution_event import ExecutionEvent, Parked
from enact.records.intent import ApprovedIntent
from enact.records.ledger import LedgerEntry
from enact.records.tool_call import ToolCall
from services.recording.stage import RecordingStage
from services.recording.stage import Topics as RecordingTopics
from services.tool_mapping.stage import ToolMappingStage
from services.tool_mapping.stage import Topics as MappingTopics
from services.validation.emission import Topics as ValidationTopics
from services.validation.stage import ValidationStage
from tests.factories import (
    NOW_MS,
    NOW_S,
    TRACEPARENT,
    LogOfOne,
    MemoryState,
    intent_json_tree,
    make_action_type,
    make_intent,
    make_registry,
)
from topology.stages import STAGES
from topology.topics import topic_name

PARTITION_COUNT = 6


def name(short: str) -> str:
    return topic_name(short, "enact")


VALIDATION = ValidationTopics(
    approved=name("intents.approved"),
    returned=name("intents.returned"),
    admissions=name("admissions"),
    validated=name("intents.validated"),
    tool_calls=name("tool-calls"),
    ledger=name("ledger"),
)
MAPPING = MappingTopics(validated=name("intents.validated"), tool_calls=name("tool-calls"), ledger=name("ledger"))
RECORDING = RecordingTopics(
    tool_results=name("tool-results"),
    outcomes=name("outcomes"),
    signals=name("signals"),
    ledger=name("ledger"),
    notifications=name("notifications"),
    compensations=name("compensations"),
)


def make_validation() -> ValidationStage:
    return ValidationStage(VALIDATION, partition_count=PARTITION_COUNT, registry=make_registry, clock=ManualClock(NOW_MS))


def make_mapping() -> ToolMappingStage:
    return ToolMappingStage(MAPPING, wait_for_registry=lambda _: make_registry())


def as_read(effect: OutRecord, offset: int) -> InRecord:
    return InRecord(effect.topic, effect.partition, Offset(offset), NOW_MS + offset, effect.key, effect.value, effect.headers)


def through(*published: InRecord) -> list[OutRecord]:
    """Everything that validation and tool mapping publish of these intents, with their real outputs in between."""
    stage = make_validation()
    logs = {partition: LogOfOne(stage, MemoryState(partition)) for partition in range(PARTITION_COUNT)}
    waiting, out = list(published), []
    while waiting:
        record = waiting.pop(0)
        sent = [effect for effect in logs[record.partition].take(record) if isinstance(effect, OutRecord)]
        waiting += [as_read(effect, 0) for effect in sent if effect.topic == VALIDATION.returned]
        out += sent
    for offset, effect in enumerate(out[:]):
        if effect.topic == MAPPING.validated:
            out += [sent for sent in make_mapping().decide(as_read(effect, offset), None) if isinstance(sent, OutRecord)]
    return out


def publish(value: ApprovedIntent | dict[str, Any], *, partition: int | None = None) -> InRecord:
    tree = value if isinstance(value, dict) else intent_json_tree(value)
    key = str(tree["action_intent_id"]).encode()
    home = partition_of(key, PARTITION_COUNT)
    return InRecord(
        VALIDATION.approved, home if partition is None else partition, Offset(0), NOW_MS, key, json.dumps(tree).encode(), (TRACEPARENT,)
    )


def calls(sent: Sequence[OutRecord]) -> list[ToolCall]:
    return [codec.decode(ToolCall, effect.value or b"") for effect in sent if effect.topic == VALIDATION.tool_calls]


INTENTS = [
    make_intent(),
    make_intent(action_intent_id="int-2", status="REJECTED"),
    make_intent(action_intent_id="int-3", expires_at_epoch=NOW_S),
    make_intent(action_intent_id="int-4", parameters='{"subject":"x","priority":"Urgent"}'),
    make_intent(action_intent_id="int-5", action_type="NO_SUCH_TYPE"),
    make_intent(action_intent_id="int-6", account_id=""),
]


@pytest.mark.parametrize("intent", INTENTS, ids=lambda intent: intent.action_intent_id)
@pytest.mark.parametrize("is_home", [True, False])
def test_every_intent_ends_as_one_full_tool_call_in_its_own_partition(intent: ApprovedIntent, is_home: bool) -> None:
    home = partition_of(intent.action_intent_id, PARTITION_COUNT)

    sent = through(publish(intent, partition=home if is_home else (home + 1) % PARTITION_COUNT))

    (call,) = calls(sent)
    assert call.is_full
    assert (call.tenant_id, call.action_intent_id, call.generation) == (intent.tenant_id, intent.action_intent_id, 1)
    assert call.execution_trace_id == ids.execution_trace_id(intent.tenant_id, intent.action_intent_id)
    assert {(effect.partition, effect.key) for effect in sent} == {(home, intent.action_intent_id.encode())}
    began = (APPROVED_AT, b"%d" % NOW_MS)
    assert all(effect.headers == (TRACEPARENT, began) for effect in sent)


def test_invocation_can_map_the_call_again_and_gets_the_same_digest() -> None:
    (call,) = calls(through(publish(make_intent())))

    assert remap(call, make_action_type()) == call


def test_a_mapped_call_and_a_refusal_both_survive_the_wire_as_the_subject_of_an_event() -> None:
    for call in calls(through(*(publish(intent) for intent in INTENTS))):
        assert codec.decode(ToolCall, codec.encode(call)) == call
        event = ExecutionEvent(
            tenant_id=call.tenant_id,
            action_intent_id=call.action_intent_id,
            generation=call.generation,
            step=call.step,
            event_id="event-1",
            type=EventType.PARKED,
            at_ms=NOW_MS,
            actor="invocation",
            subject=call,
            data=Parked(reason=ParkReason.QUEUE, not_before_ms=NOW_MS),
        )
        assert codec.decode(ExecutionEvent, codec.encode(event)).subject == call


def test_a_clean_start_writes_exactly_two_distinct_ledger_entries_that_agree_on_who_it_is_about() -> None:
    sent = through(publish(make_intent()), publish(make_intent()), publish(make_intent()))

    entries = [codec.decode(LedgerEntry, effect.value or b"") for effect in sent if effect.topic == VALIDATION.ledger]

    assert {entry.entry_id: entry.type for entry in entries}.keys() == {entry.entry_id for entry in entries}
    assert sorted({(entry.type, entry.entry_id) for entry in entries}) == sorted(
        {(entry.type, entry.entry_id) for entry in entries if entry.type in {LedgerType.EXECUTION_STARTED, LedgerType.TOOL_CALL_MAPPED}}
    )
    assert len({entry.entry_id for entry in entries}) == 2
    assert len({(entry.tenant_id, entry.account_id, entry.action_intent_id, entry.execution_trace_id) for entry in entries}) == 1


@pytest.mark.parametrize(
    ("stage", "topics", "inputs", "log"),
    [
        ("validation", VALIDATION, make_validation().inputs, make_validation().log),
        ("tool_mapping", MAPPING, make_mapping().inputs, make_mapping().log),
        (
            "recording",
            RECORDING,
            RecordingStage(RECORDING, registry=make_registry).inputs,
            RecordingStage(RECORDING, registry=make_registry).log,
        ),
    ],
)
def test_each_stage_reads_and_writes_what_the_topology_declares(stage: str, topics: Any, inputs: Sequence[str], log: str | None) -> None:
    declared = STAGES[stage]

    assert tuple(inputs) == tuple(name(short) for short in declared.reads)
    assert log == (name(declared.log) if declared.log else None)
    known = {name(short) for short in (*declared.reads, *declared.writes, *((declared.log,) if declared.log else ()))}
    assert {getattr(topics, field) for field in type(topics).__dataclass_fields__} <= known
