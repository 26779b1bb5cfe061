"""Dead letters for people: what one says, what a redrive of it would do, and what it does."""

import json

import pytest
from msgspec.structs import replace

from enact.command_answers import Accepted, Refused
from enact.commands import CommandRefusedError
from enact.dead_letters import RETURNED_CAUSE, Course, DeadLetters, letter_of
from enact.errors import ErrorCode
from enact.kafka.dead_letter import dead_letter_record
from enact.kafka.partitioner import partition_of
from enact.kafka.stage import DeadLetter
from enact.records import (
    ApprovedIntent,
    ExecutionEvent,
    LedgerEntry,
    LedgerType,
    RedriveRequested,
    ReturnedIntent,
    Status,
    Step,
    ToolCall,
)
from enact.records.codec import decode, encode, encode_json
from tests.factories import in_record, make_intent
from tests.unit.enact.event_factories import a_tool_call
from tests.unit.enact.ledger_owner import INTENT, PARTITIONS, TENANT, TOPICS, World, entry, started

DLQ, RETURNED = "t.validation.dlq", "t.intents.returned"
INTENT_BYTES = encode_json(make_intent(tenant_id=TENANT, action_intent_id=INTENT))


def answered(event: ExecutionEvent) -> LedgerEntry | None:
    assert isinstance(event.data, RedriveRequested)
    details = {"command_id": event.data.command_id, "result": "OPENED"}
    return entry(LedgerType.REDRIVE_ACCEPTED, version=52, generation=2, cause=event.event_id, details=details)


def refused(event: ExecutionEvent) -> LedgerEntry | None:
    assert isinstance(event.data, RedriveRequested)
    details = {"command_id": event.data.command_id, "result": "not ended"}
    return entry(LedgerType.REDRIVE_REFUSED, version=52, cause=event.event_id, details=details)


def world_with_topics(owner: object = answered) -> World:
    world = World(owner)  # type: ignore[arg-type]
    for topic in (DLQ, RETURNED):
        world.broker.create_topic(topic, PARTITIONS)
    return world


def letters(world: World) -> DeadLetters:
    return DeadLetters(world.door, stage="validation", topic=DLQ, returned=RETURNED)


def keep(world: World, value: bytes | None, *, key: bytes = INTENT.encode(), code: ErrorCode = ErrorCode.NOT_APPROVED) -> None:
    """What a stage does with a record that it cannot take."""
    letter = DeadLetter(code=code, message="status is PROPOSED, expected APPROVED.", generation=1, exception_class="ValidationError")
    record = in_record("t.intents.approved", key, value, offset=7)
    made = dead_letter_record(letter, record, topic=DLQ, stage="validation", at_ms=1_790_000_000_000)
    writer = world.broker.writer()
    writer.send(made)
    writer.flush(1.0)


def failed() -> LedgerEntry:
    return entry(LedgerType.ACTION_FAILED, version=5, status=Status.FAILED)


def disposed(world: World) -> list[LedgerEntry]:
    every = [decode(LedgerEntry, r.value) for part in range(PARTITIONS) for r in world.broker.records(TOPICS.ledger, part) if r.value]
    return [one for one in every if one.type is LedgerType.DEAD_LETTER_DISPOSED]


def returned(world: World) -> list[ReturnedIntent]:
    records = [r for part in range(PARTITIONS) for r in world.broker.records(RETURNED, part)]
    return [decode(ReturnedIntent, r.value) for r in records if r.value]


def test_a_dead_letter_says_why_it_is_there_where_it_came_from_and_whose_it_is() -> None:
    world = world_with_topics()
    keep(world, INTENT_BYTES)

    (letter,) = letters(world).all()

    assert (letter.at, letter.code, letter.generation) == ("0:0", "NOT_APPROVED", 1)
    assert (letter.tenant_id, letter.action_intent_id, letter.step) == (TENANT, INTENT, Step.EXECUTE)
    assert letter.source == "t.intents.approved:0:7"
    assert letter.failed_at_ms == 1_790_000_000_000
    assert letter.message == "status is PROPOSED, expected APPROVED."
    assert letter.original is not None
    assert letter.original.value == INTENT_BYTES


def test_one_dead_letter_is_found_by_its_name_and_no_other() -> None:
    world = world_with_topics()
    keep(world, INTENT_BYTES)

    assert letters(world).one("0:0").action_intent_id == INTENT
    for name in ("0:1", "1:0", "x", "0", ""):
        with pytest.raises(CommandRefusedError, match="no dead letter"):
            letters(world).one(name)


def test_a_dead_letter_of_a_known_execution_becomes_the_command() -> None:
    world = world_with_topics()
    world.hold(started(), failed())
    keep(world, INTENT_BYTES)
    (letter,) = letters(world).all()

    plan = letters(world).plan(letter)
    assert world.events == []
    answer = letters(world).redrive(letter, reason="the status was corrected")

    assert plan.course is Course.COMMAND
    assert isinstance(answer, Accepted)
    (event,) = world.events
    assert isinstance(event.data, RedriveRequested)
    assert (event.generation, event.data.reason) == (1, "the status was corrected")
    assert returned(world) == []
    (told,) = disposed(world)
    assert (told.actor, told.details["reason"], told.details["result"], told.details["code"]) == (
        "cli:kim",
        "the status was corrected",
        "ACCEPTED",
        "NOT_APPROVED",
    )
    assert (told.source.topic, told.source.offset) == (DLQ, 0)


def test_a_command_that_the_log_refuses_is_told_as_such() -> None:
    world = world_with_topics(refused)
    world.hold(started(), failed())
    keep(world, INTENT_BYTES)
    (letter,) = letters(world).all()

    answer = letters(world).redrive(letter, reason="again")

    assert isinstance(answer, Refused)
    assert disposed(world)[0].details["result"] == "REFUSED"


@pytest.mark.parametrize("value", [b"\xff\xfe no intent", b'{"half": ', INTENT_BYTES])
def test_what_has_no_execution_goes_back_as_generation_1_with_its_bytes(value: bytes) -> None:
    world = world_with_topics()
    keep(world, value, code=ErrorCode.MALFORMED_RECORD)
    (letter,) = letters(world).all()

    answer = letters(world).redrive(letter, reason="the schema is registered now")

    assert letters(world).plan(letter).course is Course.RETURN
    assert answer is None
    assert world.events == []
    (back,) = returned(world)
    assert (back.generation, back.cause) == (1, RETURNED_CAUSE)
    assert back.original is not None
    assert (back.original.key, back.original.value) == (INTENT.encode(), value)
    home = partition_of(INTENT, PARTITIONS)
    assert world.broker.records(RETURNED, home)[0].key == INTENT.encode()
    assert disposed(world)[0].details["result"] == "RETURNED"


def test_what_went_back_carries_its_own_headers_and_none_of_the_reasons() -> None:
    record = in_record("t.intents.approved", b"int-1", b"x", headers=(("traceparent", b"00-1"),))
    made = dead_letter_record(DeadLetter(code=ErrorCode.NULL_VALUE, message="m"), record, topic=DLQ, stage="validation", at_ms=1)

    letter = letter_of("validation", in_record(DLQ, made.key, made.value, headers=made.headers))

    assert letter.original is not None
    assert [(header.name, header.value) for header in letter.original.headers] == [("traceparent", b"00-1")]


def test_an_id_that_was_used_for_another_intent_is_never_redriven() -> None:
    world = world_with_topics()
    world.hold(started(), failed())
    keep(world, INTENT_BYTES, code=ErrorCode.INTENT_ID_REUSED)
    (letter,) = letters(world).all()

    with pytest.raises(CommandRefusedError, match="belongs to another intent"):
        letters(world).redrive(letter, reason="again")

    assert (world.events, returned(world), disposed(world)) == ([], [], [])


@pytest.mark.parametrize("value", [None, encode(a_tool_call())])
def test_what_holds_no_intent_and_has_no_execution_has_no_way_back(value: bytes | None) -> None:
    world = world_with_topics()
    keep(world, value, code=ErrorCode.NULL_VALUE)
    (letter,) = letters(world).all()

    assert letters(world).plan(letter).course is Course.NOTHING
    with pytest.raises(CommandRefusedError, match="nothing to give back"):
        letters(world).redrive(letter, reason="again")


def test_a_damaged_intent_still_says_whose_it_is() -> None:
    fields = json.loads(INTENT_BYTES)
    del fields["account_id"]

    letter = letter_of("validation", in_record(DLQ, INTENT.encode(), json.dumps(fields).encode()))

    assert (letter.tenant_id, letter.action_intent_id) == (TENANT, INTENT)


@pytest.mark.parametrize("damage", [{"tenant_id": "a b"}, {"action_intent_id": 7}, {"tenant_id": None}])
def test_an_identity_that_is_none_is_not_taken_for_one(damage: dict[str, object]) -> None:
    fields = {**json.loads(INTENT_BYTES), **damage}

    letter = letter_of("validation", in_record(DLQ, b"k", json.dumps(fields).encode()))

    assert (letter.tenant_id, letter.action_intent_id) == ("", "")


def test_a_tool_call_says_its_step_and_a_returned_intent_its_own_original() -> None:
    call: ToolCall = a_tool_call(Step.COMPENSATE)
    of_call = letter_of("invocation", in_record("t.invocation.dlq", b"intent-1", encode(call)))
    intent = make_intent(tenant_id=TENANT, action_intent_id=INTENT)
    assert isinstance(intent, ApprovedIntent)
    given_back = ReturnedIntent(tenant_id=TENANT, action_intent_id=INTENT, generation=3, cause="REDRIVE")
    of_returned = letter_of("validation", in_record(DLQ, INTENT.encode(), encode(given_back)))

    assert (of_call.step, of_call.action_intent_id, of_call.original) == (Step.COMPENSATE, "intent-1", None)
    assert (of_returned.tenant_id, of_returned.action_intent_id, of_returned.original) == (TENANT, INTENT, None)


def test_headers_that_say_nothing_leave_what_the_record_says() -> None:
    letter = letter_of("validation", replace(in_record(DLQ, None, b"x"), timestamp_ms=5))

    assert (letter.code, letter.message, letter.generation, letter.failed_at_ms) == ("UNEXPECTED_ERROR", "", 1, 5)
    assert letter.source == "?:?:?"


def test_a_dead_letter_without_any_name_is_told_under_a_word() -> None:
    world = world_with_topics()
    keep(world, b"\x00", key=b"\xff\xff", code=ErrorCode.MALFORMED_RECORD)
    (letter,) = letters(world).all()

    letters(world).redrive(letter, reason="again")

    assert [one.action_intent_id for one in disposed(world)] == ["dead-letter"]
