"""The contract in `schemas/avro`: documented, the same as the dataclasses, compatible with what was published."""

import copy
import json
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import pytest
from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType
from avro.schema import parse
from msgspec import Struct
from msgspec.structs import fields

from enact.records.avro_form import AVRO_NAMES
from enact.records.schema import SCHEMA_NAMES, schemas_of
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
    shape_of,
)

ROOT = files("schemas") / "avro"
NAMES = sorted(SCHEMA_NAMES.values())
CLASSES: list[type] = list(SCHEMA_NAMES)
FULL_TRANSITIVE = {"approved_intent", "action_outcome", "signal", "ledger_entry"}


def current(name: str) -> Any:
    return json.loads((ROOT / f"{name}.avsc").read_text("utf-8"))


def history(name: str) -> list[Any]:
    numbers = sorted(int(path.name.removesuffix(".avsc")) for path in (ROOT / "history" / name).iterdir())
    assert numbers == list(range(1, len(numbers) + 1))
    return [json.loads((ROOT / "history" / name / f"{number}.avsc").read_text("utf-8")) for number in numbers]


def can_read(reader: Any, writer: Any) -> bool:
    checker: Any = ReaderWriterCompatibilityChecker
    result = checker().get_compatibility(parse(json.dumps(reader)), parse(json.dumps(writer)))
    return bool(result.compatibility is SchemaCompatibilityType.compatible)


def is_compatible(name: str, now: Any, published: list[Any]) -> bool:
    """Every published form can be read; where others read what we write, what we write can be read with every form too."""
    reads = all(can_read(now, form) for form in published)
    return reads and (name not in FULL_TRANSITIVE or all(can_read(form, now) for form in published))


def named_types(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, list):
        for item in node:
            yield from named_types(item)
    elif isinstance(node, dict):
        if isinstance(node.get("type"), str) and node["type"] in {"record", "enum"}:
            yield node
        for key in ("type", "items", "values", "fields"):
            yield from named_types(node.get(key))


def test_there_is_one_schema_for_each_record_class_and_no_other() -> None:
    on_disk = {path.name.removesuffix(".avsc") for path in ROOT.iterdir() if path.name.endswith(".avsc")}
    published = {path.name for path in (ROOT / "history").iterdir()}

    assert on_disk == published == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_record_and_every_field_is_documented(name: str) -> None:
    schema = current(name)

    assert schema["namespace"] == NAMESPACE
    for node in named_types(schema):
        assert node["doc"].endswith((".", ")")), node["name"]
        for field in node.get("fields", []):
            assert len(field["doc"]) > 10, f"{node['name']}.{field['name']}"


@pytest.mark.parametrize("name", NAMES)
def test_times_and_durations_say_their_unit(name: str) -> None:
    for node in named_types(current(name)):
        for field in node.get("fields", []):
            if field["name"].endswith(("_ms", "_s", "_epoch", "_at", "_seconds", "_days")):
                assert any(unit in field["doc"] for unit in ("milliseconds", "seconds", "days")), f"{node['name']}.{field['name']}"


def test_a_type_that_stands_in_several_files_is_the_same_in_all() -> None:
    seen: dict[str, set[str]] = {}
    for name in NAMES:
        for node in named_types(current(name)):
            bare = {key: value for key, value in node.items() if key != "namespace"}
            seen.setdefault(node["name"], set()).add(json.dumps(inlined(bare, current(name))))

    assert {name for name, forms in seen.items() if len(forms) > 1} == set()


def inlined(node: Any, schema: Any) -> Any:
    """The type with every reference replaced by what it names, so that files can be compared."""
    known = {named["name"]: named for named in named_types(schema)}
    if isinstance(node, str):
        return inlined(known[node], schema) if node in known else node
    if isinstance(node, list):
        return [inlined(item, schema) for item in node]
    if isinstance(node, dict):
        return {key: inlined(value, schema) if key in {"type", "items", "values", "fields"} else value for key, value in node.items()}
    return node


@pytest.mark.parametrize("cls", CLASSES)
def test_dataclass_and_schema_agree_field_by_field(cls: type) -> None:
    schema = current(SCHEMA_NAMES[cls])

    assert inlined_types(schema) == described(shape_of(cls), {})


def inlined_types(schema: Any) -> Any:
    """The schema as `described` describes a shape: names, order, types, symbols and defaults, no docs."""
    tree = json.loads(json.dumps(schema))
    for node in named_types(tree):
        node.pop("doc")
        node.pop("namespace", None)
        for field in node.get("fields", []):
            field.pop("doc")
    return tree


def described(shape: Shape, seen: dict[str, bool]) -> Any:
    match shape:
        case RecordOf(cls) | Enumeration(cls) if cls.__name__ in seen:
            return cls.__name__
        case RecordOf(cls, fields):
            seen[cls.__name__] = True
            return {"type": "record", "name": cls.__name__, "fields": [described_field(field, seen) for field in fields]}
        case Enumeration(cls):
            seen[cls.__name__] = True
            symbols = [member.value for member in cls]
            default = {"default": "UNKNOWN"} if "UNKNOWN" in symbols else {}
            return {"type": "enum", "name": cls.__name__, "symbols": symbols, **default}
        case Scalar(kind):
            return AVRO_NAMES[kind]
        case ListOf(item):
            return {"type": "array", "items": described(item, seen)}
        case Nullable(item):
            return ["null", described(item, seen)]
        case EventUnion(branches):
            return [described(branch, seen) for branch in branches]
        case MapOfText():
            return {"type": "map", "values": "string"}
        case ParametersText():
            return "string"


def described_field(field: Any, seen: dict[str, bool]) -> dict[str, Any]:
    tree = {"name": field.name, "type": described(field.shape, seen)}
    return {**tree, "default": default_of(field.default)} if field.has_default else tree


def default_of(value: Any) -> Any:
    if isinstance(value, Struct):
        return {field.name: default_of(getattr(value, field.name)) for field in fields(value)}
    return list(value) if isinstance(value, tuple) else value


def test_the_event_type_has_no_default_so_that_an_unknown_one_is_never_taken_for_another() -> None:
    (event_type,) = (node for node in named_types(current("execution_event")) if node["name"] == "EventType")

    assert "default" not in event_type


@pytest.mark.parametrize("cls", CLASSES)
def test_the_current_form_is_published(cls: type) -> None:
    newest = history(SCHEMA_NAMES[cls])[-1]

    assert inlined_types(newest) == inlined_types(current(SCHEMA_NAMES[cls]))
    assert schemas_of(cls).current.fingerprint in schemas_of(cls).known


@pytest.mark.parametrize("name", NAMES)
def test_the_current_form_is_compatible_with_every_published_one(name: str) -> None:
    assert is_compatible(name, current(name), history(name))


@pytest.mark.parametrize("name", NAMES)
def test_a_new_field_without_a_default_is_caught(name: str) -> None:
    broken = current(name)
    broken["fields"].append({"name": "colour", "type": "string"})

    assert not is_compatible(name, broken, history(name))


@pytest.mark.parametrize("name", sorted(FULL_TRANSITIVE))
def test_a_removed_field_without_a_default_is_caught_where_others_read(name: str) -> None:
    broken = current(name)
    removed = next(field for field in broken["fields"] if "default" not in field and isinstance(field["type"], str))
    broken["fields"].remove(removed)

    assert can_read(broken, history(name)[0])
    assert not is_compatible(name, broken, history(name))


@pytest.mark.parametrize("name", NAMES)
def test_a_changed_type_is_caught(name: str) -> None:
    broken = current(name)
    changed = next(field for field in broken["fields"] if field["type"] == "string")
    changed["type"] = "long"

    assert not is_compatible(name, broken, history(name))


@pytest.mark.parametrize("name", NAMES)
def test_an_older_form_than_the_last_is_checked_too(name: str) -> None:
    """A field added, published and given up again comes back with another type: only all versions show it."""
    second = copy.deepcopy(current(name))
    second["fields"].append({"name": "colour", "type": "string", "default": ""})
    third = copy.deepcopy(current(name))
    fourth = copy.deepcopy(current(name))
    fourth["fields"].append({"name": "colour", "type": "long", "default": 0})

    assert can_read(fourth, third)
    assert not is_compatible(name, fourth, [*history(name), second, third])


def test_a_new_enum_symbol_is_compatible_because_the_set_has_a_default() -> None:
    wider = current("action_outcome")
    (status,) = (node for node in named_types(wider) if node["name"] == "Status")
    status["symbols"].append("PAUSED")
    narrow = copy.deepcopy(wider)
    (closed,) = (node for node in named_types(narrow) if node["name"] == "Status")
    del closed["default"]
    closed["symbols"].remove("PAUSED")

    assert is_compatible("action_outcome", wider, history("action_outcome"))
    assert not can_read(narrow, wider)
