"""The steps of the execution phase: one line for each thing that a person would tell another, the noise between them marked."""

from collections.abc import Sequence

from msgspec import Struct

from enact.error_catalogue import row_of
from enact.next_action import DEADLINE_FIRST
from enact.records import Effect, LedgerEntry, LedgerType, Status, Step
from services.api.attempts import words_of
from services.api.bodies import Time, time_text
from services.api.words import HOLD_TEXT

_RELEASED = "RELEASED"
_FOUND_OUT = {
    Effect.APPLIED.value: "We found out that it was done.",
    Effect.NOT_APPLIED.value: "We found out that it was not done.",
    Effect.PARTIAL.value: "We found out that a part of it was done.",
}
_PLAIN_LINES = {
    LedgerType.DOUBT_RAISED: "The other system's answer was lost, so we do not know whether it was done.",
    LedgerType.CANCEL_ACCEPTED: "Cancelling was asked for and accepted.",
    LedgerType.CANCEL_REFUSED: "Cancelling was asked for, but could not be accepted any more.",
    LedgerType.REDRIVE_ACCEPTED: "It was started again on request.",
    LedgerType.REDRIVE_REFUSED: "Starting it again was asked for, but could not be accepted.",
    LedgerType.RESOLVE_REFUSED: "An answer to the doubt was given, but could not be accepted any more.",
    LedgerType.OUTCOME_CONTRADICTED: "It turned out that it was done after all.",
    LedgerType.COMPENSATION_REQUESTED: "It was asked to undo this.",
    LedgerType.COMPENSATION_COMPLETED: "It was undone.",
    LedgerType.COMPENSATION_IN_DOUBT: "We do not know yet whether undoing it has worked.",
    LedgerType.COMPENSATION_FAILED: "Undoing it has not worked.",
    LedgerType.DEAD_LETTERED: "It was put aside for an operator to look at.",
    LedgerType.DEAD_LETTER_DISPOSED: "An operator has looked at what was put aside.",
}
_TOLD_IN_THEIR_WORDS = frozenset(
    {
        LedgerType.CANCEL_ACCEPTED,
        LedgerType.CANCEL_REFUSED,
        LedgerType.REDRIVE_ACCEPTED,
        LedgerType.DOUBT_RESOLVED,
        LedgerType.RESOLVE_REFUSED,
    }
)


class TimelineStep(Struct, frozen=True, kw_only=True):
    """One thing that happened. `cause`: why, if it is on record. `is_noise`: a try or a wait that another step already sums up."""

    at: Time | None
    text: str
    cause: str | None
    is_noise: bool


def steps_of(status: str, entries: Sequence[LedgerEntry]) -> list[TimelineStep]:
    """Every step. `entries` in the order in which things happened; `status` is how the execution stands."""
    calls, hold = _calls(entries), _hold(status, entries)
    steps: list[TimelineStep] = []
    for entry in entries:
        if calls is not None and entry is calls[0]:
            steps.append(_step(entry, calls[1]))
        if hold is not None and entry is hold[0]:
            steps.append(_step(entry, hold[1], cause=_hold_cause(entry)))
        if (text := _plain(entry)) is not None:
            steps.append(_step(entry, text, cause=entry.details.get("reason") if entry.type in _TOLD_IN_THEIR_WORDS else None))
        elif (noise := _noise(entry)) is not None:
            steps.append(noise)
    return steps


def _plain(entry: LedgerEntry) -> str | None:
    if entry.type is LedgerType.EXECUTION_STARTED:
        return "Accepted." if entry.generation <= 1 else None
    if entry.type is LedgerType.INTENT_REFUSED:
        code = entry.error.code if entry.error is not None else entry.details.get("code", "")
        return row_of(code).seller
    if entry.type is LedgerType.DOUBT_RESOLVED:
        return _FOUND_OUT.get(entry.details.get("effect", ""), "It is now known what happened.")
    return _PLAIN_LINES.get(entry.type)


def _noise(entry: LedgerEntry) -> TimelineStep | None:
    what = "Undoing, try" if entry.step is Step.COMPENSATE else "Try"
    match entry.type:
        case LedgerType.ATTEMPT_CLAIMED:
            return _step(entry, f"{what} {entry.attempt} began.", is_noise=True)
        case LedgerType.ATTEMPT_CONCLUDED:
            return _step(entry, f"{what} {entry.attempt}: {words_of(entry)}", is_noise=True)
        case LedgerType.RETRY_SCHEDULED:
            due = entry.details.get("not_before_ms", "")
            at = time_text(int(due)) if due.isdecimal() and len(due) < len("9999999999999999") else None
            if at and entry.details.get("reason") == DEADLINE_FIRST:
                return _step(entry, f"It may be tried again at {at} and not before, but its deadline comes first: it expires then.")
            return _step(entry, f"It is tried again, not before {at}." if at else "It is tried again.", is_noise=True)
        case LedgerType.EXECUTION_HELD:
            return _step(entry, "It was put on hold.", cause=_hold_cause(entry), is_noise=True)
        case LedgerType.EXECUTION_RELEASED:
            return _step(entry, "It went on.", is_noise=True)
        case _:
            return None


def _calls(entries: Sequence[LedgerEntry]) -> tuple[LedgerEntry, str] | None:
    """The entry of the first call that was sent, and one sentence for all of them."""
    execute = [entry for entry in entries if entry.step is not Step.COMPENSATE]
    released = {
        (entry.generation, entry.attempt)
        for entry in execute
        if entry.type is LedgerType.ATTEMPT_CONCLUDED and entry.details.get("effect") == _RELEASED
    }
    claims = [e for e in execute if e.type is LedgerType.ATTEMPT_CLAIMED and (e.generation, e.attempt) not in released]
    if not claims:
        return None
    return claims[0], "Tried once." if len(claims) == 1 else f"Tried {len(claims)} times."


def _hold(status: str, entries: Sequence[LedgerEntry]) -> tuple[LedgerEntry, str] | None:
    held = [entry for entry in entries if entry.type is LedgerType.EXECUTION_HELD]
    if not held:
        return None
    is_held = status == Status.HELD
    return (held[-1] if is_held else held[0]), ("It is on hold." if is_held else "It was on hold for a while.")


def _hold_cause(entry: LedgerEntry) -> str | None:
    return HOLD_TEXT.get(entry.details.get("reason", ""))


def _step(entry: LedgerEntry, text: str, *, cause: str | None = None, is_noise: bool = False) -> TimelineStep:
    return TimelineStep(at=time_text(entry.at_ms), text=text, cause=cause, is_noise=is_noise)
