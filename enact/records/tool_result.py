"""What invocation tells recording: the whole join of both steps at one offset of the execution log."""

from msgspec import Struct

from enact.records.enums import Effect, Status, Step
from enact.records.execution_event import ErrorInfo, ExternalRef


class StepVerdict(Struct, frozen=True, kw_only=True):
    """The join over all attempts of one step. `status` None = the step was never begun."""

    status: Status | None = None
    effect: Effect = Effect.NONE
    generation: int = 1
    attempt_count: int = 0
    external_object_refs: tuple[ExternalRef, ...] = ()
    error: ErrorInfo | None = None
    is_contradicted: bool = False


class ToolResult(Struct, frozen=True, kw_only=True):
    """One change of an execution's public state; `version` is its offset in the execution log."""

    tenant_id: str
    account_id: str
    action_intent_id: str
    generation: int
    step: Step
    attempt: int
    version: int
    event_id: str
    execute: StepVerdict
    compensate: StepVerdict
    action_type: str = ""
    tool_name: str = ""
    tool_schema_version: str = ""
    registry_version: int = 0
    tool_run_ref: str | None = None
    raw_response_artifact_ref: str | None = None
    started_at_ms: int | None = None
    completed_at_ms: int | None = None
    execution_trace_id: str = ""
    decision_trace_id: str = ""
