"""The part of SOQL the sandbox understands."""

import pytest

from connectors.sandbox.crm.objects import SalesforceError
from connectors.sandbox.crm.soql import parse


def test_a_whole_query_is_understood() -> None:
    query = parse(r"select Id, subject FROM Task WHERE Subject = 'it\'s \\ here' AND Enact_Key__c='k' ORDER BY CreatedDate DESC LIMIT 3")

    assert query.kind.name == "Task"
    assert query.fields == ("Id", "Subject")
    assert query.conditions == (("Subject", "it's \\ here"), ("Enact_Key__c", "k"))
    assert query.order_by == ("CreatedDate", True)
    assert query.limit == 3


@pytest.mark.parametrize(
    ("literal", "value"), [("true", True), ("FALSE", False), ("null", None), ("12.5", 12.5), ("2026-12-01", "2026-12-01"), ("'x'", "x")]
)
def test_every_kind_of_literal_is_understood(literal: str, value: object) -> None:
    assert parse(f"SELECT Id FROM Opportunity WHERE Amount = {literal}").conditions == (("Amount", value),)


def test_a_count_has_no_fields() -> None:
    assert parse("SELECT COUNT() FROM Task").fields == ()


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "MALFORMED_QUERY"),
        ("SELECT", "MALFORMED_QUERY"),
        ("SELECT Id", "MALFORMED_QUERY"),
        ("SELECT Id FROM Task WHERE", "MALFORMED_QUERY"),
        ("SELECT Id FROM Task WHERE Subject = ", "MALFORMED_QUERY"),
        ("SELECT Id FROM Task WHERE Subject = Subject", "MALFORMED_QUERY"),
        ("SELECT Id FROM Task WHERE Subject LIKE 'x'", "MALFORMED_QUERY"),
        ("SELECT Id FROM Task LIMIT many", "MALFORMED_QUERY"),
        ("SELECT Id FROM Task; DROP", "MALFORMED_QUERY"),
        ("SELECT Id FROM Task nonsense", "MALFORMED_QUERY"),
        ("SELECT Id FROM Task WHERE Subject = 'open", "MALFORMED_QUERY"),
        ("SELECT Nope FROM Task", "INVALID_FIELD"),
        ("SELECT Id FROM Task WHERE Nope = 'x'", "INVALID_FIELD"),
        ("SELECT Id FROM Nope", "INVALID_TYPE"),
    ],
)
def test_what_is_not_understood_is_refused_with_salesforce_s_code(text: str, code: str) -> None:
    with pytest.raises(SalesforceError) as caught:
        parse(text)

    assert caught.value.code == code
