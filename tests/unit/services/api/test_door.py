"""What every answer has: CORS, staleness, one shape of errors; also those to what is no HTTP request."""

import logging
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from services.api.follower import Freshness
from services.api.read_model import ReadModel, sqlite_url
from tests.unit.services.api.ledger_entries import (
    ACCOUNT,
    INTENT,
    clean_success,
)
from tests.unit.services.api.running_api import LIST, STATUS, TENANT_HEADER, TIMELINE, Api, app_on


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", STATUS, 200),
        ("HEAD", STATUS, 200),
        ("GET", "/executions/unknown/status", 404),
        ("GET", LIST, 400),
        ("GET", "/nowhere", 404),
        ("POST", STATUS, 405),
        ("DELETE", LIST, 405),
        ("OPTIONS", STATUS, 200),
        ("OPTIONS", "/nowhere", 200),
    ],
)
async def test_every_answer_has_cors_and_staleness(api: Api, method: str, path: str, code: int) -> None:
    api.hold(clean_success())
    query = {"limit": "0"} if path == LIST else {"account_id": ACCOUNT}

    async with api.client.request(method, path, headers=TENANT_HEADER, params=query) as response:
        assert response.status == code
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        assert response.headers["Access-Control-Allow-Headers"] == "Content-Type,X-Amz-Date,Authorization,X-Api-Key,X-Tenant-Id"
        assert response.headers["Access-Control-Allow-Methods"] == "GET,OPTIONS"
        assert response.headers["X-Enact-Staleness-Ms"] == "100"
        assert response.headers["Server"] == "enact"
        text = await response.text()
    assert (text == "") == (method in {"OPTIONS", "HEAD"})


async def test_an_unknown_route_names_its_path_and_is_logged_as_a_warning(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", logger="enact.api"):
        code, body = await api.get("/nowhere")

    assert code == 404
    assert set(body) == {"error", "message", "path"}
    assert (body["error"], body["path"]) == ("Not found", "/nowhere")
    (warning,) = [record for record in caplog.records if record.levelname == "WARNING"]
    assert warning.getMessage() == "unknown_route"
    assert fields_of(warning)["url"] == "/nowhere"


async def test_every_request_is_logged_with_method_and_route(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", logger="enact.api"):
        await api.get(STATUS, account_id=ACCOUNT)

    (line,) = [record for record in caplog.records if record.getMessage() == "request"]
    assert fields_of(line) == {"method": "GET", "route": "/executions/{action_intent_id}/status"}


async def test_a_method_that_is_not_answered_names_those_that_are(api: Api) -> None:
    async with api.client.post(STATUS, headers=TENANT_HEADER) as response:
        body = await response.json()

    assert response.headers["Allow"] == "GET,HEAD,OPTIONS"
    assert set(body) == {"error", "message", "path"}


@pytest.mark.parametrize("path", [STATUS, TIMELINE, f"/executions/{INTENT}/ledger", f"/actions/{INTENT}/status"])
async def test_what_is_not_declared_is_refused(api: Api, path: str) -> None:
    api.hold(clean_success())

    code, body = await api.get(path, account_id=ACCOUNT, acount_id="typo")

    assert (code, body["provided"]) == (400, "acount_id")
    assert "account_id" in body["message"]


@pytest.mark.parametrize(
    ("path", "query"),
    [(STATUS, "account_id=acct-1&account_id=acct-1"), (LIST, "limit=1&limit=2"), (LIST, "cursor=a&cursor=b"), (LIST, "Limit=1")],
)
async def test_what_is_given_twice_or_by_another_name_is_refused(api: Api, path: str, query: str) -> None:
    async with api.client.get(f"{path}?{query}", headers=TENANT_HEADER) as response:
        body = await response.json()

    assert response.status == 400
    assert body["path"] == path


async def test_two_tenants_at_once_are_refused(api: Api) -> None:
    async with api.client.get(
        STATUS, headers=[*TENANT_HEADER.items(), ("x-tenant-id", "other")], params={"account_id": ACCOUNT}
    ) as response:
        assert response.status == 400
        assert "2 times" in (await response.json())["message"]


@pytest.mark.parametrize("path", ["/executions//status", "/actions//status", "/executions//timeline", "/accounts//executions"])
async def test_an_empty_part_of_the_path_is_named(api: Api, path: str) -> None:
    query: dict[str, Any] = {} if path.startswith("/accounts") else {"account_id": ACCOUNT}

    code, body = await api.get(path, **query)

    assert code == 400
    assert "missing in the path" in body["message"]


async def test_a_fault_of_ours_says_nothing_about_us(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: object) -> None:
        raise RuntimeError("no such column: secret_host")

    monkeypatch.setattr(api.model, "execution", broken)
    async with api.client.get(STATUS, headers=TENANT_HEADER, params={"account_id": ACCOUNT}) as response:
        body = await response.json()

        assert response.status == 500
        assert body == {"error": "Internal server error", "message": "Internal server error", "path": STATUS}
        assert response.headers["Access-Control-Allow-Origin"] == "*"


async def test_in_production_no_origin_is_allowed_unless_named(tmp_path: Path) -> None:
    model = ReadModel.at(sqlite_url(tmp_path))
    app = app_on(model, [Freshness(None)], origins=())

    async with TestClient(TestServer(app, host="127.0.0.1")) as client, client.get("/nowhere") as response:
        assert "Access-Control-Allow-Origin" not in response.headers
        assert response.headers["X-Enact-Staleness-Ms"] == "unknown"
    model.close()


async def test_several_origins_are_answered_one_at_a_time(tmp_path: Path) -> None:
    model = ReadModel.at(sqlite_url(tmp_path))
    app = app_on(model, [Freshness(None)], origins=("https://desk.example", "https://shop.example"))
    allowed: dict[str, str | None] = {}

    async with TestClient(TestServer(app, host="127.0.0.1")) as client:
        for origin in ("https://desk.example", "https://shop.example", "https://evil.example", ""):
            async with client.get("/nowhere", headers={"Origin": origin} if origin else {}) as response:
                allowed[origin] = response.headers.get("Access-Control-Allow-Origin")
                assert response.headers["Vary"] == "Origin"
    model.close()

    assert allowed == {
        "https://desk.example": "https://desk.example",
        "https://shop.example": "https://shop.example",
        "https://evil.example": None,
        "": None,
    }


async def test_every_route_lies_under_the_base_path(tmp_path: Path) -> None:
    model = ReadModel.at(sqlite_url(tmp_path))
    app = app_on(model, [Freshness(999.9)], origins=("*",), base_path="/enact")

    async with TestClient(TestServer(app, host="127.0.0.1")) as client:
        api = Api(model, client)
        api.hold(clean_success())
        inside, body = await api.get(f"/enact{STATUS}", account_id=ACCOUNT)
        outside, problem = await api.get(STATUS, account_id=ACCOUNT)
        listed, _ = await api.get(f"/enact{LIST}")
        described, document = await api.get("/enact/openapi.json")
    model.close()

    assert (inside, body["status"], listed, described) == (200, "SUCCEEDED", 200, 200)
    assert (outside, problem["path"]) == (404, STATUS)
    assert document["servers"] == [{"url": "/enact"}]


def fields_of(record: logging.LogRecord) -> dict[str, Any]:
    found: dict[str, Any] = vars(record)["enact_fields"]
    return found
