"""The ledger: one entry for every transition, with everything the API shows."""

from msgspec import Struct

from enact.records.enums import LedgerType, NotificationKind, Status, Step
from enact.records.execution_event import ErrorInfo, ExternalRef
from enact.records.intent import SourcePosition


class LedgerEntry(Struct, frozen=True, kw_only=True):
    """One past fact. `entry_id` is a hash of what it is about and of its cause, never of an offset.

    `status` is the execution's public status after this entry (None = unchanged). `details` holds names,
    digests, reasons and ids, never parameters; its keys are listed in docs/glossary.md.
    """

    entry_id: str
    tenant_id: str
    account_id: str
    action_intent_id: str
    generation: int
    version: int
    step: Step | None = None
    attempt: int | None = None
    type: LedgerType
    actor: str
    at_ms: int
    stage: str
    status: Status | None = None
    external_object_refs: tuple[ExternalRef, ...] = ()
    error: ErrorInfo | None = None
    details: dict[str, str]
    execution_trace_id: str
    source: SourcePosition


class LedgerCheckpoint(Struct, frozen=True, kw_only=True):
    """Chained, signed hash over a range of one ledger partition in log order."""

    partition: int
    from_offset: int
    to_offset: int
    range_sha256: str
    previous_sha256: str
    signature: str
    at_ms: int


class Notification(Struct, frozen=True, kw_only=True):
    """One sentence for a person. Repeats carry the same `notification_id`."""

    notification_id: str
    kind: NotificationKind
    tenant_id: str
    action_intent_id: str | None = None
    text: str
    at_ms: int
