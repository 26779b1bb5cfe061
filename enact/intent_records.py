"""What validation and tool mapping write alike: an intent's ledger entries, and the refusal in place of a call."""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from enact import ids
from enact.error_catalogue import error_info
from enact.errors import EnactError
from enact.intent_text import intent_json
from enact.kafka.transport import Headers
from enact.records.enums import ApprovalEvidence, LedgerType, Status, Step
from enact.records.intent import ApprovedIntent, SourcePosition
from enact.records.ledger import LedgerEntry
from enact.records.tool_call import Refusal, ToolCall

BEFORE_EVENTS: Final = -1
"""The `version` of entries written before the execution log has an event: lower than any offset."""

_EPOCH_MS_DIGITS: Final = 15
TRACE_HEADERS: Final = frozenset({"traceparent", "tracestate"})

APPROVED_AT: Final = "enact-approved-at-ms"
"""When the broker took the approved intent, in epoch ms: it travels with the chain, so that its end can say how long it took."""

PASSED_ON: Final = TRACE_HEADERS | {APPROVED_AT}


class Subject(Struct, frozen=True, kw_only=True):
    """The execution an entry or refusal is about, as far as it is known; `intent` None = it could not be decoded."""

    tenant_id: str
    account_id: str
    action_intent_id: str
    generation: int
    action_type: str
    expires_at_epoch: int
    intent: ApprovedIntent | None
    intent_sha256: str

    @classmethod
    def of(cls, intent: ApprovedIntent, *, generation: int, intent_sha256: str) -> "Subject":
        """The subject of a decoded intent."""
        return cls(
            tenant_id=intent.tenant_id,
            account_id=intent.account_id,
            action_intent_id=intent.action_intent_id,
            generation=generation,
            action_type=intent.action_type,
            expires_at_epoch=intent.expires_at_epoch,
            intent=intent,
            intent_sha256=intent_sha256,
        )


def refusal_call(subject: Subject, refusal: Refusal) -> ToolCall:
    """The record that goes down `tool-calls` when there will be no call: it suffices to end the execution."""
    return ToolCall(
        tenant_id=subject.tenant_id,
        account_id=subject.account_id,
        action_intent_id=subject.action_intent_id,
        generation=subject.generation,
        step=Step.EXECUTE,
        action_type=subject.action_type,
        expires_at_epoch=subject.expires_at_epoch,
        execution_trace_id=ids.execution_trace_id(subject.tenant_id, subject.action_intent_id),
        decision_trace_id=subject.intent.decision_trace_id if subject.intent else "",
        intent=_intent_text(subject.intent),
        intent_sha256=subject.intent_sha256,
        refusal=refusal,
    )


def ledger_entry(
    subject: Subject,
    type: LedgerType,
    *,
    stage: str,
    at_ms: int,
    source: SourcePosition,
    status: Status | None = None,
    details: Mapping[str, str],
    refusal: Refusal | None = None,
) -> LedgerEntry:
    """One entry; its id is a function of what it is about and of the stage that wrote it, so a repeat is equal."""
    return LedgerEntry(
        entry_id=ids.entry_id(
            subject.tenant_id, subject.action_intent_id, subject.generation, type, step=Step.EXECUTE, attempt=None, cause=stage
        ),
        tenant_id=subject.tenant_id,
        account_id=subject.account_id,
        action_intent_id=subject.action_intent_id,
        generation=subject.generation,
        version=BEFORE_EVENTS,
        step=Step.EXECUTE,
        type=type,
        actor=stage,
        at_ms=at_ms,
        stage=stage,
        status=status,
        error=error_info(refusal.code, refusal.message) if refusal else None,
        details=dict(details),
        execution_trace_id=ids.execution_trace_id(subject.tenant_id, subject.action_intent_id),
        source=source,
    )


def intent_details(subject: Subject, registry_version: int | None = None, *, evidence: ApprovalEvidence | None = None) -> dict[str, str]:
    """What the ledger says of an intent: names, ids, times and digests, never parameters."""
    details = {
        "action_type": subject.action_type,
        "expires_at_epoch": str(subject.expires_at_epoch),
        "intent_sha256": subject.intent_sha256,
    }
    if registry_version is not None:
        details["registry_version"] = str(registry_version)
    if evidence is not None:
        details["approval_evidence"] = evidence.value
    intent = subject.intent
    if intent is not None:
        details |= {
            "target_type": intent.target.entity_type,
            "target_id": intent.target.entity_id,
            "approval_source": intent.approval.source.value,
            "approved_by": intent.approval.approved_by,
            "approved_at": str(intent.approval.approved_at),
            "decision_id": intent.approval.decision_id,
            "proposal_id": intent.approval.proposal_id,
            "decision_trace_id": intent.decision_trace_id,
        }
    return details


def passed_on(headers: Headers) -> Headers:
    """The headers of a record that its consequences carry on: the W3C trace context, and when it began."""
    for name, _ in headers:
        if name not in PASSED_ON:
            return tuple([header for header in headers if header[0] in PASSED_ON])
    return headers


def approved_at(headers: Headers) -> int | None:
    """When the broker took the approved intent, in epoch ms; None if the headers do not say."""
    for name, text in headers:
        if name == APPROVED_AT:
            return int(text) if text.isdigit() and len(text) <= _EPOCH_MS_DIGITS else None
    return None


def with_approved_at(headers: Headers, at_ms: int) -> Headers:
    """The headers with `at_ms` as the beginning, unless they know one already."""
    return headers if approved_at(headers) is not None else (*headers, (APPROVED_AT, b"%d" % at_ms))


def _intent_text(intent: ApprovedIntent | None) -> str:
    """The intent with its approval; empty for one that was refused because it has no canonical form."""
    try:
        return intent_json(intent) if intent else ""
    except EnactError:
        return ""
