"""Reads Avro bodies with one function for each schema, written out field by field: no call, no tree and no file for a field.

A third of the price of the general reader, for bytes of exactly one schema. It judges nothing: whatever it cannot take raises
one of `CANNOT_READ`, and the general reader (`enact.records.codec`) then says what is wrong, or finds nothing wrong after all.
"""

import struct
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final

from msgspec.structs import fields

from enact.records.avro_form import check_event, parameters_text
from enact.records.function_text import FunctionText
from enact.records.shape import Enumeration, EventUnion, ListOf, MapOfText, Nullable, ParametersText, RecordOf, Scalar, Shape, shape_of
from enact.strict_json import FlawError

CANNOT_READ: Final = (IndexError, KeyError, ValueError, OverflowError, struct.error, FlawError)
_MAX_SHIFT: Final = 63
_ONE_BYTE_SYMBOLS: Final = 64

Read = Callable[[bytes, int], Any]


def compiled_reader(
    cls: type,
    schema: Mapping[str, Any],
    target: type | None = None,
    *,
    map_keys: Collection[str] | None = None,
    is_prefix: bool = False,
) -> Read:
    """A function from (value, where its body begins) to a record, for bodies written with exactly `schema` (parsed by fastavro).

    `target`: a class with some of the fields of `cls`, made instead; what it lacks is stepped over without looking at its text.
    `map_keys`: what to keep of maps; None = everything. `is_prefix`: read no further than the last field of `target`; what follows it
    may be anything.
    The function raises: one of CANNOT_READ.
    """
    kept = None if target is None else {field.name for field in fields(target)}
    code = FunctionText()
    code.line("def read(v, p):")
    if is_prefix and kept is not None:
        last = max(at for at, field in enumerate(schema["fields"]) if field["name"] in kept)
        schema = {**schema, "fields": schema["fields"][: last + 1]}
    with_names = _Reader(code, schema["__named_schemas"], map_keys).record(schema, shape_of(cls), kept)
    code.line(f"if p {'>' if is_prefix else '!='} len(v): raise ValueError('the body has another length')")
    code.line(f"return {code.constant(target or cls)}({with_names})")
    return code.compiled("read", _NAMES, shown_as=f"avro reader of {cls.__name__}")


def long_at(value: bytes, at: int) -> tuple[int, int]:
    """A zigzag number and where it ends. Raises: IndexError, ValueError beyond 64 bits."""
    byte = value[at]
    number, shift = byte & 0x7F, 7
    while byte & 0x80:
        if shift > _MAX_SHIFT:
            raise ValueError("a number is longer than 64 bits")
        at += 1
        byte = value[at]
        number |= (byte & 0x7F) << shift
        shift += 7
    if number >> 64:
        raise ValueError("a number is longer than 64 bits")
    return (number >> 1) ^ -(number & 1), at + 1


def length_at(value: bytes, at: int) -> tuple[int, int]:
    """Twice a length and where it ends, for one that does not fit one byte. Raises: as `long_at`; ValueError if it is negative."""
    length, end = long_at(value, at)
    if length < 0:
        raise ValueError("a length is negative")
    return length << 1, end


_NAMES: Final = {
    "long_at": long_at,
    "length_at": length_at,
    "unpack_double": struct.Struct("<d").unpack_from,
    "check_event": check_event,
    "parameters_text": parameters_text,
}


def _is_in(kept: set[str] | None, name: str) -> bool:
    return kept is None or name in kept


class _Reader:
    """Writes the lines of one function. In them `v` is the value and `p` the place reached."""

    def __init__(self, code: FunctionText, named: Mapping[str, Any], map_keys: Collection[str] | None) -> None:
        self._named = named
        self._map_keys = None if map_keys is None else {key.encode(): key for key in map_keys}
        self._code = code

    def record(self, schema: Mapping[str, Any], shape: RecordOf, kept: set[str] | None = None) -> str:
        """Reads every field in the order of the schema; the arguments for the class."""
        shapes = {field.name: field.shape for field in shape.fields}
        found = {
            field["name"]: self.value(field["type"], shapes[field["name"]], is_kept=_is_in(kept, field["name"]))
            for field in schema["fields"]
        }
        if any(isinstance(one, EventUnion) for one in shapes.values()) and kept is None:
            self._code.line(f"check_event({found['type']}, {found['data']})")
        return ", ".join(f"{name}={place}" for name, place in found.items() if _is_in(kept, name))

    def value(self, schema: Any, shape: Shape, *, is_kept: bool = True) -> str:
        """Reads one value into a name of its own, and leaves `p` behind it."""
        name = self._code.new_name()
        schema = self._named.get(schema, schema) if isinstance(schema, str) else schema
        match shape:
            case Scalar(kind) if kind is str or kind is bytes:
                self._text(name, is_bytes=kind is bytes, is_kept=is_kept)
            case Scalar(kind) if kind is int:
                self._long(name, is_kept=is_kept)
            case Scalar(kind) if kind is bool:
                self._code.line(f"{name} = {self._code.constant({0: False, 1: True})}[v[p]]; p += 1")
            case Scalar():
                self._code.line(f"{name} = unpack_double(v, p)[0]; p += 8")
            case ParametersText():
                self._text(name)
                self._code.line(f"{name} = parameters_text({name})")
            case Enumeration(cls):
                symbols = {at * 2: cls(symbol) for at, symbol in enumerate(schema["symbols"][:_ONE_BYTE_SYMBOLS])}
                self._code.line(f"{name} = {self._code.constant(symbols)}[v[p]]; p += 1")
            case Nullable(item):
                self._nullable(name, schema, item, is_kept=is_kept)
            case RecordOf():
                arguments = self.record(schema, shape, None if is_kept else set())
                self._code.line(f"{name} = {self._code.constant(shape.cls)}({arguments})" if is_kept else "pass")
            case ListOf(item):
                self._list(name, schema["items"], item, is_kept=is_kept)
            case MapOfText():
                self._map(name, is_kept=is_kept)
            case EventUnion(branches):
                by_name = {branch.full_name: branch for branch in branches}
                named = [one if isinstance(one, str) else one["name"] for one in schema]
                self._branches(name, [(at, one, by_name[named[at]]) for at, one in enumerate(schema)], is_kept=is_kept)
        return name

    def _text(self, name: str, *, is_bytes: bool = False, is_kept: bool = True) -> None:
        self._length()
        if is_kept:
            self._code.line(f"e = p + (n >> 1); {name} = v[p:e]{'' if is_bytes else '.decode()'}; p = e")
        else:
            self._code.line("p += n >> 1")

    def _length(self) -> None:
        """Twice a length into `n`. Two bytes hold most that one does not."""
        self._code.line("n = v[p]; p += 1")
        # One test for both: more bytes to come (0x80), or a negative number (0x01).
        self._code.line("if n & 0x81:")
        self._code.line("    if n & 1 or v[p] & 0x80: n, p = length_at(v, p - 1)")
        self._code.line("    else: n += (v[p] << 7) - 0x80; p += 1")

    def _long(self, name: str, *, is_kept: bool = True) -> None:
        if not is_kept:
            self._code.line("while v[p] & 0x80: p += 1")
            self._code.line("p += 1")
            return
        self._code.line(f"{name} = v[p]; p += 1")
        self._code.line(f"if {name} & 0x81: {name}, p = long_at(v, p - 1)")
        self._code.line(f"else: {name} >>= 1")

    def _nullable(self, name: str, schema: Any, item: Shape, *, is_kept: bool) -> None:
        null = schema.index("null")
        self._code.line(f"if v[p] == {null * 2}: {name} = None; p += 1")
        self._branches(name, [(1 - null, schema[1 - null], item)], is_kept=is_kept, word="elif")

    def _branches(self, name: str, branches: Sequence[tuple[int, Any, Shape]], *, is_kept: bool, word: str = "if") -> None:
        for at, schema, shape in branches:
            self._code.line(f"{word} v[p] == {at * 2}:")
            with self._code.indented():
                self._code.line("p += 1")
                found = self.value(schema, shape, is_kept=is_kept)
                self._code.line(f"{name} = {found}" if is_kept else "pass")
            word = "elif"
        self._code.line("else: raise ValueError('no such branch')")

    def _blocks(self, read_one: Callable[[], None]) -> None:
        """Avro's blocks: a count, so many items, and so on until a count of 0. A negative count is left to the general reader."""
        count = self._code.new_name()
        self._code.line(f"{count} = v[p]; p += 1")
        self._code.line(f"while {count}:")
        with self._code.indented():
            self._code.line(f"if {count} & 0x81: {count}, p = length_at(v, p - 1)")
            self._code.line(f"for _ in range({count} >> 1):")
            with self._code.indented():
                read_one()
            self._code.line(f"{count} = v[p]; p += 1")

    def _list(self, name: str, schema: Any, item: Shape, *, is_kept: bool) -> None:
        def read_one() -> None:
            found = self.value(schema, item, is_kept=is_kept)
            if is_kept:
                self._code.line(f"{name}.append({found})")

        self._code.line(f"{name} = []")
        self._blocks(read_one)
        if is_kept:
            self._code.line(f"{name} = tuple({name})")

    def _map(self, name: str, *, is_kept: bool) -> None:
        def read_one() -> None:
            key = self._code.new_name()
            if is_kept and self._map_keys is not None:
                self._text(key, is_bytes=True)
                self._chosen(name, key, self._code.constant(self._map_keys))
                return
            self._text(key, is_kept=is_kept)
            found = self.value("string", Scalar(str), is_kept=is_kept)
            if is_kept:
                self._code.line(f"{name}[{key}] = {found}")

        self._code.line(f"{name} = {{}}")
        self._blocks(read_one)

    def _chosen(self, name: str, key: str, keys: str) -> None:
        """The value behind `key`, if `keys` has it."""
        self._length()
        self._code.line("e = p + (n >> 1)")
        self._code.line(f"if {key} in {keys}: {name}[{keys}[{key}]] = v[p:e].decode()")
        self._code.line("p = e")
