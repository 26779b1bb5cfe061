"""A request tells which tool made it."""

import pytest

from connectors.sandbox.tool_names import tool_of

SOBJECTS = "/services/data/v60.0/sobjects"


@pytest.mark.parametrize(
    ("method", "path", "tool"),
    [
        ("POST", "/sandbox/fire", "sandbox.fire_once"),
        ("POST", "/sandbox/fire-keyed", "sandbox.fire_keyed"),
        ("POST", "/sandbox/fire-named", "sandbox.fire_named"),
        ("GET", "/sandbox/fire-named", None),
        ("PATCH", f"{SOBJECTS}/Task/Enact_Key__c/key-1", "crm.create_task"),
        ("DELETE", f"{SOBJECTS}/Task/Enact_Key__c/key-1", "crm.delete_task"),
        ("PATCH", f"{SOBJECTS}/Opportunity/Enact_Key__c/key-1", "crm.create_opportunity"),
        ("DELETE", f"{SOBJECTS}/Opportunity/Enact_Key__c/key-1", "crm.delete_opportunity"),
        ("PATCH", f"{SOBJECTS}/Account/001Sb000000001A", "crm.update_field"),
        ("PATCH", f"{SOBJECTS}/Account/Enact_Key__c/key-1", None),
        ("POST", f"{SOBJECTS}/Task", None),
        ("GET", "/services/data/v60.0/query", None),
    ],
)
def test_a_request_names_its_tool_by_method_and_address(method: str, path: str, tool: str | None) -> None:
    assert tool_of(method, path) == tool
