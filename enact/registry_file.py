"""Registry entries as people write them: YAML, checked as a whole, with all problems reported together.

One document is one entry or a list of entries. Field names are those of `ActionType`; `value` and `default`
of a mapping rule are plain YAML values, schemas are YAML mappings, `created_at` is a timestamp or epoch
seconds. `arguments_schema` is not written: it is copied from the connector's tool.
A `parameters_schema` that does not say `additionalProperties` gets `false`: an unknown parameter is refused.
"""

import datetime as dt
import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from enact import canonical
from enact.argument_rules import TEMPLATE_MARK
from enact.effect_promise import excess_of
from enact.errors import ConfigurationError, EnactError
from enact.json_schema import check_schema
from enact.mapping import SOURCE_ROOTS
from enact.records.action_type import ActionType, Compensation, MappingRule
from enact.records.enums import CompensationStrategy, EffectKind, RiskClass
from enact.records.tool_call import Backoff, EffectClass

TOOL_NAME_PATTERN = r"^[a-z][a-z0-9]*\.[a-z][a-z0-9]*(_[a-z0-9]+)+$"
"""`connector.verb_object`, as in `crm.create_task`."""

SchemaOf = Mapping[str, Mapping[str, Any]]
"""Tool name to the JSON Schema of its arguments, as the connectors declare it."""

PromiseOf = Mapping[str, EffectClass]
"""Tool name to what the tool keeps about repeats."""

NO_PROMISES: PromiseOf = MappingProxyType({})


def read_entries(text: str, *, file: str, argument_schemas: SchemaOf, promises: PromiseOf = NO_PROMISES) -> list[ActionType]:
    """All entries of one YAML text; `file` is its name in messages. A tool without a promise here is believed by its entry.

    Raises: ConfigurationError listing every problem of the file, each with entry and field.
    """
    problems: list[str] = []
    entries: list[ActionType] = []
    for number, raw in enumerate(_documents(text, file), start=1):
        where = f"{file}, entry {number}"
        if not isinstance(raw, dict):
            problems.append(f"{where}: an entry is a mapping (action_type: …, registry_version: …, and so on), this is a {_kind(raw)}.")
            continue
        try:
            written = _Entry.model_validate(raw)
        except ValidationError as error:
            problems.extend(
                f"{where}: {_field(item['loc'])}: {item['msg']}" for item in error.errors(include_url=False, include_input=False)
            )
            continue
        wrong = [*_problems_of(written, argument_schemas), *_excess(written, promises)]
        found = [f"{where} ({written.action_type}): {problem}" for problem in wrong]
        problems.extend(found)
        if not found:
            entries.append(_action_type(written, argument_schemas[written.tool_name]))
    problems.extend(f"{file}: {name} version {version} stands there twice." for name, version in _repeated(entries))
    if problems:
        raise ConfigurationError("\n".join(["The registry file cannot be applied; correct it and apply again:", *problems]))
    return entries


def _seconds(value: object) -> object:
    if isinstance(value, str):  # a quoted timestamp
        value = dt.datetime.fromisoformat(value)
    if isinstance(value, dt.datetime):
        return int((value if value.tzinfo else value.replace(tzinfo=dt.UTC)).timestamp())
    if isinstance(value, dt.date):
        return int(dt.datetime(value.year, value.month, value.day, tzinfo=dt.UTC).timestamp())
    return value


EpochSeconds = Annotated[int, BeforeValidator(_seconds), Field(ge=0)]
ToolName = Annotated[str, Field(pattern=TOOL_NAME_PATTERN)]
Word = Annotated[str, Field(pattern=r"^[A-Za-z0-9._:-]{1,128}$")]


class _Written(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Rule(_Written):
    argument: str = Field(min_length=1)
    source: str | None = None
    transform: Literal["PASSTHROUGH", "UPPERCASE", "LOWERCASE", "CONSTANT", "TEMPLATE"] = "PASSTHROUGH"
    value: Any = None
    template: str | None = None
    is_required: bool = False
    default: Any = None


class _Effect(_Written):
    kind: Literal[EffectKind.IDEMPOTENT, EffectKind.UPSERT, EffectKind.LOOKUP, EffectKind.NONE]
    key_ttl_s: int | None = Field(default=None, ge=1)
    natural_key: str | None = None
    settle_ms: int | None = Field(default=None, ge=0)


class _Backoff(_Written):
    initial_ms: int = Field(default=1_000, ge=1)
    factor: float = Field(default=2.0, ge=1)
    max_ms: int = Field(default=60_000, ge=1)


class _Compensation(_Written):
    strategy: Literal[CompensationStrategy.AUTOMATIC, CompensationStrategy.MANUAL, CompensationStrategy.NONE] = CompensationStrategy.NONE
    tool_name: ToolName | None = None
    mapping: tuple[_Rule, ...] = ()


class _Entry(_Written):
    action_type: Word
    registry_version: int = Field(ge=1)
    created_at: EpochSeconds
    deprecated_at: EpochSeconds | None = None
    tool_name: ToolName
    tool_schema_version: str = Field(min_length=1)
    connector: Word
    parameters_schema: dict[str, Any]
    parameter_mapping: tuple[_Rule, ...]
    required_scopes: tuple[str, ...] = ()
    risk_class: Literal[RiskClass.MINIMAL, RiskClass.LOW, RiskClass.MEDIUM, RiskClass.HIGH]
    effect_class: _Effect
    timeout_ms: int = Field(ge=1)
    max_attempts: int = Field(ge=1)
    backoff: _Backoff = _Backoff()
    compensation: _Compensation = _Compensation()
    description: str = ""


class _StrictLoader(yaml.SafeLoader):
    """YAML without repeated keys, which would silently drop the first."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - the library's signature
        seen: set[object] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"the key {key} is repeated", key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


def _documents(text: str, file: str) -> Iterator[object]:
    try:
        documents = list(yaml.load_all(text, Loader=_StrictLoader))
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{file} is not YAML{_place(error)}: nothing was applied.") from error
    except RecursionError:
        raise ConfigurationError(f"{file} is nested too deeply to be read: flatten it; nothing was applied.") from None
    except ValueError:  # a number of thousands of digits, a date that no calendar has
        raise ConfigurationError(f"{file} holds a number or a date that cannot be read: correct it; nothing was applied.") from None
    for document in documents:
        if isinstance(document, list):
            yield from document
        elif document is not None:
            yield document


def _kind(raw: object) -> str:
    return {list: "list", str: "text", bool: "yes or no", int: "number", float: "number"}.get(type(raw), "single value")


def _place(error: yaml.YAMLError) -> str:
    """Where the reader stood when it gave up, and what it says; it counts lines from 0."""
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return f" ({error})"
    mark = error.problem_mark
    return f" at line {mark.line + 1}, column {mark.column + 1} ({error.problem})"


def _field(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location) or "the entry"


def _repeated(entries: list[ActionType]) -> list[tuple[str, int]]:
    keys = [(entry.action_type, entry.registry_version) for entry in entries]
    return sorted({key for key in keys if keys.count(key) > 1})


def _problems_of(entry: _Entry, argument_schemas: SchemaOf) -> Iterator[str]:
    """What a reader of single fields cannot see."""
    if entry.tool_name.split(".")[0] != entry.connector:
        yield f"tool_name: {entry.tool_name} does not belong to connector {entry.connector}."
    yield from _schema_problems(entry.parameters_schema)
    yield from _rule_problems("parameter_mapping", entry.parameter_mapping)
    yield from _rule_problems("compensation.mapping", entry.compensation.mapping)
    if entry.compensation.strategy is not CompensationStrategy.NONE and entry.compensation.tool_name is None:
        yield f"compensation.tool_name: strategy {entry.compensation.strategy} needs the tool that undoes the action."
    arguments = argument_schemas.get(entry.tool_name)
    if arguments is None:
        yield f"tool_name: no connector has a tool {entry.tool_name}; known are {', '.join(sorted(argument_schemas)) or 'none'}."
        return
    known = arguments.get("properties", {})
    mapped = {rule.argument for rule in entry.parameter_mapping}
    if arguments.get("additionalProperties") is False:
        yield from (f"parameter_mapping: {entry.tool_name} has no argument {name}." for name in sorted(mapped - set(known)))
    yield from (
        f"parameter_mapping: {entry.tool_name} needs the argument {name}." for name in arguments.get("required", []) if name not in mapped
    )


def _excess(entry: _Entry, promises: PromiseOf) -> Iterator[str]:
    kept = promises.get(entry.tool_name)
    excess = excess_of(EffectClass(**entry.effect_class.model_dump()), kept) if kept is not None else None
    if excess is not None:
        yield f"effect_class: {excess}"


def _schema_problems(schema: dict[str, Any]) -> Iterator[str]:
    if schema.get("type") != "object":
        yield "parameters_schema: the type must be object."
    try:
        check_schema(canonical.canonical_json(schema).decode())
    except EnactError as error:
        yield f"parameters_schema: {error.message}"


def _rule_problems(field: str, rules: tuple[_Rule, ...]) -> Iterator[str]:
    names = [rule.argument for rule in rules]
    yield from (f"{field}: the argument {name} stands there twice." for name in sorted({name for name in names if names.count(name) > 1}))
    for rule in rules:
        where = f"{field}.{rule.argument}"
        match rule.transform:
            case "CONSTANT":
                if "value" not in rule.model_fields_set:
                    yield f"{where}: CONSTANT needs a value."
            case "TEMPLATE":
                if rule.template is None:
                    yield f"{where}: TEMPLATE needs a template."
                else:
                    yield from _template_problems(where, rule.template)
            case _:
                if rule.source is None:
                    yield f"{where}: {rule.transform} needs a source."
                else:
                    yield from _path_problems(where, rule.source)


def _template_problems(where: str, template: str) -> Iterator[str]:
    if re.search(r"[{}]", TEMPLATE_MARK.sub("", template)):
        yield f"{where}: a brace without its partner; write {{{{ or }}}} for a brace."
    for mark in TEMPLATE_MARK.finditer(template):
        if mark.group(1) is not None:
            yield from _path_problems(where, mark.group(1))


def _path_problems(where: str, path: str) -> Iterator[str]:
    root, dot, rest = path.partition(".")
    if root not in SOURCE_ROOTS or not dot or not all(rest.split(".")):
        yield f"{where}: {path or 'an empty path'} is no path; it starts with {', '.join(f'{name}.' for name in SOURCE_ROOTS)}."


def _action_type(entry: _Entry, arguments_schema: Mapping[str, Any]) -> ActionType:
    return ActionType(
        action_type=entry.action_type,
        registry_version=entry.registry_version,
        created_at=entry.created_at,
        deprecated_at=entry.deprecated_at,
        tool_name=entry.tool_name,
        tool_schema_version=entry.tool_schema_version,
        connector=entry.connector,
        arguments_schema=_json(dict(arguments_schema)),
        parameters_schema=_json({"additionalProperties": False, **entry.parameters_schema}),
        parameter_mapping=tuple(_mapping_rule(rule) for rule in entry.parameter_mapping),
        required_scopes=entry.required_scopes,
        risk_class=entry.risk_class,
        effect_class=EffectClass(**entry.effect_class.model_dump()),
        timeout_ms=entry.timeout_ms,
        max_attempts=entry.max_attempts,
        backoff=Backoff(**entry.backoff.model_dump()),
        compensation=Compensation(
            strategy=entry.compensation.strategy,
            tool_name=entry.compensation.tool_name,
            mapping=tuple(_mapping_rule(rule) for rule in entry.compensation.mapping),
        ),
        description=entry.description,
    )


def _mapping_rule(rule: _Rule) -> MappingRule:
    given = rule.model_fields_set
    return MappingRule(
        argument=rule.argument,
        source=rule.source,
        transform=rule.transform,
        value=_json(rule.value) if "value" in given else None,
        template=rule.template,
        is_required=rule.is_required,
        default=_json(rule.default) if "default" in given else None,
    )


def _json(value: Any) -> str:
    return canonical.canonical_json(value).decode()
