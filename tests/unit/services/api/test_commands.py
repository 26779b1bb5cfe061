"""Orders about one execution: what reaches the log, and what the caller is told."""

import dataclasses
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from enact.command_door import CommandDoor
from enact.records import CancelRequested, Effect, ExecutionEvent, Fact, LedgerEntry, LedgerType, RedriveRequested, Status, Step
from services.api.command_desk import CommandDesk
from services.api.follower import Freshness
from services.api.read_model import ReadModel, sqlite_url
from tests.unit.enact.ledger_owner import INTENT, World, claimed, doubt, entry, started
from tests.unit.services.api.running_api import Api, app_on

WHO = {"actor": "kim", "reason": "looked into it"}
CANCEL, RESOLVE, REDRIVE = (f"/executions/{INTENT}/{name}" for name in ("cancel", "resolve", "redrive"))
FOUND = {"system": "crm", "object_type": "Task", "object_id": "00T1"}
NO_BODY: tuple[dict[str, Any], ...] = (
    {},
    {"actor": "kim"},
    {"reason": "x"},
    {**WHO, "reason": "  "},
    {**WHO, "surprise": 1},
    {**WHO, "actor": "../x"},
)


class Desk:
    """An api whose orders go to a cluster in memory, where an owner answers."""

    def __init__(self, api: Api, world: World) -> None:
        self.api, self.world = api, world

    @property
    def events(self) -> list[ExecutionEvent]:
        return self.world.events


def answer(event: ExecutionEvent) -> LedgerEntry | None:
    """An owner that agrees with everything."""
    match event.data:
        case CancelRequested(command_id=command_id):
            type_, result = LedgerType.CANCEL_ACCEPTED, "CANCELLED"
        case Fact(command_id=str(command_id)):
            type_, result = LedgerType.DOUBT_RESOLVED, ""
        case RedriveRequested(command_id=command_id):
            type_, result = LedgerType.REDRIVE_ACCEPTED, "OPENED"
        case _:
            return None
    return entry(type_, version=50, cause=event.event_id, details={"command_id": command_id, "result": result})


def refuse(event: ExecutionEvent) -> LedgerEntry | None:
    """An owner for whom all comes too late, or too early."""
    match event.data:
        case CancelRequested(command_id=command_id):
            type_, result = LedgerType.CANCEL_REFUSED, "SUCCEEDED"
        case Fact(command_id=str(command_id)):
            type_, result = LedgerType.RESOLVE_REFUSED, "its lease is not over"
        case RedriveRequested(command_id=command_id):
            type_, result = LedgerType.REDRIVE_REFUSED, "not ended"
        case _:
            return None
    return entry(type_, version=50, cause=event.event_id, details={"command_id": command_id, "result": result})


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    model, world = ReadModel.at(sqlite_url(tmp_path)), World(answer)

    @contextmanager
    def open_door(actor: str) -> Iterator[CommandDoor]:
        yield dataclasses.replace(world.door, actor=actor, stage="api")

    app = app_on(model, [Freshness(999.9)], origins=("*",), commands=CommandDesk(open_door))
    async with TestClient(TestServer(app, host="127.0.0.1")) as client:
        yield Desk(Api(model, client), world)
    model.close()


async def test_a_cancel_is_appended_in_the_name_of_who_asks(desk: Desk) -> None:
    desk.world.hold(started())

    code, body = await desk.api.post(CANCEL, WHO)

    assert (code, body["answer"], body["status"], body["message"]) == (200, "ACCEPTED", "CANCELLED", "Cancelled: nothing was done.")
    (event,) = desk.events
    assert event.actor == "api:kim"
    assert isinstance(event.data, CancelRequested)
    assert (event.data.reason, event.data.command_id) == ("looked into it", body["command_id"])


async def test_an_order_that_its_owner_does_not_answer_in_time_is_recorded(desk: Desk) -> None:
    desk.world.owner = lambda _: None
    desk.world.hold(started())

    code, body = await desk.api.post(CANCEL, WHO)

    assert (code, body["answer"]) == (202, "RECORDED")
    assert body["message"].startswith("Recorded: no claim appended after it is valid")
    assert len(desk.events) == 1


async def test_a_finding_is_appended_with_its_objects(desk: Desk) -> None:
    desk.world.hold(started(), claimed(1, version=3), doubt(1, version=4))

    code, body = await desk.api.post(RESOLVE, {**WHO, "finding": "APPLIED", "external_object_refs": [FOUND]})

    assert (code, body["status"]) == (200, "SUCCEEDED")
    (event,) = desk.events
    assert isinstance(event.data, Fact)
    assert (event.data.effect, event.data.nonce, event.data.refs[0].object_id) == (Effect.APPLIED, "nonce-1", "00T1")


async def test_a_redrive_names_its_step(desk: Desk) -> None:
    desk.world.hold(started(), entry(LedgerType.COMPENSATION_FAILED, version=6, step=Step.COMPENSATE))

    code, body = await desk.api.post(REDRIVE, {**WHO, "step": "compensate"})

    assert (code, body["answer"]) == (200, "ACCEPTED")
    assert [event.step for event in desk.events] == [Step.COMPENSATE]


@pytest.mark.parametrize(
    ("path", "body", "title", "words"),
    [
        (CANCEL, WHO, "Too late", "SUCCEEDED already"),
        (RESOLVE, {**WHO, "finding": "NOT_APPLIED"}, "In doubt", "its lease is not over"),
        (REDRIVE, WHO, "Refused", "has not ended"),
    ],
)
async def test_an_order_that_does_not_count_is_a_conflict_with_its_reason(
    desk: Desk, path: str, body: dict[str, Any], title: str, words: str
) -> None:
    desk.world.owner = refuse
    desk.world.hold(started(), claimed(1, version=3), doubt(1, version=4))

    code, told = await desk.api.post(path, body)

    assert (code, told["error"], told["path"]) == (409, title, path)
    assert words in told["message"]


async def test_what_cannot_be_ordered_at_all_appends_nothing(desk: Desk) -> None:
    desk.world.hold(started(), entry(LedgerType.ACTION_FAILED, version=4, status=Status.FAILED))

    code, told = await desk.api.post(RESOLVE, {**WHO, "finding": "APPLIED"})

    assert (code, told["error"]) == (409, "Refused")
    assert "No call was ever made" in told["message"]
    assert desk.events == []


@pytest.mark.parametrize("path", [CANCEL.replace(INTENT, "int-9"), REDRIVE.replace(INTENT, "int-9"), CANCEL.replace(INTENT, "a b")])
async def test_an_execution_that_the_caller_cannot_see_is_unknown(desk: Desk, path: str) -> None:
    desk.world.hold(started())

    assert (await desk.api.post(path, WHO))[0] == 404
    assert (await desk.api.post(CANCEL, WHO, account="acct-9"))[0] == 404
    assert (await desk.api.post(CANCEL, WHO, headers={"x-tenant-id": "other"}))[0] == 404
    assert desk.events == []


async def test_the_id_of_the_execution_is_taken_as_well_as_that_of_the_intent(desk: Desk) -> None:
    desk.world.hold(started())

    assert (await desk.api.post(f"/executions/exec-{INTENT}/cancel", WHO))[0] == 200


@pytest.mark.parametrize("body", NO_BODY)
async def test_an_order_is_checked_before_anything_is_read(desk: Desk, body: dict[str, Any]) -> None:
    desk.world.hold(started())

    assert (await desk.api.post(CANCEL, body))[0] == 400
    assert desk.events == []
    assert desk.world.open_readers == []


async def test_an_object_that_was_found_proves_that_it_was_applied(desk: Desk) -> None:
    desk.world.hold(started(), claimed(1, version=3), doubt(1, version=4))

    code, told = await desk.api.post(RESOLVE, {**WHO, "finding": "NOT_APPLIED", "external_object_refs": [FOUND]})

    assert code == 400
    assert "external_object_refs" in told["message"]
    assert desk.events == []


@pytest.mark.parametrize(("origin", "expected"), [("https://elsewhere.example", 403), ("null", 403)])
async def test_a_page_of_another_site_orders_nothing(desk: Desk, origin: str, expected: int) -> None:
    desk.world.hold(started())

    assert (await desk.api.post(CANCEL, WHO, headers={"Origin": origin}))[0] == expected
    assert desk.events == []


async def test_a_page_of_our_own_may_order(desk: Desk) -> None:
    desk.world.hold(started())
    origin = str(desk.api.client.make_url("/")).rstrip("/")

    assert (await desk.api.post(CANCEL, WHO, headers={"Origin": origin}))[0] == 200


async def test_a_cluster_that_does_not_answer_is_said(api: Api) -> None:
    code, told = await api.post(CANCEL, WHO)

    assert (code, told["message"]) == (503, "api:kim finds no cluster.")


async def test_where_orders_are_not_taken_it_is_said_where_they_are(tmp_path: Path) -> None:
    model = ReadModel.at(sqlite_url(tmp_path))
    app = app_on(model, [Freshness(999.9)], origins=(), commands=CommandDesk(_never, takes_orders=False))
    async with TestClient(TestServer(app, host="127.0.0.1")) as client:
        code, told = await Api(model, client).post(REDRIVE, WHO)
    model.close()

    assert code == 403
    assert "give the order with enact" in told["message"]


@contextmanager
def _never(actor: str) -> Iterator[CommandDoor]:
    raise AssertionError(f"{actor} was let in")
    yield  # pragma: no cover - makes it a generator
