"""The HTTP client puts a request on the wire at most once, and knows whether it did."""

import asyncio
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import uvloop

from connectors.http import HttpAnswer, HttpClient, HttpRequest
from connectors.outbound_policy import OutboundPolicy
from enact.errors import AmbiguousError, AnswerTimeoutError, CallRefusedError, EnactError, RejectedError, UnreachableError
from tests.contract.connectors.certificate import make_certificate
from tests.contract.connectors.raw_server import CLOSE, OK, RawServer, raw_server

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
RESENT_BY_A_PLAIN_CLIENT = ["GET", "PUT", "DELETE"]
LOOPS: list[Callable[[Any], Any]] = [asyncio.run, uvloop.run]


def request(server: RawServer, method: str = "POST", **changes: Any) -> HttpRequest:
    body = None if method in {"GET", "DELETE"} else b'{"a":1}'
    given: dict[str, Any] = {"method": method, "url": server.url(), "body": body, "timeout_ms": 2_000}
    return HttpRequest(**{**given, **changes})


@asynccontextmanager
async def client(*servers: RawServer, **settings: Any) -> AsyncIterator[HttpClient]:
    made = HttpClient(OutboundPolicy.from_entries(server.address() for server in servers), **settings)
    try:
        yield made
    finally:
        await made.close()


async def outcome(call: Awaitable[HttpAnswer]) -> HttpAnswer | EnactError:
    try:
        return await call
    except EnactError as error:
        return error


def answer_then_close(number: int) -> bytes:
    return OK if number == 1 else CLOSE


@pytest.mark.parametrize("run", LOOPS, ids=["asyncio", "uvloop"])
@pytest.mark.parametrize("method", METHODS)
def test_the_http_client_never_re_sends_on_a_kept_alive_connection_that_dies(method: str, run: Callable[[Any], Any]) -> None:
    async def story() -> tuple[HttpAnswer | EnactError, RawServer]:
        async with raw_server(answer_then_close) as server, client(server) as http:
            await http.send(request(server, method))

            return await outcome(http.send(request(server, method))), server

    second, server = run(story())

    assert isinstance(second, AmbiguousError)
    assert len(server.receipts) == 2
    assert server.connections == 1, "the second request must have gone over the kept-alive connection"


@pytest.mark.parametrize("method", RESENT_BY_A_PLAIN_CLIENT)
async def test_the_same_server_catches_a_client_that_re_sends(method: str) -> None:
    async with raw_server(answer_then_close) as server, aiohttp.ClientSession() as plain:
        async with plain.request(method, server.url()):
            pass

        with pytest.raises(aiohttp.ServerDisconnectedError):
            async with plain.request(method, server.url()):
                pass

        assert len(server.receipts) == 3, "aiohttp by itself sends the second request twice"


@pytest.mark.parametrize("run", LOOPS, ids=["asyncio", "uvloop"])
@pytest.mark.parametrize("method", METHODS)
def test_a_connection_that_the_server_closed_while_idle_is_replaced_before_the_first_byte(method: str, run: Callable[[Any], Any]) -> None:
    """The end of the old connection lies in the kernel, unread by the event loop: aiohttp alone would write into it."""
    with closing_server() as (port, has_closed, receipts):

        async def story() -> int:
            http = HttpClient(OutboundPolicy.from_entries([f"127.0.0.1:{port}"]))
            sent = HttpRequest(method=method, url=f"http://127.0.0.1:{port}/", timeout_ms=2_000)
            await http.send(sent)
            assert has_closed.wait(5)  # blocks the event loop on purpose
            answer = await http.send(sent)
            await http.close()
            return answer.status

        status = run(story())

    assert status == 200
    assert len(receipts) == 2


@pytest.mark.parametrize("run", LOOPS, ids=["asyncio", "uvloop"])
@pytest.mark.parametrize("is_fresh", [True, False])
@pytest.mark.parametrize("method", METHODS)
def test_a_refused_last_look_sends_nothing(method: str, is_fresh: bool, run: Callable[[Any], Any]) -> None:
    looks: list[str] = []

    def refuse() -> None:
        looks.append("asked")
        raise CallRefusedError("SWITCH")

    async def story() -> tuple[HttpAnswer | EnactError, RawServer]:
        async with raw_server(lambda _: OK) as server, client(server) as http:
            await http.send(request(server, "GET"))  # so that a pooled connection is at hand

            refused = await outcome(http.send(request(server, method, last_look=refuse, is_fresh=is_fresh)))
            await asyncio.sleep(0.05)
            return refused, server

    refused, server = run(story())

    assert isinstance(refused, CallRefusedError)
    assert refused.reason == "SWITCH"
    assert len(server.receipts) == 1
    assert looks == ["asked"]


@pytest.mark.parametrize("method", METHODS)
async def test_the_last_look_is_asked_once_with_the_connection_open_and_before_the_first_byte(method: str) -> None:
    async with raw_server(lambda _: OK) as server, client(server) as http:
        seen: list[tuple[int, int]] = []

        def look() -> None:
            seen.append((server.connections, len(server.receipts)))

        await http.send(request(server, "GET"))
        await http.send(request(server, method, last_look=look))

        assert seen == [(1, 1)]
        assert len(server.receipts) == 2


async def test_an_error_inside_the_last_look_sends_nothing_and_comes_through() -> None:
    def broken() -> None:
        raise LookupError("a defect of the caller")

    async with raw_server(lambda _: OK) as server, client(server) as http:
        with pytest.raises(LookupError):
            await http.send(request(server, last_look=broken))

        assert server.receipts == []


async def test_a_refused_connection_is_unreachable_and_asks_no_last_look() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    http = HttpClient(OutboundPolicy.from_entries([f"127.0.0.1:{port}"]))
    looks: list[int] = []

    with pytest.raises(UnreachableError):
        await http.send(
            HttpRequest(method="POST", url=f"http://127.0.0.1:{port}/", body=b"{}", timeout_ms=500, last_look=lambda: looks.append(1))
        )

    await http.close()
    assert looks == []


async def test_a_handshake_that_hangs_is_unreachable_within_the_connect_timeout() -> None:
    async with raw_server(lambda _: None) as server, client(server, connect_timeout_s=0.1) as http:
        with pytest.raises(UnreachableError):
            await http.send(request(server, url=server.url("https"), timeout_ms=5_000))


async def test_silence_after_the_request_is_an_answer_timeout() -> None:
    async with raw_server(lambda _: None) as server, client(server) as http:
        with pytest.raises(AnswerTimeoutError):
            await http.send(request(server, timeout_ms=100))

        assert len(server.receipts) == 1


async def test_an_answer_that_drips_is_cut_at_the_total_timeout() -> None:
    async with raw_server(lambda _: b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx") as server, client(server) as http:
        with pytest.raises(AnswerTimeoutError):
            await http.send(request(server, timeout_ms=100))


@pytest.mark.parametrize(
    "answer",
    [CLOSE, b"HTTP/1.1 200 OK\r\nContent-Len", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort"],
    ids=["closed", "half a head", "no http", "half a body"],
)
async def test_an_answer_that_cannot_be_read_is_ambiguous(answer: bytes) -> None:
    async with raw_server(lambda _: answer, closes_after=frozenset({1})) as server, client(server) as http:
        with pytest.raises(AmbiguousError):
            await http.send(request(server))

        assert len(server.receipts) == 1


async def test_half_a_refusal_is_still_a_refusal() -> None:
    answer = b"HTTP/1.1 422 No\r\nContent-Length: 9\r\n\r\nshort"
    async with raw_server(lambda _: answer, closes_after=frozenset({1})) as server, client(server) as http:
        got = await http.send(request(server))

        assert (got.status, got.is_whole) == (422, False)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_an_answer_and_is_not_followed(status: int) -> None:
    def script(_: int) -> bytes:
        return f"HTTP/1.1 {status} Moved\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n".encode()

    async with raw_server(script) as server, client(server) as http:
        got = await http.send(request(server))

        assert got.status == status
        assert len(server.receipts) == 1


async def test_a_long_answer_is_ambiguous_only_if_it_says_success() -> None:
    def script(number: int) -> bytes:
        return f"HTTP/1.1 {200 if number == 1 else 400} X\r\nContent-Length: 2000\r\n\r\n".encode() + b"x" * 2000

    async with raw_server(script) as server, client(server, max_answer_bytes=1_000) as http:
        with pytest.raises(AmbiguousError, match="1000 bytes"):
            await http.send(request(server))
        refused = await http.send(request(server))

        assert (refused.status, refused.body) == (400, b"")


async def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)

    async with raw_server(lambda _: OK) as server, client(server) as http:
        assert (await http.send(request(server))).status == 200


async def test_a_cookie_set_for_one_call_is_not_shown_to_the_next() -> None:
    answer = b"HTTP/1.1 200 OK\r\nSet-Cookie: session=of-tenant-a\r\nContent-Length: 0\r\n\r\n"
    async with raw_server(lambda _: answer) as server, client(server) as http:
        await http.send(request(server))
        await http.send(request(server))

        assert b"cookie" not in server.receipts[1].lower()


async def test_a_fresh_request_has_a_connection_of_its_own() -> None:
    async with raw_server(lambda _: OK) as server, client(server) as http:
        await http.send(request(server))
        await http.send(request(server, is_fresh=True))
        await http.send(request(server, is_fresh=True))

        assert server.connections == 3


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "127.1", "[::ffff:127.0.0.1]"])
async def test_loopback_is_not_reached_unless_allowed(host: str) -> None:
    async with raw_server(lambda _: OK) as server:
        http = HttpClient(OutboundPolicy())

        with pytest.raises(RejectedError, match="ENACT_OUTBOUND__ALLOW"):
            await http.send(request(server, url=server.url("https", host)))

        await http.close()
        assert server.connections == 0


async def test_a_certificate_nobody_vouches_for_stops_the_call_before_the_first_byte(tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)

    async with raw_server(lambda _: OK, tls=context) as server, client(server) as trusts_nobody:
        with pytest.raises(UnreachableError, match="Certificate"):
            await trusts_nobody.send(request(server, url=server.url("https")))

        async with client(server, ca_file=certificate) as trusts_it:
            answer = await trusts_it.send(request(server, url=server.url("https")))

        assert answer.status == 200
        assert len(server.receipts) == 1


def test_a_request_shows_neither_its_headers_nor_its_body() -> None:
    shown = repr(HttpRequest(method="POST", url="https://x.example", headers={"Authorization": "s3cret"}, body=b"s3cret", timeout_ms=1))

    assert "s3cret" not in shown


class closing_server:  # noqa: N801 - reads like a function
    """In a thread: answers the first request and closes the idle connection; then serves on."""

    def __enter__(self) -> tuple[int, threading.Event, list[bytes]]:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._has_closed = threading.Event()
        self._receipts: list[bytes] = []
        self._socket.settimeout(2)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        return self._socket.getsockname()[1], self._has_closed, self._receipts

    def __exit__(self, *_: object) -> None:
        self._thread.join(10)
        self._socket.close()

    def _serve(self) -> None:
        for _ in range(2):
            try:
                connection, _address = self._socket.accept()
            except TimeoutError:
                return  # the client never came back: the test sees it by the count
            with connection:
                head = connection.recv(65_536)
                self._receipts.append(head)
                connection.sendall(OK)
            self._has_closed.set()
