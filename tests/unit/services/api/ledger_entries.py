"""Ledger entries as the stages write them, made short for tests."""

from typing import Any

from msgspec.structs import replace

from enact.ids import entry_id
from enact.records import ErrorCategory, ErrorClass, ErrorInfo, ExternalRef, LedgerEntry, LedgerType, SourcePosition, Status, Step

TENANT = "acme"
ACCOUNT = "acct-1"
INTENT = "int-1"
START_MS = 1_790_000_000_000

APPROVAL = {
    "action_type": "CREATE_CRM_TASK",
    "approval_source": "HUMAN",
    "approved_by": "anna",
    "approved_at": "1789999000",
    "decision_id": "dec-1",
    "proposal_id": "prop-1",
    "decision_trace_id": "trace-1",
    "registry_version": "3",
}
TASK = ExternalRef(system="crm", object_type="Task", object_id="00T1", object_url="https://crm.example/00T1")


def entry(
    type: LedgerType, *, version: int = -1, generation: int = 1, at_ms: int = START_MS, cause: str | None = None, **changes: Any
) -> LedgerEntry:
    """One entry of `INTENT`; `details` and the other fields by name."""
    made = LedgerEntry(
        entry_id="",
        tenant_id=TENANT,
        account_id=ACCOUNT,
        action_intent_id=INTENT,
        generation=generation,
        version=version,
        type=type,
        actor="test",
        at_ms=at_ms,
        stage="invocation",
        details={},
        execution_trace_id="0af7651916cd43dd8448eb211c80319c",
        source=SourcePosition(topic="enact.executions.v1", partition=0, offset=max(version, 0)),
    )
    made = replace(made, **changes)
    identity = entry_id(
        made.tenant_id, made.action_intent_id, generation, type, step=made.step, attempt=made.attempt, cause=cause or f"event-{version}"
    )
    return replace(made, entry_id=identity)


def started(**changes: Any) -> LedgerEntry:
    """Admitted."""
    return entry(LedgerType.EXECUTION_STARTED, **{"status": Status.PENDING, "details": APPROVAL, "stage": "validation", **changes})


def claimed(attempt: int = 1, *, version: int = 0, **changes: Any) -> LedgerEntry:
    """A permitted call."""
    details = {"nonce": f"n{attempt}", "lease_ms": "15000", "first_ms": str(START_MS)}
    defaults = {"step": Step.EXECUTE, "attempt": attempt, "status": Status.EXECUTING, "details": details}
    return entry(LedgerType.ATTEMPT_CLAIMED, version=version, **{**defaults, **changes})


def concluded(effect: str, attempt: int = 1, *, version: int = 1, **changes: Any) -> LedgerEntry:
    """What became of a call."""
    details = {"effect": effect, "first_ms": str(START_MS)}
    return entry(LedgerType.ATTEMPT_CONCLUDED, version=version, **{"step": Step.EXECUTE, "attempt": attempt, "details": details, **changes})


def executed(*, version: int = 1, **changes: Any) -> LedgerEntry:
    """Recording's word: it is done."""
    defaults = {"status": Status.SUCCEEDED, "external_object_refs": (TASK,), "stage": "recording"}
    return entry(LedgerType.ACTION_EXECUTED, version=version, **{**defaults, **changes})


def failed(*, version: int = 1, error: ErrorInfo | None = None, status: Status = Status.FAILED, **changes: Any) -> LedgerEntry:
    """Recording's word: it ended otherwise."""
    return entry(LedgerType.ACTION_FAILED, version=version, **{"status": status, "error": error, "stage": "recording", **changes})


def rejected(message: str = "Required fields are missing at host 10.0.0.7: [Subject]") -> ErrorInfo:
    """A refusal by the other system, in its own words."""
    return ErrorInfo(
        category=ErrorCategory.TOOL_ERROR, error_class=ErrorClass.VALIDATION, code="TOOL_REJECTED", message=message, is_permanent=True
    )


def clean_success() -> list[LedgerEntry]:
    """The five entries of a one-attempt success."""
    mapped = entry(LedgerType.TOOL_CALL_MAPPED, stage="tool_mapping", details={"tool_name": "crm.create_task", "registry_version": "3"})
    return [
        started(),
        mapped,
        claimed(version=4, at_ms=START_MS + 10),
        concluded("APPLIED", version=5, at_ms=START_MS + 30, external_object_refs=(TASK,)),
        executed(version=5, at_ms=START_MS + 30),
    ]
