"""The objects the CRM knows, what their fields accept, and what it says when they do not."""

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

BASE62: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
CHECKSUM: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
RECORD_ID: Final = re.compile(r"[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?")


class SalesforceError(Exception):
    """An error as Salesforce writes it: `[{"message", "errorCode", "fields"}]`."""

    def __init__(self, status: int, code: str, message: str, fields: tuple[str, ...] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.fields = fields

    def body(self) -> list[dict[str, Any]]:
        """The answer's JSON."""
        error: dict[str, Any] = {"message": self.message, "errorCode": self.code}
        if self.fields is not None:
            error["fields"] = list(self.fields)
        return [error]


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field. `type` is Salesforce's word; `default` fills it on create."""

    type: str = "string"
    length: int = 255
    is_required: bool = False
    is_external_id: bool = False
    default: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectType:
    """One object type. `prefix` begins its ids."""

    name: str
    prefix: str
    fields: Mapping[str, Field]

    @property
    def external_id_field(self) -> str | None:
        """The field that upserts go by."""
        return next((name for name, field in self.fields.items() if field.is_external_id), None)


TEXT: Final = Field()
REFERENCE: Final = Field(type="reference", length=18)
PHONE: Final = Field(type="phone", length=40)
KEY: Final = Field(is_external_id=True)

TYPES: Final = {
    kind.name: kind
    for kind in (
        ObjectType(
            name="Task",
            prefix="00T",
            fields={
                "Subject": Field(type="combobox", is_required=True),
                "Description": Field(type="textarea", length=32_000),
                "ActivityDate": Field(type="date"),
                "Priority": Field(type="picklist", default="Normal"),
                "Status": Field(type="picklist", default="Not Started"),
                "WhatId": REFERENCE,
                "WhoId": REFERENCE,
                "OwnerId": REFERENCE,
                "Enact_Target__c": TEXT,
                "Enact_Key__c": KEY,
            },
        ),
        ObjectType(
            name="Account",
            prefix="001",
            fields={"Name": Field(is_required=True), "Industry": TEXT, "Phone": PHONE, "Website": TEXT, "Enact_Key__c": KEY},
        ),
        ObjectType(
            name="Contact",
            prefix="003",
            fields={
                "FirstName": TEXT,
                "LastName": Field(is_required=True, length=80),
                "Email": Field(type="email", length=80),
                "Phone": PHONE,
                "Title": Field(length=128),
                "AccountId": REFERENCE,
                "Enact_Key__c": KEY,
            },
        ),
        ObjectType(
            name="Opportunity",
            prefix="006",
            fields={
                "Name": Field(is_required=True, length=120),
                "StageName": Field(type="picklist", is_required=True),
                "CloseDate": Field(type="date", is_required=True),
                "Amount": Field(type="currency"),
                "NextStep": TEXT,
                "Description": Field(type="textarea", length=32_000),
                "AccountId": REFERENCE,
                "Enact_Target__c": TEXT,
                "Enact_Key__c": KEY,
            },
        ),
    )
}
SYSTEM_FIELDS: Final = {
    "Id": Field(type="id", length=18),
    "IsDeleted": Field(type="boolean"),
    "CreatedDate": Field(type="datetime"),
    "LastModifiedDate": Field(type="datetime"),
}


def object_type(name: str) -> ObjectType:
    """The type. Raises: SalesforceError NOT_FOUND."""
    kind = TYPES.get(name)
    if kind is None:
        raise SalesforceError(404, "NOT_FOUND", "The requested resource does not exist")
    return kind


def record_id(kind: ObjectType, number: int) -> str:
    """An 18 character id: prefix, pod, number in base 62, and Salesforce's case checksum."""
    digits = ""
    while number:
        number, digit = divmod(number, 62)
        digits = BASE62[digit] + digits
    short = f"{kind.prefix}Sb0{digits:0>9}"
    blocks = (short[at : at + 5] for at in range(0, 15, 5))
    return short + "".join(CHECKSUM[sum(1 << at for at, letter in enumerate(block) if letter.isupper())] for block in blocks)


def checked(kind: ObjectType, given: Any, *, is_new: bool) -> dict[str, Any]:
    """The fields to store, with defaults for a new object.

    Raises: SalesforceError with the code and the message that Salesforce gives.
    """
    if not isinstance(given, dict):
        raise SalesforceError(400, "JSON_PARSER_ERROR", "Unexpected JSON: an object is expected")
    for name, value in given.items():
        if name in SYSTEM_FIELDS:
            message = f"Unable to create/update fields: {name}. Please check the security settings of this field."
            raise SalesforceError(400, "INVALID_FIELD_FOR_INSERT_UPDATE", message, (name,))
        field = kind.fields.get(name)
        if field is None:
            raise SalesforceError(400, "INVALID_FIELD", f"No such column '{name}' on sobject of type {kind.name}")
        if value is not None:
            _check_value(name, field, value)
    required = [name for name, field in kind.fields.items() if field.is_required]
    missing = [name for name in required if (is_new or name in given) and given.get(name) in {None, ""}]
    if missing:
        raise SalesforceError(400, "REQUIRED_FIELD_MISSING", f"Required fields are missing: [{', '.join(missing)}]", tuple(missing))
    defaults = {name: field.default for name, field in kind.fields.items() if field.default is not None} if is_new else {}
    return {**defaults, **given}


def _check_value(name: str, field: Field, value: Any) -> None:
    match field.type:
        case "boolean" | "currency":
            fits = isinstance(value, bool) if field.type == "boolean" else isinstance(value, (int, float)) and not isinstance(value, bool)
        case "date":
            fits = isinstance(value, str) and _is_date(value)
        case _:
            fits = isinstance(value, str)
    if not fits:
        raise SalesforceError(400, "JSON_PARSER_ERROR", f"Cannot deserialize instance of {field.type} from the value of {name}")
    if not isinstance(value, str):
        return
    if field.type == "reference" and not RECORD_ID.fullmatch(value):
        raise SalesforceError(400, "MALFORMED_ID", f"{name}: id value of incorrect type", (name,))
    if len(value) > field.length:
        raise SalesforceError(400, "STRING_TOO_LONG", f"{name}: data value too large (max length={field.length})", (name,))
    if field.type == "email" and "@" not in value:
        raise SalesforceError(400, "INVALID_EMAIL_ADDRESS", f"{name}: invalid email address", (name,))


def _is_date(value: str) -> bool:
    try:
        dt.date.fromisoformat(value)
    except ValueError:
        return False
    return len(value) == 10
