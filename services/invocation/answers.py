"""What an answer means: errors and results of a call, by type, become facts."""

import random

from connectors.contract import CallResult
from enact.error_catalogue import error_info
from enact.errors import AmbiguousError, EnactError, ErrorCode, PermanentError, TransientError
from enact.execution import LOOK_UP_BUDGET
from enact.records import Backoff, Effect, ErrorCategory, ErrorClass, ErrorInfo, Fact, FactSource, ToolCall

_LOOK_UP_EVERY_MS = 2_000
_MAX_LOOK_UP_DELAY_MS = 60_000


def fact_of_result(attempt: int, nonce: str, result: CallResult, now_ms: int, started_ms: int, *, is_owned: bool = True) -> Fact:
    """The tool says that it did it."""
    return Fact(
        attempt=attempt,
        nonce=nonce,
        effect=Effect.PARTIAL if result.is_partial else Effect.APPLIED,
        source=FactSource.CALL if is_owned else FactSource.LATE,
        refs=result.refs,
        tool_run_ref=result.tool_run_ref,
        started_at_ms=started_ms,
        completed_at_ms=now_ms,
    )


def fact_of_error(
    call: ToolCall, attempt: int, nonce: str, error: Exception, now_ms: int, started_ms: int, *, is_owned: bool = True
) -> Fact:
    """NOT_APPLIED for what was definitely not executed; UNKNOWN for everything else, also for what nobody foresaw."""
    source = FactSource.CALL if is_owned else FactSource.LATE
    match error:
        case PermanentError():
            effect, info, wait_ms = Effect.NOT_APPLIED, _info(error, error.error_class, is_permanent=True), None
        case TransientError():
            delay_ms = max(_jittered(call.backoff, attempt), round((error.retry_after_s or 0) * 1000))
            effect, info, wait_ms = Effect.NOT_APPLIED, _info(error, error.error_class), delay_ms
        case AmbiguousError():
            effect, info, wait_ms = Effect.UNKNOWN, _info(error, error.error_class), _jittered(call.backoff, attempt)
        case TimeoutError():
            info = error_info(ErrorCode.ANSWER_LOST, "The tool did not answer in time; the call may have been executed.", is_permanent=False)
            effect, wait_ms = Effect.UNKNOWN, _jittered(call.backoff, attempt)
        case _:
            message = "The connector failed unexpectedly after the call may have been sent; see the stage's log."
            effect, wait_ms = Effect.UNKNOWN, _jittered(call.backoff, attempt)
            info = error_info(ErrorCode.ANSWER_LOST, message, is_permanent=False)
    return Fact(
        attempt=attempt,
        nonce=nonce,
        effect=effect,
        source=source,
        error=info,
        not_before_ms=None if wait_ms is None else now_ms + wait_ms,
        started_at_ms=started_ms,
        completed_at_ms=now_ms,
    )


def fact_of_look_up(
    call: ToolCall, attempt: int, nonce: str, found: CallResult | Exception | None, look_ups: int, settled_ms: int, now_ms: int
) -> Fact:
    """Found is APPLIED; not found counts only after the settle time; an unanswered question leaves it UNKNOWN, at most 20 times."""
    if isinstance(found, CallResult):
        return Fact(attempt=attempt, nonce=nonce, effect=Effect.APPLIED, source=FactSource.LOOKUP, refs=found.refs, completed_at_ms=now_ms)
    if found is None and now_ms > settled_ms:
        info = error_info(ErrorCode.DOWNSTREAM_ERROR, "The external system was asked and has nothing of this call.", is_permanent=False)
        return Fact(attempt=attempt, nonce=nonce, effect=Effect.NOT_APPLIED, source=FactSource.LOOKUP, error=info, completed_at_ms=now_ms)
    is_over = look_ups + 1 >= LOOK_UP_BUDGET or isinstance(found, PermanentError)
    reason = found.message if isinstance(found, EnactError) else "The external system could not say yet what became of the call."
    wait_ms = min(_MAX_LOOK_UP_DELAY_MS, _LOOK_UP_EVERY_MS * 2 ** min(look_ups, 10))
    return Fact(
        attempt=attempt,
        nonce=nonce,
        effect=Effect.UNKNOWN,
        source=FactSource.LOOKUP,
        error=error_info(ErrorCode.OUTCOME_UNKNOWN, reason, is_permanent=is_over),
        not_before_ms=max(now_ms + wait_ms, settled_ms + 1 if found is None else 0),
        completed_at_ms=now_ms,
    )


def _info(error: EnactError, error_class: ErrorClass, *, is_permanent: bool = False) -> ErrorInfo:
    category = error.category if isinstance(error, PermanentError) else ErrorCategory.TOOL_ERROR
    return ErrorInfo(category=category, error_class=error_class, code=error.code.value, message=error.message, is_permanent=is_permanent)


def _jittered(backoff: Backoff, attempt: int) -> int:
    """Full jitter: uniform between zero and the capped exponential."""
    ceiling_ms = min(backoff.max_ms, backoff.initial_ms * backoff.factor ** min(attempt - 1, 30))
    return round(random.uniform(0, ceiling_ms))  # noqa: S311  spreads retries, protects nothing
