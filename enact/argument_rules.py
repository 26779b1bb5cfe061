"""The rules that turn an intent into a tool's arguments, made ready once for each registry entry."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from msgspec import Struct

from enact import canonical
from enact.by_identity import ByIdentity
from enact.errors import EnactError, ErrorCode, MappingError
from enact.json_schema import found
from enact.records.action_type import MappingRule

TEMPLATE_MARK: Final = re.compile(r"\{\{|\}\}|\{([^{}]*)\}")

INDEX: Final = re.compile(r"[0-9]{1,9}")
"""A step into an array. No array that is read here has more items."""

Context = Mapping[str, Any]
"""What a path begins in: `parameters`, `target`, `intent`."""


class Missing(Struct, frozen=True):
    """No value at this path. JSON null is a value."""

    path: str


Source = Callable[[Context], Any]
"""The value of an argument, or Missing. Raises: MappingError, ValidationError."""


class ArgumentRule(Struct, frozen=True):
    """One rule, ready to be used. `default` None = there is none."""

    argument: str
    is_required: bool
    source: Source
    default: Source | None


def _made_ready(rules: tuple[MappingRule, ...]) -> tuple[ArgumentRule, ...]:
    return tuple(
        ArgumentRule(rule.argument, rule.is_required, _source(rule), None if rule.default is None else _constant(rule.default))
        for rule in rules
    )


rules_ready: Final = ByIdentity(_made_ready)
"""The rules of an entry, made ready once for each tuple of them."""


def _source(rule: MappingRule) -> Source:
    match rule.transform:
        case "CONSTANT" if rule.value is not None:
            return _constant(rule.value)
        case "TEMPLATE" if rule.template is not None:
            return _template(rule.template, rule.argument)
        case "PASSTHROUGH" if rule.source is not None:
            return _path(rule.source)
        case "UPPERCASE" | "LOWERCASE" if rule.source is not None:
            return _in_case(rule, rule.source)
        case _:
            return _raising(
                MappingError(f"arguments.{rule.argument}: the rule lacks what its transform needs, or the transform is not known here.")
            )


def _raising(error: EnactError) -> Source:
    def fail(_: Context) -> Any:
        raise type(error)(error.message, code=error.code)

    return fail


def _constant(text: str) -> Source:
    try:
        value = canonical.parse_json(text, code=ErrorCode.MAPPING_FAILED)
    except EnactError as error:
        return _raising(error)
    return lambda _: value


def _path(path: str) -> Source:
    """Follow a dotted path; a number steps into an array."""
    steps = tuple((step, int(step) if INDEX.fullmatch(step) else None) for step in path.split("."))
    missing = Missing(path)

    def look_up(context: Context) -> Any:
        value: Any = context
        for step, index in steps:
            if isinstance(value, dict) and step in value:
                value = value[step]
            elif index is not None and isinstance(value, list) and index < len(value):
                value = value[index]
            else:
                return missing
        return value

    return look_up


def _in_case(rule: MappingRule, path: str) -> Source:
    look_up = _path(path)

    def turn(context: Context) -> Any:
        value = look_up(context)
        if isinstance(value, Missing):
            return value
        if not isinstance(value, str):
            raise MappingError(f"arguments.{rule.argument}: {rule.transform} needs a string, found {found(value)} at {path}.")
        return value.upper() if rule.transform == "UPPERCASE" else value.lower()

    return turn


def _template(template: str, argument: str) -> Source:
    """Replace every `{path}` once; what a value contains is never read as a mark. `{{` and `}}` are braces."""
    parts: list[str | tuple[str, Source]] = []
    position = 0
    for mark in TEMPLATE_MARK.finditer(template):
        parts.append(template[position : mark.start()])
        position = mark.end()
        path: str | None = mark.group(1)
        parts.append(mark.group(0)[0] if path is None else (path, _path(path)))
    parts.append(template[position:])

    def fill(context: Context) -> Any:
        texts: list[str] = []
        for part in parts:
            if isinstance(part, str):
                texts.append(part)
                continue
            path, look_up = part
            value = look_up(context)
            if isinstance(value, Missing):
                return value
            if value is None or isinstance(value, dict | list):
                raise MappingError(f"arguments.{argument}: a template takes text, numbers and booleans, found {found(value)} at {path}.")
            texts.append(value if isinstance(value, str) else canonical.canonical_json(value).decode())
        return "".join(texts)

    return fill
