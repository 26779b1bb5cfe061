"""The documentation is made from the routes and the classes of the bodies."""

import re

import pytest

from enact.ids import is_id
from services.api.openapi import document
from services.api.parameters import ID_SCHEMA, STATUS_NAMES
from services.api.routes import ROUTES
from tests.unit.services.api.running_api import Api


async def test_every_route_and_every_parameter_is_documented(api: Api) -> None:
    code, told = await api.get("/openapi.json", headers={})

    assert code == 200
    assert set(told["paths"]) == {route.path for route in ROUTES}
    for route in ROUTES:
        operation = told["paths"][route.path][route.method.lower()]
        parameters = {one["name"] for one in operation["parameters"]}
        assert {query.name for query in route.queries} < parameters or not route.queries
        assert ("x-tenant-id" in parameters) == route.is_for_tenant
        assert ("requestBody" in operation) == (route.order is not None)
    names = told["components"]["schemas"]["Execution"]["properties"]
    assert {"status", "started_at", "completed_at", "external_object_refs", "error_message", "error_class", "attempt_count"} < set(names)


def test_the_statuses_that_may_be_asked_for_are_listed() -> None:
    (listed,) = [
        one for one in document(ROUTES)["paths"]["/accounts/{account_id}/executions"]["get"]["parameters"] if one["name"] == "status"
    ]

    assert listed["schema"]["items"]["enum"] == list(STATUS_NAMES)


async def test_the_documentation_takes_no_parameters(api: Api) -> None:
    code, body = await api.get("/openapi.json", format="yaml")

    assert code == 400
    assert body["provided"] == "format"


def test_the_documentation_names_its_base_path() -> None:
    assert document(ROUTES, base_path="/enact")["servers"] == [{"url": "/enact"}]
    assert document(ROUTES)["servers"] == [{"url": "/"}]


@pytest.mark.parametrize("text", [".", "..", "...", ".a", "a.", "", "a b", "A1._:-", "x" * 128, "x" * 129])
def test_an_id_is_documented_as_it_is_taken(text: str) -> None:
    documented = re.search(str(ID_SCHEMA["pattern"]), text) is not None

    assert documented == is_id(text)
