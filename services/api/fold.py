"""From ledger entries to the one row people ask for: the fold behind the read model.

Pure. The status people see is that of the highest (generation, version) seen; late lower entries only fill the
timeline. Entries of one execution come from several writers, so they may arrive out of their order and with gaps:
a move counts as legal if the table of `enact.lifecycle` leads there, not only if it leads there in one step.
"""

from typing import Final

import msgspec
from msgspec import Struct

from enact.lifecycle import TERMINAL, is_legal_move
from enact.records import CompensationStatus, LedgerEntry, LedgerType, Status, Step
from services.api.entry_view import EntryView

Entry = EntryView | LedgerEntry

ABOUT_NO_EXECUTION = frozenset({LedgerType.SWITCH_ENGAGED, LedgerType.SWITCH_RELEASED, LedgerType.REGISTRY_CHANGED})
"""Entries whose id is a scope or an action type."""

STARTS_NOTHING = ABOUT_NO_EXECUTION | {LedgerType.DEAD_LETTERED, LedgerType.DEAD_LETTER_DISPOSED, LedgerType.UNKNOWN}
"""Entries that tell of an execution only if others do: a dead letter alone is a record, not an execution."""

_COMPENSATION = {
    LedgerType.COMPENSATION_REQUESTED: CompensationStatus.PENDING.value,
    LedgerType.COMPENSATION_IN_DOUBT: CompensationStatus.IN_DOUBT.value,
    LedgerType.COMPENSATION_COMPLETED: CompensationStatus.COMPLETED.value,
    LedgerType.COMPENSATION_FAILED: CompensationStatus.FAILED.value,
}
# Members by name cost a look-up in a metaclass each time; the fold of an entry has a few microseconds.
_CLAIMED, _CONCLUDED = LedgerType.ATTEMPT_CLAIMED, LedgerType.ATTEMPT_CONCLUDED
_COMPENSATE, _UNKNOWN, _SUCCEEDED = Step.COMPENSATE, Status.UNKNOWN, Status.SUCCEEDED
_TEXT: Final = {status: status.value for status in Status}
_RELEASED = "RELEASED"
_MAX_DIGITS = 18
_write_json = msgspec.json.Encoder().encode


class ExecutionRow(Struct, kw_only=True, gc=False):
    """One execution as the read model keeps it, fields in the order of the table's columns.

    Times in epoch ms, `expires_at` in epoch s; `external_object_refs` is JSON text. `attempt_code` says why the last call that did not
    succeed did not, `attempt_version` which entry said so.
    """

    action_intent_id: str
    tenant_id: str
    account_id: str
    status: str = Status.PENDING.value
    generation: int = 0
    version: int = -1
    created_at: int
    updated_at: int
    expires_at: int | None = None
    started_at: int | None = None
    completed_at: int | None = None
    claims: int = 0
    releases: int = 0
    attempt_code: str | None = None
    attempt_version: int = -1
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


def starts_execution(entry: Entry) -> bool:
    """True if this entry alone proves that there is an execution."""
    return bool(entry.tenant_id and entry.action_intent_id) and entry.type not in STARTS_NOTHING


def new_row(entry: Entry) -> ExecutionRow:
    """The row before its first entry is folded."""
    return ExecutionRow(
        tenant_id=entry.tenant_id,
        action_intent_id=entry.action_intent_id,
        account_id=entry.account_id,
        created_at=entry.at_ms,
        updated_at=entry.at_ms,
        execution_trace_id=entry.execution_trace_id,
    )


def fold(row: ExecutionRow, entry: Entry) -> bool:
    """Fold one entry, which must not have been folded before, into `row`.

    Returns False if its status was refused: no legal move leads there, the row keeps its own.
    """
    type_, step = entry.type, entry.step
    row.updated_at = max(row.updated_at, entry.at_ms)
    _fill(row, entry)
    if type_ in _COMPENSATION:
        if entry.version >= row.compensation_version:
            row.compensation_version = entry.version
            row.compensation_status = _COMPENSATION[type_]
        return True
    if step is _COMPENSATE:
        return True
    if type_ is _CLAIMED:
        row.claims += 1
        row.started_at = entry.at_ms if row.started_at is None else min(row.started_at, entry.at_ms)
    elif type_ is _CONCLUDED:
        _conclude(row, entry)
    is_late = entry.generation < row.generation or (entry.generation == row.generation and entry.version < row.version)
    if entry.external_object_refs and not is_late:
        row.external_object_refs = _write_json(entry.external_object_refs).decode()
    status = entry.status
    if status is None or status is _UNKNOWN or is_late:
        return True
    return _move(row, entry, status)


def _move(row: ExecutionRow, entry: Entry, status: Status) -> bool:
    before, generation, text = row.status, entry.generation, _TEXT[status]
    if row.generation > 0 and (before, text, generation > row.generation) not in _REACHABLE:
        return False
    is_same_version = entry.version == row.version and generation == row.generation
    row.status, row.generation, row.version = text, generation, entry.version
    if status not in TERMINAL:
        row.completed_at = None
    elif row.completed_at is None or before != text:
        row.completed_at = entry.at_ms
    error = entry.error
    if error is not None:
        row.error_category, row.error_class = error.category.value, error.error_class.value
        row.error_code, row.error_message = error.code, error.message
    elif row.error_code is not None and (not is_same_version or status is _SUCCEEDED):
        row.error_category = row.error_class = row.error_code = row.error_message = None
    return True


def _conclude(row: ExecutionRow, entry: Entry) -> None:
    if entry.details.get("effect") == _RELEASED:
        row.releases += 1
    elif entry.version >= row.attempt_version:
        row.attempt_version, row.attempt_code = entry.version, entry.details.get("code")


def _fill(row: ExecutionRow, entry: Entry) -> None:
    """Take what an entry knows and the row does not: writers know different things."""
    details = entry.details
    if not row.account_id:
        row.account_id = entry.account_id
    if not row.execution_trace_id:
        row.execution_trace_id = entry.execution_trace_id
    if not row.action_type:
        row.action_type = details.get("action_type", "")
    if row.expires_at is None:
        row.expires_at = _number(details.get("expires_at_epoch"))
    if entry.step is not _COMPENSATE:
        if not row.tool_name:
            row.tool_name = details.get("tool_name", "")
        if "registry_version" in details:
            row.registry_version = _number(details["registry_version"]) or row.registry_version


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


_REACHABLE: Final = frozenset(
    (one.value, other.value, is_next)
    for one in Status
    for other in Status
    for is_next in (False, True)
    if is_reachable(one, other, is_next_generation=is_next)
)


def _number(text: str | None) -> int | None:
    """A number that fits a column; whatever else a writer may have put there is no number."""
    return int(text) if text is not None and len(text) <= _MAX_DIGITS and text.isdecimal() else None
