"""The whole HTTP application: the declared routes behind the door, under one base path."""

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from enact.clock import Clock
from services.api.bodies import as_json
from services.api.door import Door, Handler
from services.api.follower import Freshness
from services.api.openapi import DOCUMENT_PATH, document
from services.api.parameters import checked_query
from services.api.read_model import ReadModel
from services.api.routes import ROUTES, Answers, Asked, Route, answer_of


def application(model: ReadModel, *, freshness: Callable[[], Freshness], clock: Clock, door: Door, base_path: str = "") -> web.Application:
    """`base_path` stands in front of every route: "" or "/enact"."""
    answers = Answers(model, freshness, clock)
    app = web.Application(middlewares=[_middleware(door)])
    for route in ROUTES:
        app.router.add_get(f"{base_path}{_pattern(route.path)}", _handler(route, answers.handler(route)))
    described = as_json(document(ROUTES, base_path=base_path))

    async def openapi(request: web.Request) -> web.Response:
        checked_query(request.query, ())
        return web.Response(body=described, content_type="application/json", charset="utf-8")

    app.router.add_get(f"{base_path}{DOCUMENT_PATH}", openapi)
    return app


def _handler(route: Route, answer: Callable[[Asked], Awaitable[Any]]) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(request: web.Request) -> web.Response:
        query = checked_query(request.query, route.queries)
        return answer_of(await answer(Asked(dict(request.match_info), request.headers, query)))

    return handle


def _middleware(door: Door) -> Any:
    @web.middleware
    async def pass_through(request: web.Request, handler: Handler) -> web.StreamResponse:
        return await door.pass_through(request, handler)

    return pass_through


def _pattern(path: str) -> str:
    """A part of the path may be empty, so that what is missing is named instead of "no such route"."""
    return path.replace("}", ":[^{}/]*}")
