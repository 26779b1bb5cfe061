"""What each answer of a tool becomes: a fact of the log, and from there what people see."""

import asyncio

import pytest
from msgspec.structs import replace

from enact.errors import (
    AmbiguousError,
    AnswerTimeoutError,
    AuthError,
    ErrorCode,
    PermanentError,
    RateLimitError,
    RejectedError,
    StateLostError,
    TransientError,
    UnreachableError,
)
from enact.next_action import DEADLINE_FIRST
from enact.records import Backoff, Effect, EffectClass, ErrorClass, Fact, FactSource, LedgerType
from enact.records.codec import encode
from services.invocation.answers import Tried, fact_of_error
from tests.factories import NOW_MS
from tests.unit.services.invocation.fakes import APPLIED
from tests.unit.services.invocation.world import LOOKUP, ONCE, UPSERT, World

PARTIAL = replace(APPLIED, is_partial=True)


@pytest.mark.parametrize(
    ("answer", "effect", "error_class", "is_permanent"),
    [
        (PermanentError("Never."), Effect.NOT_APPLIED, ErrorClass.VALIDATION, True),
        (RejectedError("No such field."), Effect.NOT_APPLIED, ErrorClass.VALIDATION, True),
        (AuthError("Expired."), Effect.NOT_APPLIED, ErrorClass.AUTH, True),
        (TransientError("Later."), Effect.NOT_APPLIED, ErrorClass.DOWNSTREAM, False),
        (UnreachableError("Refused."), Effect.NOT_APPLIED, ErrorClass.DOWNSTREAM, False),
        (RateLimitError("Slow down."), Effect.NOT_APPLIED, ErrorClass.RATE_LIMIT, False),
        (AmbiguousError("Lost."), Effect.UNKNOWN, ErrorClass.UNKNOWN, False),
        (AnswerTimeoutError("Late."), Effect.UNKNOWN, ErrorClass.TIMEOUT, False),
        (TimeoutError(), Effect.UNKNOWN, ErrorClass.TIMEOUT, False),
        (ZeroDivisionError(), Effect.UNKNOWN, ErrorClass.TIMEOUT, False),
        (StateLostError("Odd."), Effect.UNKNOWN, ErrorClass.TIMEOUT, False),
    ],
)
def test_an_error_becomes_what_its_type_says(
    world: World, answer: Exception, effect: Effect, error_class: ErrorClass, is_permanent: bool
) -> None:
    world.publish(world.call())
    world.connector.answers.append(answer)

    world.turn(2)
    world.calls()

    (fact,) = world.data(Fact)
    assert (fact.effect, fact.source) == (effect, FactSource.CALL)
    assert fact.error is not None
    assert (fact.error.error_class, fact.error.is_permanent) == (error_class, is_permanent)


def test_a_connector_that_is_cancelled_from_within_leaves_the_answer_unknown(world: World) -> None:
    world.publish(world.call())
    world.connector.answers.append(asyncio.CancelledError())

    world.turn(2)
    world.calls()

    assert [fact.effect for fact in world.data(Fact)] == [Effect.UNKNOWN]


def test_a_permanent_answer_fails_with_its_own_code_and_a_dead_letter(world: World) -> None:
    world.publish(world.call(), headers=(("traceparent", b"00-1-2-01"),))
    world.connector.answers.append(AuthError("The credentials were refused."))

    world.settle()

    assert len(world.connector.calls) == 1
    (result,) = world.results()
    assert result.execute.error is not None
    assert (result.execute.status, result.execute.error.code) == ("FAILED", ErrorCode.AUTH_REJECTED)
    assert world.letter_codes() == ["AUTH_REJECTED"]
    headers = dict(world.letters()[0].headers)
    assert headers["__connect.errors.exception.message"] == b"The credentials were refused."
    assert headers["traceparent"] == b"00-1-2-01"
    assert world.letters()[0].key == b"int-1"
    assert world.letters()[0].value == encode(world.call())


def test_transient_answers_are_tried_again_until_the_attempts_are_used_up(world: World) -> None:
    world.use_tool(max_attempts=3)
    world.publish(world.call())
    world.connector.answers.extend([TransientError("Later.")] * 5)

    world.settle(12)

    assert [call.attempt for call in world.connector.calls] == [1, 2, 3]
    (result,) = world.results()
    assert result.execute.error is not None
    assert (result.execute.status, result.execute.error.code) == ("FAILED", "RETRIES_EXHAUSTED")
    assert result.execute.error.message.endswith("Last: Later.")
    assert world.letter_codes() == ["RETRIES_EXHAUSTED"]
    assert world.entries_written().count("RETRY_SCHEDULED") == 2


def test_retry_after_is_the_floor_of_the_delay(world: World) -> None:
    world.publish(world.call())
    world.connector.answers.append(RateLimitError("Slow down.", retry_after_s=30))
    world.settle()

    world.clock.advance(29.9)
    world.settle()
    assert len(world.connector.calls) == 1

    world.clock.advance(0.1)
    world.settle()
    assert len(world.connector.calls) == 2
    assert world.statuses() == ["SUCCEEDED"]


@pytest.mark.parametrize(("attempt", "ceiling_ms"), [(1, 1_000), (2, 3_000), (3, 5_000), (40, 5_000)])
def test_the_delay_is_spread_below_a_growing_ceiling(world: World, attempt: int, ceiling_ms: int) -> None:
    call = replace(world.call(), backoff=Backoff(initial_ms=1_000, factor=3.0, max_ms=5_000))
    tried = Tried(call=call, attempt=attempt, nonce="n", started_ms=NOW_MS)

    delays = [(fact_of_error(tried, TransientError("Later."), NOW_MS).not_before_ms or 0) - NOW_MS for _ in range(300)]

    assert 0 <= min(delays) < ceiling_ms * 0.2
    assert ceiling_ms * 0.8 < max(delays) <= ceiling_ms


def test_a_retry_that_would_come_after_the_deadline_never_comes(world: World) -> None:
    world.publish(world.call())
    world.connector.answers.append(RateLimitError("Slow down.", retry_after_s=4_000))
    world.settle()
    (scheduled,) = [entry for entry in world.ledger() if entry.type is LedgerType.RETRY_SCHEDULED]
    assert scheduled.details["reason"] == DEADLINE_FIRST, "nobody is told of a try that will not be"

    world.clock.advance(3_600)
    world.settle()
    world.clock.advance(500)
    world.settle()

    assert len(world.connector.calls) == 1
    assert world.statuses() == ["EXPIRED"]


@pytest.mark.parametrize(("effect_class", "wait_s", "has_reason"), [(UPSERT, 3_599, False), (UPSERT, 3_600, True), (LOOKUP, 3_600, True)])
def test_a_retry_at_the_deadline_is_one_that_never_comes(world: World, effect_class: EffectClass, wait_s: int, *, has_reason: bool) -> None:
    world.use_tool(effect_class=effect_class)
    world.publish(world.call())
    world.connector.answers.append(RateLimitError("Slow down.", retry_after_s=wait_s))
    world.settle()

    (scheduled,) = [entry for entry in world.ledger() if entry.type is LedgerType.RETRY_SCHEDULED]

    assert ("reason" in scheduled.details) is has_reason


def test_what_is_unknown_is_asked_about_after_its_deadline_too(world: World) -> None:
    world.use_tool(effect_class=LOOKUP)
    call = world.call()
    world.publish(call)
    world.hold_answer()
    world.settle(3)
    late_ms = call.expires_at_epoch * 1000 + 1
    nonce = world.connector.calls[0].nonce

    world.append(Fact(attempt=1, nonce=nonce, effect=Effect.UNKNOWN, source=FactSource.TAKE_OVER, not_before_ms=late_ms))
    world.turn()

    (scheduled,) = [entry for entry in world.ledger() if entry.type is LedgerType.RETRY_SCHEDULED]
    assert scheduled.details["not_before_ms"] == str(late_ms)
    assert "reason" not in scheduled.details


def test_a_partial_answer_fails_with_its_effects_on_record(world: World) -> None:
    world.publish(world.call())
    world.connector.answers.append(PARTIAL)

    world.settle()

    (result,) = world.results()
    assert result.execute.error is not None
    assert (result.execute.status, result.execute.effect, result.execute.error.code) == ("FAILED", "PARTIAL", "PARTIAL_EFFECT")
    assert result.execute.external_object_refs == APPLIED.refs
    assert world.letter_codes() == ["PARTIAL_EFFECT"]


def test_a_late_success_contradicts_a_failure(world: World) -> None:
    world.publish(world.call())
    world.connector.answers.append(PermanentError("Never."))
    world.settle()

    world.append(Fact(attempt=1, nonce="forgotten", effect=Effect.APPLIED, source=FactSource.LATE, refs=APPLIED.refs))
    world.settle()

    assert world.statuses() == ["FAILED", "SUCCEEDED"]
    assert world.results()[-1].execute.is_contradicted
    assert world.entries_written()[-1] == "ATTEMPT_CONCLUDED"


def test_a_call_for_a_connector_that_is_not_installed_fails_without_a_call(world: World) -> None:
    world.connectors.clear()
    world.publish(world.call())

    world.settle()

    assert world.statuses() == ["FAILED"]
    assert b"No connector named crm" in dict(world.letters()[0].headers)["__connect.errors.exception.message"]


def test_a_doubtful_call_of_a_tool_without_a_promise_makes_no_second_one(world: World) -> None:
    world.use_tool(effect_class=ONCE)
    world.publish(world.call())
    world.connector.answers.append(ZeroDivisionError())

    world.settle()

    assert len(world.connector.calls) == 1
    assert world.statuses() == ["IN_DOUBT"]
