"""Switches over HTTP: what is stopped and what a stop finds; orders that are one record each."""

import dataclasses
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from aiohttp.test_utils import TestClient, TestServer
from msgspec.structs import replace
from yarl import URL

from enact.command_door import CommandDoor
from enact.errors import BrokerError
from enact.records import LedgerEntry, LedgerType, Status, Switch, SwitchMode
from enact.records.codec import decode
from enact.registry_commands import RegistryCommands
from enact.switch_commands import checked_scope
from services.api.follower import Freshness
from services.api.read_model import ReadModel, sqlite_url
from services.api.switch_desk import SwitchDesk
from services.api.tables import entries
from tests.factories import make_action_type
from tests.unit.enact.ledger_owner import TOPICS, World
from tests.unit.services.api.ledger_entries import entry as ledger_entry
from tests.unit.services.api.running_api import Api, Table, app_on, no_door

ORDER = {"state": "ENGAGED", "actor": "kim", "reason": "fire"}
NOBODY = {"in_flight": 0, "held": 0, "in_doubt": 0, "waiting": 0}


class Desk:
    """An api whose orders go to a cluster in memory."""

    def __init__(self, api: Api, table: Table, world: World) -> None:
        self.api, self.table, self.world = api, table, world

    @property
    def written(self) -> list[Switch]:
        return [decode(Switch, record.value or b"") for record in self.world.broker.records(TOPICS.switches)]

    @property
    def ledger(self) -> list[LedgerEntry]:
        records = [record for partition in range(4) for record in self.world.broker.records(TOPICS.ledger, partition)]
        return [decode(LedgerEntry, record.value or b"") for record in records]


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    model, table, world = ReadModel.at(sqlite_url(tmp_path)), Table(), World()

    @contextmanager
    def open_door(actor: str) -> Iterator[CommandDoor]:
        yield dataclasses.replace(world.door, actor=actor, stage="api")

    app = app_on(model, [Freshness(999.9)], origins=("*",), desk=SwitchDesk(table, model, open_door))
    async with TestClient(TestServer(app, host="127.0.0.1")) as client:
        yield Desk(Api(model, client), table, world)
    model.close()


def an_execution(number: int, status: Status, *, tenant: str = "acme", action_type: str = "TASK", tool: str = "crm.task") -> LedgerEntry:
    """The first entry of an execution that says all that a scope asks for."""
    entry = ledger_entry(LedgerType.ATTEMPT_CLAIMED, status=status, details={"action_type": action_type, "tool_name": tool})
    return replace(entry, tenant_id=tenant, action_intent_id=f"int-{number}", entry_id=f"{number:064}")


def hold_some(api: Api) -> None:
    states = [
        (Status.EXECUTING, "acme", "TASK", "crm.task"),
        (Status.EXECUTING, "globex", "NOTE", "crm_2.task"),
        (Status.HELD, "acme", "TASK", "crm.task"),
        (Status.HELD, "acme", "NOTE", "internal.note"),
        (Status.IN_DOUBT, "globex", "TASK", "crm.task"),
        (Status.PENDING, "acme", "TASK", "crm.task"),
        (Status.RETRYING, "acme", "TASK", "crm.task"),
        (Status.SUCCEEDED, "acme", "TASK", "crm.task"),
        (Status.FAILED, "acme", "TASK", "crm.task"),
    ]
    api.hold([an_execution(n, s, tenant=t, action_type=a, tool=tool) for n, (s, t, a, tool) in enumerate(states)])


async def test_everything_that_is_stopped_is_listed_with_since_when_by_whom_and_why(desk: Desk) -> None:
    desk.table.engage("global", "e-1")
    desk.table.engage("tenant:acme", "e-2", SwitchMode.REJECT)

    code, told = await desk.api.get("/switches", headers={})

    assert (code, told["age_ms"]) == (200, 250)
    assert [(one["scope"], one["engagement_id"], one["mode"], one["by"], one["reason"]) for one in told["switches"]] == [
        ("global", "e-1", "HOLD", "cli:kim", "fire"),
        ("tenant:acme", "e-2", "REJECT", "cli:kim", "fire"),
    ]
    assert told["switches"][0]["since"].endswith("Z")


@pytest.mark.parametrize(
    ("scope", "affected"),
    [
        ("global", {"in_flight": 2, "held": 2, "in_doubt": 1, "waiting": 2}),
        ("tenant:acme", {"in_flight": 1, "held": 2, "in_doubt": 0, "waiting": 2}),
        ("action_type:NOTE", {"in_flight": 1, "held": 1, "in_doubt": 0, "waiting": 0}),
        ("connector:crm", {"in_flight": 1, "held": 1, "in_doubt": 1, "waiting": 2}),
        ("connector:crm_2", {"in_flight": 1, "held": 0, "in_doubt": 0, "waiting": 0}),
        ("connector:c_m", NOBODY),
    ],
)
async def test_a_scope_tells_what_is_in_flight_held_in_doubt_and_waiting_there(desk: Desk, scope: str, affected: dict[str, int]) -> None:
    hold_some(desk.api)

    code, told = await desk.api.get(f"/switches/{scope}", headers={})

    assert code == 200
    assert (told["scope"], told["affected"], told["is_stopped"]) == (scope, affected, False)


async def test_a_tenant_that_was_never_seen_is_said_to_be_unknown(desk: Desk) -> None:
    hold_some(desk.api)

    known = [(await desk.api.get(f"/switches/{scope}"))[1]["is_known"] for scope in ("tenant:acme", "tenant:acmee", "connector:crm")]

    assert known == [True, False, None]


async def test_a_scope_may_be_written_as_the_command_line_writes_it(desk: Desk) -> None:
    async with desk.api.client.get(URL("/switches/tenant%3Aacme", encoded=True)) as response:
        told = await response.json()

    assert (response.status, told["scope"]) == (200, "tenant:acme")


async def test_to_engage_is_one_record_and_its_answer_tells_what_it_finds(desk: Desk) -> None:
    hold_some(desk.api)
    desk.table.engage("tenant:acme", "older")

    code, told = await desk.api.put("/switches/tenant:acme", {**ORDER, "mode": "REJECT"})

    (switch,) = desk.written
    assert code == 200
    assert (switch.scope, switch.mode, switch.actor, switch.reason) == ("tenant:acme", SwitchMode.REJECT, "api:kim", "fire")
    assert [one["engagement_id"] for one in told["changed"]] == [switch.engagement_id]
    assert [one["engagement_id"] for one in told["engagements"]] == ["older", switch.engagement_id]
    assert (told["is_stopped"], told["is_known"]) == (True, True)
    assert told["affected"] == {"in_flight": 1, "held": 2, "in_doubt": 0, "waiting": 2}
    (entry,) = desk.ledger
    assert (entry.type, entry.actor, entry.stage, entry.details["reason"]) == (LedgerType.SWITCH_ENGAGED, "api:kim", "api", "fire")


async def test_a_release_ends_the_engagement_it_names_and_no_other(desk: Desk) -> None:
    """Planted bug: a release ends the scope."""
    names = [(await desk.api.put("/switches/connector:crm", ORDER))[1]["changed"][0]["engagement_id"] for _ in range(2)]
    for name in names:
        desk.table.engage("connector:crm", name)
    release = {**ORDER, "state": "RELEASED"}

    several, _ = await desk.api.put("/switches/connector:crm", release)
    code, told = await desk.api.put("/switches/connector:crm", {**release, "engagement_id": names[0]})
    again, problem = await desk.api.put("/switches/connector:crm", {**release, "engagement_id": names[0]})

    assert (several, code, again) == (409, 200, 409)
    assert (told["is_stopped"], [one["engagement_id"] for one in told["engagements"]]) == (True, [names[1]])
    assert "nothing to release" in problem["message"]
    assert [one.state.value for one in desk.written] == ["ENGAGED", "ENGAGED", "RELEASED"]


@pytest.mark.parametrize(("name", "is_known"), [("action_type:CREATE_CRM_TASK", True), ("action_type:CREATE_CRM_TASKS", False)])
async def test_a_name_that_no_registry_entry_has_is_stopped_and_doubted(desk: Desk, name: str, is_known: bool) -> None:
    RegistryCommands(desk.world.door).apply([make_action_type()])

    code, told = await desk.api.put(f"/switches/{name}", ORDER)

    assert (code, told["is_known"]) == (200, is_known)
    assert len(desk.written) == 1


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("/switches/tennant:acme", ORDER, "tennant: is no scope"),
        ("/switches/", ORDER, "no scope"),
        ("/switches/tenant:", ORDER, "What follows tenant: is no id"),
        ("/switches/global", b"", "no JSON"),
        ("/switches/global", b"\xff", "no JSON"),
        ("/switches/global", b'{"state": "ENGAGED', "no JSON"),
        ("/switches/global", [], "The body is not as documented"),
        ("/switches/global", {**ORDER, "state": "STOPPED"}, "state"),
        ("/switches/global", {"state": "ENGAGED", "actor": "kim"}, "reason"),
        ("/switches/global", {**ORDER, "reason": " "}, "$.reason"),
        ("/switches/global", {**ORDER, "actor": "two words"}, "$.actor"),
        ("/switches/global", {**ORDER, "mode": "PAUSE"}, "$.mode"),
        ("/switches/global", {**ORDER, "engagement": "x"}, "engagement"),
        ("/switches/global", {**ORDER, "engagement_id": "mine"}, "engagement_id"),
        ("/switches/global", {**ORDER, "is_all": True}, "is_all"),
        ("/switches/global", {**ORDER, "state": "RELEASED", "mode": "HOLD"}, "mode"),
    ],
)
async def test_an_order_that_is_not_exactly_one_is_refused_and_nothing_is_changed(desk: Desk, path: str, body: Any, words: str) -> None:
    code, problem = await desk.api.put(path, body)

    assert code == 400
    assert words in problem["message"]
    assert desk.written == []


async def test_an_order_that_is_too_large_is_refused(desk: Desk) -> None:
    code, _ = await desk.api.put("/switches/global", {**ORDER, "reason": "x" * 70_000})

    assert code == 413
    assert desk.written == []


async def test_in_production_where_nobodys_name_is_proven_orders_are_not_taken(tmp_path: Path) -> None:
    model = ReadModel.at(sqlite_url(tmp_path))
    app = app_on(model, [Freshness(999.9)], origins=(), desk=SwitchDesk(Table(), model, no_door, takes_orders=False))
    async with TestClient(TestServer(app, host="127.0.0.1")) as client:
        code, problem = await Api(model, client).put("/switches/global", ORDER)
    model.close()

    assert code == 403
    assert "enact switch" in problem["message"]


async def test_a_cluster_that_does_not_answer_is_said_and_what_is_stopped_is_still_told(api: Api) -> None:
    code, problem = await api.put("/switches/global", ORDER)
    listed, _ = await api.get("/switches")

    assert (code, problem["message"], listed) == (503, "api:kim finds no cluster.", 200)


async def test_a_database_that_fails_takes_nothing_from_a_stop_that_holds(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: str) -> None:
        raise sa.exc.OperationalError("select", {}, BrokerError("full"))

    monkeypatch.setattr(desk.api.model, "affected", fail)

    code, told = await desk.api.put("/switches/global", ORDER)

    assert (code, told["affected"], told["is_stopped"]) == (200, None, True)
    assert len(desk.written) == 1


async def test_switches_that_cannot_be_read_are_not_said_to_be_none(desk: Desk) -> None:
    desk.table.age_s = float("inf")

    listed, one = (await desk.api.get("/switches"))[0], (await desk.api.get("/switches/global"))[0]
    ordered, _ = await desk.api.put("/switches/global", ORDER)

    assert (listed, one, ordered) == (503, 503, 200), "a stop waits for no table"


@pytest.mark.parametrize("scope", ["global", "tenant:acme", "action_type:TASK", "connector:crm"])
def test_the_question_what_a_stop_finds_reads_no_execution_that_succeeded(tmp_path: Path, scope: str) -> None:
    model = ReadModel.at(sqlite_url(tmp_path))
    asked: list[tuple[str, Any]] = []
    sa.event.listen(model._engine, "before_cursor_execute", lambda _c, _u, text, values, *_: asked.append((text, values)))

    assert model.affected(scope) == {}

    ((text, values),) = asked
    with model._engine.connect() as connection:
        plan = str(connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", values).fetchall())
    assert "INDEX executions_not_done" in plan
    model.close()


def test_the_ledger_of_the_longest_scope_has_room_in_the_read_model() -> None:
    """Databases other than SQLite refuse a text that is longer than its column, and the fold would stand still."""
    longest = checked_scope(f"action_type:{'x' * 128}")

    column = entries.c.action_intent_id.type
    assert isinstance(column, sa.String)
    assert column.length is not None
    assert column.length >= len(longest)
