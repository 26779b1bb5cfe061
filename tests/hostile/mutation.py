"""Bytes that were valid once: one seed for each record class and wire form, and damage drawn by hypothesis."""

import json
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

from enact.records.codec import encode, encode_json
from enact.records.execution_event import EVENT_TYPES, ExecutionEvent
from enact.records.schema import SCHEMA_NAMES
from enact.records.shape import Enumeration, EventUnion, ListOf, MapOfText, Nullable, ParametersText, RecordOf, Scalar, Shape, shape_of

PLANTED = "s3cr3t: 7f3a!"
"""Stands in every text of a seed. No message may show it; it has characters that no field name has."""

TOKENS = (
    b"",
    b"\x00",
    b"\xff",
    b"\x80" * 9 + b"\x01",
    b"\xff" * 10,
    b"\xc3\x01",
    b"{",
    b"[" * 70,
    b'{"a":' * 1500,
    b'"',
    b"\\ud800",
    b"\\u0000",
    b"\\\\",
    b"\\u0022",
    b"\\u005c",
    b"NaN",
    b"-Infinity",
    b"1e999",
    b"9" * 400,
    b"9" * 5000,
    b"9007199254740993",
    b"null",
    b",",
    b'"x":1,"x":2',
    b"\xe2\x80\xae",
    b"\n",
    b"...",
    b"%",
    b"{{",
    b": ",
    b"- ",
    b"&a *a",
    b"!!python/object:os.system ",
    b"0001-01-01",
    b"9999-12-31T23:59:60",
)

Operation = tuple[str, int, int, bytes]

OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from(("put", "over", "cut", "twice", "flip", "end")),
        st.integers(0, 1_000_000),
        st.integers(0, 12),
        st.sampled_from(TOKENS) | st.binary(max_size=4),
    ),
    min_size=1,
    max_size=4,
)


def damaged(seed: bytes, operations: list[Operation]) -> bytes:
    """The seed after each operation; positions wrap round."""
    value = seed
    for kind, at, size, token in operations:
        position = at % (len(value) + 1)
        before, after = value[:position], value[position:]
        match kind:
            case "put":
                value = before + token + after
            case "over":
                value = before + token + after[size:]
            case "cut":
                value = before + after[size:]
            case "twice":
                value = before + after[: size * 8] + after
            case "flip":
                value = before + bytes([after[0] ^ (1 << size % 8)]) + after[1:] if after else value
            case _:
                value = before
    return value


def seeds() -> Iterator[tuple[type, bytes]]:
    """Each record class, and every type of event, filled with the planted text: as Avro and as JSON."""
    for cls in SCHEMA_NAMES:
        for record in _filled_all(cls):
            yield cls, encode(record)
            yield cls, encode_json(record)


def _filled_all(cls: type) -> Iterator[Any]:
    if cls is not ExecutionEvent:
        yield _filled(shape_of(cls))
        return
    fields = {field.name: field.shape for field in shape_of(cls).fields}
    union = fields["data"]
    assert isinstance(union, EventUnion)
    for branch in union.branches:
        values = {name: _filled(shape) for name, shape in fields.items() if name not in {"data", "type"}}
        yield ExecutionEvent(**values, data=_filled(branch), type=EVENT_TYPES[branch.cls])


def _filled(shape: Shape) -> Any:
    match shape:
        case RecordOf(cls, fields):
            return cls(**{field.name: _filled(field.shape) for field in fields})
        case Scalar(kind):
            return {str: PLANTED, int: 7, float: 1.5, bool: True, bytes: PLANTED.encode()}[kind]
        case Enumeration(cls):
            return next(iter(cls))
        case ListOf(item):
            return (_filled(item), _filled(item))
        case Nullable(item):
            return _filled(item)
        case MapOfText():
            return {"name": PLANTED}
        case ParametersText():
            return json.dumps({"subject": PLANTED, "list": [1, {"deep": 1.5}]}, separators=(",", ":"), sort_keys=True)
        case EventUnion():
            raise TypeError("an event is filled with its type")
