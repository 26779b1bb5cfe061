"""What may be set in the CRM: objects, fields and values from one list, and a finding that names what does not fit."""

from typing import Any

import pytest
import yaml

from connectors.arguments import ArgumentCheck
from connectors.catalogue import registry_files
from connectors.crm.fields import FIELDS
from connectors.crm.tools import UPDATE_FIELD
from connectors.sandbox.crm.objects import TYPES
from enact.errors import PermanentError

CHECK = ArgumentCheck([UPDATE_FIELD])
ASKED = {"object_type": "Opportunity", "record_id": "006Sb000000001A", "field": "StageName", "value": "Closed Won"}


def refusal(**changes: Any) -> str:
    with pytest.raises(PermanentError) as refused:
        CHECK.check(UPDATE_FIELD.name, {**ASKED, **changes})
    return refused.value.message


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"record_id": "006Sb000000001AMAA"},
        {"field": "Amount", "value": 12.5},
        {"field": "CloseDate", "value": "2030-01-31"},
        {"object_type": "Contact", "field": "Email", "value": "kim@acme.example"},
        {"object_type": "Task", "field": "Priority", "value": "High"},
    ],
)
def test_what_is_on_the_list_can_be_set(asked: dict[str, Any]) -> None:
    CHECK.check(UPDATE_FIELD.name, {**ASKED, **asked})


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ({"object_type": "User"}, "arguments.object_type"),
        ({"object_type": "opportunity"}, "arguments.object_type"),
        ({"field": "OwnerId"}, "arguments.field"),
        ({"field": "Industry"}, "arguments.field"),
        ({"record_id": "deal-42"}, "arguments.record_id"),
        ({"record_id": "006Sb000000001A' OR"}, "arguments.record_id"),
        ({"record_id": "../../sobjects/"}, "arguments.record_id"),
        ({"record_id": "006Sb000000001A\n"}, "arguments.record_id"),
        ({"value": 5}, "arguments.value"),
        ({"value": ""}, "arguments.value"),
        ({"value": None}, "arguments.value"),
        ({"value": ["x"]}, "arguments.value"),
        ({"field": "Amount", "value": "much"}, "arguments.value"),
        ({"field": "Amount", "value": -1}, "arguments.value"),
        ({"field": "CloseDate", "value": "31.01.2030"}, "arguments.value"),
        ({"object_type": "Contact", "field": "Email", "value": "nobody"}, "arguments.value"),
        ({"also": 1}, "also"),
    ],
)
def test_what_is_not_on_the_list_is_refused_by_the_name_of_the_argument(asked: dict[str, Any], named: str) -> None:
    assert named in refusal(**asked)


def test_the_registry_entry_and_the_sandbox_know_exactly_the_fields_of_the_list() -> None:
    (crm,) = (file for name, file in registry_files(with_sandbox=False) if "crm" in name)
    (entry,) = (one for one in yaml.safe_load(crm.read_text(encoding="utf-8")) if one["action_type"] == "UPDATE_CRM_FIELD")

    assert entry["parameters_schema"]["properties"]["field"]["enum"] == sorted({name for fields in FIELDS.values() for name in fields})
    for object_type, fields in FIELDS.items():
        assert set(fields) <= set(TYPES[object_type].fields)
