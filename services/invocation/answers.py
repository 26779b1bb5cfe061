"""What an answer means: errors and results of a call, by type, become facts."""

import random

from msgspec import Struct
from msgspec.structs import replace

from connectors.contract import CallResult
from enact.error_catalogue import error_info
from enact.errors import AmbiguousError, EnactError, ErrorCode, PermanentError, TransientError
from enact.execution import LOOK_UP_BUDGET
from enact.records import Backoff, Effect, ErrorCategory, ErrorClass, ErrorInfo, Fact, FactSource, ToolCall

_LOOK_UP_EVERY_MS = 2_000
_MAX_LOOK_UP_DELAY_MS = 60_000
_NO_ANSWER = "The tool did not answer in time; the call may have been executed."
_UNFORESEEN = "The connector failed unexpectedly after the call may have been sent; see the stage's log."
_NOT_FOUND = "The external system was asked and has nothing of this call."
_NOT_SAID_YET = "The external system could not say yet what became of the call."


class Tried(Struct, frozen=True, kw_only=True):
    """A call that was started. `is_owned` False = its partition left meanwhile."""

    call: ToolCall
    attempt: int
    nonce: str
    started_ms: int
    is_owned: bool = True


class Asked(Struct, frozen=True, kw_only=True):
    """A look-up about an attempt. `look_ups` were made before; asked at `settled_ms` or later, not found means never."""

    attempt: int
    nonce: str
    look_ups: int
    settled_ms: int


def fact_of_result(tried: Tried, result: CallResult, now_ms: int) -> Fact:
    """The tool says that it did it."""
    return Fact(
        attempt=tried.attempt,
        nonce=tried.nonce,
        effect=_effect_of(result),
        source=FactSource.CALL if tried.is_owned else FactSource.LATE,
        refs=result.refs,
        tool_run_ref=result.tool_run_ref,
        started_at_ms=tried.started_ms,
        completed_at_ms=now_ms,
    )


def fact_of_error(tried: Tried, error: BaseException, now_ms: int) -> Fact:
    """NOT_APPLIED for what was definitely not executed; UNKNOWN for everything else, also for what nobody foresaw."""
    wait_ms: int | None = _jittered(tried.call.backoff, tried.attempt)
    match error:
        case PermanentError():
            effect, info, wait_ms = Effect.NOT_APPLIED, _info(error, error.error_class, is_permanent=True), None
        case TransientError():
            effect, info = Effect.NOT_APPLIED, _info(error, error.error_class)
            wait_ms = max(wait_ms or 0, round((error.retry_after_s or 0) * 1000))
        case AmbiguousError():
            effect, info = Effect.UNKNOWN, _info(error, error.error_class)
        case TimeoutError():
            effect, info = Effect.UNKNOWN, error_info(ErrorCode.ANSWER_LOST, _NO_ANSWER, is_permanent=False)
        case _:
            effect, info = Effect.UNKNOWN, error_info(ErrorCode.ANSWER_LOST, _UNFORESEEN, is_permanent=False)
    return Fact(
        attempt=tried.attempt,
        nonce=tried.nonce,
        effect=effect,
        source=FactSource.CALL if tried.is_owned else FactSource.LATE,
        error=info,
        not_before_ms=None if wait_ms is None else now_ms + wait_ms,
        started_at_ms=tried.started_ms,
        completed_at_ms=now_ms,
    )


def fact_of_look_up(asked: Asked, found: CallResult | BaseException | None, started_ms: int, now_ms: int) -> Fact:
    """Found is APPLIED; not found counts only if asked after the settle time; without an answer it stays UNKNOWN, 20 times at most."""
    fact = Fact(
        attempt=asked.attempt,
        nonce=asked.nonce,
        effect=Effect.UNKNOWN,
        source=FactSource.LOOKUP,
        started_at_ms=started_ms,
        completed_at_ms=now_ms,
    )
    if isinstance(found, CallResult):
        return replace(fact, effect=_effect_of(found), refs=found.refs, tool_run_ref=found.tool_run_ref)
    if found is None and started_ms >= asked.settled_ms:
        return replace(fact, effect=Effect.NOT_APPLIED, error=error_info(ErrorCode.DOWNSTREAM_ERROR, _NOT_FOUND, is_permanent=False))
    is_over = asked.look_ups + 1 >= LOOK_UP_BUDGET or isinstance(found, PermanentError)
    reason = found.message if isinstance(found, EnactError) else _NOT_SAID_YET
    wait_ms = min(_MAX_LOOK_UP_DELAY_MS, _LOOK_UP_EVERY_MS * 2 ** min(asked.look_ups, 10))
    return replace(
        fact,
        error=error_info(ErrorCode.OUTCOME_UNKNOWN, reason, is_permanent=is_over),
        not_before_ms=max(now_ms + wait_ms, asked.settled_ms if found is None else 0),
    )


def _effect_of(result: CallResult) -> Effect:
    return Effect.PARTIAL if result.is_partial else Effect.APPLIED


def _info(error: EnactError, error_class: ErrorClass, *, is_permanent: bool = False) -> ErrorInfo:
    category = error.category if isinstance(error, PermanentError) else ErrorCategory.TOOL_ERROR
    return ErrorInfo(category=category, error_class=error_class, code=error.code.value, message=error.message, is_permanent=is_permanent)


def _jittered(backoff: Backoff, attempt: int) -> int:
    """Full jitter: uniform between zero and the capped exponential."""
    ceiling_ms = min(backoff.max_ms, backoff.initial_ms * backoff.factor ** min(attempt - 1, 30))
    return round(random.uniform(0, ceiling_ms))  # noqa: S311  spreads retries, protects nothing
