"""The table of settings for the docs: one row for each variable, from the declarations themselves."""

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType, NoneType
from typing import Any, NamedTuple, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from enact.settings import Group, variable_of

WORDS = MappingProxyType({str: "text", SecretStr: "secret", int: "whole number", float: "number", bool: "true, false", Path: "path"})


class SettingRow(NamedTuple):
    """One line of the settings table in the docs."""

    variable: str
    type: str
    default: str
    meaning: str


def describe(settings_class: type[BaseModel], location: tuple[str, ...] = ()) -> Iterator[SettingRow]:
    """The rows of the settings table, in declaration order; secrets show no default."""
    for name, field in settings_class.model_fields.items():
        here = (*location, name)
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, Group):
            yield from describe(inner, here)
        else:
            yield SettingRow(variable_of(here), _type_name(inner), _default_text(field), field.description or "")


def _type_name(annotation: Any) -> str:
    """In words for people: what to write into the variable, not which class it becomes."""
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        return ", ".join(member.value for member in annotation)
    if annotation in WORDS:
        return WORDS[annotation]
    if get_origin(annotation) is tuple:
        return "comma list"
    inner = [one for one in get_args(annotation) if one is not NoneType]
    if not inner:
        raise TypeError(f"{annotation} has no word in the table of settings: give it one in WORDS.")
    return _type_name(inner[0])


def _default_text(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    match field.default:
        case None | ():
            return "–"
        case bool() as is_on:
            return str(is_on).lower()
        case float() as number:
            return f"{number:g}"
        case value:
            return str(value)
