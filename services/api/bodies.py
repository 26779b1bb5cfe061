"""The JSON bodies of answers. Seller views name no topic, offset or host of ours; the operator view names all."""

from datetime import UTC, datetime
from typing import Any

import orjson

from enact.records import CompensationStatus, ErrorClass, LedgerEntry, Status
from services.api.fold import ExecutionRow
from services.api.words import COMPENSATION_TEXT, ERROR_CLASS_TEXT, STATUS_TEXT, reason_text

Body = dict[str, Any]


def execution_body(row: ExecutionRow) -> Body:
    """One execution as `status` and `list` show it. Times are RFC 3339 in UTC, absent ones null."""
    status = Status(row.status)
    return {
        "action_intent_id": row.action_intent_id,
        "execution_id": f"exec-{row.action_intent_id}",
        "account_id": row.account_id,
        "status": status.value,
        "status_text": STATUS_TEXT[status],
        "started_at": time_text(row.started_at),
        "completed_at": time_text(row.completed_at),
        "external_object_refs": orjson.loads(row.external_object_refs),
        "error_category": row.error_category,
        "error_class": row.error_class,
        "error_class_text": ERROR_CLASS_TEXT[ErrorClass(row.error_class)] if row.error_class else None,
        "error_code": row.error_code,
        "error_message": reason_text(row.error_code, row.error_category, row.error_message),
        "attempt_count": row.attempt_count,
        "action_type": row.action_type,
        "tool_name": row.tool_name,
        "registry_version": row.registry_version,
        "generation": max(1, row.generation),
        "compensation_status": row.compensation_status,
        "compensation_text": COMPENSATION_TEXT[CompensationStatus(row.compensation_status)],
        "execution_trace_id": row.execution_trace_id,
        "created_at": time_text(row.created_at),
        "updated_at": time_text(row.updated_at),
    }


def ledger_body(entry: LedgerEntry, ledger_offset: int) -> Body:
    """One ledger entry with everything it says: the operator's view."""
    return {
        "entry_id": entry.entry_id,
        "type": entry.type.value,
        "stage": entry.stage,
        "actor": entry.actor,
        "at": time_text(entry.at_ms),
        "generation": entry.generation,
        "version": entry.version,
        "step": entry.step.value if entry.step is not None else None,
        "attempt": entry.attempt,
        "status": entry.status.value if entry.status is not None else None,
        "external_object_refs": refs_body(entry),
        "error": error_body(entry),
        "details": dict(entry.details),
        "execution_trace_id": entry.execution_trace_id,
        "source": {"topic": entry.source.topic, "partition": entry.source.partition, "offset": entry.source.offset},
        "ledger_offset": ledger_offset,
    }


def refs_body(entry: LedgerEntry) -> list[Body]:
    """External objects, each with the link its system gave."""
    return [
        {"system": ref.system, "object_type": ref.object_type, "object_id": ref.object_id, "object_url": ref.object_url}
        for ref in entry.external_object_refs
    ]


def error_body(entry: LedgerEntry) -> Body | None:
    """A failure as it was recorded."""
    error = entry.error
    if error is None:
        return None
    return {
        "category": error.category.value,
        "error_class": error.error_class.value,
        "code": error.code,
        "message": error.message,
        "is_permanent": error.is_permanent,
    }


def time_text(at_ms: int | None) -> str | None:
    """RFC 3339 in UTC with milliseconds."""
    if at_ms is None:
        return None
    return datetime.fromtimestamp(at_ms / 1000, tz=UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
