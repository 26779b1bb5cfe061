"""What upstream approved, and what validation made of it."""

from msgspec import Struct

from enact.records.enums import ApprovalEvidence, ApprovalSource, Decision


class Target(Struct, frozen=True, kw_only=True):
    """The business entity an action is about."""

    entity_type: str
    entity_id: str


class Approval(Struct, frozen=True, kw_only=True):
    """The evidence that somebody allowed this action. `approved_at` is in epoch seconds."""

    source: ApprovalSource
    approved_by: str
    approved_at: int
    decision_id: str
    proposal_id: str
    jws: str | None = None


class ExecutionPolicy(Struct, frozen=True, kw_only=True):
    """Upper limits set by the approver; the registry's own limits still hold."""

    max_attempts: int | None = None
    timeout_seconds: int | None = None


class ApprovedIntent(Struct, frozen=True, kw_only=True):
    """Who may do what, where, until when, approved by whom. `parameters` is JSON text."""

    action_intent_id: str
    tenant_id: str
    account_id: str
    action_type: str
    target: Target
    parameters: str
    expires_at_epoch: int
    status: str
    approval: Approval
    execution_policy: ExecutionPolicy | None = None
    registry_version: int | None = None
    decision_trace_id: str = ""
    edited_fields: tuple[str, ...] = ()
    supersedes_action_intent_id: str | None = None


class ValidatedIntent(Struct, frozen=True, kw_only=True):
    """An admitted intent with its pinned registry version."""

    intent: ApprovedIntent
    generation: int
    execution_trace_id: str
    registry_version: int
    registry_digest: str
    registry_offset: int
    admitted_at_ms: int
    intent_sha256: str
    approval_evidence: ApprovalEvidence | None = None


class SourcePosition(Struct, frozen=True, kw_only=True):
    """Where a record was read. For people and dead letters; never part of an identity."""

    topic: str
    partition: int
    offset: int


class Header(Struct, frozen=True, kw_only=True):
    """One Kafka header of an original record."""

    name: str
    value: bytes


class Original(Struct, frozen=True, kw_only=True):
    """The bytes of a record as they were read, so that a dead letter or a redrive loses nothing."""

    key: bytes | None
    value: bytes | None
    headers: tuple[Header, ...] = ()


class Admission(Struct, frozen=True, kw_only=True):
    """Validation's decision on one (tenant, id, generation); the first of a key in log order wins."""

    tenant_id: str
    action_intent_id: str
    generation: int
    decision: Decision
    code: str | None = None
    message: str | None = None
    intent_sha256: str | None = None
    source: SourcePosition
    validated: ValidatedIntent | None = None
    original: Original | None = None
    decided_at_ms: int
    account_id: str | None = None
    action_type: str | None = None
    expires_at_epoch: int | None = None


class ReturnedIntent(Struct, frozen=True, kw_only=True):
    """An intent that comes back to validation: wrong partition, redrive or repair.

    Without `original` the stored Admission's intent is meant.
    """

    tenant_id: str | None = None
    action_intent_id: str | None = None
    generation: int
    cause: str
    original: Original | None = None
