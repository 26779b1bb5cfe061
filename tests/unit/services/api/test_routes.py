"""The HTTP answers: bodies, refusals, CORS, isolation of tenants."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from msgspec.structs import replace

from enact.clock import ManualClock
from enact.records import ErrorCategory, LedgerEntry, LedgerType, Status, Step
from enact.records.codec import encode
from services.api.follower import Freshness
from services.api.ledger_writer import Arrived
from services.api.read_model import ReadModel, sqlite_url
from services.api.routes import application
from tests.unit.services.api.ledger_entries import (
    ACCOUNT,
    INTENT,
    START_MS,
    TENANT,
    claimed,
    clean_success,
    concluded,
    entry,
    failed,
    rejected,
    started,
)

TENANT_HEADER = {"x-tenant-id": TENANT}
STATUS = f"/executions/{INTENT}/status"
LIST = f"/accounts/{ACCOUNT}/executions"


class Api:
    """A running application on a model of its own."""

    def __init__(self, model: ReadModel, client: Any) -> None:
        self.model = model
        self.client = client
        self._offset = 0

    def hold(self, entries: list[LedgerEntry]) -> None:
        self.model.ledger.apply(
            [Arrived(one, encode(one), self._offset + at) for at, one in enumerate(entries)], {0: self._offset + len(entries)}
        )
        self._offset += len(entries)

    async def get(self, path: str, *, headers: dict[str, str] | None = None, **query: Any) -> tuple[int, dict[str, Any]]:
        async with self.client.get(path, headers=TENANT_HEADER if headers is None else headers, params=query) as response:
            return response.status, await response.json()


@pytest.fixture
def freshness() -> list[Freshness]:
    return [Freshness(999.9)]


@pytest.fixture
async def api(tmp_path: Path, freshness: list[Freshness]) -> AsyncIterator[Api]:
    model = ReadModel.at(sqlite_url(tmp_path))
    app = application(model, freshness=lambda: freshness[-1], clock=ManualClock(boot_s=1_000.0), allowed_origin="*")
    async with TestClient(TestServer(app, host="127.0.0.1")) as client:
        yield Api(model, client)
    model.close()


async def test_status_has_the_fields_people_ask_for(api: Api) -> None:
    api.hold(clean_success())

    code, body = await api.get(STATUS, account_id=ACCOUNT)

    assert code == 200
    assert body["action_intent_id"] == INTENT
    assert body["execution_id"] == f"exec-{INTENT}"
    assert body["status"] == "SUCCEEDED"
    assert body["status_text"] == "Done."
    assert body["attempt_count"] == 1
    assert body["started_at"] == "2026-09-21T14:13:20.010Z"
    assert body["completed_at"] == "2026-09-21T14:13:20.030Z"
    assert body["external_object_refs"] == [
        {"system": "crm", "object_type": "Task", "object_id": "00T1", "object_url": "https://crm.example/00T1"}
    ]
    assert (body["error_message"], body["error_class"]) == (None, None)


async def test_the_alias_and_the_execution_id_give_the_same_answer(api: Api) -> None:
    api.hold(clean_success())

    canonical = await api.get(STATUS, account_id=ACCOUNT)

    assert await api.get(f"/actions/{INTENT}/status", account_id=ACCOUNT) == canonical
    assert await api.get(f"/executions/exec-{INTENT}/status", account_id=ACCOUNT) == canonical


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.UNKNOWN])
async def test_every_status_is_shown_with_words(api: Api, status: Status) -> None:
    api.hold([started(), entry(LedgerType.ATTEMPT_CONCLUDED, version=3, status=status)])

    code, body = await api.get(STATUS, account_id=ACCOUNT)

    assert (code, body["status"]) == (200, status.value)
    assert len(body["status_text"]) > 4


async def test_a_failure_gives_its_reason_without_the_other_systems_words(api: Api) -> None:
    api.hold([started(), claimed(version=2), failed(version=3, error=rejected())])

    _, body = await api.get(STATUS, account_id=ACCOUNT)

    assert (body["error_class"], body["error_code"], body["error_category"]) == ("VALIDATION", "TOOL_REJECTED", "TOOL_ERROR")
    assert body["error_message"] == "Your system refused the request, so nothing was done."
    assert "10.0.0.7" not in str(body)


@pytest.mark.parametrize(
    ("headers", "query", "word"),
    [
        ({}, {"account_id": ACCOUNT}, "x-tenant-id"),
        ({"x-tenant-id": "two words"}, {"account_id": ACCOUNT}, "x-tenant-id"),
        (TENANT_HEADER, {}, "account_id"),
        (TENANT_HEADER, {"account_id": ""}, "account_id"),
    ],
)
async def test_what_is_missing_is_named(api: Api, headers: dict[str, str], query: dict[str, str], word: str) -> None:
    code, body = await api.get(STATUS, headers=headers, **query)

    assert code == 400
    assert set(body) == {"error", "message", "path"}
    assert word in body["message"]
    assert body["path"] == STATUS


@pytest.mark.parametrize(
    "path", ["/executions/{id}/status", "/executions/{id}/timeline", "/executions/{id}/ledger", "/actions/{id}/status"]
)
@pytest.mark.parametrize(
    ("intent_id", "tenant", "account"),
    [("unknown", TENANT, ACCOUNT), (INTENT, "other", ACCOUNT), (INTENT, TENANT, "acct-2")],
)
async def test_what_is_not_yours_does_not_exist(api: Api, path: str, intent_id: str, tenant: str, account: str) -> None:
    api.hold(clean_success())

    code, body = await api.get(path.format(id=intent_id), headers={"x-tenant-id": tenant}, account_id=account)

    assert code == 404
    assert set(body) == {"error", "message", "path"}
    assert "SUCCEEDED" not in str(body)


async def test_an_unknown_id_is_not_denied_while_the_model_is_being_built(api: Api, freshness: list[Freshness]) -> None:
    freshness.append(Freshness(None))

    code, body = await api.get(STATUS, account_id=ACCOUNT)

    assert code == 503
    assert "Try again" in body["message"]


@pytest.mark.parametrize("limit", ["0", "101", "abc", "10abc", "", "-1", "1.5", " 5", "٣", "0005"])
async def test_a_limit_that_is_no_number_from_1_to_100_is_refused(api: Api, limit: str) -> None:
    code, body = await api.get(LIST, limit=limit)

    assert code == 400
    assert set(body) == {"error", "message", "provided", "path"}
    assert body["provided"] == limit


@pytest.mark.parametrize(("limit", "expected"), [({"limit": "1"}, 1), ({"limit": "100"}, 60), ({}, 50)])
async def test_limits_are_kept(api: Api, limit: dict[str, Any], expected: int) -> None:
    api.hold([replace(started(at_ms=START_MS + at), action_intent_id=f"int-{at}", entry_id=f"{at:064}") for at in range(60)])

    code, body = await api.get(LIST, **limit)

    assert code == 200
    assert len(body["executions"]) == expected


async def test_pages_follow_each_other_through_the_cursor(api: Api) -> None:
    api.hold([replace(started(at_ms=START_MS + at), action_intent_id=f"int-{at}", entry_id=f"{at:064}") for at in range(5)])

    _, first = await api.get(LIST, limit=2)
    _, second = await api.get(LIST, limit=2, cursor=first["next_cursor"])
    _, third = await api.get(LIST, limit=2, cursor=second["next_cursor"])

    assert [[row["action_intent_id"] for row in page["executions"]] for page in (first, second, third)] == [
        ["int-4", "int-3"],
        ["int-2", "int-1"],
        ["int-0"],
    ]
    assert third["next_cursor"] is None


@pytest.mark.parametrize("cursor", ["", "x", "bm90LWpzb24", "WzEsMl0", "é", "WzEsIm9uZSIsM10"])
async def test_a_foreign_cursor_is_refused(api: Api, cursor: str) -> None:
    code, body = await api.get(LIST, cursor=cursor)

    assert code == 400
    assert "next_cursor" in body["message"]


async def test_the_list_filters_by_status_and_running_means_executing(api: Api) -> None:
    api.hold([*clean_success(), replace(started(), action_intent_id="b", entry_id="b" * 64)])
    api.hold([replace(claimed(version=4), action_intent_id="b", entry_id="c" * 64)])

    _, running = await api.get(LIST, status="RUNNING")
    async with api.client.get(f"{LIST}?status=EXECUTING&status=SUCCEEDED", headers=TENANT_HEADER) as response:
        both = await response.json()
    wrong_code, wrong = await api.get(LIST, status="DONE")

    assert [row["action_intent_id"] for row in running["executions"]] == ["b"]
    assert len(both["executions"]) == 2
    assert (wrong_code, wrong["provided"]) == (400, "DONE")


async def test_the_list_needs_a_tenant_and_shows_only_its_own(api: Api) -> None:
    api.hold(clean_success())

    code, body = await api.get(LIST, headers={})
    _, other = await api.get(LIST, headers={"x-tenant-id": "other"})

    assert code == 400
    assert set(body) == {"error", "message", "path"}
    assert other == {"executions": [], "next_cursor": None}


async def test_the_timeline_walks_from_decision_to_outcome_and_folds_retries(api: Api) -> None:
    api.hold(
        [
            started(),
            claimed(1, version=2),
            concluded("NOT_APPLIED", 1, version=3),
            entry(LedgerType.RETRY_SCHEDULED, version=3, status=Status.RETRYING, step=Step.EXECUTE),
            claimed(2, version=4),
            concluded("NOT_APPLIED", 2, version=5),
            claimed(3, version=6),
            concluded("RELEASED", 3, version=7),
            claimed(4, version=8),
            failed(version=9, error=rejected()),
        ]
    )

    code, body = await api.get(f"/executions/{INTENT}/timeline", account_id=ACCOUNT)

    assert code == 200
    assert [phase["phase"] for phase in body["phases"]] == ["decision", "approval", "execution", "outcome"]
    decision, approval, execution, outcome = body["phases"]
    assert (decision["proposal_id"], decision["decision_id"]) == ("prop-1", "dec-1")
    assert (approval["text"], approval["at"]) == ("Approved by anna.", "2026-09-21T13:56:40.000Z")
    assert [step["text"] for step in execution["steps"]] == ["Accepted.", "Tried 3 times."]
    assert outcome["text"] == "This could not be done. Your system refused the request, so nothing was done."
    for internal in ("enact.executions", "offset", "nonce", "10.0.0.7"):
        assert internal not in str(body)


async def test_the_timeline_tells_of_doubt_holds_and_what_a_person_found(api: Api) -> None:
    api.hold(
        [
            started(),
            entry(LedgerType.EXECUTION_HELD, version=1, status=Status.HELD, step=Step.EXECUTE),
            claimed(1, version=2),
            entry(LedgerType.DOUBT_RAISED, version=3, status=Status.IN_DOUBT, step=Step.EXECUTE, attempt=1),
            entry(LedgerType.CANCEL_REFUSED, version=4, step=Step.EXECUTE),
            entry(LedgerType.DOUBT_RESOLVED, version=5, step=Step.EXECUTE, attempt=1, details={"effect": "NOT_APPLIED"}),
        ]
    )

    _, body = await api.get(f"/executions/{INTENT}/timeline", account_id=ACCOUNT)

    assert [step["text"] for step in body["phases"][2]["steps"]] == [
        "Accepted.",
        "It was on hold for a while.",
        "Tried once.",
        "The other system's answer was lost, so we do not know whether it was done.",
        "Cancelling was asked for, but could not be accepted any more.",
        "We found out that it was not done.",
    ]
    assert "operator" in body["phases"][3]["next_step"]


async def test_a_refused_intent_says_why_and_that_nothing_was_sent(api: Api) -> None:
    refusal = replace(rejected("amount is a string, not a number."), code="PARAMETERS_INVALID")
    details = {"approval_source": "POLICY", "approved_by": "small-amounts"}
    api.hold([entry(LedgerType.INTENT_REFUSED, error=refusal, details=details), failed(version=2, error=refusal)])

    _, body = await api.get(f"/executions/{INTENT}/timeline", account_id=ACCOUNT)

    assert body["phases"][1]["text"] == "Allowed by the rule small-amounts."
    assert body["phases"][2]["text"] == "Nothing has been sent to another system."
    assert body["phases"][2]["steps"][0]["text"] == "The request was not complete or not correct, so nothing was done."


async def test_our_own_word_on_a_request_names_the_field_to_correct(api: Api) -> None:
    refusal = replace(rejected("parameters.amount is a string."), code="PARAMETERS_INVALID", category=ErrorCategory.VALIDATION_ERROR)
    api.hold([started(), failed(version=2, error=refusal)])

    _, body = await api.get(STATUS, account_id=ACCOUNT)

    assert body["error_message"].endswith("nothing was done. In detail: parameters.amount is a string.")


async def test_operators_see_every_entry_with_its_place(api: Api) -> None:
    api.hold(clean_success())

    _, body = await api.get(f"/executions/{INTENT}/ledger", account_id=ACCOUNT)

    assert [one["type"] for one in body["entries"]] == [
        "EXECUTION_STARTED",
        "TOOL_CALL_MAPPED",
        "ATTEMPT_CLAIMED",
        "ATTEMPT_CONCLUDED",
        "ACTION_EXECUTED",
    ]
    assert [one["ledger_offset"] for one in body["entries"]] == [0, 1, 2, 3, 4]
    assert body["entries"][2]["details"]["nonce"] == "n1"
    assert body["execution"]["status"] == "SUCCEEDED"


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", STATUS, 200),
        ("GET", "/executions/unknown/status", 404),
        ("GET", LIST, 400),
        ("GET", "/nowhere", 404),
        ("POST", STATUS, 405),
        ("OPTIONS", STATUS, 200),
        ("OPTIONS", "/nowhere", 200),
    ],
)
async def test_every_answer_has_cors_and_staleness(api: Api, method: str, path: str, code: int) -> None:
    api.hold(clean_success())
    query = {"account_id": ACCOUNT, "limit": "0"}

    async with api.client.request(method, path, headers=TENANT_HEADER, params=query) as response:
        assert response.status == code
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        assert response.headers["Access-Control-Allow-Headers"] == "Content-Type,X-Amz-Date,Authorization,X-Api-Key,X-Tenant-Id"
        assert response.headers["Access-Control-Allow-Methods"] == "GET,OPTIONS"
        assert response.headers["X-Enact-Staleness-Ms"] == "100"
        assert response.headers["Server"] == "enact"
        text = await response.text()
    assert (text == "") == (method == "OPTIONS")


async def test_an_unknown_route_names_its_path(api: Api) -> None:
    code, body = await api.get("/nowhere")

    assert code == 404
    assert (body["error"], body["path"]) == ("Not found", "/nowhere")


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
    app = application(model, freshness=lambda: Freshness(None), clock=ManualClock(), allowed_origin=None)

    async with TestClient(TestServer(app, host="127.0.0.1")) as client, client.get("/nowhere") as response:
        assert "Access-Control-Allow-Origin" not in response.headers
        assert response.headers["X-Enact-Staleness-Ms"] == "unknown"
    model.close()
