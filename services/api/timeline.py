"""The timeline: decision → approval → execution → outcome in plain words, each try with its cause.

Pure. Everything that happened has a step; what only repeats (each try, each wait) is marked `is_noise`, so that a page can fold
it away, and one step says it in a few words instead: "Tried 3 times."
"""

from collections.abc import Sequence

from msgspec import Struct

from enact.records import ApprovalSource, ExternalRef, LedgerEntry, Status, Step
from services.api.attempts import Attempt, attempts_of
from services.api.bodies import Time, error_of, refs_of, time_text
from services.api.fold import ExecutionRow
from services.api.steps import TimelineStep, steps_of
from services.api.words import COMPENSATION_TEXT, NEXT_STEP, STATUS_TEXT, is_overdue, overdue_text, reason_text


class Decision(Struct, frozen=True, kw_only=True, tag_field="phase", tag="decision"):
    """That it was decided, and where."""

    at: Time | None
    text: str
    decision_id: str | None
    proposal_id: str | None
    decision_trace_id: str | None


class Approval(Struct, frozen=True, kw_only=True, tag_field="phase", tag="approval"):
    """Who allowed it."""

    at: Time | None
    text: str
    approved_by: str | None
    source: str | None


class ExecutionPhase(Struct, frozen=True, kw_only=True, tag_field="phase", tag="execution"):
    """What was done, step by step, and every try of it."""

    at: Time | None
    text: str
    steps: list[TimelineStep]
    attempts: list[Attempt]


class Outcome(Struct, frozen=True, kw_only=True, tag_field="phase", tag="outcome"):
    """How it stands, why, and what comes next."""

    at: Time | None
    text: str
    external_object_refs: tuple[ExternalRef, ...]
    undone: str | None
    next_step: str


class Timeline(Struct, frozen=True, kw_only=True):
    """One execution from decision to outcome."""

    action_intent_id: str
    execution_id: str
    account_id: str
    action_type: str
    status: Status
    status_text: str
    phases: list[Decision | Approval | ExecutionPhase | Outcome]


def timeline_body(row: ExecutionRow, entries: Sequence[LedgerEntry], now_ms: int) -> Timeline:
    """The four phases of one execution. `entries` in the order of the ledger."""
    told = sorted(entries, key=lambda entry: (entry.generation, entry.version))
    status = Status(row.status)
    status_text = overdue_text(status) if is_overdue(status, row.expires_at, now_ms) else STATUS_TEXT[status]
    facts = _known(told)
    return Timeline(
        action_intent_id=row.action_intent_id,
        execution_id=f"exec-{row.action_intent_id}",
        account_id=row.account_id,
        action_type=row.action_type,
        status=status,
        status_text=status_text,
        phases=[_decision(facts), _approval(facts), _execution(row, told), _outcome(row, status, status_text)],
    )


def _known(entries: Sequence[LedgerEntry]) -> dict[str, str]:
    """What the entries say about the intent; the first word on each counts."""
    known: dict[str, str] = {}
    for entry in entries:
        for name, value in entry.details.items():
            known.setdefault(name, value)
    return known


def _decision(facts: dict[str, str]) -> Decision:
    proposal = facts.get("proposal_id")
    return Decision(
        at=None,
        text="It was proposed, and it was decided to do it." if proposal else "It was decided to do this.",
        decision_id=facts.get("decision_id"),
        proposal_id=proposal,
        decision_trace_id=facts.get("decision_trace_id"),
    )


def _approval(facts: dict[str, str]) -> Approval:
    by, source = facts.get("approved_by"), facts.get("approval_source")
    if not by:
        text = "No usable approval is on record."
    elif source == ApprovalSource.POLICY:
        text = f"Allowed by the rule {by}."
    else:
        text = f"Approved by {by}."
    approved_at = facts.get("approved_at", "")
    at = time_text(int(approved_at) * 1000) if approved_at.isdecimal() and len(approved_at) <= len("253402300799") else None
    return Approval(at=at, text=text, approved_by=by, source=source)


def _execution(row: ExecutionRow, entries: Sequence[LedgerEntry]) -> ExecutionPhase:
    attempts = attempts_of(entries)
    is_sent = any(one.step == Step.EXECUTE and not one.is_given_back for one in attempts)
    return ExecutionPhase(
        at=time_text(row.started_at),
        text="It was sent to the other system." if is_sent else "Nothing has been sent to another system.",
        steps=steps_of(row.status, entries),
        attempts=attempts,
    )


def _outcome(row: ExecutionRow, status: Status, status_text: str) -> Outcome:
    category, _, code = error_of(row, status)
    reason = reason_text(code, category, row.error_message)
    has_reason = reason is not None and status in (Status.FAILED, Status.RETRYING)
    return Outcome(
        at=time_text(row.completed_at),
        text=f"{status_text} {reason}" if has_reason else status_text,
        external_object_refs=refs_of(row),
        undone=next((text for one, text in COMPENSATION_TEXT.items() if one == row.compensation_status), None),
        next_step=NEXT_STEP[status],
    )
