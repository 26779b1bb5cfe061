"""The executions of an account: limits, filter, pages."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from yarl import URL

from enact.records import Status
from services.api.cursor import Place, Question, cursor_text, place_in
from tests.unit.services.api.ledger_entries import (
    ACCOUNT,
    TENANT,
    claimed,
    clean_success,
    executed,
    started,
)
from tests.unit.services.api.running_api import LIST, TENANT_HEADER, Api, executions


@pytest.mark.parametrize("limit", ["0", "101", "abc", "10abc", "", "-1", "1.5", " 5", "٣", "0005", "+5", "1e1", "²"])
async def test_a_limit_that_is_no_number_from_1_to_100_is_refused(api: Api, limit: str) -> None:
    code, body = await api.get(LIST, limit=limit)

    assert code == 400
    assert set(body) == {"error", "message", "provided", "path"}
    assert body["provided"] == limit


@pytest.mark.parametrize(("limit", "expected"), [({"limit": "1"}, 1), ({"limit": "100"}, 60), ({}, 50)])
async def test_limits_are_kept(api: Api, limit: dict[str, Any], expected: int) -> None:
    api.hold(executions(60))

    code, body = await api.get(LIST, **limit)

    assert code == 200
    assert len(body["executions"]) == expected


async def test_pages_follow_each_other_through_the_cursor(api: Api) -> None:
    api.hold(executions(5))

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


async def test_what_comes_in_between_pages_moves_nothing(api: Api) -> None:
    api.hold(executions(6))
    _, first = await api.get(LIST, limit=3)

    api.hold(executions(4, first=6))
    api.hold([replace(executed(version=2), action_intent_id="int-1", entry_id="d" * 64)])
    _, second = await api.get(LIST, limit=3, cursor=first["next_cursor"])

    assert [row["action_intent_id"] for row in first["executions"]] == ["int-5", "int-4", "int-3"]
    assert [row["action_intent_id"] for row in second["executions"]] == ["int-2", "int-1", "int-0"]
    assert second["next_cursor"] is None


@pytest.mark.parametrize(
    ("tenant", "path", "query"),
    [
        ("other", LIST, {"status": "PENDING"}),
        (TENANT, "/accounts/acct-2/executions", {"status": "PENDING"}),
        (TENANT, LIST, {}),
        (TENANT, LIST, {"status": "PENDING,HELD"}),
    ],
    ids=["tenant", "account", "no filter", "wider filter"],
)
async def test_a_cursor_of_another_question_is_refused(api: Api, tenant: str, path: str, query: dict[str, str]) -> None:
    api.hold(executions(3))
    _, first = await api.get(LIST, limit=1, status="PENDING")

    code, body = await api.get(path, headers={"x-tenant-id": tenant}, cursor=first["next_cursor"], **query)
    same, _ = await api.get(LIST, limit=2, status="PENDING", cursor=first["next_cursor"])

    assert (code, same) == (400, 200)
    assert "for this question" in body["message"]


async def test_a_forged_cursor_is_refused(api: Api) -> None:
    api.hold(executions(3))
    _, first = await api.get(LIST, limit=1)
    text = first["next_cursor"]

    forged = [text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :] for at in range(len(text))]
    codes = {(await api.get(LIST, cursor=one))[0] for one in [*forged, text[:-1], text + "A", text + "="]}

    assert codes == {400}


@given(st.integers(0, 2**53), st.text(max_size=20), st.lists(st.sampled_from([Status.PENDING, Status.HELD, Status.FAILED]), unique=True))
def test_a_cursor_names_its_place_for_its_own_question_in_any_order_of_statuses(at: int, intent_id: str, statuses: list[Status]) -> None:
    place = Place(at, intent_id)

    text = cursor_text(Question(TENANT, ACCOUNT, statuses), place)

    assert place_in(Question(TENANT, ACCOUNT, statuses[::-1]), text) == place
    assert place_in(Question(TENANT, f"{ACCOUNT}x", statuses), text) is None


@pytest.mark.parametrize("status", ["DONE", "", "UNKNOWN", "PENDING,", "PENDING,DONE"])
async def test_a_status_that_is_none_is_refused_with_those_there_are(api: Api, status: str) -> None:
    code, body = await api.get(LIST, status=status)

    assert code == 400
    assert all(name in body["message"] for name in ("RUNNING", "IN_DOUBT", "SUCCEEDED"))
    assert "UNKNOWN" not in body["message"]


@pytest.mark.parametrize("account", ["a%20b", "%00", "x" * 129, "a%2Fb"])
async def test_an_account_that_is_no_id_is_refused(api: Api, account: str) -> None:
    async with api.client.get(URL(f"/accounts/{account}/executions", encoded=True), headers=TENANT_HEADER) as response:
        body = await response.json()

    assert response.status == 400
    assert "not an account id" in body["message"]
