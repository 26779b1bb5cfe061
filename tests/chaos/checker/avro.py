"""Values of topics decoded from the published schemas alone: Avro single-object encoding, or plain JSON."""

import io
import json
from functools import cache
from pathlib import Path
from typing import Any

from fastavro import schemaless_reader
from fastavro.schema import fingerprint, parse_schema, to_parsing_canonical_form

SCHEMAS = Path(__file__).parents[3] / "schemas" / "avro"
_SINGLE_OBJECT = b"\xc3\x01"


class UnreadableError(Exception):
    """The value is none that this checker can read."""


@cache
def _known() -> dict[bytes, Any]:
    """Every published form of every record, by the fingerprint that stands on the wire."""
    known = {}
    for file in SCHEMAS.rglob("*.avsc"):
        declared = json.loads(file.read_text(encoding="utf-8"))
        known[bytes.fromhex(fingerprint(to_parsing_canonical_form(declared), "CRC-64-AVRO"))] = parse_schema(declared)
    return known


def read_value(value: bytes) -> dict[str, Any]:
    """A record's value as a plain tree. Raises: UnreadableError."""
    try:
        if value.startswith(b"{"):
            found = json.loads(value)
        elif value.startswith(_SINGLE_OBJECT):
            schema = _known().get(value[2:10])
            if schema is None:
                raise UnreadableError(f"no schema has the fingerprint {value[2:10].hex()}")
            found = schemaless_reader(io.BytesIO(value[10:]), schema, None)
        else:
            raise UnreadableError(f"a value that begins with {value[:1].hex()}")
    except (ValueError, EOFError, IndexError, TypeError) as error:
        raise UnreadableError(type(error).__name__) from error
    if not isinstance(found, dict):
        raise UnreadableError("no record")
    return found


def symbols(record: str, enum: str) -> tuple[str, ...]:
    """The symbols of an enum somewhere in a record's current schema, UNKNOWN left out."""
    declared = json.loads((SCHEMAS / f"{record}.avsc").read_text(encoding="utf-8"))
    return tuple(symbol for symbol in _enum(declared, enum) if symbol != "UNKNOWN")


def _enum(node: Any, name: str) -> list[str]:
    if isinstance(node, dict):
        if node.get("type") == "enum" and node.get("name") == name:
            return list(node["symbols"])
        return next((found for value in node.values() if (found := _enum(value, name))), [])
    if isinstance(node, list):
        return next((found for value in node if (found := _enum(value, name))), [])
    return []
