"""From ledger entries to the one row people ask for: the fold behind the read model.

Pure. The status people see is that of the highest (generation, version) seen; late lower entries only fill the
timeline. Entries of one execution come from several writers, so they may arrive out of their order and with gaps:
a move counts as legal if the table of `enact.lifecycle` leads there, not only if it leads there in one step.
"""

from dataclasses import dataclass
from functools import cache

import msgspec

from enact.lifecycle import TERMINAL, is_legal_move
from enact.records import CompensationStatus, ExternalRef, LedgerEntry, LedgerType, Status, Step

ABOUT_NO_EXECUTION = frozenset({LedgerType.SWITCH_ENGAGED, LedgerType.SWITCH_RELEASED, LedgerType.REGISTRY_CHANGED})
"""Entries whose id is a scope or an action type."""

STARTS_NOTHING = ABOUT_NO_EXECUTION | {LedgerType.DEAD_LETTERED, LedgerType.DEAD_LETTER_DISPOSED, LedgerType.UNKNOWN}
"""Entries that tell of an execution only if others do: a dead letter alone is a record, not an execution."""

_COMPENSATION = {
    LedgerType.COMPENSATION_REQUESTED: CompensationStatus.PENDING,
    LedgerType.COMPENSATION_IN_DOUBT: CompensationStatus.IN_DOUBT,
    LedgerType.COMPENSATION_COMPLETED: CompensationStatus.COMPLETED,
    LedgerType.COMPENSATION_FAILED: CompensationStatus.FAILED,
}
_RELEASED = "RELEASED"


@dataclass(slots=True, kw_only=True)
class ExecutionRow:
    """One execution as the read model keeps it. Times in epoch ms; `external_object_refs` is JSON text."""

    tenant_id: str
    action_intent_id: str
    account_id: str
    status: str = Status.PENDING.value
    generation: int = 0
    version: int = -1
    created_at: int
    updated_at: int
    started_at: int | None = None
    completed_at: int | None = None
    first_ms: int | None = None
    claims: int = 0
    releases: int = 0
    external_object_refs: str = "[]"
    error_category: str | None = None
    error_class: str | None = None
    error_code: str | None = None
    error_message: str | None = None
    action_type: str = ""
    tool_name: str = ""
    registry_version: int | None = None
    compensation_status: str = CompensationStatus.NONE.value
    compensation_version: int = -1
    execution_trace_id: str = ""

    @property
    def attempt_count(self) -> int:
        """Permitted calls of the step `execute` that were not given back unsent."""
        return max(0, self.claims - self.releases)


def starts_execution(entry: LedgerEntry) -> bool:
    """True if this entry alone proves that there is an execution."""
    return bool(entry.tenant_id and entry.action_intent_id) and entry.type not in STARTS_NOTHING


def new_row(entry: LedgerEntry) -> ExecutionRow:
    """The row before its first entry is folded."""
    return ExecutionRow(
        tenant_id=entry.tenant_id,
        action_intent_id=entry.action_intent_id,
        account_id=entry.account_id,
        created_at=entry.at_ms,
        updated_at=entry.at_ms,
    )


def fold(row: ExecutionRow, entry: LedgerEntry) -> bool:
    """Fold one entry, which must not have been folded before, into `row`.

    Returns False if its status was refused: no legal move leads there, the row keeps its own.
    """
    row.updated_at = max(row.updated_at, entry.at_ms)
    _fill(row, entry)
    if entry.type in _COMPENSATION:
        if entry.version >= row.compensation_version:
            row.compensation_version = entry.version
            row.compensation_status = _COMPENSATION[entry.type].value
        return True
    if entry.step is Step.COMPENSATE:
        return True
    _count(row, entry)
    is_late = (entry.generation, entry.version) < (row.generation, row.version)
    if entry.external_object_refs and not is_late:
        row.external_object_refs = _refs_json(entry.external_object_refs)
    if entry.status is None or entry.status is Status.UNKNOWN or is_late:
        return True
    return _move(row, entry, entry.status)


def _move(row: ExecutionRow, entry: LedgerEntry, status: Status) -> bool:
    before = Status(row.status)
    is_next_generation = entry.generation > row.generation
    if row.generation > 0 and not is_reachable(before, status, is_next_generation=is_next_generation):
        return False
    is_same_version = (entry.generation, entry.version) == (row.generation, row.version)
    row.status, row.generation, row.version = status.value, entry.generation, entry.version
    if status not in TERMINAL:
        row.completed_at = None
    elif row.completed_at is None or before is not status:
        row.completed_at = _number(entry.details.get("completed_at_ms")) or entry.at_ms
    error = entry.error
    if error is not None:
        row.error_category, row.error_class = error.category.value, error.error_class.value
        row.error_code, row.error_message = error.code, error.message
    elif not is_same_version or status is Status.SUCCEEDED:
        row.error_category = row.error_class = row.error_code = row.error_message = None
    return True


def _count(row: ExecutionRow, entry: LedgerEntry) -> None:
    if entry.type is LedgerType.ATTEMPT_CLAIMED:
        row.claims += 1
        row.started_at = entry.at_ms if row.started_at is None else min(row.started_at, entry.at_ms)
    elif entry.type is LedgerType.ATTEMPT_CONCLUDED and entry.details.get("effect") == _RELEASED:
        row.releases += 1


def _fill(row: ExecutionRow, entry: LedgerEntry) -> None:
    """Take what an entry knows and the row does not: writers know different things."""
    details = entry.details
    row.account_id = row.account_id or entry.account_id
    row.execution_trace_id = row.execution_trace_id or entry.execution_trace_id
    row.action_type = row.action_type or details.get("action_type", "")
    if entry.step is not Step.COMPENSATE:
        row.tool_name = row.tool_name or details.get("tool_name", "")
        row.registry_version = _number(details.get("registry_version")) or row.registry_version
    first_ms = _number(details.get("first_ms"))
    if first_ms is not None:
        row.first_ms = first_ms if row.first_ms is None else min(row.first_ms, first_ms)


@cache
def is_reachable(current: Status, following: Status, *, is_next_generation: bool) -> bool:
    """True if legal moves lead from `current` to `following`.

    A new beginning from an ended status needs a higher generation; it never follows SUCCEEDED.
    """
    if current is following:
        return True
    seen, frontier = {current}, [current]
    while frontier:
        here = frontier.pop()
        for there in Status:
            is_restart = here in TERMINAL and there not in TERMINAL
            if there in seen or not is_legal_move(here, there) or (is_restart and not is_next_generation):
                continue
            if there is following:
                return True
            seen.add(there)
            frontier.append(there)
    return False


def _refs_json(refs: tuple[ExternalRef, ...]) -> str:
    return msgspec.json.encode(refs).decode()


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdecimal() else None
