"""What the CRM connector can do, and how its arguments become Salesforce fields."""

import re
from collections.abc import Mapping
from typing import Any, Final

from connectors.contract import Tool
from connectors.crm.fields import update_schema
from enact.records import EffectClass, EffectKind, Step

EXTERNAL_ID_FIELD: Final = "Enact_Key__c"
"""Custom field of Task and Opportunity: text, unique, external id. An administrator adds it once; it holds the idempotency key."""

TARGET_FIELD: Final = "Enact_Target__c"
"""Custom field of both: text. Holds `entity_type:entity_id` as approved, whether or not that is a Salesforce id."""

RECORD_ID: Final = re.compile(r"[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?")
PEOPLE: Final = frozenset({"contact", "lead"})
TIMEOUT_MS: Final = 10_000
BY_NATURAL_KEY: Final = EffectClass(kind=EffectKind.UPSERT, natural_key=EXTERNAL_ID_FIELD)
BY_RECORD_ID: Final = EffectClass(kind=EffectKind.UPSERT, natural_key="Id")
"""The record and the value are fixed by the approval: written again, the same value lies in the same field."""

RESULT: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"id": {"type": "string"}, "success": {"const": True}, "created": {"type": "boolean"}},
    "required": ["id", "success"],
}
ENTITY: Final[dict[str, Any]] = {"type": "string", "minLength": 1, "maxLength": 120}

CREATE_TASK: Final = Tool(
    name="crm.create_task",
    schema_version="1",
    description="Create a task in the CRM, related to the target of the action.",
    arguments_schema={
        "type": "object",
        "properties": {
            "subject": {"type": "string", "minLength": 1, "maxLength": 255},
            "description": {"type": "string", "maxLength": 32_000},
            "due_date": {"type": "string", "format": "date"},
            "priority": {"enum": ["High", "Normal", "Low"]},
            "related_type": ENTITY,
            "related_id": ENTITY,
        },
        "required": ["subject"],
        "additionalProperties": False,
    },
    result_schema=RESULT,
    effect_class=BY_NATURAL_KEY,
    timeout_ms=TIMEOUT_MS,
)
CREATE_OPPORTUNITY: Final = Tool(
    name="crm.create_opportunity",
    schema_version="1",
    description="Create an opportunity in the CRM, for the account that is the target of the action.",
    arguments_schema={
        "type": "object",
        "properties": {
            "name": {"type": "string", "minLength": 1, "maxLength": 120},
            "stage_name": {"type": "string", "minLength": 1, "maxLength": 255},
            "close_date": {"type": "string", "format": "date"},
            "amount": {"type": "number", "minimum": 0},
            "next_step": {"type": "string", "minLength": 1, "maxLength": 255},
            "description": {"type": "string", "maxLength": 32_000},
            "related_type": ENTITY,
            "related_id": ENTITY,
        },
        "required": ["name", "stage_name", "close_date"],
        "additionalProperties": False,
    },
    result_schema=RESULT,
    effect_class=BY_NATURAL_KEY,
    timeout_ms=TIMEOUT_MS,
)
UPDATE_FIELD: Final = Tool(
    name="crm.update_field",
    schema_version="1",
    description="Set one field of one record in the CRM; which fields can be set is fixed in connectors/crm/fields.py.",
    arguments_schema=update_schema(),
    result_schema={"type": "null", "description": "204, without a body"},
    effect_class=BY_RECORD_ID,
    timeout_ms=TIMEOUT_MS,
)


def _delete(of: Tool, noun: str) -> Tool:
    return Tool(
        name=f"crm.delete_{noun}",
        schema_version="1",
        description=f"Delete the {noun} that {of.name} made.",
        arguments_schema={"type": "object", "properties": {}, "additionalProperties": False},
        result_schema={"type": "object"},
        effect_class=BY_NATURAL_KEY,
        timeout_ms=TIMEOUT_MS,
        step=Step.COMPENSATE,
    )


DELETE_TASK: Final = _delete(CREATE_TASK, "task")
DELETE_OPPORTUNITY: Final = _delete(CREATE_OPPORTUNITY, "opportunity")
TOOLS: Final = (CREATE_TASK, DELETE_TASK, CREATE_OPPORTUNITY, DELETE_OPPORTUNITY, UPDATE_FIELD)
OBJECT_TYPES: Final = {
    CREATE_TASK.name: "Task",
    DELETE_TASK.name: "Task",
    CREATE_OPPORTUNITY.name: "Opportunity",
    DELETE_OPPORTUNITY.name: "Opportunity",
}
"""What a tool makes or deletes, found by the idempotency key."""

_TASK_FIELDS: Final = {"subject": "Subject", "description": "Description", "due_date": "ActivityDate", "priority": "Priority"}
_OPPORTUNITY_FIELDS: Final = {
    "name": "Name",
    "stage_name": "StageName",
    "close_date": "CloseDate",
    "amount": "Amount",
    "next_step": "NextStep",
    "description": "Description",
}


def fields_of(tool_name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The Salesforce fields of what `tool_name` makes, by arguments that fit it; always the same for the same arguments."""
    return task_fields(arguments) if tool_name == CREATE_TASK.name else opportunity_fields(arguments)


def task_fields(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The Salesforce fields of a task, by arguments that fit `CREATE_TASK`; always the same fields for the same arguments.

    A target whose id has the form of a Salesforce id becomes WhoId (a contact or lead) or WhatId (anything else);
    every target is written to `Enact_Target__c`.
    """
    fields, related_type, record_id = _fields(arguments, _TASK_FIELDS)
    if record_id is not None:
        fields["WhoId" if related_type in PEOPLE else "WhatId"] = record_id
    return fields


def opportunity_fields(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The Salesforce fields of an opportunity, by arguments that fit `CREATE_OPPORTUNITY`; always the same for the same arguments.

    An account whose id has the form of a Salesforce id becomes AccountId; every target is written to `Enact_Target__c`.
    """
    fields, related_type, record_id = _fields(arguments, _OPPORTUNITY_FIELDS)
    if record_id is not None and related_type == "account":
        fields["AccountId"] = record_id
    return fields


def _fields(arguments: Mapping[str, Any], names: Mapping[str, str]) -> tuple[dict[str, Any], str, str | None]:
    """(Fields by Salesforce name, the target's type in lower case, its id if that has the form of a Salesforce id)."""
    fields: dict[str, Any] = {names[name]: arguments[name] for name in names if name in arguments}
    related_id, related_type = arguments.get("related_id"), str(arguments.get("related_type", ""))
    if related_id is None:
        return fields, "", None
    fields[TARGET_FIELD] = f"{related_type}:{related_id}"
    return fields, related_type.lower(), related_id if RECORD_ID.fullmatch(related_id) else None
