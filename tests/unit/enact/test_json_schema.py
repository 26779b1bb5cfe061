import json

import pytest

from enact.errors import ConfigurationError, ErrorCode, ValidationError
from enact.json_schema import _compiled, check_schema, check_value

SECRET = "secret-value-7781"
SCHEMA = json.dumps(
    {
        "type": "object",
        "required": ["subject"],
        "additionalProperties": False,
        "properties": {
            "subject": {"type": "string", "maxLength": 12},
            "priority": {"enum": ["High", "Low"]},
            "due": {"type": "string", "format": "date"},
            "count": {"type": "integer", "minimum": 3},
            "code": {"pattern": "^A[0-9]+$"},
            "lines": {"type": "array", "items": {"type": "object", "properties": {"price": {"type": "number"}}}},
        },
    }
)


def finding(value: object) -> str:
    with pytest.raises(ValidationError) as raised:
        check_value(value, SCHEMA, root="parameters", code=ErrorCode.PARAMETERS_INVALID)
    assert raised.value.code is ErrorCode.PARAMETERS_INVALID
    return raised.value.message


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({}, "parameters.subject is required and missing"),
        ({"subject": "x", "colour": 1}, "parameters has unknown fields: colour"),
        ({"subject": SECRET}, f"parameters.subject: found a string of {len(SECRET)} characters, not allowed by maxLength 12"),
        ({"subject": 7}, "parameters.subject: found an integer, not allowed by type string"),
        ({"subject": None}, "parameters.subject: found null, not allowed by type string"),
        (
            {"subject": "x", "priority": SECRET},
            f"parameters.priority: found a string of {len(SECRET)} characters, not allowed by enum High or Low",
        ),
        ({"subject": "x", "due": SECRET}, f"parameters.due: found a string of {len(SECRET)} characters, not allowed by format date"),
        ({"subject": "x", "count": 1}, "parameters.count: found an integer, not allowed by minimum 3"),
        ({"subject": "x", "count": True}, "parameters.count: found a boolean, not allowed by type integer"),
        (
            {"subject": "x", "code": SECRET},
            f"parameters.code: found a string of {len(SECRET)} characters, not allowed by pattern ^A[0-9]+$",
        ),
        (
            {"subject": "x", "lines": [{}, {"price": [SECRET]}]},
            "parameters.lines[1].price: found an array of 1 items, not allowed by type number",
        ),
        ([1, 2], "parameters: found an array of 2 items, not allowed by type object"),
    ],
)
def test_a_finding_names_field_type_and_length_and_never_the_value(value: object, expected: str) -> None:
    message = finding(value)

    assert message == f"{expected}: correct it and publish under a new id."
    assert SECRET not in message


def test_a_value_in_the_place_of_a_field_name_is_not_repeated() -> None:
    message = finding({"subject": "x", "kim@example.org said so": 1})

    assert "parameters has unknown fields: <name of 23 characters>:" in message


def test_several_findings_come_together_and_are_limited() -> None:
    message = finding({"priority": 1, "due": 1, "count": "x", "code": "x", "subject": 1})

    assert message.count("; ") == 3
    assert "; and more: " in message


def test_a_long_list_of_choices_is_cut() -> None:
    choices = json.dumps({"enum": [f"choice {number}" for number in range(50)]})

    with pytest.raises(ValidationError) as raised:
        check_value(SECRET, choices, root="parameters", code=ErrorCode.PARAMETERS_INVALID)

    assert "choice 0 or choice 1" in raised.value.message
    assert len(raised.value.message) < 250


def test_a_fitting_value_passes() -> None:
    check_value({"subject": "Call"}, SCHEMA, root="parameters", code=ErrorCode.PARAMETERS_INVALID)


@pytest.mark.parametrize(
    "schema",
    ["nonsense", "[1]", '{"type":"objekt"}', '{"$ref":"https://example.org/schema.json"}', '{"pattern":"(?=x)y"}'],
)
def test_a_schema_that_cannot_be_used_is_refused_before_it_is_applied(schema: str) -> None:
    with pytest.raises(ConfigurationError, match="The JSON Schema cannot be used"):
        check_schema(schema)


def test_a_bad_schema_met_at_run_time_is_a_mapping_failure_and_not_the_senders_fault() -> None:
    with pytest.raises(ValidationError) as raised:
        check_value({}, '{"type":"objekt"}', root="arguments", code=ErrorCode.PARAMETERS_INVALID)

    assert raised.value.code is ErrorCode.MAPPING_FAILED


def test_a_schema_is_compiled_once() -> None:
    _compiled.cache_clear()

    for _ in range(5):
        check_value({"subject": "Call"}, SCHEMA, root="parameters", code=ErrorCode.PARAMETERS_INVALID)

    assert _compiled.cache_info().misses == 1


def test_a_pattern_cannot_hang_a_stage() -> None:
    check_value("a" * 20_000 + "!", '{"pattern":"(a|aa)+"}', root="p", code=ErrorCode.PARAMETERS_INVALID)
    with pytest.raises(ValidationError):
        check_value("a" * 20_000 + "!", '{"pattern":"^(a|aa)+$"}', root="p", code=ErrorCode.PARAMETERS_INVALID)
