"""What `crm.update_field` may change: these objects, of each these fields, each with values of its own form. Nothing else is reached."""

from typing import Any, Final

JsonSchema = dict[str, Any]


def _text(max_length: int) -> JsonSchema:
    return {"type": "string", "minLength": 1, "maxLength": max_length}


_DATE: Final[JsonSchema] = {"type": "string", "format": "date"}

FIELDS: Final[dict[str, dict[str, JsonSchema]]] = {
    "Account": {"Industry": _text(255), "Phone": _text(40), "Website": _text(255)},
    "Contact": {"Email": {**_text(80), "format": "email"}, "Phone": _text(40), "Title": _text(128)},
    "Opportunity": {"Amount": {"type": "number", "minimum": 0}, "CloseDate": _DATE, "NextStep": _text(255), "StageName": _text(255)},
    "Task": {"ActivityDate": _DATE, "Priority": {"enum": ["High", "Normal", "Low"]}, "Status": _text(255)},
}
"""Object type to field to the form of its values. A further field is one line here and one in the shipped registry entry's next version."""

RECORD_ID_PATTERN: Final = "^[A-Za-z0-9]{15}([A-Za-z0-9]{3})?$"


def update_schema() -> JsonSchema:
    """The arguments schema of `crm.update_field`. Conditions instead of alternatives, so that a finding names the field it is about."""
    conditions: list[JsonSchema] = []
    for object_type, fields in FIELDS.items():
        is_object = {"properties": {"object_type": {"const": object_type}}}
        conditions.append({"if": is_object, "then": {"properties": {"field": {"enum": sorted(fields)}}}})
        for field, value in fields.items():
            is_field = {"properties": {**is_object["properties"], "field": {"const": field}}}
            conditions.append({"if": is_field, "then": {"properties": {"value": value}}})
    return {
        "type": "object",
        "properties": {
            "object_type": {"enum": sorted(FIELDS)},
            "record_id": {"type": "string", "pattern": RECORD_ID_PATTERN},
            "field": {"type": "string"},
            "value": {"type": ["string", "number"]},
        },
        "required": ["object_type", "record_id", "field", "value"],
        "additionalProperties": False,
        "allOf": conditions,
    }
