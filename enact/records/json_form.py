"""Records to and from plain JSON trees: untagged unions, parameters as an object, bytes as base64 text.

Unknown fields are refused, absent ones take their default or are FIELD_MISSING. Compiled once per class.
"""

import base64
import binascii
from collections.abc import Callable, Mapping
from enum import StrEnum
from functools import cache
from typing import Any, Final

from enact.canonical import canonical_bytes
from enact.errors import ErrorCode
from enact.records.avro_form import parameters_text
from enact.records.enums import EventType
from enact.records.execution_event import EVENT_TYPES
from enact.records.shape import Enumeration, EventUnion, ListOf, MapOfText, Nullable, ParametersText, RecordOf, Scalar, Shape, shape_of
from enact.strict_json import MAX_EXACT_INTEGER, DoubledKeys, FlawError, check_number, check_tree, parse_tree, path_step, string_text

Convert = Callable[[Any], Any]

MALFORMED: Final = ErrorCode.MALFORMED_RECORD
_JSON_WORDS: Final[Mapping[type, str]] = {
    dict: "an object",
    DoubledKeys: "an object",
    list: "a list",
    str: "a string",
    int: "an integer",
    float: "a number with a fraction",
    bool: "true or false",
    type(None): "null",
}


def json_reader(shape: RecordOf) -> Convert:
    """A function from a parsed JSON value to the record. Raises (the function): FlawError."""
    return _reader_of(shape.cls)


def json_writer(shape: RecordOf) -> Convert:
    """A function from a record to a JSON value, every field named."""
    return _writer_of(shape.cls)


# By class, which is found by identity: the hash of a shape is that of everything in it.
@cache
def _reader_of(cls: type) -> Convert:
    fields = shape_of(cls).fields
    names = frozenset(field.name for field in fields)
    plain = tuple((field.name, _in(field.shape), field) for field in fields if not isinstance(field.shape, EventUnion))
    event = {kind: read for field in fields if isinstance(field.shape, EventUnion) for kind, read in _event_readers(field.shape)}

    def read_record(value: Any) -> Any:
        members = _object(value)
        if not members.keys() <= names:
            unknown = min(members.keys() - names)
            raise FlawError(MALFORMED, f"is no field of {cls.__name__}: remove it or correct its name.").within(path_step(unknown))
        values = {}
        name = ""
        try:
            for name, read, field in plain:
                if name in members:
                    values[name] = read(members[name])
                elif field.has_default:
                    values[name] = field.default
                else:
                    raise _missing()
            if event:
                name = "data"
                if name not in members:
                    raise _missing()
                values[name] = event[values["type"]](members[name])
        except FlawError as flaw:
            raise flaw.within(f".{name}") from None
        return cls(**values)

    return read_record


@cache
def _writer_of(cls: type) -> Convert:
    fields = tuple((field.name, _out(field.shape)) for field in shape_of(cls).fields)

    def write_record(record: Any) -> dict[str, Any]:
        values = {}
        name = ""
        try:
            for name, write in fields:
                value = getattr(record, name)
                values[name] = value if write is None else write(value)
        except FlawError as flaw:
            raise flaw.within(f".{name}") from None
        return values

    return write_record


def _at(name: str, convert: Convert, value: Any) -> Any:
    try:
        return convert(value)
    except FlawError as flaw:
        raise flaw.within(f".{name}") from None


def _missing() -> FlawError:
    return FlawError(ErrorCode.FIELD_MISSING, "is missing: add it.")


def _event_readers(union: EventUnion) -> list[tuple[EventType, Convert]]:
    return [(EVENT_TYPES[branch.cls], json_reader(branch)) for branch in union.branches]


def _unexpected(value: Any, expected: str) -> FlawError:
    if isinstance(value, float):
        check_number(value)
    return FlawError(MALFORMED, f"is {_JSON_WORDS[type(value)]} where {expected} is expected: correct its type.")


def _object(value: Any) -> dict[str, Any]:
    if type(value) is DoubledKeys:
        raise value.flaw(MALFORMED)
    if type(value) is not dict:
        raise _unexpected(value, "an object")
    return value


def _in(shape: Shape) -> Convert:
    match shape:
        case RecordOf():
            return json_reader(shape)
        case Scalar(kind):
            return _SCALARS_IN[kind]
        case Enumeration(cls):
            return _enum_in(cls)
        case ListOf(item):
            return _list_in(_in(item))
        case Nullable(item):
            return _unless_none(_in(item))
        case MapOfText():
            return _map_in
        case ParametersText():
            return _parameters_in
        case EventUnion():
            raise TypeError("an event's data is read with its event")


def _out(shape: Shape) -> Convert | None:
    """How a value is written; None = as it is."""
    match shape:
        case RecordOf():
            return json_writer(shape)
        case ListOf(item):
            inner = _out(item)
            return list if inner is None else _each(inner)
        case Nullable(item):
            inner = _out(item)
            return None if inner is None else _unless_none(inner)
        case EventUnion(branches):
            writers = {branch.cls: json_writer(branch) for branch in branches}
            return lambda data: writers[type(data)](data)
        case Enumeration():
            return str
        case ParametersText():
            return _parameters_out
        case Scalar(kind) if kind is bytes:
            return lambda value: base64.b64encode(value).decode()
        case Scalar(kind) if kind is float:
            return lambda value: int(value) if value.is_integer() and abs(value) <= MAX_EXACT_INTEGER else value
        case Scalar() | MapOfText():
            return None


def _unless_none(convert: Convert) -> Convert:
    return lambda value: None if value is None else convert(value)


def _each(convert: Convert) -> Convert:
    return lambda values: [convert(value) for value in values]


def _text_in(value: Any) -> str:
    if type(value) is not str:
        raise _unexpected(value, "a string")
    if not value.isascii():
        string_text(value, MALFORMED)
    return value


def _integer_in(value: Any) -> int:
    if type(value) is not int:
        raise _unexpected(value, "an integer")
    if not -MAX_EXACT_INTEGER <= value <= MAX_EXACT_INTEGER:
        raise FlawError(ErrorCode.NUMBER_NOT_EXACT, "is an integer beyond +-(2^53-1): correct it.")
    return value


def _number_in(value: Any) -> float:
    if type(value) is not int and type(value) is not float:
        raise _unexpected(value, "a number")
    check_number(value)
    return float(value)


def _flag_in(value: Any) -> bool:
    if type(value) is not bool:
        raise _unexpected(value, "true or false")
    return value


def _bytes_in(value: Any) -> bytes:
    try:
        return base64.b64decode(_text_in(value), validate=True)
    except (binascii.Error, ValueError):
        raise FlawError(MALFORMED, "is no base64 text: encode the bytes with the standard alphabet and padding.") from None


def _enum_in(cls: type[StrEnum]) -> Convert:
    members = {member.value: member for member in cls}
    default = members.get("UNKNOWN")

    def read_symbol(value: Any) -> StrEnum:
        member = members.get(_text_in(value), default)
        if member is None:
            raise FlawError(MALFORMED, f"is none of {', '.join(members)}: use one of them.")
        return member

    return read_symbol


def _list_in(read: Convert) -> Convert:
    def read_list(value: Any) -> tuple[Any, ...]:
        if type(value) is not list:
            raise _unexpected(value, "a list")
        items = []
        for index, item in enumerate(value):
            try:
                items.append(read(item))
            except FlawError as flaw:
                raise flaw.within(path_step(index)) from None
        return tuple(items)

    return read_list


def _map_in(value: Any) -> dict[str, str]:
    return {_text_in(name): _at(name, _text_in, text) for name, text in _object(value).items()}


def _parameters_in(value: Any) -> str:
    """An object, or the text of one; everything wrong in here is the parameters' fault, not the envelope's."""
    if type(value) is str:
        return parameters_text(value)
    if not isinstance(value, dict):
        what = f"is {_JSON_WORDS[type(value)]} where an object or its JSON text is expected: correct its type."
        raise FlawError(ErrorCode.PARAMETERS_INVALID, what)
    check_tree(value, ErrorCode.PARAMETERS_INVALID)
    return canonical_bytes(value).decode()


def _parameters_out(text: str) -> Any:
    tree = parse_tree(text, ErrorCode.PARAMETERS_INVALID)
    check_tree(tree, ErrorCode.PARAMETERS_INVALID)
    return tree


_SCALARS_IN: Final[Mapping[type, Convert]] = {str: _text_in, int: _integer_in, float: _number_in, bool: _flag_in, bytes: _bytes_in}
