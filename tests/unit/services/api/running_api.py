"""A running application on a read model of its own, and questions to it."""

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from enact.clock import ManualClock
from enact.records import LedgerEntry
from enact.records.codec import encode
from services.api.application import application
from services.api.door import Door
from services.api.entry_view import view_of
from services.api.follower import Freshness
from services.api.ledger_writer import Arrived
from services.api.read_model import ReadModel
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


def app_on(model: ReadModel, freshness: list[Freshness], *, origins: tuple[str, ...], base_path: str = "", now_ms: int = NOW_MS) -> Any:
    clock = ManualClock(wall_ms=now_ms, boot_s=1_000.0)
    door = Door(freshness=lambda: freshness[-1], clock=clock, origins=origins)
    return application(model, freshness=lambda: freshness[-1], clock=clock, door=door, base_path=base_path)


def executions(count: int, *, first: int = 0) -> list[LedgerEntry]:
    """So many executions, each begun a millisecond after the one before: int-0, int-1, …"""
    return [replace(started(at_ms=START_MS + at), action_intent_id=f"int-{at}", entry_id=f"{at:064}") for at in range(first, first + count)]
