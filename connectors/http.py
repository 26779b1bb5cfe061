"""The outbound HTTP client: one call of `send` puts a request on the wire at most once.

No retries (aiohttp by itself repeats GET, PUT and DELETE when a kept-alive connection breaks), no redirects, no
proxy environment, no cookies; resolved addresses checked; TLS verified; answers limited in size and time. It
knows whether the first byte was sent, which decides between "not applied" and "nobody can say".
Named tests: `tests/contract/connectors/test_http_once.py`.
"""

import asyncio
import select
import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from weakref import WeakSet

import aiohttp
from aiohttp.abc import AbstractResolver, AbstractStreamWriter, ResolveResult
from yarl import URL

from connectors.outbound_policy import OutboundPolicy
from enact.errors import (
    AmbiguousError,
    AnswerTimeoutError,
    CallRefusedError,
    ConfigurationError,
    RejectedError,
    UnreachableError,
    UnusableAnswerError,
)
from enact.failpoints import Failpoint, hit

MAX_ANSWER_BYTES: Final = 4 * 1024 * 1024
KEEP_ALIVE_S: Final = 10.0
"""Shorter than the idle time-outs of usual servers, so that we close first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """One request. `is_fresh` = on a connection of its own; `last_look` see `connectors.contract.Call`.

    `headers` hold credentials and `body` values: neither is in the repr.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)
    timeout_ms: int
    last_look: Callable[[], None] | None = field(default=None, repr=False)
    is_fresh: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpAnswer:
    """A whole answer; header names in lower case. `is_whole` False only outside 2xx, where the status alone decides."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    is_whole: bool = True


class HttpClient:
    """Sends each request at most once. One instance for a process; everything on one event loop."""

    def __init__(
        self,
        policy: OutboundPolicy,
        *,
        ca_file: Path | None = None,
        connect_timeout_s: float = 5.0,
        max_answer_bytes: int = MAX_ANSWER_BYTES,
    ) -> None:
        self._policy = policy
        self._connect_timeout_s = connect_timeout_s
        self._max_answer_bytes = max_answer_bytes
        self._tls = _tls_context(ca_file)
        self._used: WeakSet[asyncio.BaseProtocol] = WeakSet()
        self._pooled: aiohttp.ClientSession | None = None
        self._fresh: aiohttp.ClientSession | None = None

    async def send(self, request: HttpRequest) -> HttpAnswer:
        """Send once and read the whole answer, whatever its status.

        Raises: CallRefusedError (the last look said no) and UnreachableError, RejectedError (policy): nothing was sent;
        AnswerTimeoutError, AmbiguousError: the first byte was sent and no usable answer came.
        """
        self._policy.check_url(request.url)
        if not request.is_fresh:
            once = _Once(request.last_look, self._used)
            try:
                return await self._send_on(self._session(is_fresh=False), request, once)
            except _StaleConnectionError:
                pass  # nothing was sent: the server had closed the idle connection, a new one takes the request
        return await self._send_on(self._session(is_fresh=True), request, _Once(request.last_look, None))

    async def close(self) -> None:
        """Close both pools."""
        for session in (self._pooled, self._fresh):
            if session is not None:
                await session.close()

    def _session(self, *, is_fresh: bool) -> aiohttp.ClientSession:
        session = self._fresh if is_fresh else self._pooled
        if session is None:
            session = self._new_session(is_fresh=is_fresh)
            if is_fresh:
                self._fresh = session
            else:
                self._pooled = session
        return session

    def _new_session(self, *, is_fresh: bool) -> aiohttp.ClientSession:
        resolver = _CheckedResolver(self._policy)
        if is_fresh:
            connector = aiohttp.TCPConnector(limit=0, resolver=resolver, ssl=self._tls, ttl_dns_cache=10, force_close=True)
        else:  # no limit of our own: the caller's window is the limit, and a queue here would use up its lease
            connector = aiohttp.TCPConnector(limit=0, resolver=resolver, ssl=self._tls, ttl_dns_cache=10, keepalive_timeout=KEEP_ALIVE_S)
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": "enact", "Accept-Encoding": "identity"},
            auto_decompress=False,
            request_class=_OnceRequest,
            trust_env=False,
        )

    async def _send_on(self, session: aiohttp.ClientSession, request: HttpRequest, once: "_Once") -> HttpAnswer:
        timeout = aiohttp.ClientTimeout(
            total=request.timeout_ms / 1000,
            connect=self._connect_timeout_s,
            sock_connect=self._connect_timeout_s,
            ceil_threshold=float("inf"),  # aiohttp rounds longer time-outs up to whole seconds, beyond the claim's lease
        )
        try:
            async with session.request(
                request.method,
                URL(request.url, encoded=True),
                headers=request.headers,
                data=request.body,
                timeout=timeout,
                allow_redirects=False,
                middlewares=(once.middleware,),
            ) as response:
                body, is_whole = await self._read(response)
                headers = {name.lower(): value for name, value in response.headers.items()}
                return HttpAnswer(status=response.status, headers=headers, body=body, is_whole=is_whole)
        except (CallRefusedError, AmbiguousError, _StaleConnectionError):
            raise
        except (TimeoutError, aiohttp.ClientError, _BrokenError, OSError, ValueError) as error:
            raise once.translate(error) from error

    async def _read(self, response: aiohttp.ClientResponse) -> tuple[bytes, bool]:
        body = bytearray()
        try:
            async for chunk in response.content.iter_chunked(65_536):
                body += chunk
                if len(body) > self._max_answer_bytes:
                    response.close()
                    if response.status // 100 == 2:
                        raise UnusableAnswerError(f"The answer is longer than {self._max_answer_bytes} bytes; what was done is not known.")
                    return b"", False
        except (TimeoutError, aiohttp.ClientError, OSError):
            if response.status // 100 == 2:
                raise
            return b"", False
        return bytes(body), True


class _StaleConnectionError(Exception):
    """The pooled connection was closed by the server before we used it; nothing was sent."""


class _BrokenError(Exception):
    """Wraps a broken connection so that aiohttp does not take it for one it may repeat the request on."""


class _Once:
    """What is known about one request: whether it was looked at, refused, sent."""

    def __init__(self, last_look: Callable[[], None] | None, used: WeakSet[asyncio.BaseProtocol] | None) -> None:
        self._last_look = last_look
        self._used = used
        self._is_taken = False
        self.is_sent = False
        self.stop: Exception | None = None

    async def middleware(self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        """Let the request through once. A second pass would be a second receipt."""
        if self._is_taken or not isinstance(request, _OnceRequest):
            raise _BrokenError("The request came by a second time.")
        self._is_taken = True
        request.once = self
        try:
            return await handler(request)
        except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
            raise _BrokenError(type(error).__name__) from error
        finally:
            if self.stop is not None:
                raise self.stop

    def look(self, connection: Any) -> None:
        """Decide, with the connection in hand, whether the first byte goes out; from here on it counts as sent.

        Raises: CallRefusedError, _StaleConnectionError, UnreachableError; then nothing was and nothing will be sent.
        """
        if self.is_sent:
            return
        try:
            transport = connection.transport
            if transport is None or transport.is_closing():
                raise UnreachableError("The connection was closed before the first byte was sent.")
            if self._used is not None:
                protocol = connection.protocol
                if protocol in self._used and _is_readable(transport):
                    raise _StaleConnectionError
                self._used.add(protocol)
            if self._last_look is not None:
                self._last_look()
        except Exception as error:
            self.stop = error
            raise
        self.is_sent = True
        hit(Failpoint.BEFORE_FIRST_BYTE)

    def translate(self, error: Exception) -> Exception:
        """A foreign error in our words, by its type and by whether the first byte was sent."""
        if self.stop is not None:
            return self.stop
        kind = type(error.__cause__ if isinstance(error, _BrokenError) and error.__cause__ is not None else error).__name__
        if self.is_sent:
            if isinstance(error, asyncio.TimeoutError):
                return AnswerTimeoutError()
            return AmbiguousError(f"The connection broke after the request was sent ({kind}); it may have been executed.")
        forbidden = _cause(error, _ForbiddenAddressError)
        if forbidden is not None:
            return RejectedError(str(forbidden))
        return UnreachableError(f"No connection was made, nothing was sent ({kind}).")


class _OnceRequest(aiohttp.ClientRequest):
    """A request that asks its `once` in the same turn of the event loop in which its first byte is written."""

    once: _Once

    async def send(self, conn: Any) -> aiohttp.ClientResponse:
        if not self.body:  # without a body the head is written right here
            self.once.look(conn)
        response = await super().send(conn)
        if not self.body:
            hit(Failpoint.AFTER_FIRST_BYTE)
        return response

    async def write_bytes(self, writer: AbstractStreamWriter, conn: Any, content_length: int | None = None) -> None:
        try:
            self.once.look(conn)
        except Exception as error:  # noqa: BLE001 (kept in `once.stop`, raised by the middleware: this is aiohttp's own task)
            if conn.protocol is not None:
                conn.protocol.set_exception(error)
            conn.close()
            return
        await super().write_bytes(writer, conn, content_length)
        hit(Failpoint.AFTER_FIRST_BYTE)


class _ForbiddenAddressError(OSError):
    """A name resolved to addresses where calls may not go."""


class _CheckedResolver(AbstractResolver):
    """Resolves in a thread and lets only permitted addresses through: those are the ones connected to."""

    def __init__(self, policy: OutboundPolicy) -> None:
        self._policy = policy
        self._resolver = aiohttp.ThreadedResolver()

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> list[ResolveResult]:
        """Resolve. Raises: OSError if there is no address, or none that is permitted."""
        found = await self._resolver.resolve(host, port, family)
        permitted = [result for result in found if self._policy.permits(host, port, result["host"])]
        if not permitted:
            raise _ForbiddenAddressError(
                f"{host}:{port} resolves to an address that is not public: add it to ENACT_OUTBOUND__ALLOW if that is meant."
            )
        return permitted

    async def close(self) -> None:
        """Release the resolver."""
        await self._resolver.close()


def _cause(error: BaseException, kind: type[Exception]) -> BaseException | None:
    at: BaseException | None = error
    while at is not None and not isinstance(at, kind):
        at = at.__cause__
    return at


def _is_readable(transport: asyncio.BaseTransport) -> bool:
    """True if an idle connection has something to read: its end, or bytes nobody asked for. Either way it is done."""
    sock = transport.get_extra_info("socket")
    if sock is None:
        return False
    poll = select.poll()
    poll.register(sock.fileno(), select.POLLIN | select.POLLHUP | select.POLLERR)
    return bool(poll.poll(0))


def _tls_context(ca_file: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=str(ca_file) if ca_file is not None else None)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(f"The CA file of the outbound client cannot be read ({type(error).__name__}): name a PEM file.") from error
