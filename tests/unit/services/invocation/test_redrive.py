"""A redrive: what it opens, what it sends, and the reason when it does neither."""

import pytest
from msgspec.structs import replace

from enact.errors import PermanentError
from enact.execution import DAY_MS
from enact.execution_state import Ending, Execution, Generation, StepState
from enact.kafka.transport import OutRecord
from enact.records import (
    CancelRequested,
    Effect,
    Fact,
    FactSource,
    LedgerEntry,
    Parked,
    ParkReason,
    RedriveRequested,
    ReturnedIntent,
    Status,
    Step,
    ToolCall,
)
from enact.records.codec import decode
from services.invocation.redrive import redriven
from services.invocation.topics import InvocationTopics
from tests.factories import in_record
from tests.unit.services.invocation.world import LOG, ONCE, RETURNED, World, refused_call

REDRIVE = RedriveRequested(command_id="command-1", reason="the cause is mended")


def sent_back(world: World) -> list[ReturnedIntent]:
    return [decode(ReturnedIntent, record.value or b"") for record in world.broker.records(RETURNED)]


def answers(world: World) -> list[LedgerEntry]:
    return [entry for entry in world.ledger() if entry.type.value.startswith("REDRIVE_")]


def undo_of(world: World) -> ToolCall:
    return replace(world.call(), step=Step.COMPENSATE, tool_name="crm.delete_task", idempotency_key="undo")


def an_undo_that_failed(world: World) -> ToolCall:
    """The action was done, and its compensation was rejected."""
    undo = undo_of(world)
    world.publish(world.call())
    world.settle()
    world.connector.answers.append(PermanentError("The record is locked."))
    world.publish(undo)
    world.settle()
    assert world.results()[-1].compensate.status == "FAILED"
    world.clock.advance(60)
    return undo


def test_a_redrive_before_the_call_reached_the_log_sends_the_intent_again_and_opens_nothing(world: World) -> None:
    world.append(REDRIVE, subject=world.bare_subject())
    world.settle()

    (returned,) = sent_back(world)
    assert (returned.tenant_id, returned.action_intent_id, returned.generation) == ("acme", "int-1", 1)
    assert returned.original is None
    (answer,) = answers(world)
    assert (answer.type, answer.status, answer.details["result"]) == ("REDRIVE_ACCEPTED", None, "SENT_AGAIN")
    assert world.fold().execute.generation.number == 1

    world.publish(world.call())
    world.settle()
    assert world.statuses() == ["SUCCEEDED"]


def test_a_redrive_of_a_generation_whose_call_is_in_the_log_sends_nothing(world: World) -> None:
    call = world.call()
    world.append(Parked(reason=ParkReason.RETRY, not_before_ms=world.clock.now_ms + 60_000), call=call, subject=call)
    world.append(REDRIVE)
    world.turn()

    assert sent_back(world) == []
    assert answers(world)[-1].details["result"] == "not ended"


def test_a_redrive_while_the_next_generation_is_on_its_way_sends_that_one_again(world: World) -> None:
    world.publish(refused_call(world.call()))
    world.settle()
    world.append(REDRIVE)
    world.append(replace(REDRIVE, command_id="command-2"), generation=2)
    world.settle()

    assert [one.generation for one in sent_back(world)] == [2, 2]
    assert [entry.details["result"] for entry in answers(world)] == ["OPENED", "SENT_AGAIN"]
    assert world.fold().execute.generation.number == 2


def test_a_redriven_compensation_goes_on_with_the_call_it_had(world: World) -> None:
    undo = an_undo_that_failed(world)

    world.append(REDRIVE, call=undo)
    world.settle()

    parked = [event for event in world.events() if isinstance(event.data, Parked)]
    assert [(event.generation, event.step, event.data.reason) for event in parked if isinstance(event.data, Parked)] == [
        (2, Step.COMPENSATE, ParkReason.REDRIVE)
    ]
    assert parked[0].subject == replace(undo, generation=2)
    assert [call.step for call in world.connector.calls] == [Step.EXECUTE, Step.COMPENSATE, Step.COMPENSATE]
    assert world.connector.calls[1].idempotency_key == world.connector.calls[2].idempotency_key
    assert world.results()[-1].compensate.status == "SUCCEEDED"
    assert world.results()[-1].compensate.attempt_count == 2
    assert sent_back(world) == []


def test_a_redriven_compensation_that_is_emitted_twice_is_one_event(world: World) -> None:
    undo = an_undo_that_failed(world)
    world.append(REDRIVE, call=undo)
    world.settle()
    calls = len(world.connector.calls)
    (emitted,) = [r for r, e in zip(world.broker.records(LOG), world.events(), strict=True) if isinstance(e.data, Parked)]

    world.broker.append(OutRecord(LOG, 0, emitted.key, emitted.value))
    world.settle()

    assert len(world.connector.calls) == calls
    assert world.fold().compensate.generation.number == 2


def test_what_a_redrive_sends_is_the_same_bytes_each_time_it_is_read(world: World) -> None:
    call = undo_of(world)
    generation = Generation(subject=call, ending=Ending(status=Status.FAILED))
    was = StepState(generation=generation)
    after = Execution(tenant_id="acme", action_intent_id="int-1", first_ms=1, compensate=StepState(generation=Generation(number=2)))
    world.append(REDRIVE, call=call)
    (event,) = world.events()
    records = [in_record(LOG, b"k", b"v", offset=7) for _ in range(2)]
    topics = InvocationTopics(executions=LOG, tool_results="results", ledger="ledger", returned=RETURNED)

    first, second = (redriven(was, after, event, record, topics) for record in records)

    assert first == second
    assert first is not None


def test_a_redriven_compensation_without_a_call_has_nothing_to_repeat_and_ends_at_once(world: World) -> None:
    world.publish(world.call())
    world.settle()
    undo = undo_of(world)
    bare = replace(undo, tool_name="", connector="", arguments="", request_digest="", intent="")
    world.append(CancelRequested(command_id="c", reason="stop"), call=undo, subject=bare)
    world.append(REDRIVE, call=undo)
    world.settle()

    compensate = world.results()[-1].compensate
    assert (compensate.status, compensate.generation) == ("FAILED", 2)
    assert compensate.error is not None
    assert "ask for the compensation anew" in compensate.error.message
    assert len(world.connector.calls) == 1


def test_a_redriven_compensation_that_was_refused_is_refused_again_with_its_own_reason(world: World) -> None:
    world.publish(world.call())
    world.settle()
    world.publish(replace(refused_call(world.call()), step=Step.COMPENSATE))
    world.settle()
    world.append(REDRIVE, call=undo_of(world))
    world.settle()

    compensate = world.results()[-1].compensate
    assert (compensate.status, compensate.generation) == ("FAILED", 2)
    assert compensate.error is not None
    assert (compensate.error.code, compensate.error.message) == ("MAPPING_FAILED", "No such field.")


def test_a_redrive_of_what_the_log_does_not_remember_whole_is_refused(world: World) -> None:
    world.append(REDRIVE, subject=world.bare_subject(), first_ms=world.clock.now_ms - 29 * DAY_MS)
    world.settle()

    assert answers(world)[-1].details["result"] == "older than the log remembers"
    assert sent_back(world) == []


def test_a_redrive_in_doubt_is_refused_and_after_a_persons_denial_it_is_not(world: World) -> None:
    world.use_tool(effect_class=ONCE)
    world.publish(world.call())
    world.connector.answers.append(TimeoutError())
    world.settle()
    nonce = world.connector.calls[0].nonce

    world.append(REDRIVE)
    world.settle()
    world.clock.advance(60)
    world.append(Fact(attempt=1, nonce=nonce, effect=Effect.NOT_APPLIED, source=FactSource.HUMAN, command_id="c", reason="not there"))
    world.append(replace(REDRIVE, command_id="command-2"))
    world.settle()

    assert [entry.details["result"] for entry in answers(world)] == ["an attempt is in doubt", "OPENED"]
    assert [one.generation for one in sent_back(world)] == [2]


def test_a_redrive_before_the_calls_time_is_over_is_refused_with_that_reason(world: World) -> None:
    world.connector.answers.append(PermanentError("No."))
    world.publish(world.call())
    world.settle()

    world.append(REDRIVE)
    world.settle()

    assert answers(world)[-1].details["result"] == "a claim's time is not over"


def test_a_redrive_that_is_read_twice_opens_one_generation(world: World) -> None:
    world.publish(refused_call(world.call()))
    world.settle()
    world.append(REDRIVE, event_id="redrive-1")
    world.append(REDRIVE, event_id="redrive-1")
    world.settle()

    assert world.fold().execute.generation.number == 2
    assert len(sent_back(world)) == 1


@pytest.mark.parametrize("effect", [Effect.NOT_APPLIED, Effect.UNKNOWN])
def test_a_finding_about_a_call_that_the_log_does_not_know_is_refused_although_it_brings_a_subject(world: World, effect: Effect) -> None:
    fact = Fact(attempt=1, nonce="never claimed", effect=effect, source=FactSource.HUMAN, command_id="c", reason="looked")

    world.append(fact, subject=world.bare_subject())
    world.settle()

    assert [entry.type.value for entry in world.ledger()] == ["RESOLVE_REFUSED"]
