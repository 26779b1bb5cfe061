"""What an input does: enters as due now, asks the log for its refusal, repeats what is known, or is kept for a person."""

import pytest
from msgspec.structs import replace

from enact.errors import ErrorCode
from enact.intent_records import APPROVED_AT
from enact.kafka.transport import OutRecord
from enact.records import CancelRequested, Effect, Fact, FactSource, RedriveRequested, Refusal, ReturnedIntent, Step
from enact.records.codec import decode
from services.invocation import stage
from tests.factories import TRACEPARENT
from tests.unit.services.invocation.conftest import MakeWorld
from tests.unit.services.invocation.fakes import APPLIED
from tests.unit.services.invocation.world import CALLS, LETTERS, LOG, RESULTS, RETURNED, World, refused_call

REDRIVE = RedriveRequested(command_id="command-1", reason="try again")


@pytest.mark.parametrize("is_before_the_end", [True, False])
def test_a_repeated_input_makes_no_second_call(world: World, is_before_the_end: bool) -> None:
    world.publish(world.call(), world.call())
    if not is_before_the_end:
        world.settle()
    world.publish(world.call())

    world.settle()

    assert len(world.connector.calls) == 1
    assert world.types() == ["CLAIMED", "FACT"]


def test_a_known_input_repeats_the_original_bytes(world: World) -> None:
    began = (APPROVED_AT, b"1789999999000")
    world.publish(world.call(), headers=(TRACEPARENT, began))
    world.settle()
    world.clock.advance(600)

    world.publish(world.call(), headers=(TRACEPARENT, ("ce_id", b"7"), began))
    world.settle()

    first, again = world.broker.records(RESULTS)
    assert (again.key, again.value, again.headers) == (first.key, first.value, first.headers)
    assert world.types() == ["CLAIMED", "FACT"]
    assert world.committed(CALLS) == 2


def test_a_known_input_that_has_not_ended_repeats_nothing_and_starts_nothing(world: World) -> None:
    world.publish(world.call())
    world.turn(2)

    world.publish(world.call())
    world.turn(2)

    assert world.results() == []
    assert world.types() == ["CLAIMED"]


def test_a_refusal_ends_the_execution_by_its_code(world: World) -> None:
    world.publish(refused_call(world.call(), "MAPPING_FAILED"), refused_call(world.call("int-2"), "DEADLINE_PASSED"))

    world.settle()

    by_id = {result.action_intent_id: result for result in world.results()}
    assert (by_id["int-1"].execute.status, by_id["int-2"].execute.status) == ("FAILED", "EXPIRED")
    error = by_id["int-1"].execute.error
    assert error is not None
    assert error.code == "MAPPING_FAILED"
    assert world.connector.calls == []
    assert world.letters() == []
    assert world.committed(CALLS) == 2


def test_a_refusal_read_twice_says_the_same_again(world: World) -> None:
    world.publish(refused_call(world.call()))
    world.settle()

    world.publish(refused_call(world.call()))
    world.settle()

    first, again = world.broker.records(RESULTS)
    assert first.value == again.value
    assert world.types() == ["REFUSED"]


@pytest.mark.parametrize("is_known", [False, True])
def test_a_generation_that_no_redrive_opened_is_kept_for_a_person(world: World, is_known: bool) -> None:
    if is_known:
        world.publish(world.call())
        world.settle()

    world.publish(replace(world.call(), generation=2))
    world.settle()

    assert world.letter_codes() == ["UNKNOWN_GENERATION"]
    assert dict(world.letters()[0].headers)["enact-generation"] == b"2"
    assert len(world.connector.calls) == (1 if is_known else 0)


@pytest.mark.parametrize("value", [b"", b"\xc3\x01rubbish", None])
def test_an_unreadable_input_is_kept_for_a_person(world: World, value: bytes | None) -> None:
    world.broker.append(OutRecord(CALLS, 0, b"int-1", value))

    world.settle()

    assert len(world.letters()) == 1
    assert world.letters()[0].value == value
    assert world.committed(CALLS) == 1


def test_a_call_in_a_foreign_partition_is_kept_for_a_person(make_world: MakeWorld) -> None:
    world = make_world(partitions=2)
    world.publish(world.call(), partition=1 - world.home("int-1"))

    world.settle()

    assert world.letter_codes() == [ErrorCode.KEY_MISMATCH]
    assert world.events() == []


def test_a_cancel_that_came_before_its_call_ends_it(world: World) -> None:
    world.append(CancelRequested(command_id="command-1", reason="not wanted"), subject=world.bare_subject())
    world.turn()
    world.publish(world.call())

    world.settle()

    assert world.statuses() == ["CANCELLED", "CANCELLED"]
    assert world.broker.records(RESULTS)[0].value == world.broker.records(RESULTS)[1].value
    assert world.connector.calls == []


def test_an_accepted_redrive_sends_the_intent_back_and_its_next_call_runs(world: World) -> None:
    world.publish(refused_call(world.call("int-2")))
    world.settle()

    world.append(REDRIVE, call=world.call("int-2"))
    world.settle()
    (returned,) = [decode(ReturnedIntent, record.value or b"") for record in world.broker.records(RETURNED)]
    assert (returned.action_intent_id, returned.generation, returned.cause) == ("int-2", 2, "REDRIVE")

    world.publish(replace(world.call("int-2"), generation=2))
    world.settle()
    assert [call.action_intent_id for call in world.connector.calls] == ["int-2"]
    assert "REDRIVE_ACCEPTED" in world.entries_written()
    assert world.statuses()[-1] == "SUCCEEDED"


def test_an_input_of_an_older_generation_gets_what_that_one_ended_with(world: World) -> None:
    world.publish(refused_call(world.call()))
    world.settle()
    ended = world.broker.records(RESULTS)[0].value
    world.append(REDRIVE)
    world.turn()
    world.publish(replace(world.call(), generation=2))
    world.settle()
    assert world.statuses() == ["FAILED", "SUCCEEDED"]

    world.publish(refused_call(world.call()))
    world.settle()

    assert world.broker.records(RESULTS)[-1].value == ended
    assert len(world.connector.calls) == 1


def test_a_redrive_before_anything_was_shown_has_nothing_to_repeat(world: World) -> None:
    world.append(CancelRequested(command_id="c", reason="stop"), subject=world.bare_subject())
    world.append(REDRIVE)
    world.settle()

    world.publish(replace(world.call(), generation=0))
    world.settle()

    assert world.statuses() == ["CANCELLED"]


def test_a_redrive_that_is_refused_says_why(world: World) -> None:
    world.publish(world.call())
    world.settle()

    world.append(REDRIVE)
    world.settle()

    entry = world.ledger()[-1]
    assert (entry.type, entry.details["result"]) == ("REDRIVE_REFUSED", "something was applied")
    assert world.broker.records(RETURNED) == []


def test_a_compensation_waits_for_the_action_and_runs_once(world: World) -> None:
    undo = replace(world.call(), step=Step.COMPENSATE, tool_name="crm.delete_task", idempotency_key="undo")
    world.publish(undo)
    world.settle(3)
    assert world.connector.calls == []

    world.publish(world.call())
    world.settle()

    assert [call.step for call in world.connector.calls] == [Step.EXECUTE, Step.COMPENSATE]
    result = world.results()[-1]
    assert (result.execute.status, result.compensate.status) == ("SUCCEEDED", "SUCCEEDED")
    assert [entry.status for entry in world.ledger() if entry.step is Step.COMPENSATE] == [None, None]


def test_a_compensation_that_comes_too_late_for_the_log_expires(world: World) -> None:
    world.publish(world.call())
    world.settle()
    days = 86_400
    undo = replace(world.call(), step=Step.COMPENSATE, expires_at_epoch=world.clock.now_ms // 1000 + 40 * days)
    world.clock.advance(26 * days + 1)

    world.publish(undo)
    world.settle()

    assert len(world.connector.calls) == 1
    assert world.results()[-1].compensate.status == "EXPIRED"


def test_a_result_that_was_learned_twice_is_told_once(world: World) -> None:
    world.publish(world.call())
    world.settle()

    world.append(Fact(attempt=1, nonce=world.connector.calls[0].nonce, effect=Effect.APPLIED, source=FactSource.LATE, refs=APPLIED.refs))
    world.settle()

    assert world.statuses() == ["SUCCEEDED"]
    assert world.entries_written() == ["ATTEMPT_CLAIMED", "ATTEMPT_CONCLUDED"]


def _small_log(world: World) -> None:
    """The log accepts less than the inputs do."""
    world.broker._topics[LOG].max_message_bytes = 20_000


def test_an_input_whose_event_is_too_large_is_a_dead_letter_and_holds_nothing_back(world: World) -> None:
    _small_log(world)
    huge = replace(world.call("int-1"), refusal=Refusal(code="MAPPING_FAILED", message="x" * 30_000))
    world.publish(huge, refused_call(world.call("int-2")))

    world.settle()

    assert len(world.broker.records(LETTERS)) == 1
    assert world.statuses() == ["FAILED"]
    assert world.committed(CALLS) == 2


def test_a_queue_is_not_kept_closed_by_one_that_was_too_large_to_be_parked(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage, "MAX_PENDING_PER_GROUP", 0)
    _small_log(world)
    world.publish(replace(world.call("int-1"), arguments=f'{{"note":"{"x" * 30_000}"}}'))
    world.settle()
    monkeypatch.setattr(stage, "MAX_PENDING_PER_GROUP", 10)

    world.publish(world.call("int-2"))
    world.settle()

    assert world.types() == ["CLAIMED", "FACT"], "parked behind something that is in no queue"
    assert world.committed(CALLS) == 2
