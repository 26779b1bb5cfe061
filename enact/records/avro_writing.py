"""Writes Avro bodies with one function for each schema, written out field by field: a quarter of the price of the general writer.

Like `avro_reading` it judges nothing: a record that it cannot write raises one of `CANNOT_WRITE`, and the general writer
(`enact.records.codec`) then says what is wrong. The bytes are the general writer's: tests/unit/enact/records/test_avro_writing.py.
"""

import struct
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final

from enact.records.avro_form import check_event
from enact.records.function_text import FunctionText
from enact.records.shape import Enumeration, EventUnion, ListOf, MapOfText, Nullable, ParametersText, RecordOf, Scalar, Shape, shape_of
from enact.strict_json import FlawError

CANNOT_WRITE: Final = (AttributeError, TypeError, KeyError, ValueError, OverflowError, struct.error, FlawError)
_MIN_LONG: Final = -(1 << 63)
_MAX_LONG: Final = (1 << 63) - 1
_SHORT_TEXT: Final = 4096
_BOOLEANS: Final = {False: b"\0", True: b"\1"}

Write = Callable[[bytes, Any], bytes]


@lru_cache(maxsize=4096)
def long_bytes(number: int) -> bytes:
    """A zigzag number. Raises: OverflowError beyond 64 bits; TypeError if it is no whole number."""
    if not _MIN_LONG <= number <= _MAX_LONG:
        raise OverflowError("a number is longer than 64 bits")
    left = (number << 1) ^ (number >> 63)
    out = bytearray()
    while left > 0x7F:
        out.append(left & 0x7F | 0x80)
        left >>= 7
    out.append(left)
    return bytes(out)


def compiled_writer(cls: type, schema: Mapping[str, Any]) -> Write:
    """A function from (header, record) to header and body, for exactly `schema` (parsed by fastavro) of `cls`.

    The function raises: one of CANNOT_WRITE.
    """
    code = FunctionText()
    code.line("def write(header, r):")
    pieces = _Writer(code, schema["__named_schemas"]).record(schema, shape_of(cls), "r")
    code.line(f"return b''.join((header, {', '.join(pieces)}))")
    return code.compiled("write", _NAMES, shown_as=f"avro writer of {cls.__name__}")


_NAMES: Final = {
    "long_bytes": long_bytes,
    "end": long_bytes(0),
    "lengths": tuple(long_bytes(length) for length in range(_SHORT_TEXT)),
    "pack_double": struct.Struct("<d").pack,
    "check_event": check_event,
}


class _Writer:
    """Writes the lines of one function. Each value becomes names of pieces of bytes, in their order."""

    def __init__(self, code: FunctionText, named: Mapping[str, Any]) -> None:
        self._named = named
        self._code = code

    def record(self, schema: Mapping[str, Any], shape: RecordOf, source: str) -> list[str]:
        """The pieces of every field in the order of the schema."""
        shapes = {field.name: field.shape for field in shape.fields}
        self._code.line(f"if type({source}) is not {self._code.constant(shape.cls)}: raise TypeError('another record')")
        if any(isinstance(one, EventUnion) for one in shapes.values()):
            self._code.line(f"check_event({source}.type, {source}.data)")
        return [
            piece for field in schema["fields"] for piece in self._value(field["type"], shapes[field["name"]], f"{source}.{field['name']}")
        ]

    def _value(self, schema: Any, shape: Shape, source: str) -> list[str]:
        schema = self._named.get(schema, schema) if isinstance(schema, str) else schema
        name = self._code.new_name()
        match shape:
            case ParametersText():
                return self._sized(name, f"{source}.encode()")
            case Scalar(kind) if kind is str:
                return self._sized(name, f"{source}.encode()")
            case Scalar(kind) if kind is bytes:
                return self._sized(name, source)
            case Scalar(kind) if kind is int:
                self._code.line(f"{name} = long_bytes({source})")
            case Scalar(kind) if kind is bool:
                self._code.line(f"{name} = {self._code.constant(_BOOLEANS)}[{source}]")
            case Scalar():
                self._code.line(f"{name} = pack_double({source})")
            case Enumeration(cls):
                symbols = {cls(symbol): long_bytes(at) for at, symbol in enumerate(schema["symbols"])}
                self._code.line(f"{name} = {self._code.constant(symbols)}[{source}]")
            case RecordOf():
                held = self._code.new_name()
                self._code.line(f"{held} = {source}")
                return self.record(schema, shape, held)
            case Nullable(item):
                self._nullable(name, schema, item, source)
            case ListOf(item):
                self._list(name, schema["items"], item, source)
            case MapOfText():
                self._map(name, source)
            case EventUnion(branches):
                self._branches(name, schema, branches, source)
        return [name]

    def _sized(self, name: str, source: str) -> list[str]:
        """Length and bytes."""
        self._code.line(f"{name} = {source}; n = len({name})")
        self._code.line(f"{name}_n = lengths[n] if n < {_SHORT_TEXT} else long_bytes(n)")
        return [f"{name}_n", name]

    def _joined(self, name: str, first: bytes, pieces: list[str]) -> None:
        """One piece of several."""
        self._code.line(f"{name} = {' + '.join([repr(first), *pieces])}")

    def _nullable(self, name: str, schema: Any, item: Shape, source: str) -> None:
        null = schema.index("null")
        held = self._code.new_name()
        self._code.line(f"{held} = {source}")
        self._code.line(f"if {held} is None: {name} = {long_bytes(null)!r}")
        self._code.line("else:")
        with self._code.indented():
            self._joined(name, long_bytes(1 - null), self._value(schema[1 - null], item, held))

    def _branches(self, name: str, schema: Any, branches: tuple[RecordOf, ...], source: str) -> None:
        by_name = {branch.full_name: branch for branch in branches}
        held, word = self._code.new_name(), "if"
        self._code.line(f"{held} = {source}")
        for at, one in enumerate(schema):
            shape = by_name[one if isinstance(one, str) else one["name"]]
            self._code.line(f"{word} type({held}) is {self._code.constant(shape.cls)}:")
            with self._code.indented():
                self._joined(name, long_bytes(at), self._value(one, shape, held))
            word = "elif"
        self._code.line("else: raise TypeError('no such branch')")

    def _list(self, name: str, schema: Any, item: Shape, source: str) -> None:
        """One block of all items and an end, as the general writer writes it."""
        one, parts = self._code.new_name(), self._code.new_name()
        self._code.line(f"{parts} = []")
        self._code.line(f"for {one} in {source}:")
        with self._code.indented():
            for piece in self._value(schema, item, one):
                self._code.line(f"{parts}.append({piece})")
        self._block(name, parts, f"len({source})")

    def _map(self, name: str, source: str) -> None:
        key, value, parts = self._code.new_name(), self._code.new_name(), self._code.new_name()
        self._code.line(f"{parts} = []")
        self._code.line(f"for {key}, {value} in {source}.items():")
        with self._code.indented():
            for text in (key, value):
                for piece in self._sized(self._code.new_name(), f"{text}.encode()"):
                    self._code.line(f"{parts}.append({piece})")
        self._block(name, parts, f"len({source})")

    def _block(self, name: str, parts: str, count: str) -> None:
        self._code.line(f"{name} = b''.join((long_bytes({count}), *{parts}, end)) if {parts} else end")
