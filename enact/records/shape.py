"""What a record class is made of, read from it once: the plan that every wire form is compiled from."""

import types
import typing
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any, Final

from msgspec import NODEFAULT, Struct
from msgspec.structs import fields

from enact.records.execution_event import EVENT_TYPES
from enact.records.intent import ApprovedIntent

NAMESPACE: Final = "enact.v1"


@dataclass(frozen=True, slots=True)
class Scalar:
    """str, int, float, bool or bytes."""

    kind: type


@dataclass(frozen=True, slots=True)
class Enumeration:
    """A closed set."""

    cls: type[StrEnum]


@dataclass(frozen=True, slots=True)
class ListOf:
    """A tuple in the record, an array on the wire."""

    item: "Shape"


@dataclass(frozen=True, slots=True)
class MapOfText:
    """Strings by strings."""


@dataclass(frozen=True, slots=True)
class ParametersText:
    """`ApprovedIntent.parameters`: canonical JSON text of one object."""


@dataclass(frozen=True, slots=True)
class Nullable:
    """A value or None."""

    item: "Shape"


@dataclass(frozen=True, slots=True)
class EventUnion:
    """`ExecutionEvent.data`: the branch is named by `type`."""

    branches: "tuple[RecordOf, ...]"


@dataclass(frozen=True, slots=True)
class Field:
    """One field. Without a default a reader must find it (`has_default`)."""

    name: str
    shape: "Shape"
    has_default: bool
    default: Any


@dataclass(frozen=True, slots=True)
class RecordOf:
    """A record class and its fields in order."""

    cls: type
    fields: tuple[Field, ...]

    @property
    def full_name(self) -> str:
        """The Avro name."""
        return f"{NAMESPACE}.{self.cls.__name__}"


Shape = Scalar | Enumeration | ListOf | MapOfText | ParametersText | Nullable | EventUnion | RecordOf


@cache
def shape_of(cls: type) -> RecordOf:
    """The shape of a record class of `enact.records`. Raises: TypeError for a field type that no wire form knows."""
    hints = typing.get_type_hints(cls)
    return RecordOf(cls, tuple(_field(cls, field.name, hints[field.name], field.default) for field in fields(cls)))


def _field(cls: type, name: str, hint: Any, default: Any) -> Field:
    shape = ParametersText() if (cls, name) == (ApprovedIntent, "parameters") else _shape(hint)
    if default is NODEFAULT and isinstance(shape, Nullable | ListOf):
        default = None if isinstance(shape, Nullable) else ()
    return Field(name, shape, default is not NODEFAULT, None if default is NODEFAULT else default)


def _shape(hint: Any) -> Shape:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint in {str, int, float, bool, bytes}:
        return Scalar(hint)
    if origin is tuple:
        return ListOf(_shape(arguments[0]))
    if origin is dict and arguments == (str, str):
        return MapOfText()
    if origin is types.UnionType and type(None) in arguments and len(arguments) == 2:
        (item,) = (argument for argument in arguments if argument is not type(None))
        return Nullable(_shape(item))
    if origin is types.UnionType and set(arguments) == set(EVENT_TYPES):
        return EventUnion(tuple(shape_of(branch) for branch in arguments))
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return Enumeration(hint)
    if isinstance(hint, type) and issubclass(hint, Struct):
        return shape_of(hint)
    raise TypeError(f"no wire form knows the field type {hint!r}")
