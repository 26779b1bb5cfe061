"""The whole HTTP application: the declared routes behind the door, under one base path."""

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from enact.clock import Clock
from services.api.bodies import as_json
from services.api.command_desk import CommandDesk
from services.api.door import Door, Handler
from services.api.follower import Freshness
from services.api.openapi import DOCUMENT_PATH, document
from services.api.parameters import RequestError, checked_query
from services.api.read_model import ReadModel
from services.api.routes import ROUTES, Answers, Asked, Route, answer_of
from services.api.switch_desk import SwitchDesk

MAX_BODY_BYTES = 65_536


def application(
    model: ReadModel,
    *,
    freshness: Callable[[], Freshness],
    clock: Clock,
    door: Door,
    desk: SwitchDesk,
    commands: CommandDesk,
    base_path: str = "",
) -> web.Application:
    """`base_path` stands in front of every route: "" or "/enact"."""
    answers = Answers(model, freshness, clock, desk, commands)
    app = web.Application(middlewares=[_middleware(door)], client_max_size=MAX_BODY_BYTES)
    for route in ROUTES:
        path, handler = f"{base_path}{_pattern(route.path)}", _handler(route, answers.handler(route))
        # A GET answers HEAD too.
        _ = app.router.add_get(path, handler) if route.method == "GET" else app.router.add_route(route.method, path, handler)
    described = as_json(document(ROUTES, base_path=base_path))

    async def openapi(request: web.Request) -> web.Response:
        checked_query(request.query, ())
        return web.Response(body=described, content_type="application/json", charset="utf-8")

    app.router.add_get(f"{base_path}{DOCUMENT_PATH}", openapi)
    return app


def _handler(route: Route, answer: Callable[[Asked], Awaitable[Any]]) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(request: web.Request) -> web.Response:
        query = checked_query(request.query, route.queries)
        if route.order is not None:
            _refuse_foreign_page(request)
        body = await request.read() if route.order is not None else b""
        return answer_of(await answer(Asked(dict(request.match_info), request.headers, query, body)))

    return handle


def _refuse_foreign_page(request: web.Request) -> None:
    """A page of another site may read what it is let read, and orders nothing: browsers say where a page comes from.

    Raises: RequestError 403.
    """
    origin = request.headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc != request.host:
        raise RequestError(403, "Forbidden", "Orders are not taken from a page of another site.")


def _middleware(door: Door) -> Any:
    @web.middleware
    async def pass_through(request: web.Request, handler: Handler) -> web.StreamResponse:
        return await door.pass_through(request, handler)

    return pass_through


def _pattern(path: str) -> str:
    """A part of the path may be empty, so that what is missing is named instead of "no such route"."""
    return path.replace("}", ":[^{}/]*}")
