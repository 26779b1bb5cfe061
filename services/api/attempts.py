"""Every try of one execution: when it began and ended, and what became of it."""

from collections.abc import Sequence

from msgspec import Struct

from enact.error_catalogue import row_of
from enact.records import LedgerEntry, LedgerType, Step
from services.api.bodies import Time, time_text
from services.api.words import EFFECT_TEXT

_RELEASED = "RELEASED"
_RUNNING = "It is running, or its answer has not been recorded yet."


class Attempt(Struct, frozen=True, kw_only=True):
    """One permitted call. `effect` null: not known yet. `is_given_back`: it was never sent, and does not count as a try."""

    step: Step
    generation: int
    number: int
    started_at: Time | None
    ended_at: Time | None
    effect: str | None
    is_given_back: bool
    text: str
    error_code: str | None


def attempts_of(entries: Sequence[LedgerEntry]) -> list[Attempt]:
    """In the order of their claims; the last word on each counts. `entries` in the order in which things happened."""
    claims: dict[tuple[Step, int], LedgerEntry] = {}
    ends: dict[tuple[Step, int], LedgerEntry] = {}
    for entry in entries:
        if entry.attempt is None:
            continue
        key = (entry.step or Step.EXECUTE, entry.attempt)
        if entry.type is LedgerType.ATTEMPT_CLAIMED:
            claims.setdefault(key, entry)
        elif entry.type in (LedgerType.ATTEMPT_CONCLUDED, LedgerType.DOUBT_RESOLVED):
            ends[key] = entry
    return [_attempt(key, claim, ends.get(key)) for key, claim in claims.items()]


def words_of(end: LedgerEntry | None) -> str:
    """What became of a try, with its cause if one is on record."""
    if end is None:
        return _RUNNING
    text = EFFECT_TEXT.get(end.details.get("effect", ""), "It ended.")
    code = end.details.get("code")
    return f"{text} {row_of(code).seller}" if code else text


def _attempt(key: tuple[Step, int], claim: LedgerEntry, end: LedgerEntry | None) -> Attempt:
    effect = end.details.get("effect") if end is not None else None
    return Attempt(
        step=key[0],
        generation=claim.generation,
        number=key[1],
        started_at=time_text(claim.at_ms),
        ended_at=time_text(end.at_ms) if end is not None else None,
        effect=effect,
        is_given_back=effect == _RELEASED,
        text=words_of(end),
        error_code=end.details.get("code") if end is not None else None,
    )
