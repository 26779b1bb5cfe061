"""In front of every request: log it, find out whose it is, and let it go wrong if a rule says so."""

import asyncio
import contextlib
from typing import Any, Final
from weakref import WeakSet

import orjson
from aiohttp import web
from aiohttp.typedefs import Handler

from connectors.sandbox.crm.oauth import OAuth
from connectors.sandbox.crm.objects import SalesforceError
from connectors.sandbox.modes import Asked, Behaviour, Modes, Rule
from connectors.sandbox.odd_answers import broken_json, huge, redirect
from connectors.sandbox.store import Receipt, Store
from connectors.sandbox.tool_names import tool_of
from connectors.sandbox.tools import FIRE_PATH

RECEIPT: Final[web.RequestKey[Receipt]] = web.RequestKey("receipt", Receipt)
TENANT: Final[web.RequestKey[str]] = web.RequestKey("tenant", str)
WRITES: Final = frozenset({"POST", "PATCH", "PUT", "DELETE"})


def receipt_of(request: web.Request) -> Receipt:
    """The log entry of this request."""
    return request[RECEIPT]


def error_answer(error: SalesforceError) -> web.Response:
    """The answer that an error stands for."""
    return web.Response(body=orjson.dumps(error.body()), status=error.status, content_type="application/json", charset="UTF-8")


class Reception:
    """The middleware of the sandbox's server."""

    def __init__(self, store: Store, modes: Modes, oauth: OAuth) -> None:
        self._store = store
        self._modes = modes
        self._oauth = oauth
        self._closing = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._in_hand = 0
        self._transports: WeakSet[asyncio.Transport] = WeakSet()

    async def close(self) -> None:
        """Let go of what hangs, wait until no request is in hand (also of clients that are gone), and drop connections."""
        self._closing.set()
        await self._idle.wait()
        for transport in list(self._transports):
            transport.abort()  # a TLS connection would wait long for its peer's farewell
        await asyncio.sleep(0)

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Log, authenticate, misbehave, answer; an answer waits for the commit of what it says."""
        self._in_hand += 1
        self._idle.clear()
        if request.transport is not None:
            self._transports.add(request.transport)
        try:
            return await self._received(request, handler)
        finally:
            self._in_hand -= 1
            if not self._in_hand:
                self._idle.set()

    async def _received(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        kind = _kind(request)
        if kind is None:
            try:
                answer = await handler(request)
            except SalesforceError as error:
                answer = error_answer(error)
            await self._store.settled()
            return answer
        tenant = self._oauth.tenant_of(request.headers.get("Authorization", ""))
        receipt = self._store.add_receipt(
            kind=kind,
            method=request.method,
            path=request.path,
            tenant=tenant,
            attempt=request.headers.get("X-Enact-Attempt"),
            key=request.headers.get("Idempotency-Key"),
        )
        request[RECEIPT] = receipt
        asked = Asked(
            kind=kind,
            method=request.method,
            tenant=tenant,
            object_type=_object_type(request),
            tool=tool_of(request.method, request.path),
            subject=await _subject(request, kind),
        )
        rule = self._modes.take(asked)
        answered: web.StreamResponse | None = None
        try:
            answered = await self._answer(request, handler, kind, tenant, rule)
        finally:
            status = answered.status if answered is not None else None
            self._store.end_receipt(receipt, status=status, mode=rule.behaviour if rule is not None else None)
        await self._store.settled()
        if answered is not None:
            return answered
        if request.transport is not None:
            request.transport.abort()
        return web.Response(status=500)  # goes nowhere: the connection is gone

    async def _answer(
        self, request: web.Request, handler: Handler, kind: str, tenant: str | None, rule: Rule | None
    ) -> web.StreamResponse | None:
        """The answer, or None for a connection that is to be dropped."""
        try:
            if kind != "token":
                if tenant is None:
                    raise SalesforceError(401, "INVALID_SESSION_ID", "Session expired or invalid")
                request[TENANT] = tenant
            match rule.behaviour if rule is not None else None:
                case None:
                    return await handler(request)
                case Behaviour.DROP_BEFORE:
                    return None
                case Behaviour.HANG_BEFORE | Behaviour.SLOW as behaviour:
                    await self._hang(_rule(rule))
                    return await handler(request) if behaviour is Behaviour.SLOW else None
                case Behaviour.REDIRECT:
                    return redirect(request, _rule(rule))
                case Behaviour.HUGE | Behaviour.BROKEN_JSON as behaviour:
                    answer = await handler(request)
                    if answer.status >= 300 or not isinstance(answer, web.Response):
                        return answer
                    return huge(answer, _rule(rule).size_bytes) if behaviour is Behaviour.HUGE else broken_json(answer)
                case Behaviour.FAIL_BEFORE | Behaviour.THROTTLE | Behaviour.REJECT:
                    return _failure(_rule(rule))
                case Behaviour.FAIL_AFTER | Behaviour.HANG_AFTER | Behaviour.DROP_AFTER as behaviour:
                    answer = await handler(request)
                    if behaviour is Behaviour.HANG_AFTER:
                        await self._hang(_rule(rule))
                    if behaviour is not Behaviour.FAIL_AFTER:
                        return None
                    return _failure(_rule(rule)) if answer.status < 400 else answer
        except SalesforceError as error:
            return error_answer(error)
        except web.HTTPException as error:
            code = {404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED"}.get(error.status, "UNKNOWN_EXCEPTION")
            return error_answer(SalesforceError(error.status, code, "The requested resource does not exist or does not take this method"))

    async def _hang(self, rule: Rule) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._closing.wait(), rule.hang_s)


def _rule(rule: Rule | None) -> Rule:
    if rule is None:
        raise TypeError("A behaviour comes from a rule.")
    return rule


def _failure(rule: Rule) -> web.Response:
    status, code = rule.status_and_code()
    answer = error_answer(SalesforceError(status, code, "The sandbox was told to answer so"))
    if rule.behaviour is Behaviour.THROTTLE:
        answer.headers["Retry-After"] = str(rule.retry_after_s)
    return answer


def _kind(request: web.Request) -> str | None:
    """`token`, `read` or `write` for what a client of the systems sends; None for the admin and for pages."""
    path = request.path
    if path == "/services/oauth2/token":
        return "token"
    if path.rstrip("/") == "/services/data" or not path.startswith(("/services/", FIRE_PATH)):
        return None
    return "write" if request.method in WRITES else "read"


def _object_type(request: web.Request) -> str | None:
    if request.path.startswith(FIRE_PATH):
        return "Fire"
    return request.match_info.get("object")


async def _subject(request: web.Request, kind: str) -> str:
    if kind != "write" or not request.can_read_body:
        return ""
    try:
        body: Any = orjson.loads(await request.read())
    except orjson.JSONDecodeError:
        return ""
    found = (body.get("Subject") or body.get("label") or body.get("Name")) if isinstance(body, dict) else None
    return found if isinstance(found, str) else ""
