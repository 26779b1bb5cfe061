"""The JSON bodies of answers; their schemas in the documentation are made from these classes.

Seller views name no topic, offset or host of ours; the operator view (`LedgerView`) names all.
"""

from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from enact.error_catalogue import row_of
from enact.errors import ErrorCode
from enact.records import CompensationStatus, ErrorClass, ErrorInfo, ExternalRef, LedgerEntry, SourcePosition, Status
from services.api.fold import ExecutionRow
from services.api.words import COMPENSATION_TEXT, ERROR_CLASS_TEXT, STATUS_TEXT, is_overdue, overdue_text, reason_text

Time = Annotated[str, Meta(description="RFC 3339 in UTC, with milliseconds.", extra_json_schema={"format": "date-time"})]

_read_refs = msgspec.json.Decoder(tuple[ExternalRef, ...]).decode


class Execution(Struct, frozen=True, kw_only=True):
    """How one execution stands."""

    action_intent_id: str
    execution_id: str
    account_id: str
    status: Status
    status_text: str
    started_at: Time | None
    completed_at: Time | None
    expires_at: Time | None
    external_object_refs: tuple[ExternalRef, ...]
    error_category: str | None
    error_class: str | None
    error_class_text: str | None
    error_code: str | None
    error_message: str | None
    attempt_count: int
    action_type: str
    tool_name: str
    registry_version: int | None
    generation: int
    compensation_status: CompensationStatus
    compensation_text: str | None
    execution_trace_id: str
    created_at: Time
    updated_at: Time


class ExecutionPage(Struct, frozen=True, kw_only=True):
    """Executions of an account, newest first. `next_cursor` null: there are no more."""

    executions: list[Execution]
    next_cursor: str | None


class LedgerLine(Struct, frozen=True, kw_only=True):
    """One ledger entry with everything it says, and where it lies."""

    entry_id: str
    type: str
    stage: str
    actor: str
    at: Time
    generation: int
    version: int
    step: str | None
    attempt: int | None
    status: str | None
    external_object_refs: tuple[ExternalRef, ...]
    error: ErrorInfo | None
    details: dict[str, str]
    execution_trace_id: str
    source: SourcePosition
    ledger_offset: int


class LedgerView(Struct, frozen=True, kw_only=True):
    """The operator's view: the execution and every ledger entry about it, in the order of the ledger."""

    execution: Execution
    entries: list[LedgerLine]


class Problem(Struct, frozen=True, kw_only=True):
    """Why there is no answer. `provided`: what was not understood."""

    error: str
    message: str
    path: str
    provided: str | UnsetType = UNSET


def execution_body(row: ExecutionRow, now_ms: int) -> Execution:
    """One execution as `status` and `list` show it."""
    status = Status(row.status)
    category, error_class, code = error_of(row, status)
    compensation = CompensationStatus(row.compensation_status)
    return Execution(
        action_intent_id=row.action_intent_id,
        execution_id=f"exec-{row.action_intent_id}",
        account_id=row.account_id,
        status=status,
        status_text=overdue_text(status) if is_overdue(status, row.expires_at, now_ms) else STATUS_TEXT[status],
        started_at=time_text(row.started_at),
        completed_at=time_text(row.completed_at),
        expires_at=time_text(row.expires_at * 1000) if row.expires_at is not None else None,
        external_object_refs=_read_refs(row.external_object_refs),
        error_category=category,
        error_class=error_class,
        error_class_text=ERROR_CLASS_TEXT[ErrorClass(error_class)] if error_class else None,
        error_code=code,
        error_message=reason_text(code, category, row.error_message),
        attempt_count=row.attempt_count,
        action_type=row.action_type,
        tool_name=row.tool_name,
        registry_version=row.registry_version,
        generation=max(1, row.generation),
        compensation_status=compensation,
        compensation_text=COMPENSATION_TEXT[compensation],
        execution_trace_id=row.execution_trace_id,
        created_at=_time(row.created_at),
        updated_at=_time(row.updated_at),
    )


def error_of(row: ExecutionRow, status: Status) -> tuple[str | None, str | None, str | None]:
    """Category, class and code of what is wrong. No entry carries them for a doubt, nor while it is tried again: the status says them."""
    if row.error_code is not None:
        return row.error_category, row.error_class, row.error_code
    code = {Status.IN_DOUBT: ErrorCode.OUTCOME_UNKNOWN.value, Status.RETRYING: row.attempt_code}.get(status)
    if code is None:
        return None, None, None
    known = row_of(code)
    return known.category.value, known.error_class.value, code


def ledger_line(entry: LedgerEntry, ledger_offset: int) -> LedgerLine:
    """One ledger entry as operators see it."""
    return LedgerLine(
        entry_id=entry.entry_id,
        type=entry.type.value,
        stage=entry.stage,
        actor=entry.actor,
        at=_time(entry.at_ms),
        generation=entry.generation,
        version=entry.version,
        step=entry.step.value if entry.step is not None else None,
        attempt=entry.attempt,
        status=entry.status.value if entry.status is not None else None,
        external_object_refs=entry.external_object_refs,
        error=entry.error,
        details=entry.details,
        execution_trace_id=entry.execution_trace_id,
        source=entry.source,
        ledger_offset=ledger_offset,
    )


def refs_of(row: ExecutionRow) -> tuple[ExternalRef, ...]:
    """External objects, each with the link its system gave."""
    return _read_refs(row.external_object_refs)


def time_text(at_ms: int | None) -> str | None:
    """RFC 3339 in UTC with milliseconds; a number that is no date of this era is null."""
    if at_ms is None:
        return None
    try:
        return datetime.fromtimestamp(at_ms / 1000, tz=UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    except (ValueError, OverflowError, OSError):
        return None


def _time(at_ms: int) -> str:
    return time_text(at_ms) or _NO_TIME


_NO_TIME = "1970-01-01T00:00:00.000Z"


def as_json(body: Any) -> bytes:
    """The bytes of an answer."""
    return msgspec.json.encode(body)
