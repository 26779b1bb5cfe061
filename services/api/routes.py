"""The HTTP side of api: routes, errors as one JSON shape, CORS and staleness on every answer."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from aiohttp import web

from enact.clock import Clock
from enact.log import get_logger
from enact.records import LedgerEntry
from enact.records.codec import decode
from services.api.bodies import Body, execution_body, ledger_body
from services.api.fold import ExecutionRow
from services.api.follower import Freshness
from services.api.read_model import ReadModel
from services.api.requests import RequestError, account_of, cursor_of, cursor_text, limit_of, statuses_of, tenant_of, unknown_execution
from services.api.timeline import timeline_body

_log = get_logger("api")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_CORS = {
    "Access-Control-Allow-Headers": "Content-Type,X-Amz-Date,Authorization,X-Api-Key,X-Tenant-Id",
    "Access-Control-Allow-Methods": "GET,OPTIONS",
}
_EXECUTION_PREFIX = "exec-"
_INTERNAL = "Internal server error"


class Answers:
    """Answers questions from the read model. Queries run on threads; the event loop never waits for SQL."""

    def __init__(self, model: ReadModel, freshness: Callable[[], Freshness]) -> None:
        self._model = model
        self._freshness = freshness

    async def status(self, request: web.Request) -> web.Response:
        """One execution. 404 for an unknown id, also for another tenant's or account's."""
        row = await self._row(request)
        return _json(execution_body(row))

    async def timeline(self, request: web.Request) -> web.Response:
        """The seller's view: decision → approval → execution → outcome."""
        row = await self._row(request)
        return _json(timeline_body(row, [entry for entry, _ in await self._entries(row)]))

    async def ledger(self, request: web.Request) -> web.Response:
        """The operator's view: every entry, in the order of the ledger."""
        row = await self._row(request)
        told = [ledger_body(entry, offset) for entry, offset in await self._entries(row)]
        return _json({"execution": execution_body(row), "entries": told})

    async def executions(self, request: web.Request) -> web.Response:
        """The executions of an account, newest first."""
        tenant = tenant_of(request.headers)
        limit = limit_of(request.query)
        statuses = statuses_of(request.query.getall("status", []))
        before = cursor_of(request.query)
        account = request.match_info["account_id"]
        rows = await asyncio.to_thread(self._model.executions, tenant, account, statuses=statuses, limit=limit + 1, before=before)
        page = rows[:limit]
        has_more = len(rows) > limit
        body = {
            "executions": [execution_body(row) for row in page],
            "next_cursor": cursor_text(page[-1].created_at, page[-1].action_intent_id) if has_more else None,
        }
        return _json(body)

    async def _row(self, request: web.Request) -> ExecutionRow:
        tenant = tenant_of(request.headers)
        account = account_of(request.query)
        intent_id = request.match_info["action_intent_id"]
        row = await asyncio.to_thread(self._model.execution, tenant, intent_id)
        if row is None and intent_id.startswith(_EXECUTION_PREFIX):
            row = await asyncio.to_thread(self._model.execution, tenant, intent_id.removeprefix(_EXECUTION_PREFIX))
        if row is not None and row.account_id == account:
            return row
        if row is None and self._freshness().as_of_s is None:
            message = "The read model is being built from the ledger and does not know this id yet. Try again in a few seconds."
            raise RequestError(503, "Service unavailable", message)
        raise unknown_execution()

    async def _entries(self, row: ExecutionRow) -> list[tuple[LedgerEntry, int]]:
        stored = await asyncio.to_thread(self._model.entries, row.tenant_id, row.action_intent_id)
        return [(decode(LedgerEntry, one.value), one.offset) for one in stored]


def application(model: ReadModel, *, freshness: Callable[[], Freshness], clock: Clock, allowed_origin: str | None) -> web.Application:
    """The whole HTTP application. `allowed_origin` None leaves the origin header out."""
    answers = Answers(model, freshness)
    app = web.Application(middlewares=[_door(freshness, clock, allowed_origin)])
    app.router.add_get("/executions/{action_intent_id}/status", answers.status)
    app.router.add_get("/actions/{action_intent_id}/status", answers.status)
    app.router.add_get("/executions/{action_intent_id}/timeline", answers.timeline)
    app.router.add_get("/executions/{action_intent_id}/ledger", answers.ledger)
    app.router.add_get("/accounts/{account_id}/executions", answers.executions)
    return app


def _door(freshness: Callable[[], Freshness], clock: Clock, allowed_origin: str | None) -> Any:
    """Everything passes here: log, errors in one shape, CORS, how old the answer may be."""

    @web.middleware
    async def door(request: web.Request, handler: Handler) -> web.StreamResponse:
        response = await _answer(request, handler)
        defaults = {"Server": "enact", **_CORS}
        if allowed_origin is not None:
            defaults["Access-Control-Allow-Origin"] = allowed_origin
        staleness_ms = freshness().staleness_ms(clock.boot_s())
        defaults["X-Enact-Staleness-Ms"] = "unknown" if staleness_ms is None else str(staleness_ms)
        for name, value in defaults.items():
            response.headers.setdefault(name, value)
        return response

    return door


async def _answer(request: web.Request, handler: Handler) -> web.StreamResponse:
    resource = request.match_info.route.resource
    route = resource.canonical if resource is not None else "unknown"
    _log.info("request", method=request.method, route=route)
    if request.method == "OPTIONS":
        return web.Response(status=200)
    try:
        return await handler(request)
    except RequestError as refusal:
        return _error(request, refusal.http_status, refusal.error, refusal.message, **refusal.extra)
    except web.HTTPNotFound:
        _log.warning("unknown_route", method=request.method, route=route)
        return _error(request, 404, "Not found", "There is no such route. See the list of routes in the documentation.")
    except web.HTTPMethodNotAllowed as refusal:
        allowed = {"Allow": ",".join(sorted(refusal.allowed_methods))}
        return _error(request, 405, "Method not allowed", f"{request.method} is not answered here.", headers=allowed)
    except web.HTTPException as refusal:
        return _error(request, refusal.status, refusal.reason, refusal.reason)
    except Exception as error:  # noqa: BLE001 - the one door of this process: nothing internal leaves it
        intent_id = request.match_info.get("action_intent_id")
        _log.error("request_failed", error, method=request.method, route=route, action_intent_id=intent_id)
        return _error(request, 500, _INTERNAL, _INTERNAL)


def _json(body: Body) -> web.Response:
    return web.Response(body=orjson.dumps(body), content_type="application/json", charset="utf-8")


def _error(
    request: web.Request, http_status: int, error: str, message: str, *, headers: dict[str, str] | None = None, **extra: Any
) -> web.Response:
    body = {"error": error, "message": message, "path": request.path, **extra}
    return web.Response(
        status=http_status, body=orjson.dumps(body), content_type="application/problem+json", charset="utf-8", headers=headers
    )
