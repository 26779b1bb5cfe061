from typing import Any

import pytest
import yaml

from enact.errors import ConfigurationError
from enact.mapping import map_intent
from enact.records.action_type import MappingRule
from enact.records.enums import CompensationStrategy, EffectKind, RiskClass
from enact.registry_file import read_entries
from tests.factories import make_intent, make_validated

SCHEMAS: dict[str, dict[str, Any]] = {
    "crm.create_task": {
        "type": "object",
        "required": ["subject"],
        "additionalProperties": False,
        "properties": {"subject": {"type": "string"}, "priority": {"type": "string"}, "note": {"type": "string"}},
    },
    "crm.delete_task": {"type": "object"},
}


def written(**changes: Any) -> dict[str, Any]:
    entry = {
        "action_type": "CREATE_CRM_TASK",
        "registry_version": 1,
        "created_at": "2026-01-01T00:00:00Z",
        "tool_name": "crm.create_task",
        "tool_schema_version": "1",
        "connector": "crm",
        "risk_class": "LOW",
        "effect_class": {"kind": "UPSERT", "natural_key": "Enact_Key__c"},
        "timeout_ms": 10_000,
        "max_attempts": 5,
        "parameters_schema": {"type": "object", "required": ["subject"], "properties": {"subject": {"type": "string"}}},
        "parameter_mapping": [
            {"argument": "subject", "source": "parameters.subject", "is_required": True},
            {"argument": "priority", "transform": "CONSTANT", "value": "Normal"},
            {"argument": "note", "transform": "TEMPLATE", "template": "For {target.entity_id}"},
        ],
    }
    entry.update(changes)
    return {name: value for name, value in entry.items() if value is not ...}


def refusal(*entries: dict[str, Any]) -> str:
    with pytest.raises(ConfigurationError) as raised:
        read_entries(yaml.safe_dump(list(entries)), file="crm.yaml", argument_schemas=SCHEMAS)
    return raised.value.message


def test_a_written_entry_becomes_an_action_type_that_maps() -> None:
    (entry,) = read_entries(yaml.safe_dump(written()), file="crm.yaml", argument_schemas=SCHEMAS)

    call = map_intent(make_validated(make_intent(parameters='{"subject":"Call"}'), entry), entry)

    assert call.arguments == '{"note":"For 001A","priority":"Normal","subject":"Call"}'
    assert entry.created_at == 1_767_225_600
    assert entry.risk_class is RiskClass.LOW
    assert entry.effect_class.kind is EffectKind.UPSERT
    assert entry.compensation.strategy is CompensationStrategy.NONE
    assert entry.arguments_schema.startswith('{"additionalProperties":false')


@pytest.mark.parametrize("created_at", [1_767_225_600, "2026-01-01T00:00:00Z"])
def test_times_are_timestamps_or_epoch_seconds(created_at: int | str) -> None:
    text = yaml.safe_dump(written()).replace("'2026-01-01T00:00:00Z'", str(created_at))

    assert read_entries(text, file="f", argument_schemas=SCHEMAS)[0].created_at == 1_767_225_600


@pytest.mark.parametrize("created_at", ["2026-01-01", "2026-01-01 00:00:00"])
def test_a_time_without_a_zone_is_utc(created_at: str) -> None:
    text = yaml.safe_dump(written()).replace("'2026-01-01T00:00:00Z'", created_at)

    assert read_entries(text, file="f", argument_schemas=SCHEMAS)[0].created_at == 1_767_225_600


def test_values_and_defaults_are_plain_yaml_and_null_is_a_value() -> None:
    rules = [
        {"argument": "subject", "source": "parameters.s", "default": None},
        {"argument": "priority", "transform": "CONSTANT", "value": {"b": 1, "a": [True]}},
    ]

    (entry,) = read_entries(yaml.safe_dump(written(parameter_mapping=rules)), file="f", argument_schemas=SCHEMAS)

    assert entry.parameter_mapping == (
        MappingRule(argument="subject", source="parameters.s", default="null"),
        MappingRule(argument="priority", transform="CONSTANT", value='{"a":[true],"b":1}'),
    )


def test_unknown_parameters_are_refused_unless_the_schema_says_otherwise() -> None:
    closed, open_ = read_entries(
        yaml.safe_dump([written(), written(registry_version=2, parameters_schema={"type": "object", "additionalProperties": True})]),
        file="f",
        argument_schemas=SCHEMAS,
    )

    assert '"additionalProperties":false' in closed.parameters_schema
    assert '"additionalProperties":true' in open_.parameters_schema


def test_several_documents_and_an_empty_one_are_read_in_order() -> None:
    text = "\n---\n".join([yaml.safe_dump(written()), "", yaml.safe_dump([written(registry_version=2)])])

    assert [entry.registry_version for entry in read_entries(text, file="f", argument_schemas=SCHEMAS)] == [1, 2]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"tool_name": "crm.create"}, "entry 1: tool_name: String should match pattern"),
        ({"tool_name": "CRM.create_task"}, "entry 1: tool_name: String should match pattern"),
        (
            {"tool_name": "crm.create_lead"},
            "tool_name: no connector has a tool crm.create_lead; known are crm.create_task, crm.delete_task.",
        ),
        ({"connector": "calendar"}, "tool_name: crm.create_task does not belong to connector calendar."),
        ({"registry_version": 0}, "registry_version: Input should be greater than or equal to 1"),
        ({"action_type": "no spaces"}, "action_type: String should match pattern"),
        ({"timeout_ms": ...}, "timeout_ms: Field required"),
        ({"created_at": "yesterday"}, "created_at: Value error, Invalid isoformat string"),
        ({"timout_ms": 5}, "timout_ms: Extra inputs are not permitted"),
        ({"effect_class": {"kind": "UNKNOWN"}}, "effect_class.kind: Input should be"),
        ({"effect_class": {"kind": "MAYBE"}}, "effect_class.kind: Input should be"),
        ({"risk_class": "UNKNOWN"}, "risk_class: Input should be"),
        ({"parameters_schema": {"type": "array"}}, "parameters_schema: the type must be object."),
        ({"parameters_schema": {"type": "object", "required": 5}}, "parameters_schema: The JSON Schema cannot be used"),
        ({"parameter_mapping": []}, "parameter_mapping: crm.create_task needs the argument subject."),
        (
            {"parameter_mapping": [{"argument": "subject", "source": "parameters.s"}, {"argument": "colour", "source": "parameters.c"}]},
            "parameter_mapping: crm.create_task has no argument colour.",
        ),
        ({"parameter_mapping": [{"argument": "subject", "source": "x.s"}]}, "parameter_mapping.subject: x.s is no path"),
        ({"parameter_mapping": [{"argument": "subject", "source": "parameters."}]}, "parameter_mapping.subject: parameters. is no path"),
        ({"parameter_mapping": [{"argument": "subject"}]}, "parameter_mapping.subject: PASSTHROUGH needs a source."),
        ({"parameter_mapping": [{"argument": "subject", "transform": "CONSTANT"}]}, "parameter_mapping.subject: CONSTANT needs a value."),
        (
            {"parameter_mapping": [{"argument": "subject", "transform": "TEMPLATE"}]},
            "parameter_mapping.subject: TEMPLATE needs a template.",
        ),
        (
            {"parameter_mapping": [{"argument": "subject", "transform": "TEMPLATE", "template": "{parameters.s"}]},
            "parameter_mapping.subject: a brace without its partner",
        ),
        (
            {"parameter_mapping": [{"argument": "subject", "transform": "TEMPLATE", "template": "{approval.jws}"}]},
            "parameter_mapping.subject: approval.jws is no path",
        ),
        (
            {"parameter_mapping": [{"argument": "subject", "source": "parameters.s"}] * 2},
            "parameter_mapping: the argument subject stands there twice.",
        ),
        ({"compensation": {"strategy": "AUTOMATIC"}}, "compensation.tool_name: strategy AUTOMATIC needs the tool"),
    ],
)
def test_a_problem_is_reported_with_file_entry_and_field(change: dict[str, Any], expected: str) -> None:
    message = refusal(written(**change))

    assert "crm.yaml, entry 1" in message
    assert expected in message


def test_all_problems_of_all_entries_are_reported_together() -> None:
    message = refusal(written(timeout_ms=0, max_attempts=0), written(connector="calendar"), written(registry_version=2))

    assert "entry 1: timeout_ms" in message
    assert "entry 1: max_attempts" in message
    assert "entry 2 (CREATE_CRM_TASK): tool_name" in message
    assert "entry 3" not in message


def test_a_version_that_stands_there_twice_is_refused() -> None:
    assert "CREATE_CRM_TASK version 1 stands there twice." in refusal(written(), written())


@pytest.mark.parametrize("text", ["a: [", "action_type: A\naction_type: B\n"])
def test_what_is_no_strict_yaml_is_refused_as_a_whole(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"crm\.yaml is not YAML"):
        read_entries(text, file="crm.yaml", argument_schemas=SCHEMAS)


def test_an_entry_that_is_no_mapping_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"entry 1: an entry is a mapping .* this is a text"):
        read_entries("just text", file="crm.yaml", argument_schemas=SCHEMAS)


@pytest.mark.parametrize("text", ['{"a":' * 1500, "- " * 3000, "- created_at: 2026-13-45", "- registry_version: " + "9" * 5000])
def test_a_file_that_no_reader_takes_is_refused_in_words(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"entries\.yaml") as raised:
        read_entries(text, file="entries.yaml", argument_schemas={})

    assert "nothing was applied" in raised.value.message or "correct it" in raised.value.message
