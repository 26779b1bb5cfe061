"""What the internal connector can do."""

from typing import Any, Final

from connectors.contract import Tool
from enact.records import EffectClass, EffectKind, Step

BY_KEY: Final = EffectClass(kind=EffectKind.IDEMPOTENT)
"""The topic is compacted and never forgets a key, so the key has no time to live."""

TIMEOUT_MS: Final = 5_000
RESULT: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"object_id": {"type": "string"}, "object_type": {"type": "string"}},
    "required": ["object_id", "object_type"],
}
ACCOUNT: Final[dict[str, Any]] = {"type": "string", "maxLength": 128, "description": "the entity it is about: its type and id"}

CREATE_NOTE: Final = Tool(
    name="internal.create_note",
    schema_version="1",
    description="Keep a note.",
    arguments_schema={
        "type": "object",
        "properties": {
            "title": {"type": "string", "minLength": 1, "maxLength": 255},
            "body": {"type": "string", "maxLength": 32_000},
            "entity_type": ACCOUNT,
            "entity_id": ACCOUNT,
        },
        "required": ["title"],
        "additionalProperties": False,
    },
    result_schema=RESULT,
    effect_class=BY_KEY,
    timeout_ms=TIMEOUT_MS,
)
CREATE_TASK: Final = Tool(
    name="internal.create_task",
    schema_version="1",
    description="Keep a task for somebody.",
    arguments_schema={
        "type": "object",
        "properties": {
            "title": {"type": "string", "minLength": 1, "maxLength": 255},
            "description": {"type": "string", "maxLength": 32_000},
            "due_date": {"type": "string", "format": "date"},
            "assignee": {"type": "string", "minLength": 1, "maxLength": 255},
            "priority": {"enum": ["LOW", "NORMAL", "HIGH"]},
            "entity_type": ACCOUNT,
            "entity_id": ACCOUNT,
        },
        "required": ["title"],
        "additionalProperties": False,
    },
    result_schema=RESULT,
    effect_class=BY_KEY,
    timeout_ms=TIMEOUT_MS,
)
ATTACH_BRIEF: Final = Tool(
    name="internal.attach_brief",
    schema_version="1",
    description="Attach a brief, such as one for a meeting, to the entity that the action is about.",
    arguments_schema={
        "type": "object",
        "properties": {
            "title": {"type": "string", "minLength": 1, "maxLength": 255},
            "body": {"type": "string", "minLength": 1, "maxLength": 32_000},
            "format": {"enum": ["TEXT", "MARKDOWN"]},
            "entity_type": ACCOUNT,
            "entity_id": ACCOUNT,
        },
        "required": ["title", "body", "format", "entity_type", "entity_id"],
        "additionalProperties": False,
    },
    result_schema=RESULT,
    effect_class=BY_KEY,
    timeout_ms=TIMEOUT_MS,
)


def _delete(of: Tool, noun: str) -> Tool:
    return Tool(
        name=f"internal.delete_{noun}",
        schema_version="1",
        description=f"Take back what {of.name} kept.",
        arguments_schema={"type": "object", "properties": {}, "additionalProperties": False},
        result_schema=RESULT,
        effect_class=BY_KEY,
        timeout_ms=TIMEOUT_MS,
        step=Step.COMPENSATE,
    )


DELETE_NOTE: Final = _delete(CREATE_NOTE, "note")
DELETE_TASK: Final = _delete(CREATE_TASK, "task")
DELETE_BRIEF: Final = _delete(ATTACH_BRIEF, "brief")

OBJECT_TYPES: Final = {
    CREATE_NOTE.name: "note",
    DELETE_NOTE.name: "note",
    CREATE_TASK.name: "task",
    DELETE_TASK.name: "task",
    ATTACH_BRIEF.name: "brief",
    DELETE_BRIEF.name: "brief",
}
TOOLS: Final = (CREATE_NOTE, CREATE_TASK, ATTACH_BRIEF, DELETE_NOTE, DELETE_TASK, DELETE_BRIEF)
