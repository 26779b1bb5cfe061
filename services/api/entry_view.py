"""What the fold needs of a ledger entry, read from its bytes without the rest: the rest is read when somebody asks for it."""

from typing import Final

from msgspec import Struct

from enact.records import ErrorInfo, ExternalRef, LedgerEntry, LedgerType, Status, Step
from enact.records.views import view_reader

DETAILS: Final = ("action_type", "code", "effect", "expires_at_epoch", "registry_version", "tool_name")
"""The details that change an execution's row."""


class EntryView(Struct, frozen=True, kw_only=True, gc=False):
    """The fields of `LedgerEntry` that change an execution's row. `details` holds only those of `DETAILS`."""

    entry_id: str
    tenant_id: str
    account_id: str
    action_intent_id: str
    generation: int
    version: int
    step: Step | None
    type: LedgerType
    at_ms: int
    status: Status | None
    external_object_refs: tuple[ExternalRef, ...]
    error: ErrorInfo | None
    details: dict[str, str]
    execution_trace_id: str


view_of: Final = view_reader(LedgerEntry, EntryView, map_keys=DETAILS)
"""The entry as the fold sees it; the texts that are left out are not looked at.

Raises: ValidationError; BrokerError if a schema registry is in use and does not answer.
"""
