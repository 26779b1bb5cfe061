"""Is an execution at its end, on its way, or lost? A function of what the topics said, the time, and the bounds."""

from enum import StrEnum
from typing import Final

from msgspec import Struct

from enact.errors import ValidationError
from enact.execution import DAY_MS, verdict
from enact.execution_state import Execution
from enact.lifecycle import TERMINAL
from enact.next_action import deadline_ms
from enact.records import Status, Step
from services.reconciliation.bounds import BOUNDS, Bounds
from services.reconciliation.case import Case

_NEVER_MS: Final = 1 << 62


class Lack(StrEnum):
    """What is missing."""

    NOT_IN_LOG = "NOT_IN_LOG"
    STANDS_STILL = "STANDS_STILL"
    NO_OUTCOME = "NO_OUTCOME"
    NO_LEDGER = "NO_LEDGER"
    NOT_EXPIRED = "NOT_EXPIRED"
    UNREADABLE = "UNREADABLE"


class Settled(Struct, frozen=True):
    """Nothing is missing, and nothing is awaited but new records."""


class Waiting(Struct, frozen=True):
    """On its way within its bound, which is over at `until_ms`."""

    until_ms: int


class Finding(Struct, frozen=True, kw_only=True):
    """`lack` since `since_ms`, when the bound was over; `generation` is the current one, `status` the log's verdict (None = unheard of)."""

    lack: Lack
    since_ms: int
    generation: int
    status: Status | None


Judgement = Settled | Waiting | Finding


def judge(case: Case, now_ms: int, bounds: Bounds) -> Judgement:
    """The same for the same records, in whatever order the topics were read."""
    if case.is_final:
        return Settled()
    try:
        execution = case.folded()
    except ValidationError:
        generation = case.admitted.generation if case.admitted else 1
        return _found(Lack.UNREADABLE, case.changed_ms, generation, None, now_ms)
    if execution is None:
        return _judge_unheard(case, now_ms, bounds)
    if execution.is_merely_known or _is_too_old(execution.first_ms, now_ms, bounds):
        return Settled()
    number, status = execution.execute.generation.number, verdict(execution.execute).status
    if status in TERMINAL or status is Status.IN_DOUBT:
        return _judge_ended(case, number, status, now_ms, bounds)
    return _judge_open(case, execution, status, now_ms, bounds)


def _judge_unheard(case: Case, now_ms: int, bounds: Bounds) -> Judgement:
    """Admitted or refused, and the execution log knows nothing of it. Nothing of either: what others remember longer is no lack."""
    admitted = case.admitted
    if admitted is None or _is_too_old(admitted.seen_ms, now_ms, bounds):
        return Settled()
    deadline = admitted.expires_at_epoch * 1000 if admitted.expires_at_epoch and not admitted.is_refused else None
    ends_ms = admitted.seen_ms + bounds.pending_ms
    return _judge_bound(Lack.NOT_IN_LOG, ends_ms, deadline, admitted.generation, None, now_ms, bounds)


def _judge_ended(case: Case, number: int, status: Status, now_ms: int, bounds: Bounds) -> Judgement:
    told, ends_ms = case.told, case.changed_ms + bounds.told_ms
    if told is None or told.status is not status or told.generation != number:
        return _found(Lack.NO_OUTCOME, ends_ms, number, status, now_ms)
    if status in TERMINAL and not case.has_ledger:
        return _found(Lack.NO_LEDGER, ends_ms, number, status, now_ms)
    return Settled()


def _judge_open(case: Case, execution: Execution, status: Status | None, now_ms: int, bounds: Bounds) -> Judgement:
    current = execution.execute.generation
    is_known = current.subject is not None and current.subject.is_full
    deadline = deadline_ms(execution, Step.EXECUTE, horizon_ms=bounds.horizon_ms)
    if not is_known and not execution.execute.open_attempt:
        since_ms = max(case.changed_ms, case.admitted.seen_ms if case.admitted else 0)
        return _judge_bound(Lack.NOT_IN_LOG, since_ms + bounds.pending_ms, deadline, current.number, status, now_ms, bounds)
    ends_ms = BOUNDS[status or Status.PENDING].ends_ms(execution, case.changed_ms, bounds)
    return _judge_bound(Lack.STANDS_STILL, ends_ms, deadline, current.number, status, now_ms, bounds)


def _judge_bound(  # noqa: PLR0917 - the two times, whose they are, and the time it is
    lack: Lack, ends_ms: int | None, deadline: int | None, generation: int, status: Status | None, now_ms: int, bounds: Bounds
) -> Judgement:
    """The deadline goes first: what is over its deadline is not sent again."""
    expires_ms = deadline + bounds.expiry_ms if deadline is not None else _NEVER_MS
    if now_ms >= expires_ms:
        return Finding(lack=Lack.NOT_EXPIRED, since_ms=expires_ms, generation=generation, status=status)
    if ends_ms is not None and now_ms >= ends_ms:
        return Finding(lack=lack, since_ms=ends_ms, generation=generation, status=status)
    return Waiting(min(expires_ms, ends_ms if ends_ms is not None else _NEVER_MS))


def _found(lack: Lack, ends_ms: int, generation: int, status: Status | None, now_ms: int) -> Judgement:
    return Finding(lack=lack, since_ms=ends_ms, generation=generation, status=status) if now_ms >= ends_ms else Waiting(ends_ms)


def _is_too_old(first_ms: int, now_ms: int, bounds: Bounds) -> bool:
    """Older than the logs remember in full: a prefix that retention cut must not look like a lack (FOLD.md)."""
    return first_ms < now_ms - (bounds.horizon_ms - 2 * DAY_MS)
