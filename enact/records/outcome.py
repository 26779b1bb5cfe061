"""The recorded result of an execution, and the signal that follows from it."""

from msgspec import Struct

from enact.records.enums import CompensationStatus, ErrorCategory, ErrorClass, SignalType, Status
from enact.records.execution_event import ErrorInfo, ExternalRef


class ActionOutcome(Struct, frozen=True, kw_only=True):
    """One per execution; the highest `version` (offset in the execution log) counts. Times in epoch ms."""

    tenant_id: str
    account_id: str
    action_intent_id: str
    status: Status
    version: int
    generation: int
    external_object_refs: tuple[ExternalRef, ...] = ()
    error_category: ErrorCategory | None = None
    error_class: ErrorClass | None = None
    error_code: str | None = None
    error_message: str | None = None
    attempt_count: int
    action_type: str = ""
    tool_name: str
    tool_schema_version: str
    registry_version: int
    tool_run_ref: str | None = None
    raw_response_artifact_ref: str | None = None
    started_at: int | None = None
    completed_at: int | None = None
    compensation_status: CompensationStatus = CompensationStatus.NONE
    compensation_error: ErrorInfo | None = None
    execution_trace_id: str
    decision_trace_id: str


class SignalData(Struct, frozen=True, kw_only=True):
    """What the perception layer learns of an execution."""

    action_intent_id: str
    status: Status
    external_object_refs: tuple[ExternalRef, ...] = ()
    error_code: str | None = None
    error_class: ErrorClass | None = None


class Signal(Struct, frozen=True, kw_only=True):
    """`ACTION_EXECUTED` or `ACTION_FAILED`; of two with one `window_key` the higher `version` counts."""

    signal_id: str
    type: SignalType
    window_key: str
    tenant_id: str
    account_id: str
    ttl_days: int = 90
    is_permanent: bool = False
    version: int
    data: SignalData
