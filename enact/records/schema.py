"""The Avro schemas of `schemas/avro`: the current form of each top-level record and every form published before.

A writer's schema is known by the fingerprint in front of a value (CRC-64-AVRO of the Parsing Canonical Form,
Avro specification, "Single-object encoding").
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from types import MappingProxyType
from typing import Any, Final

from fastavro.schema import fingerprint, parse_schema, to_parsing_canonical_form

from enact.records.action_type import ActionType
from enact.records.control import CompensationRequest, InternalObject, Probe, Switch
from enact.records.execution_event import ExecutionEvent
from enact.records.intent import Admission, ApprovedIntent, ReturnedIntent, ValidatedIntent
from enact.records.ledger import LedgerCheckpoint, LedgerEntry, Notification
from enact.records.outcome import ActionOutcome, Signal
from enact.records.tool_call import ToolCall
from enact.records.tool_result import ToolResult

SCHEMA_NAMES: Final[Mapping[type, str]] = MappingProxyType(
    {
        ApprovedIntent: "approved_intent",
        ReturnedIntent: "returned_intent",
        Admission: "admission",
        ValidatedIntent: "validated_intent",
        ToolCall: "tool_call",
        ExecutionEvent: "execution_event",
        ToolResult: "tool_result",
        ActionOutcome: "action_outcome",
        LedgerEntry: "ledger_entry",
        LedgerCheckpoint: "ledger_checkpoint",
        Signal: "signal",
        CompensationRequest: "compensation_request",
        Notification: "notification",
        Switch: "switch",
        Probe: "probe",
        InternalObject: "internal_object",
        ActionType: "action_type",
    }
)
"""Each top-level record class and the file stem of its schema."""


@dataclass(frozen=True, slots=True)
class Schema:
    """One form of one record, parsed. `fingerprint` is the eight bytes as they stand on the wire (little-endian)."""

    parsed: Any
    fingerprint: bytes

    @property
    def name(self) -> str:
        """The record's full name: `enact.v1.Switch`; empty if the form is no record's."""
        return str(self.parsed.get("name", "")) if isinstance(self.parsed, dict) else ""


@dataclass(frozen=True, slots=True)
class RecordSchemas:
    """The form that is written, and all forms that can be read, by fingerprint."""

    current: Schema
    known: Mapping[bytes, Schema]


def schemas_of(cls: type) -> RecordSchemas:
    """All forms of a top-level record class. Raises: KeyError if the class has no schema of its own."""
    return _loaded(SCHEMA_NAMES[cls])


@cache
def _loaded(name: str) -> RecordSchemas:
    root = files("schemas") / "avro"
    current = schema_from(json.loads((root / f"{name}.avsc").read_text("utf-8")))
    published = [schema_from(json.loads(path.read_text("utf-8"))) for path in _published(root / "history" / name)]
    return RecordSchemas(current, MappingProxyType({form.fingerprint: form for form in (*published, current)}))


def schema_text(cls: type) -> str:
    """The current form as its file says it, with every sentence. Raises: as `schemas_of`."""
    return (files("schemas") / "avro" / f"{SCHEMA_NAMES[cls]}.avsc").read_text("utf-8")


def schema_from(declaration: Any) -> Schema:
    """A schema ready for use, from its parsed JSON. Raises: fastavro's SchemaParseException or UnknownType."""
    parsed = parse_schema(declaration)
    return Schema(parsed, bytes.fromhex(fingerprint(to_parsing_canonical_form(declaration), "CRC-64-AVRO")))


def _published(folder: Traversable) -> list[Traversable]:
    return sorted((path for path in folder.iterdir() if path.name.endswith(".avsc")), key=lambda path: int(path.name.split(".")[0]))
