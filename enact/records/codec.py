"""Records to bytes and back. `schemas/avro` is the contract; the first byte of a value says how it is written.

`C3` is Avro single-object encoding (`C3 01`, the writer's schema as a CRC-64-AVRO fingerprint, the body), `{` is JSON,
`00` the Confluent framing (`enact.records.framing`), which is written instead of `C3` where a schema registry is in use.
Whatever the bytes are, the readers here raise nothing but ValidationError, and its message never shows a value; only a
schema registry that does not answer is a BrokerError.
"""

import copy
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from typing import Any, Final, TypeVar

from fastavro import schemaless_reader, schemaless_writer
from fastavro.read import SchemaResolutionError

from enact.canonical import canonical_bytes
from enact.errors import ErrorCode, ValidationError
from enact.records.avro_form import tree_reader, tree_writer
from enact.records.avro_reading import CANNOT_READ, Read, compiled_reader
from enact.records.avro_writing import CANNOT_WRITE, Write, compiled_writer
from enact.records.control import Probe, Switch
from enact.records.framing import CONFLUENT_HEADER_BYTES, CONFLUENT_MARK, IN_USE, written_with
from enact.records.json_form import json_reader, json_writer
from enact.records.schema import SCHEMA_NAMES, Schema, schemas_of
from enact.records.shape import shape_of
from enact.strict_json import FlawError, parse_tree

__all__ = ["SCHEMA_NAMES", "avro_tree", "decode", "decode_one_of", "decode_switch_record", "encode", "encode_json"]

T = TypeVar("T")

SINGLE_OBJECT_MARK: Final = b"\xc3\x01"
HEADER_BYTES: Final = 10
_CONFLUENT_BYTE: Final = CONFLUENT_MARK[0]
_JSON_BYTE: Final = ord("{")
_SINGLE_OBJECT_BYTE: Final = SINGLE_OBJECT_MARK[0]

# What fastavro raises on bytes that its schema does not fit, and on values of a wrong type.
_FOREIGN_ERRORS: Final = (
    EOFError,
    ValueError,
    IndexError,
    KeyError,
    TypeError,
    AttributeError,
    OverflowError,
    MemoryError,
    struct.error,
    SchemaResolutionError,
)


@dataclass(frozen=True, slots=True)
class _Avro:
    """What is compiled for one class."""

    header: bytes
    current: Any
    fingerprint: bytes
    to_tree: Callable[[Any], Any]
    from_tree: Callable[[Any], Any]
    read: Read
    write: Write


def encode(record: object) -> bytes:
    """A top-level record in Avro by the current schema: single-object encoding, or the Confluent framing with a schema registry.

    Raises: ValidationError MALFORMED_RECORD if a field holds what its type does not allow.
    """
    cls: type = type(record)
    avro = _avro(cls)
    header = avro.header if IN_USE.registry is None else IN_USE.registry.header_of(cls)
    try:
        return avro.write(header, record)
    except CANNOT_WRITE:  # the general writer says why, or writes it after all
        pass
    out = BytesIO()
    out.write(header)
    try:
        schemaless_writer(out, avro.current, avro.to_tree(record))
    except FlawError as flaw:
        raise flaw.error(type(record).__name__) from None
    except _FOREIGN_ERRORS as error:
        what = f"{type(record).__name__} holds what its schema does not allow ({type(error).__name__}): correct the field's type."
        raise ValidationError(what, code=ErrorCode.MALFORMED_RECORD) from None  # its text may hold values
    return out.getvalue()


def encode_json(record: object) -> bytes:
    """A top-level record as canonical JSON, every field named: parameters as an object, bytes as base64 text.

    Raises: ValidationError PARAMETERS_INVALID, NUMBER_NOT_EXACT.
    """
    cls: type = type(record)
    try:
        return canonical_bytes(json_writer(shape_of(cls))(record))
    except FlawError as flaw:
        raise flaw.error(cls.__name__) from None


def decode(cls: type[T], value: bytes) -> T:
    """The record in `value`, read by the current schema of `cls`, whichever published form it was written with.

    Raises: ValidationError MALFORMED_RECORD (cut short, too long, bad UTF-8, wrong type, unknown or doubled JSON
    key), UNKNOWN_SCHEMA, FIELD_MISSING, PARAMETERS_INVALID, NUMBER_NOT_EXACT; nothing else, for any bytes. BrokerError
    if a schema registry is in use and does not answer.
    """
    if value[:1] == SINGLE_OBJECT_MARK[:1] or value[:1] == CONFLUENT_MARK:
        record: T = _decode_avro(cls, value)
        return record
    if _first_byte(value, cls.__name__) != _JSON_BYTE:
        raise _unknown_framing(value[0], cls.__name__)
    record = _decode_json(cls, _parsed_json(value, cls.__name__))
    return record  # noqa: RET504 - the name carries the type


def decode_one_of(classes: Sequence[type], value: bytes) -> Any:
    """The record in `value`, one of `classes`: by the fingerprint in Avro, by the field names in JSON.

    Raises: as `decode`; a JSON object that fits none is reported as a flaw of the first class.
    """
    words = " or ".join(cls.__name__ for cls in classes)
    first = _first_byte(value, words)
    if first == _SINGLE_OBJECT_BYTE:
        fingerprint = _fingerprint(value, words)
        for cls in classes:
            if fingerprint in schemas_of(cls).known:
                return _decode_avro(cls, value)
        raise _unknown_schema(fingerprint, words)
    if first == _CONFLUENT_BYTE:
        return _decode_avro(_class_named(classes, written_with(value, words).name), value)
    if first != _JSON_BYTE:
        raise _unknown_framing(first, words)
    tree = _parsed_json(value, words)
    fits = (cls for cls in classes if {field.name for field in shape_of(cls).fields} >= set(tree))
    return _decode_json(next(fits, classes[0]), tree)


def decode_switch_record(value: bytes) -> Switch | Probe:
    """A record of the switches topic, which carries both. Raises: as `decode`."""
    record: Switch | Probe = decode_one_of((Switch, Probe), value)
    return record


@cache
def _avro(cls: type) -> _Avro:
    shape, current = shape_of(cls), schemas_of(cls).current
    header = SINGLE_OBJECT_MARK + current.fingerprint
    read, write = compiled_reader(cls, current.parsed), compiled_writer(cls, current.parsed)
    return _Avro(header, current.parsed, current.fingerprint, tree_writer(shape), tree_reader(shape), read, write)


def _decode_avro(cls: type, value: bytes) -> Any:
    avro = _avro(cls)
    if body_at := _current_body_at(avro, cls, value):
        try:
            return avro.read(value, body_at)
        except CANNOT_READ:  # the general reader says why, or reads it after all
            pass
    tree = avro_tree(cls, value)
    try:
        return avro.from_tree(tree)
    except FlawError as flaw:
        raise flaw.error(cls.__name__) from None


def _current_body_at(avro: _Avro, cls: type, value: bytes) -> int:
    """Where the body begins, if it was written with the current schema; else 0."""
    if value.startswith(avro.header):
        return HEADER_BYTES
    if value[:1] == CONFLUENT_MARK and written_with(value, cls.__name__).fingerprint == avro.fingerprint:
        return CONFLUENT_HEADER_BYTES
    return 0


def avro_tree(cls: type, value: bytes) -> dict[str, Any]:
    """What the bytes say by the current schema, before anything of ours has judged it. Raises: ValidationError."""
    body = BytesIO(value)
    avro = _avro(cls)
    writer: Schema | None = None
    if body.read(HEADER_BYTES) != avro.header:
        writer = _writer_schema(cls, value)
        body.seek(CONFLUENT_HEADER_BYTES if value[:1] == CONFLUENT_MARK else HEADER_BYTES)
    try:
        if writer is None or writer.fingerprint == avro.fingerprint:
            tree: Any = _read(body, avro.current, None)
        else:
            # Defaults come out of the parsed schema itself, and the reader uses its tree up.
            tree = copy.deepcopy(_read(body, writer.parsed, avro.current))
    except _FOREIGN_ERRORS as error:
        raise _unreadable(error, cls.__name__, len(value)) from None  # its text may hold values
    if rest := len(value) - body.tell():
        raise _malformed(
            f"{cls.__name__} ends before its value does: {rest} of {len(value)} bytes follow it; publish one value in each record."
        )
    return dict(tree)


def _read(body: BytesIO, writer: Any, reader: Any) -> Any:
    # Union branches come back named where more than one record is possible: an event's data.
    return schemaless_reader(body, writer, reader, return_record_name=True, return_record_name_override=True)


def _decode_json(cls: type, tree: Any) -> Any:
    try:
        return json_reader(shape_of(cls))(tree)
    except FlawError as flaw:
        raise flaw.error(cls.__name__) from None


def _parsed_json(value: bytes, words: str) -> Any:
    try:
        return parse_tree(value, ErrorCode.MALFORMED_RECORD)
    except FlawError as flaw:
        raise flaw.error(words) from None


def _writer_schema(cls: type, value: bytes) -> Schema:
    if value[:1] == CONFLUENT_MARK:
        return written_with(value, cls.__name__)
    fingerprint = _fingerprint(value, cls.__name__)
    try:
        return schemas_of(cls).known[fingerprint]
    except KeyError:
        raise _unknown_schema(fingerprint, cls.__name__) from None


def _fingerprint(value: bytes, words: str) -> bytes:
    if value[:2] != SINGLE_OBJECT_MARK or len(value) < HEADER_BYTES:
        raise _malformed(
            f"{words} begins like Avro single-object encoding, but its {len(value)} bytes hold no whole header: publish the whole value."
        )
    return value[2:HEADER_BYTES]


def _first_byte(value: bytes, words: str) -> int:
    if not value:
        raise _malformed(f"{words} has an empty value: publish Avro or JSON.")
    return value[0]


def _class_named(classes: Sequence[type], full_name: str) -> type:
    """By the record's name without its namespace, as Avro resolves; else the first, which will not fit."""
    name = full_name.rpartition(".")[2]
    return next((cls for cls in classes if schemas_of(cls).current.name.rpartition(".")[2] == name), classes[0])


def _unknown_framing(first: int, words: str) -> ValidationError:
    return _malformed(
        f"{words} begins with byte {first:02X}: publish Avro single-object encoding (C3 01), the Confluent framing (00) or JSON ({{)."
    )


def _unknown_schema(fingerprint: bytes, words: str) -> ValidationError:
    message = (
        f"{words} was written with schema {fingerprint.hex()} (CRC-64-AVRO as on the wire), "
        "which is not among the published forms here: upgrade enact first, or write with a published form."
    )
    return ValidationError(message, code=ErrorCode.UNKNOWN_SCHEMA)


def _unreadable(error: BaseException, words: str, length: int) -> ValidationError:
    if isinstance(error, EOFError | struct.error | MemoryError):
        return _malformed(f"{words} is cut short: its {length} bytes end inside a field; publish the whole value.")
    if isinstance(error, UnicodeError):
        return _malformed(f"{words} holds a string that is not valid UTF-8: encode its text as UTF-8.")
    if isinstance(error, IndexError):
        return _malformed(
            f"{words} names an enum symbol or a union branch that its schema does not have: write it with the schema that its header names."
        )
    if isinstance(error, SchemaResolutionError):
        return _malformed(f"{words} was written with a form that the current schema cannot take in: write it with a published form.")
    return _malformed(f"{words} does not follow its schema ({type(error).__name__}): write it with the schema that its header names.")


def _malformed(message: str) -> ValidationError:
    return ValidationError(message, code=ErrorCode.MALFORMED_RECORD)
