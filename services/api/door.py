"""Everything passes here: the log line, errors in one shape, CORS, and how old an answer may be."""

from collections.abc import Awaitable, Callable, Mapping, Sequence

from aiohttp import web
from msgspec import UNSET

from enact.clock import Clock
from enact.log import get_logger
from services.api.bodies import Problem, as_json
from services.api.follower import Freshness
from services.api.parameters import RequestError
from services.api.routes import RETRY_AFTER_S

_log = get_logger("api")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
STALENESS_HEADER = "X-Enact-Staleness-Ms"
_CORS = {
    "Access-Control-Allow-Headers": "Content-Type,X-Amz-Date,Authorization,X-Api-Key,X-Tenant-Id",
    "Access-Control-Allow-Methods": "GET,OPTIONS",
    "Access-Control-Expose-Headers": STALENESS_HEADER,
}
_ANY = "*"
_INTERNAL = "Internal server error"
_MAX_LOGGED_PATH = 200


class Door:
    """What every answer gets, also one to something that is no HTTP request. A header that an answer has already stays."""

    def __init__(self, *, freshness: Callable[[], Freshness], clock: Clock, origins: Sequence[str]) -> None:
        """`origins` may be called from by browsers; none = the header is left out, `*` = any."""
        self._freshness = freshness
        self._clock = clock
        self._origins = tuple(origins)

    def dress(self, response: web.StreamResponse, headers: Mapping[str, str]) -> web.StreamResponse:
        """Add what every answer has. `headers` are those of the request."""
        staleness_ms = self._freshness().staleness_ms(self._clock.boot_s())
        given = {
            "Server": "enact",
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
            STALENESS_HEADER: "unknown" if staleness_ms is None else str(staleness_ms),
            **_CORS,
            **self._origin(headers.get("Origin")),
        }
        for name, value in given.items():
            response.headers.setdefault(name, value)
        return response

    def _origin(self, asking: str | None) -> dict[str, str]:
        if not self._origins:
            return {}
        if len(self._origins) == 1:
            return {"Access-Control-Allow-Origin": self._origins[0]}
        allowed = {"Access-Control-Allow-Origin": asking} if asking in self._origins and asking is not None else {}
        return {"Vary": "Origin", **allowed}

    async def pass_through(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """The middleware."""
        return self.dress(await _answer(request, handler), request.headers)


async def _answer(request: web.Request, handler: Handler) -> web.StreamResponse:
    resource = request.match_info.route.resource
    route = resource.canonical if resource is not None else "unknown"
    _log.info("request", method=request.method, route=route)
    if request.method == "OPTIONS":
        return web.Response(status=200)
    try:
        return await handler(request)
    except RequestError as refusal:
        wait = {"Retry-After": str(RETRY_AFTER_S)} if refusal.http_status == 503 else None
        return problem(
            refusal.http_status, refusal.error, refusal.message, request.path, headers=wait, provided=refusal.extra.get("provided")
        )
    except web.HTTPNotFound:
        _log.warning("unknown_route", method=request.method, route=route, url=request.path[:_MAX_LOGGED_PATH])
        message = "There is no such route. /openapi.json lists those there are."
        return problem(404, "Not found", message, request.path)
    except web.HTTPMethodNotAllowed as refusal:
        allowed = {"Allow": ",".join(sorted({*refusal.allowed_methods, "OPTIONS"}))}
        usable = " or ".join(sorted(refusal.allowed_methods - {"HEAD"}))
        message = f"{request.method} is not answered here; ask with {usable}."
        return problem(405, "Method not allowed", message, request.path, headers=allowed)
    except web.HTTPException as refusal:
        return problem(refusal.status, refusal.reason, refusal.reason, request.path)
    except Exception as error:  # noqa: BLE001 - the one door of this process: nothing internal leaves it
        intent_id = request.match_info.get("action_intent_id")
        _log.error("request_failed", error, method=request.method, route=route, action_intent_id=intent_id)
        return problem(500, _INTERNAL, _INTERNAL, request.path)


def problem(
    http_status: int, error: str, message: str, path: str, *, headers: Mapping[str, str] | None = None, provided: str | None = None
) -> web.Response:
    """An answer that says why there is none."""
    body = Problem(error=error, message=message, path=path, provided=UNSET if provided is None else provided)
    return web.Response(status=http_status, body=as_json(body), content_type="application/problem+json", charset="utf-8", headers=headers)
