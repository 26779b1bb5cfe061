"""The routes, declared once: what is asked for, by which parameters, and what is answered."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any

from aiohttp import web
from msgspec import Struct

from enact.clock import Clock
from enact.errors import ValidationError
from enact.ids import is_id
from enact.log import get_logger
from enact.records import LedgerEntry
from enact.records.codec import decode
from services.api.bodies import Execution, ExecutionPage, LedgerView, as_json, execution_body, ledger_line
from services.api.command_bodies import CancelOrder, CommandDone, RedriveOrder, ResolveOrder
from services.api.command_desk import CommandDesk
from services.api.cursor import Place, Question, cursor_text, place_in
from services.api.fold import ExecutionRow
from services.api.follower import Freshness
from services.api.parameters import (
    ACCOUNT_ID,
    CURSOR,
    LIMIT,
    STATUS,
    Given,
    Query,
    RequestError,
    account_of,
    bad_request,
    checked_account,
    intent_id_of,
    limit_of,
    order_of,
    statuses_of,
    tenant_of,
    unknown_execution,
)
from services.api.read_model import ReadModel
from services.api.switch_bodies import ScopeState, SwitchDone, SwitchList, SwitchOrder
from services.api.switch_desk import SwitchDesk
from services.api.timeline import Timeline, timeline_body

_log = get_logger("api")

EXECUTION_PREFIX = "exec-"
RETRY_AFTER_S = 2


class Asked(Struct, frozen=True):
    """A request as a handler sees it: path, headers, and a query whose names have been checked."""

    path: dict[str, str]
    headers: Given
    query: dict[str, list[str]]
    body: bytes = b""


class Route(Struct, frozen=True, kw_only=True):
    """One route. `answer`: the class of the body; `operation`: its name in the documentation and the method that answers.

    `order`: the class, or union of classes, of what is sent along. `is_for_tenant`: a tenant asks, by its header.
    """

    path: str
    operation: str
    summary: str
    answer: type
    queries: tuple[Query, ...] = ()
    method: str = "GET"
    order: Any = None
    is_for_tenant: bool = True


_ONE = (ACCOUNT_ID,)
ROUTES: tuple[Route, ...] = (
    Route(
        path="/executions/{action_intent_id}/status",
        operation="status",
        summary="How one execution stands. Takes the intent's id, or exec-<id>.",
        answer=Execution,
        queries=_ONE,
    ),
    Route(
        path="/actions/{action_intent_id}/status",
        operation="status",
        summary="The same under its old name.",
        answer=Execution,
        queries=_ONE,
    ),
    Route(
        path="/executions/{action_intent_id}/timeline",
        operation="timeline",
        summary="From decision to outcome, in plain words.",
        answer=Timeline,
        queries=_ONE,
    ),
    Route(
        path="/executions/{action_intent_id}/ledger",
        operation="ledger",
        summary="The operator's view: every ledger entry, with its place.",
        answer=LedgerView,
        queries=_ONE,
    ),
    Route(
        path="/accounts/{account_id}/executions",
        operation="executions",
        summary="The executions of an account, newest first, page by page.",
        answer=ExecutionPage,
        queries=(STATUS, LIMIT, CURSOR),
    ),
    Route(
        path="/executions/{action_intent_id}/cancel",
        operation="cancel",
        summary="Ask that nothing (more) is done. 202: it is in the log, and counts as soon as it is read there.",
        answer=CommandDone,
        queries=_ONE,
        method="POST",
        order=CancelOrder,
    ),
    Route(
        path="/executions/{action_intent_id}/resolve",
        operation="resolve",
        summary="End a doubt: say what was found in the other system. Evidence that it was done counts at any time.",
        answer=CommandDone,
        queries=_ONE,
        method="POST",
        order=ResolveOrder,
    ),
    Route(
        path="/executions/{action_intent_id}/redrive",
        operation="redrive",
        summary="Let an execution that ended without effect run again.",
        answer=CommandDone,
        queries=_ONE,
        method="POST",
        order=RedriveOrder,
    ),
    Route(
        path="/switches",
        operation="switches",
        summary="Everything that is stopped: since when, by whom and why.",
        answer=SwitchList,
        is_for_tenant=False,
    ),
    Route(
        path="/switches/{scope}",
        operation="switch",
        summary="One scope: whether it is stopped, and what is held, in flight and in doubt there.",
        answer=ScopeState,
        is_for_tenant=False,
    ),
    Route(
        path="/switches/{scope}",
        operation="order_switch",
        summary="Engage a scope, or release an engagement. Once a stop is answered, no call starts later than two seconds after.",
        answer=SwitchDone,
        method="PUT",
        order=SwitchOrder,
        is_for_tenant=False,
    ),
)


class Answers:
    """Answers questions from the read model. Queries run on threads; the event loop never waits for SQL."""

    def __init__(self, model: ReadModel, freshness: Callable[[], Freshness], clock: Clock, desk: SwitchDesk, commands: CommandDesk) -> None:
        self._model = model
        self._commands = commands
        self._desk = desk
        self._freshness = freshness
        self._clock = clock

    def handler(self, route: Route) -> Callable[[Asked], Awaitable[Any]]:
        """The method that answers a route."""
        handlers: dict[str, Callable[[Asked], Awaitable[Any]]] = {
            "status": self.status,
            "timeline": self.timeline,
            "ledger": self.ledger,
            "executions": self.executions,
            "cancel": self.cancel,
            "resolve": self.resolve,
            "redrive": self.redrive,
            "switches": self.switches,
            "switch": self.switch,
            "order_switch": self.order_switch,
        }
        return handlers[route.operation]

    async def status(self, asked: Asked) -> Execution:
        """One execution. 404 for an unknown id, also for another tenant's or account's."""
        return execution_body(await self._row(asked), self._clock.wall_ms())

    async def timeline(self, asked: Asked) -> Timeline:
        """The seller's view: decision → approval → execution → outcome."""
        row = await self._row(asked)
        return timeline_body(row, [entry for entry, _ in await self._entries(row)], self._clock.wall_ms())

    async def ledger(self, asked: Asked) -> LedgerView:
        """The operator's view: every entry, in the order of the ledger."""
        row = await self._row(asked)
        told = [ledger_line(entry, offset) for entry, offset in await self._entries(row)]
        return LedgerView(execution=execution_body(row, self._clock.wall_ms()), entries=told)

    async def executions(self, asked: Asked) -> ExecutionPage:
        """The executions of an account, newest first."""
        tenant = tenant_of(asked.headers)
        account = checked_account(asked.path["account_id"])
        limit, statuses = limit_of(asked.query), statuses_of(asked.query)
        question = Question(tenant, account, statuses)
        before = _place(question, asked.query.get(CURSOR.name))
        rows = await asyncio.to_thread(self._model.executions, tenant, account, statuses=statuses, limit=limit + 1, before=before)
        page, now_ms = rows[:limit], self._clock.wall_ms()
        last = Place(page[-1].created_at, page[-1].action_intent_id) if len(rows) > limit else None
        return ExecutionPage(
            executions=[execution_body(row, now_ms) for row in page],
            next_cursor=cursor_text(question, last) if last is not None else None,
        )

    async def cancel(self, asked: Asked) -> CommandDone:
        """Ask that nothing (more) is done."""
        return await self._commands.cancel(*_execution_of(asked), order_of(asked.body, CancelOrder))

    async def resolve(self, asked: Asked) -> CommandDone:
        """End a doubt."""
        return await self._commands.resolve(*_execution_of(asked), order_of(asked.body, ResolveOrder))

    async def redrive(self, asked: Asked) -> CommandDone:
        """Let it run again."""
        return await self._commands.redrive(*_execution_of(asked), order_of(asked.body, RedriveOrder))

    async def switches(self, asked: Asked) -> SwitchList:
        """Everything that is stopped."""
        del asked
        return self._desk.everything()

    async def switch(self, asked: Asked) -> ScopeState:
        """One scope."""
        return await self._desk.one(asked.path["scope"])

    async def order_switch(self, asked: Asked) -> SwitchDone:
        """Engage or release."""
        return await self._desk.order(asked.path["scope"], order_of(asked.body, SwitchOrder))

    async def _row(self, asked: Asked) -> ExecutionRow:
        intent_id = intent_id_of(asked.path)
        tenant = tenant_of(asked.headers)
        account = account_of(asked.query)
        row = await asyncio.to_thread(self._model.execution, tenant, intent_id)
        if row is None and intent_id.startswith(EXECUTION_PREFIX):
            row = await asyncio.to_thread(self._model.execution, tenant, intent_id.removeprefix(EXECUTION_PREFIX))
        if row is not None and row.account_id == account:
            return row
        if row is None and self._freshness().as_of_s is None:
            message = "The read model is being built from the ledger and does not know this id yet. Try again in a few seconds."
            raise RequestError(503, "Service unavailable", message)
        raise unknown_execution()

    async def _entries(self, row: ExecutionRow) -> list[tuple[LedgerEntry, int]]:
        stored = await asyncio.to_thread(self._model.entries, row.tenant_id, row.action_intent_id)
        told: list[tuple[LedgerEntry, int]] = []
        for one in stored:
            # The fold read the part it needs; an entry whose other texts are damaged must not hide the rest.
            with suppress(ValidationError):
                told.append((decode(LedgerEntry, one.value), one.offset))
        if len(told) < len(stored):
            _log.error("ledger_entry_left_out", action_intent_id=row.action_intent_id, count=len(stored) - len(told))
        return told


def _execution_of(asked: Asked) -> tuple[str, str, str]:
    """Tenant, account and id that an order is about. Raises: RequestError 400; 404 for what can be no id."""
    intent_id, tenant, account = intent_id_of(asked.path), tenant_of(asked.headers), account_of(asked.query)
    if not is_id(intent_id):
        raise unknown_execution()
    return tenant, account, intent_id


def answer_of(body: Any) -> web.Response:
    """200 with the JSON of a body; 202 for an order that is recorded and not answered yet."""
    is_recorded = isinstance(body, CommandDone) and body.answer == "RECORDED"
    return web.Response(status=202 if is_recorded else 200, body=as_json(body), content_type="application/json", charset="utf-8")


def _place(question: Question, given: Sequence[str] | None) -> tuple[int, str] | None:
    if given is None:
        return None
    place = place_in(question, given[0])
    if place is None:
        raise bad_request(
            "cursor is not one that this api gave for this question: take it unchanged from next_cursor of the page before, "
            "and ask for the same tenant, account and statuses."
        )
    return place.created_at, place.action_intent_id
