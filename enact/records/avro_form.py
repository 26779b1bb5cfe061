"""Records to and from the trees that fastavro writes and reads. Compiled once per class; no reflection per record."""

from collections.abc import Callable
from operator import attrgetter
from typing import Any

from enact.canonical import rewritten
from enact.errors import ErrorCode
from enact.records.enums import EventType
from enact.records.execution_event import EVENT_TYPES, EventData
from enact.records.shape import (
    NAMESPACE,
    Enumeration,
    EventUnion,
    ListOf,
    MapOfText,
    Nullable,
    ParametersText,
    RecordOf,
    Scalar,
    Shape,
)
from enact.strict_json import FlawError

Convert = Callable[[Any], Any]

AVRO_NAMES: dict[type, str] = {str: "string", int: "long", float: "double", bool: "boolean", bytes: "bytes"}


def tree_writer(shape: RecordOf) -> Convert:
    """A function from a record to the dict that fastavro writes. Union branches are named, so nothing is guessed."""
    names = tuple(field.name for field in shape.fields)
    read = _getter(names)
    converted = tuple((field.name, write) for field in shape.fields if (write := _out(field.shape)) is not None)
    is_event = any(isinstance(field.shape, EventUnion) for field in shape.fields)

    def to_tree(record: Any) -> dict[str, Any]:
        if is_event:
            check_event(record.type, record.data)
        tree = dict(zip(names, read(record), strict=True))
        for name, write in converted:
            tree[name] = write(tree[name])
        return tree

    return to_tree


def tree_reader(shape: RecordOf) -> Convert:
    """A function from the dict that fastavro read (it is used up) to the record. Raises (the function): FlawError."""
    cls = shape.cls
    converted = tuple((field.name, read) for field in shape.fields if (read := _in(field.shape)) is not None)
    is_event = any(isinstance(field.shape, EventUnion) for field in shape.fields)

    def from_tree(tree: dict[str, Any]) -> Any:
        for name, read in converted:
            try:
                tree[name] = read(tree[name])
            except FlawError as flaw:
                raise flaw.within(f".{name}") from None
        if is_event:
            check_event(tree["type"], tree["data"])
        return cls(**tree)

    return from_tree


def _getter(names: tuple[str, ...]) -> Callable[[Any], tuple[Any, ...]]:
    if len(names) > 1:
        return attrgetter(*names)
    (name,) = names
    return lambda record: (getattr(record, name),)


def _branch_name(shape: Shape) -> str:
    match shape:
        case RecordOf():
            return shape.full_name
        case Enumeration(cls):
            return f"{NAMESPACE}.{cls.__name__}"
        case Scalar(kind):
            return AVRO_NAMES[kind]
        case _:
            raise TypeError(f"no optional {type(shape).__name__} is known on the wire")


def _out(shape: Shape) -> Convert | None:
    """How a value is written; None = as it is."""
    match shape:
        case RecordOf():
            return tree_writer(shape)
        case ListOf(item):
            write = _out(item)
            return None if write is None else lambda values: [write(value) for value in values]
        case Nullable(item):
            name, inner = _branch_name(item), _out(item)
            if inner is None:
                return lambda value: None if value is None else (name, value)
            return lambda value: None if value is None else (name, inner(value))
        case EventUnion(branches):
            writers = {branch.cls: (branch.full_name, tree_writer(branch)) for branch in branches}
            return lambda data: (writers[type(data)][0], writers[type(data)][1](data))
        case Scalar() | Enumeration() | MapOfText() | ParametersText():
            return None


def _in(shape: Shape) -> Convert | None:
    """How a value is read; None = as it is."""
    match shape:
        case RecordOf():
            return tree_reader(shape)
        case Enumeration(cls):
            return {member.value: member for member in cls}.__getitem__
        case ListOf(item):
            read = _in(item)
            return tuple if read is None else lambda values: tuple([read(value) for value in values])
        case Nullable(item):
            inner = _in(item)
            return None if inner is None else lambda value: None if value is None else inner(value)
        case EventUnion(branches):
            readers = {branch.full_name: tree_reader(branch) for branch in branches}
            return lambda named: readers[named[0]](named[1])
        case ParametersText():
            return parameters_text
        case Scalar() | MapOfText():
            return None


def check_event(named: EventType, data: EventData) -> None:
    """An event's `type` names the branch of `data`. Raises: FlawError if they disagree."""
    if EVENT_TYPES[type(data)] is not named:
        raise FlawError(ErrorCode.MALFORMED_RECORD, f"is a {type(data).__name__}, but type says {named}.").within(".data")


def parameters_text(text: str) -> str:
    """The canonical text of an intent's parameters. Raises: FlawError, also if it is JSON but no object."""
    canonical = rewritten(text, ErrorCode.PARAMETERS_INVALID)
    if not canonical.startswith("{"):
        raise FlawError(ErrorCode.PARAMETERS_INVALID, "is JSON text, but of no object: put the parameters into one object.")
    return canonical
