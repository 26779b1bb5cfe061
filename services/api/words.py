"""What statuses mean, in the words of the people whose account it is. Codes are in `enact.error_catalogue`."""

from enact.error_catalogue import row_of
from enact.records import CompensationStatus, Effect, ErrorCategory, ErrorClass, ParkReason, Status

STATUS_TEXT = {
    Status.PENDING: "Accepted and waiting for its turn.",
    Status.EXECUTING: "Being carried out right now.",
    Status.RETRYING: "It has not worked yet; we are trying again by ourselves.",
    Status.HELD: "On hold; it goes on by itself when the hold is lifted.",
    Status.IN_DOUBT: "We do not know yet whether this was done. It will not be tried again until a person has looked.",
    Status.SUCCEEDED: "Done.",
    Status.FAILED: "This could not be done.",
    Status.EXPIRED: "Not done in time; the request is no longer valid.",
    Status.CANCELLED: "Cancelled before anything was done.",
    Status.UNKNOWN: "In a state that this version does not know yet.",
}

NEXT_STEP = {
    Status.PENDING: "Nothing to do: it starts by itself.",
    Status.EXECUTING: "Nothing to do: the result appears here in a moment.",
    Status.RETRYING: "Nothing to do: we try again until it works or its time is over.",
    Status.HELD: "Nothing to do: an operator can tell you why it waits.",
    Status.IN_DOUBT: "Nothing to do: an operator looks in the other system and records what happened.",
    Status.SUCCEEDED: "Nothing to do.",
    Status.FAILED: "If it is still wanted, correct the reason and ask for it again.",
    Status.EXPIRED: "If it is still wanted, ask for it again.",
    Status.CANCELLED: "If it is wanted after all, ask for it again.",
    Status.UNKNOWN: "Ask an operator.",
}

ERROR_CLASS_TEXT = {
    ErrorClass.AUTH: "It was not allowed.",
    ErrorClass.RATE_LIMIT: "The other system was asked too often.",
    ErrorClass.VALIDATION: "The request was not correct.",
    ErrorClass.DOWNSTREAM: "The other system had a fault or could not be reached.",
    ErrorClass.TIMEOUT: "It took too long.",
    ErrorClass.UNKNOWN: "The reason is not known yet.",
}

COMPENSATION_TEXT = {
    CompensationStatus.NONE: None,
    CompensationStatus.PENDING: "It is being undone.",
    CompensationStatus.IN_DOUBT: "We do not know yet whether undoing it has worked; a person is looking.",
    CompensationStatus.COMPLETED: "It was undone.",
    CompensationStatus.FAILED: "Undoing it has not worked; a person has been told.",
    CompensationStatus.UNKNOWN: None,
}


HOLD_TEXT = {
    ParkReason.SWITCH.value: "Actions of this kind are stopped by a switch at present.",
    ParkReason.BREAKER.value: "The other system has trouble; it is left alone for a while.",
    ParkReason.LIMIT.value: "A limit was reached; it goes on when there is room again.",
}

EFFECT_TEXT = {
    Effect.APPLIED.value: "It worked.",
    Effect.NOT_APPLIED.value: "It did not work; nothing was done.",
    Effect.PARTIAL.value: "A part of it was done.",
    Effect.UNKNOWN.value: "No usable answer came, so it was not clear whether it was done.",
    "RELEASED": "It was not sent after all.",
}

_WAITING = frozenset({Status.PENDING, Status.HELD, Status.RETRYING})


def is_overdue(status: Status, expires_at_s: int | None, now_ms: int) -> bool:
    """True if its time is over and nothing is running, but the log has not said so yet: the status is still the log's."""
    return status in _WAITING and expires_at_s is not None and expires_at_s * 1000 <= now_ms


def overdue_text(status: Status) -> str:
    """What to say then."""
    held = " It is on hold." if status is Status.HELD else ""
    return f"Its time is over, and it is about to be closed as expired.{held}"


def reason_text(code: str | None, category: str | None, message: str | None) -> str | None:
    """Why it failed, for the owner of the account.

    Our own messages about a request name the field to correct, so they are shown; what another system said may
    hold hosts and internals, so only the catalogue's sentence is.
    """
    if code is None:
        return None
    sentence = row_of(code).seller
    if category != ErrorCategory.VALIDATION_ERROR or not message:
        return sentence
    return f"{sentence} In detail: {message.rstrip('.')}."
