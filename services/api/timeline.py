"""The seller's timeline: decision → approval → execution → outcome in plain words, retry noise folded away.

Pure. One line for each thing that a person would tell another; "tried 3 times" at most.
"""

from collections.abc import Sequence

import orjson

from enact.error_catalogue import row_of
from enact.records import ApprovalSource, Effect, LedgerEntry, LedgerType, Status, Step
from services.api.bodies import Body, time_text
from services.api.fold import ExecutionRow
from services.api.words import COMPENSATION_TEXT, NEXT_STEP, STATUS_TEXT, reason_text

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
    LedgerType.OUTCOME_CONTRADICTED: "It turned out that it was done after all.",
    LedgerType.COMPENSATION_REQUESTED: "It was asked to undo this.",
    LedgerType.COMPENSATION_COMPLETED: "It was undone.",
    LedgerType.COMPENSATION_IN_DOUBT: "We do not know yet whether undoing it has worked.",
    LedgerType.COMPENSATION_FAILED: "Undoing it has not worked.",
}


def timeline_body(row: ExecutionRow, entries: Sequence[LedgerEntry]) -> Body:
    """The four phases of one execution. `entries` in the order of the ledger."""
    told = sorted(entries, key=lambda entry: (entry.generation, entry.version))
    status = Status(row.status)
    facts = _known(told)
    return {
        "action_intent_id": row.action_intent_id,
        "execution_id": f"exec-{row.action_intent_id}",
        "account_id": row.account_id,
        "action_type": row.action_type,
        "status": status.value,
        "status_text": STATUS_TEXT[status],
        "phases": [_decision(facts), _approval(facts), _execution(row, told), _outcome(row, status)],
    }


def _known(entries: Sequence[LedgerEntry]) -> dict[str, str]:
    """What the entries say about the intent; the first word on each counts."""
    known: dict[str, str] = {}
    for entry in entries:
        for name, value in entry.details.items():
            known.setdefault(name, value)
    return known


def _decision(facts: dict[str, str]) -> Body:
    decision, proposal = facts.get("decision_id"), facts.get("proposal_id")
    text = "It was decided to do this." if not proposal else "It was proposed, and it was decided to do it."
    return {
        "phase": "decision",
        "at": None,
        "text": text,
        "decision_id": decision,
        "proposal_id": proposal,
        "decision_trace_id": facts.get("decision_trace_id"),
    }


def _approval(facts: dict[str, str]) -> Body:
    by, source = facts.get("approved_by"), facts.get("approval_source")
    if not by:
        text = "No usable approval is on record."
    elif source == ApprovalSource.POLICY:
        text = f"Allowed by the rule {by}."
    else:
        text = f"Approved by {by}."
    approved_at = facts.get("approved_at", "")
    at = time_text(int(approved_at) * 1000) if approved_at.isdecimal() else None
    return {"phase": "approval", "at": at, "text": text, "approved_by": by, "source": source}


def _execution(row: ExecutionRow, entries: Sequence[LedgerEntry]) -> Body:
    steps: list[Body] = []
    calls = _calls_line(entries)
    hold = _hold_line(row, entries)
    for entry in entries:
        if entry.type is LedgerType.EXECUTION_STARTED and entry.generation <= 1:
            steps.append(_line(entry, "Accepted."))
        elif entry.type is LedgerType.INTENT_REFUSED:
            code = entry.error.code if entry.error is not None else entry.details.get("code", "")
            steps.append(_line(entry, row_of(code).seller))
        elif calls is not None and entry is calls[0]:
            steps.append(_line(entry, calls[1]))
        elif hold is not None and entry is hold[0]:
            steps.append(_line(entry, hold[1]))
        elif entry.type is LedgerType.DOUBT_RESOLVED:
            steps.append(_line(entry, _FOUND_OUT.get(entry.details.get("effect", ""), "It is now known what happened.")))
        elif entry.type in _PLAIN_LINES:
            steps.append(_line(entry, _PLAIN_LINES[entry.type]))
    text = "It was sent to the other system." if calls is not None else "Nothing has been sent to another system."
    return {"phase": "execution", "at": time_text(row.started_at), "text": text, "steps": steps}


def _calls_line(entries: Sequence[LedgerEntry]) -> tuple[LedgerEntry, str] | None:
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


def _hold_line(row: ExecutionRow, entries: Sequence[LedgerEntry]) -> tuple[LedgerEntry, str] | None:
    held = [entry for entry in entries if entry.type is LedgerType.EXECUTION_HELD]
    if not held:
        return None
    is_held = row.status == Status.HELD
    return (held[-1] if is_held else held[0]), ("It is on hold." if is_held else "It was on hold for a while.")


def _outcome(row: ExecutionRow, status: Status) -> Body:
    reason = reason_text(row.error_code, row.error_category, row.error_message)
    has_reason = reason is not None and status in (Status.FAILED, Status.RETRYING)
    text = f"{STATUS_TEXT[status]} {reason}" if has_reason else STATUS_TEXT[status]
    return {
        "phase": "outcome",
        "at": time_text(row.completed_at),
        "text": text,
        "external_object_refs": orjson.loads(row.external_object_refs),
        "undone": _undone(row),
        "next_step": NEXT_STEP[status],
    }


def _undone(row: ExecutionRow) -> str | None:
    return next((text for status, text in COMPENSATION_TEXT.items() if status == row.compensation_status), None)


def _line(entry: LedgerEntry, text: str) -> Body:
    return {"at": time_text(entry.at_ms), "text": text}
