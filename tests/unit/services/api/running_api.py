"""A running application on a read model of its own, and questions to it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from msgspec.structs import replace

from enact.clock import ManualClock
from enact.command_door import CommandDoor
from enact.errors import BrokerError
from enact.records import LedgerEntry, Switch, SwitchMode, SwitchState
from enact.records.codec import encode
from enact.switch_view import Engagement, SwitchView
from services.api.application import application
from services.api.command_desk import CommandDesk
from services.api.door import Door
from services.api.entry_view import view_of
from services.api.follower import Freshness
from services.api.ledger_writer import Arrived
from services.api.read_model import ReadModel
from services.api.switch_desk import SwitchDesk
from tests.unit.services.api.ledger_entries import ACCOUNT, INTENT, START_MS, TENANT, started

TENANT_HEADER = {"x-tenant-id": TENANT}
NOW_MS = START_MS + 60_000
STATUS = f"/executions/{INTENT}/status"
TIMELINE = f"/executions/{INTENT}/timeline"
LIST = f"/accounts/{ACCOUNT}/executions"


class Api:
    """A running application on a model of its own."""

    def __init__(self, model: ReadModel, client: Any) -> None:
        self.model = model
        self.client = client
        self._offset = 0

    def hold(self, entries: list[LedgerEntry], *, damage: Callable[[bytes], bytes] = bytes, only: int | None = None) -> None:
        """Apply entries as they come from the ledger; `damage` changes the bytes of number `only`."""
        values = [encode(one) for one in entries]
        damaged = [damage(value) if at == only else value for at, value in enumerate(values)]
        arrived = [Arrived(view_of(value), value, self._offset + at) for at, value in enumerate(damaged)]
        self.model.ledger.apply(arrived, {0: self._offset + len(entries)})
        self._offset += len(entries)

    async def get(self, path: str, *, headers: dict[str, str] | None = None, **query: Any) -> tuple[int, dict[str, Any]]:
        async with self.client.get(path, headers=TENANT_HEADER if headers is None else headers, params=query) as response:
            return response.status, await response.json()

    async def put(self, path: str, body: Any) -> tuple[int, dict[str, Any]]:
        sent = {"data": body} if isinstance(body, bytes) else {"json": body}
        async with self.client.put(path, **sent) as response:
            return response.status, await response.json()

    async def post(
        self, path: str, body: Any, *, headers: dict[str, str] | None = None, account: str = ACCOUNT
    ) -> tuple[int, dict[str, Any]]:
        asked = {"json": body, "headers": TENANT_HEADER | (headers or {}), "params": {"account_id": account}}
        async with self.client.post(path, **asked) as response:
            return response.status, await response.json()


class Table:
    """What is stopped, as a test says. Fulfils `services.api.switch_desk.Engagements`."""

    def __init__(self) -> None:
        self.age_s = 0.25
        self._view = SwitchView()

    @property
    def engagements(self) -> tuple[Engagement, ...]:
        return self._view.engagements

    def engage(self, scope: str, engagement_id: str, mode: SwitchMode = SwitchMode.HOLD) -> None:
        switch = Switch(
            scope=scope,
            engagement_id=engagement_id,
            state=SwitchState.ENGAGED,
            mode=mode,
            actor="cli:kim",
            reason="fire",
            at_ms=START_MS,
        )
        self._view.apply(engagement_id.encode(), switch)


@contextmanager
def no_door(actor: str) -> Iterator[CommandDoor]:
    """A cluster that does not answer."""
    raise BrokerError(f"{actor} finds no cluster.")
    yield  # pragma: no cover - makes it a generator


def app_on(
    model: ReadModel,
    freshness: list[Freshness],
    *,
    origins: tuple[str, ...],
    base_path: str = "",
    now_ms: int = NOW_MS,
    desk: SwitchDesk | None = None,
    commands: CommandDesk | None = None,
) -> Any:
    clock = ManualClock(wall_ms=now_ms, boot_s=1_000.0)
    door = Door(freshness=lambda: freshness[-1], clock=clock, origins=origins)
    desk = desk or SwitchDesk(Table(), model, no_door)
    commands = commands or CommandDesk(no_door)
    return application(model, freshness=lambda: freshness[-1], clock=clock, door=door, desk=desk, commands=commands, base_path=base_path)


def executions(count: int, *, first: int = 0) -> list[LedgerEntry]:
    """So many executions, each begun a millisecond after the one before: int-0, int-1, …"""
    return [replace(started(at_ms=START_MS + at), action_intent_id=f"int-{at}", entry_id=f"{at:064}") for at in range(first, first + count)]
