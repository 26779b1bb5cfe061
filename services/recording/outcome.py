"""The outcome of an execution: the join that a ToolResult carries, in the words of the public record."""

import struct
from typing import Final

from enact.records.enums import CompensationStatus, Status
from enact.records.outcome import ActionOutcome
from enact.records.tool_result import ToolResult

CONCLUDED: Final = frozenset({Status.SUCCEEDED, Status.FAILED, Status.EXPIRED, Status.CANCELLED, Status.IN_DOUBT})
"""The statuses of which there is something to record; the others are on their way."""

_COMPENSATION: Final = {
    None: CompensationStatus.NONE,
    Status.SUCCEEDED: CompensationStatus.COMPLETED,
    Status.IN_DOUBT: CompensationStatus.IN_DOUBT,
    Status.FAILED: CompensationStatus.FAILED,
    Status.EXPIRED: CompensationStatus.FAILED,
    Status.CANCELLED: CompensationStatus.FAILED,
}
_VERSION: Final = struct.Struct(">q")


def outcome_of(result: ToolResult) -> ActionOutcome | None:
    """The outcome at the result's version; None while the execution is on its way.

    A function of this one result: no outcome depends on an earlier one.
    """
    execute = result.execute
    if execute.status is None or execute.status not in CONCLUDED:
        return None
    error = execute.error
    return ActionOutcome(
        tenant_id=result.tenant_id,
        account_id=result.account_id,
        action_intent_id=result.action_intent_id,
        status=execute.status,
        version=result.version,
        generation=execute.generation,
        external_object_refs=execute.external_object_refs,
        error_category=error.category if error else None,
        error_class=error.error_class if error else None,
        error_code=error.code if error else None,
        error_message=error.message if error else None,
        attempt_count=execute.attempt_count,
        action_type=result.action_type,
        tool_name=result.tool_name,
        tool_schema_version=result.tool_schema_version,
        registry_version=result.registry_version,
        tool_run_ref=result.tool_run_ref,
        raw_response_artifact_ref=result.raw_response_artifact_ref,
        started_at=result.started_at_ms,
        completed_at=result.completed_at_ms,
        compensation_status=_COMPENSATION.get(result.compensate.status, CompensationStatus.PENDING),
        compensation_error=result.compensate.error,
        execution_trace_id=result.execution_trace_id,
        decision_trace_id=result.decision_trace_id,
    )


def to_state(version: int, value: bytes) -> bytes:
    """What the state keeps of the highest outcome: its version in front, to be compared without decoding, and its bytes."""
    return _VERSION.pack(version) + value


def from_state(stored: bytes) -> tuple[int, bytes]:
    """Version and bytes that `to_state` put together."""
    return _VERSION.unpack_from(stored)[0], stored[_VERSION.size :]
