"""What the sandbox's objects accept."""

from typing import Any

import pytest

from connectors.sandbox.crm.objects import TYPES, SalesforceError, checked, record_id

TASK = TYPES["Task"]


def test_ids_have_eighteen_characters_with_salesforce_s_checksum() -> None:
    assert record_id(TASK, 1) == "00TSb0000000001MAA"
    assert len({record_id(TASK, number) for number in range(10_000)}) == 10_000


def test_a_new_object_gets_its_defaults_and_a_changed_one_does_not() -> None:
    assert checked(TASK, {"Subject": "x"}, is_new=True) == {"Priority": "Normal", "Status": "Not Started", "Subject": "x"}
    assert checked(TASK, {"Description": None}, is_new=False) == {"Description": None}


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ([], "JSON_PARSER_ERROR"),
        ({}, "REQUIRED_FIELD_MISSING"),
        ({"Subject": ""}, "REQUIRED_FIELD_MISSING"),
        ({"Subject": None}, "REQUIRED_FIELD_MISSING"),
        ({"Subject": "x", "Nope": 1}, "INVALID_FIELD"),
        ({"Subject": "x", "Id": "1"}, "INVALID_FIELD_FOR_INSERT_UPDATE"),
        ({"Subject": 5}, "JSON_PARSER_ERROR"),
        ({"Subject": "x" * 256}, "STRING_TOO_LONG"),
        ({"Subject": "x", "ActivityDate": "01.12.2026"}, "JSON_PARSER_ERROR"),
        ({"Subject": "x", "ActivityDate": "20261201"}, "JSON_PARSER_ERROR"),
        ({"Subject": "x", "WhatId": "deal-42"}, "MALFORMED_ID"),
    ],
)
def test_what_does_not_fit_is_refused_with_salesforce_s_code(given: Any, code: str) -> None:
    with pytest.raises(SalesforceError) as caught:
        checked(TASK, given, is_new=True)

    assert caught.value.code == code


def test_other_types_of_fields_are_checked_too() -> None:
    deal = {"Name": "x", "StageName": "Open", "CloseDate": "2026-12-01"}

    assert checked(TYPES["Opportunity"], {**deal, "Amount": 5}, is_new=True)["Amount"] == 5
    for kind, given in (("Opportunity", {**deal, "Amount": True}), ("Contact", {"LastName": "x", "Email": "nobody"})):
        with pytest.raises(SalesforceError):
            checked(TYPES[kind], given, is_new=True)
