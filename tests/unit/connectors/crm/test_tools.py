"""How arguments become Salesforce fields."""

from typing import Any

import pytest

from connectors.crm.tools import opportunity_fields, task_fields


def test_every_argument_has_its_field() -> None:
    fields = task_fields({"subject": "Call", "description": "Ask", "due_date": "2026-12-01", "priority": "High"})

    assert fields == {"Subject": "Call", "Description": "Ask", "ActivityDate": "2026-12-01", "Priority": "High"}


@pytest.mark.parametrize(
    ("entity", "expected"),
    [
        (("Account", "001Sb0000000001MAA"), {"WhatId": "001Sb0000000001MAA", "Enact_Target__c": "Account:001Sb0000000001MAA"}),
        (("CONTACT", "003Sb0000000001"), {"WhoId": "003Sb0000000001", "Enact_Target__c": "CONTACT:003Sb0000000001"}),
        (("lead", "00QSb0000000001"), {"WhoId": "00QSb0000000001", "Enact_Target__c": "lead:00QSb0000000001"}),
        (("deal", "deal-42"), {"Enact_Target__c": "deal:deal-42"}),
    ],
)
def test_the_target_is_always_kept_and_becomes_a_relation_if_it_is_a_salesforce_id(
    entity: tuple[str, str], expected: dict[str, Any]
) -> None:
    fields = task_fields({"subject": "Call", "related_type": entity[0], "related_id": entity[1]})

    assert fields == {"Subject": "Call", **expected}


def test_every_argument_of_an_opportunity_has_its_field() -> None:
    deal = {"name": "Seats", "stage_name": "Open", "close_date": "2030-03-31", "amount": 12.5, "next_step": "Call", "description": "Two"}

    assert opportunity_fields(deal) == {
        "Name": "Seats",
        "StageName": "Open",
        "CloseDate": "2030-03-31",
        "Amount": 12.5,
        "NextStep": "Call",
        "Description": "Two",
    }


@pytest.mark.parametrize(
    ("entity", "expected"),
    [
        (("account", "001Sb0000000001MAA"), {"AccountId": "001Sb0000000001MAA", "Enact_Target__c": "account:001Sb0000000001MAA"}),
        (("Contact", "003Sb0000000001"), {"Enact_Target__c": "Contact:003Sb0000000001"}),
        (("Account", "our-number-7"), {"Enact_Target__c": "Account:our-number-7"}),
    ],
)
def test_an_opportunity_belongs_to_the_account_that_is_its_target(entity: tuple[str, str], expected: dict[str, Any]) -> None:
    assert opportunity_fields({"related_type": entity[0], "related_id": entity[1]}) == expected
