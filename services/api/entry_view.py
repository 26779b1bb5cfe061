"""What the fold needs of a ledger entry, read from its bytes without the rest: the rest is read when somebody asks for it."""

from contextlib import suppress
from typing import Final

from msgspec import Struct

from enact.records import ErrorInfo, ExternalRef, LedgerEntry, LedgerType, Status, Step
from enact.records.avro_reading import CANNOT_READ, compiled_reader
from enact.records.codec import HEADER_BYTES, SINGLE_OBJECT_MARK, decode
from enact.records.framing import CONFLUENT_HEADER_BYTES, CONFLUENT_MARK, written_with
from enact.records.schema import schemas_of

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


_CURRENT: Final = schemas_of(LedgerEntry).current
_HEADER: Final = SINGLE_OBJECT_MARK + _CURRENT.fingerprint
_READ: Final = compiled_reader(LedgerEntry, _CURRENT.parsed, EntryView, map_keys=DETAILS)


def view_of(value: bytes) -> EntryView | LedgerEntry:
    """The entry as the fold sees it; the texts that are left out are not looked at.

    Raises: ValidationError; BrokerError if a schema registry is in use and does not answer.
    """
    body_at = HEADER_BYTES if value.startswith(_HEADER) else _confluent_body_at(value)
    if body_at:
        with suppress(*CANNOT_READ):
            view: EntryView = _READ(value, body_at)
            return view
    return decode(LedgerEntry, value)


def _confluent_body_at(value: bytes) -> int:
    is_current = value[:1] == CONFLUENT_MARK and written_with(value, LedgerEntry.__name__).fingerprint == _CURRENT.fingerprint
    return CONFLUENT_HEADER_BYTES if is_current else 0
