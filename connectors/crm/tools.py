"""What the CRM connector can do, and how its arguments become Salesforce fields."""

import re
from collections.abc import Mapping
from typing import Any, Final

from connectors.contract import Tool
from enact.records import EffectClass, EffectKind, Step

EXTERNAL_ID_FIELD: Final = "Enact_Key__c"
"""Custom field of Task: text, unique, external id. An administrator adds it once; it holds the idempotency key."""

TARGET_FIELD: Final = "Enact_Target__c"
"""Custom field of Task: text. Holds `entity_type:entity_id` as approved, whether or not that is a Salesforce id."""

RECORD_ID: Final = re.compile(r"[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?")
PEOPLE: Final = frozenset({"contact", "lead"})
TIMEOUT_MS: Final = 10_000
BY_NATURAL_KEY: Final = EffectClass(kind=EffectKind.UPSERT, natural_key=EXTERNAL_ID_FIELD)
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
DELETE_TASK: Final = Tool(
    name="crm.delete_task",
    schema_version="1",
    description="Delete the task that crm.create_task made.",
    arguments_schema={"type": "object", "properties": {}, "additionalProperties": False},
    result_schema={"type": "object"},
    effect_class=BY_NATURAL_KEY,
    timeout_ms=TIMEOUT_MS,
    step=Step.COMPENSATE,
)
TOOLS: Final = (CREATE_TASK, DELETE_TASK)


def task_fields(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The Salesforce fields of a task, by arguments that fit `CREATE_TASK`; always the same fields for the same arguments.

    A target whose id has the form of a Salesforce id becomes WhoId (a contact or lead) or WhatId (anything else);
    every target is written to `Enact_Target__c`.
    """
    names = {"subject": "Subject", "description": "Description", "due_date": "ActivityDate", "priority": "Priority"}
    fields: dict[str, Any] = {names[name]: arguments[name] for name in names if name in arguments}
    related_id, related_type = arguments.get("related_id"), str(arguments.get("related_type", ""))
    if related_id is None:
        return fields
    fields[TARGET_FIELD] = f"{related_type}:{related_id}"
    if RECORD_ID.fullmatch(related_id):
        fields["WhoId" if related_type.lower() in PEOPLE else "WhatId"] = related_id
    return fields
