"""Answers through the door even what is no HTTP request: the library's own words would name it, in another shape."""

import asyncio

from aiohttp import web

from enact.log import get_logger
from services.api.door import Door, problem

_log = get_logger("api")


class DoorProtocol(web.RequestHandler):
    """The library's protocol, with the door's answer to what it cannot parse."""

    __slots__ = ("_door",)

    def __init__(self, server: web.Server, door: Door, *, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(server, loop=loop, access_log=None)  # type: ignore[arg-type]  # None = no access log, as AppRunner hands it
        self._door = door

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """What is answered when there is no handler to answer."""
        _log.warning("request_unreadable" if status < 500 else "request_failed", exc, method=request.method)
        if request.writer.output_size > 0:
            raise ConnectionError("an answer has begun already")
        told = "This is not a request that HTTP/1.1 allows." if status < 500 else "Internal server error"
        answer = problem(status, "Bad request" if status < 500 else told, told, request.path)
        answer.force_close()
        return self._door.dress(answer, request.headers)
