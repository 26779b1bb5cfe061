"""What somebody who gave a command is told: the ledger entry of the execution's owner, in plain words."""

from dataclasses import dataclass

from enact.lifecycle import TERMINAL
from enact.records import LedgerEntry, LedgerType, Status, Step
from enact.seen_execution import SeenAttempt, SeenExecution

CANCEL_RECORDED = (
    "Recorded: no claim appended after it is valid; a claim already in the log may still call unless its last look has folded the cancel."
)
LATER_RECORDED = "Recorded: it counts as soon as the owner of this execution reads it; look at the status again in a moment."
ANSWERS = frozenset(
    {
        LedgerType.CANCEL_ACCEPTED,
        LedgerType.CANCEL_REFUSED,
        LedgerType.DOUBT_RESOLVED,
        LedgerType.RESOLVE_REFUSED,
        LedgerType.OUTCOME_CONTRADICTED,
        LedgerType.REDRIVE_ACCEPTED,
        LedgerType.REDRIVE_REFUSED,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The owner folded the command and it counts."""

    command_id: str
    status: Status | None
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TooLate:
    """The execution had ended, or is past what the command asks for."""

    command_id: str
    status: Status | None
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InDoubt:
    """Nobody can say whether the call happened; that has to be known first."""

    command_id: str
    status: Status | None
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The owner folded the command and it does not count; the message says why and what to do."""

    command_id: str
    status: Status | None
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """The command is in the log; its owner has not answered in time."""

    command_id: str
    status: Status | None
    message: str


Answer = Accepted | TooLate | InDoubt | Refused | Recorded


def is_answer(entry: LedgerEntry, command_id: str) -> bool:
    """True if this entry says what became of the command."""
    return entry.type in ANSWERS and entry.details.get("command_id") == command_id


def cancel_answer(entry: LedgerEntry, command_id: str, seen: SeenExecution) -> Answer:
    """`details.result` of the entry is CANCELLED or NO_LATER_CALL when accepted, else the status that forbade it."""
    result = entry.details.get("result", "")
    named = Status[result] if result in Status.__members__ else None
    if entry.type is LedgerType.CANCEL_ACCEPTED:
        if named is Status.CANCELLED:
            return Accepted(command_id=command_id, status=named, message="Cancelled: nothing was done.")
        message = "Accepted: no later call will be made; the call that is under way decides the result."
        return Accepted(command_id=command_id, status=seen.status, message=message)
    status = named or seen.status
    if status is Status.IN_DOUBT:
        message = "In doubt: a call may have been carried out. Find out in the other system, then resolve the execution."
        return InDoubt(command_id=command_id, status=status, message=message)
    message = f"Too late: the execution is {status.value if status is not None else 'over'} already."
    return TooLate(command_id=command_id, status=status, message=message)


def resolve_answer(
    entry: LedgerEntry, command_id: str, seen: SeenExecution, targets: tuple[SeenAttempt, ...], *, is_applied: bool, now_ms: int
) -> Answer:
    """`details.result` of a refusal says what the fold knew of the attempt."""
    if entry.type is LedgerType.OUTCOME_CONTRADICTED:
        message = "Accepted: it is on record as done, against the earlier outcome; whoever relied on that is told."
        return Accepted(command_id=command_id, status=Status.SUCCEEDED, message=message)
    if entry.type is LedgerType.DOUBT_RESOLVED:
        is_open = not is_applied and any(one not in targets for one in seen.undecided(targets[0].step))
        status = Status.SUCCEEDED if is_applied else (Status.IN_DOUBT if is_open else Status.FAILED)
        message = f"Accepted: it is on record as {'done' if is_applied else 'not done'}."
        if is_open:
            message += " Another attempt is still in doubt."
        return Accepted(command_id=command_id, status=status if targets[0].step is Step.EXECUTE else seen.status, message=message)
    why = entry.details.get("result", "")
    because = f" ({why})" if why else ""
    if seen.status is not None and seen.status in TERMINAL:
        message = f"Too late: the execution is {seen.status.value}, and what is known is not taken back{because}."
        return TooLate(command_id=command_id, status=seen.status, message=message)
    wait_s = -(-max(0, *(one.claimed_ms + one.lease_ms - now_ms for one in targets)) // 1000)
    when = f"in {wait_s} s" if wait_s > 0 else "once the execution is IN_DOUBT"
    message = f"Not taken over{because}: the call may still be under way. Look again in the other system {when}, then repeat."
    return InDoubt(command_id=command_id, status=seen.status, message=message)


def redrive_answer(entry: LedgerEntry, command_id: str, seen: SeenExecution, step: Step, *, now_ms: int) -> Answer:
    """`details.result` of the entry says what was opened or sent again, or why nothing was."""
    result = entry.details.get("result", "")
    if entry.type is LedgerType.REDRIVE_ACCEPTED:
        if step is Step.COMPENSATE:
            return Accepted(command_id=command_id, status=seen.status, message="Accepted: the compensation is tried again.")
        if result == "SENT_AGAIN":
            message = "Accepted: it had not begun, so nothing new is opened; the intent was sent to validation once more."
            return Accepted(command_id=command_id, status=seen.status, message=message)
        message = f"Accepted: it begins again as generation {entry.generation}, decided afresh from the stored intent."
        return Accepted(command_id=command_id, status=Status.PENDING, message=message)
    match result:
        case "something was applied":
            message = "Too late: something was done already, so it is not done again. To undo it, compensate it."
            return TooLate(command_id=command_id, status=seen.status, message=message)
        case "an attempt is in doubt" | "an attempt is open or unknown":
            message = "Not started again: a call may have been carried out. Find out in the other system and resolve it first."
            return InDoubt(command_id=command_id, status=seen.status, message=message)
        case "a claim's time is not over":
            ends_ms = [one.claimed_ms + one.lease_ms for one in seen.attempts if one.step is step]
            wait_s = -(-max(0, *(end_ms - now_ms for end_ms in ends_ms), 0) // 1000)
            when = f"in {wait_s} s" if wait_s else "in a minute"
            message = f"Not started again: its last call could still arrive at the other system. Give the command again {when}."
        case "not the current generation":
            message = "Not started again: somebody has started it again already; look at its status."
        case "not ended":
            message = "Not started again: it has not ended, and goes on by itself. To begin anew, cancel it first."
        case _:
            message = f"Not started again: {result or 'the execution log does not allow it'}."
    return Refused(command_id=command_id, status=seen.status, message=message)
