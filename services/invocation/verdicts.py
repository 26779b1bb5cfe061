"""The public join of both steps: what a ToolResult tells recording."""

from enact.error_catalogue import error_info
from enact.errors import ErrorCode
from enact.execution import verdict
from enact.execution_state import Attempt, AttemptState, Evidence, Execution, StepState
from enact.kafka.transport import InRecord
from enact.records import ErrorInfo, ExecutionEvent, ExternalRef, Fact, Status, Step, StepVerdict, ToolCall, ToolResult

_IN_DOUBT = "The answer of the last call was lost and no automatic step is left: look in the external system, then `enact resolve`."


def step_verdict(step: StepState) -> StepVerdict:
    """The public form of one step's join."""
    joined = verdict(step)
    return StepVerdict(
        status=joined.status,
        effect=joined.effect,
        generation=step.generation.number,
        attempt_count=sum(1 for a in step.attempts if a.state is not AttemptState.RELEASED),
        external_object_refs=_refs(step),
        error=_error(step, joined.status),
        is_contradicted=step.is_contradicted,
    )


def tool_result(after: Execution, event: ExecutionEvent, record: InRecord, subject: ToolCall) -> ToolResult:
    """The whole state of an execution after `event`; `version` is its offset."""
    fact = event.data if isinstance(event.data, Fact) else None
    last = _last_attempt(after.step(event.step))
    first = next((a.claimed_ms for a in after.execute.attempts if a.state is not AttemptState.RELEASED), None)
    return ToolResult(
        tenant_id=after.tenant_id,
        account_id=subject.account_id,
        action_intent_id=after.action_intent_id,
        generation=after.step(event.step).generation.number,
        step=event.step,
        attempt=last.number if last else 0,
        version=int(record.offset),
        event_id=event.event_id,
        execute=step_verdict(after.execute),
        compensate=step_verdict(after.compensate),
        action_type=subject.action_type,
        tool_name=subject.tool_name,
        tool_schema_version=subject.tool_schema_version,
        registry_version=subject.registry_version,
        tool_run_ref=fact.tool_run_ref if fact else None,
        raw_response_artifact_ref=fact.raw_response_artifact_ref if fact else None,
        started_at_ms=first,
        completed_at_ms=record.timestamp_ms,
        execution_trace_id=subject.execution_trace_id,
        decision_trace_id=subject.decision_trace_id,
    )


def doubt_details(step: StepState) -> dict[str, str | None]:
    """What helps a person to find the call in the other system, beside what its mapping is on record with."""
    last = step.unknown_attempts[-1]
    return {
        "natural_key": last.effect_class.natural_key,
        "look_ups": str(last.look_ups),
        "code": last.error.code if last.error else None,
    }


def subject_of(execution: Execution, step: Step, event: ExecutionEvent | None = None) -> ToolCall:
    """The best known subject of a step: the log's, the other step's, the event's, or just the ids."""
    known = execution.step(step).generation.subject or execution.execute.generation.subject or (event.subject if event else None)
    if known is not None:
        return known
    return ToolCall(tenant_id=execution.tenant_id, account_id="", action_intent_id=execution.action_intent_id, generation=1, step=step)


def _last_attempt(step: StepState) -> Attempt | None:
    return step.attempts[-1] if step.attempts else None


def _refs(step: StepState) -> tuple[ExternalRef, ...]:
    found: dict[tuple[str, str, str], ExternalRef] = {}
    holders: tuple[Attempt | Evidence, ...] = (*step.attempts, *step.evidence)
    for holder in holders:
        if holder.state in (AttemptState.APPLIED, AttemptState.PARTIAL):
            for ref in holder.refs:
                found.setdefault((ref.system, ref.object_type, ref.object_id), ref)
    return tuple(found.values())


def _error(step: StepState, status: Status | None) -> ErrorInfo | None:
    """The public error of a step that is not well; a permanent answer speaks for itself."""
    if status is Status.IN_DOUBT:
        return error_info(ErrorCode.OUTCOME_UNKNOWN, _IN_DOUBT)
    ending = step.generation.ending
    if ending is None or status not in (Status.FAILED, Status.EXPIRED, Status.CANCELLED):
        return None
    if ending.error is not None and ending.code == ending.error.code:
        return ending.error
    public = error_info(ending.code or ErrorCode.UNEXPECTED_ERROR, ending.message or "")
    if ending.error is None:
        return public
    return ErrorInfo(
        category=ending.error.category,
        error_class=ending.error.error_class,
        code=public.code,
        message=f"{public.message} Last: {ending.error.message}".strip(),
        is_permanent=True,
    )
