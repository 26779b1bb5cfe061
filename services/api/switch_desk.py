"""What the api tells of switches and does to them. An order is one record; whoever reads the topic obeys it.

A stop holds from its acknowledgement on. What can be told about it comes after that, and may be missing.
"""

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

from enact.command_door import CommandDoor
from enact.commands import CommandRefusedError
from enact.errors import EnactError
from enact.log import get_logger
from enact.records import Switch, SwitchMode, SwitchState
from enact.switch_commands import SwitchCommands, checked_scope, is_named
from enact.switch_view import Engagement
from services.api.parameters import RequestError, bad_request
from services.api.read_model import ReadModel
from services.api.switch_bodies import (
    Affected,
    Engage,
    ScopeState,
    SwitchDone,
    SwitchList,
    SwitchOrder,
    affected_of,
    engaged_line,
    switch_line,
)

_MS_PER_S = 1_000
_MAX_AGE_S = 60.0

_log = get_logger("api")

OpenDoor = Callable[[str], AbstractContextManager[CommandDoor]]
"""A cluster for one order of the actor named; closed afterwards."""


class Engagements(Protocol):
    """What is engaged, and how old that may be: `enact.switch_table.SwitchTable`."""

    @property
    def engagements(self) -> tuple[Engagement, ...]:
        """Everything engaged."""

    @property
    def age_s(self) -> float:
        """Seconds; infinite before the topic was read."""


class SwitchDesk:
    """Answers and takes orders about switches; everything that waits does so on a thread."""

    def __init__(self, table: Engagements, model: ReadModel, open_door: OpenDoor, *, takes_orders: bool = True) -> None:
        self._table, self._model, self._open_door, self._takes_orders = table, model, open_door, takes_orders

    def everything(self) -> SwitchList:
        """What is stopped. Raises: RequestError 503 while the topic cannot be read."""
        age_ms = self._age_ms()
        return SwitchList(switches=[engaged_line(one) for one in self._table.engagements], age_ms=age_ms)

    async def one(self, text: str) -> ScopeState:
        """One scope. Raises: RequestError 400 if it is none, 503 while the topic cannot be read."""
        scope, age_ms = _scope(text), self._age_ms()
        engaged = [engaged_line(one) for one in self._table.engagements if one.scope == scope]
        affected, is_known = await asyncio.to_thread(self._found, scope)
        return ScopeState(scope=scope, is_stopped=bool(engaged), engagements=engaged, affected=affected, is_known=is_known, age_ms=age_ms)

    async def order(self, text: str, order: SwitchOrder) -> SwitchDone:
        """Engage or release.

        Raises: RequestError 400 (no such scope), 403 (orders are not taken), 409 (nothing to release, or
        several and none named), 503 (not acknowledged; the sentence says what holds).
        """
        scope = _scope(text)
        if not self._takes_orders:
            raise RequestError(403, "Forbidden", "In production nobody's name is proven to this api yet: give the order with enact switch.")
        return await asyncio.to_thread(self._do, scope, order)

    def _do(self, scope: str, order: SwitchOrder) -> SwitchDone:
        before = {one.engagement_id: engaged_line(one) for one in self._table.engagements if one.scope == scope}
        try:
            with self._open_door(f"api:{order.actor}") as door:
                changed = _given(SwitchCommands(door), scope, order)
                is_named_there = is_named(door, scope) if isinstance(order, Engage) else None
        except CommandRefusedError as error:
            raise RequestError(409, "Conflict", error.message) from error
        except EnactError as error:
            raise RequestError(503, "Service unavailable", error.message) from error
        lines = {one.engagement_id: switch_line(one) for one in changed}
        left = before | lines if isinstance(order, Engage) else {name: one for name, one in before.items() if name not in lines}
        affected, is_known = self._found_if_possible(scope)
        return SwitchDone(
            scope=scope,
            state=SwitchState.ENGAGED if isinstance(order, Engage) else SwitchState.RELEASED,
            changed=list(lines.values()),
            is_stopped=bool(left),
            engagements=list(left.values()),
            affected=affected,
            is_known=is_known if is_known is not None else is_named_there,
        )

    def _found_if_possible(self, scope: str) -> tuple[Affected | None, bool | None]:
        try:
            return self._found(scope)
        except Exception as error:  # noqa: BLE001 - the order is done: whatever the database says must not look like its failure
            _log.error("switch_affected_unknown", error)
            return None, None

    def _found(self, scope: str) -> tuple[Affected, bool | None]:
        word, _, name = scope.partition(":")
        return affected_of(self._model.affected(scope)), self._model.knows_tenant(name) if word == "tenant" else None

    def _age_ms(self) -> int:
        age_s = self._table.age_s
        if age_s > _MAX_AGE_S:
            raise RequestError(503, "Service unavailable", "The switches cannot be read now. Try again in a few seconds.")
        return round(age_s * _MS_PER_S)


def _given(commands: SwitchCommands, scope: str, order: SwitchOrder) -> list[Switch]:
    if isinstance(order, Engage):
        return [commands.engage(scope, reason=order.reason, mode=SwitchMode(order.mode))]
    return commands.release(scope, reason=order.reason, engagement_id=order.engagement_id, is_all=order.is_all)


def _scope(text: str) -> str:
    try:
        return checked_scope(text)
    except CommandRefusedError as error:
        raise bad_request(error.message) from error
