"""What is known about one request, from the inside: faults that no server can be made to cause on time."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from connectors.http import HttpClient, _BrokenError, _is_readable, _Once, _OnceRequest
from connectors.outbound_policy import OutboundPolicy
from enact.errors import CallRefusedError, ConfigurationError, UnreachableError


class Transport:
    """A connection's transport that has no socket to ask."""

    def __init__(self, *, is_closing: bool = False) -> None:
        self._is_closing = is_closing

    def is_closing(self) -> bool:
        return self._is_closing

    def get_extra_info(self, name: str) -> None:
        assert name == "socket"


def a_connection(transport: Transport | None) -> Any:
    return SimpleNamespace(transport=transport, protocol=None)


async def test_a_request_that_comes_by_a_second_time_is_not_sent() -> None:
    handled = []

    async def handler(request: Any) -> Any:
        handled.append(request)

    once, request = _Once(None, None), object.__new__(_OnceRequest)
    await once.middleware(request, handler)

    with pytest.raises(_BrokenError, match="a second time"):
        await once.middleware(request, handler)

    assert handled == [request]


@pytest.mark.parametrize("transport", [None, Transport(is_closing=True)])
def test_a_connection_that_closed_before_the_first_byte_takes_no_request_and_asks_no_last_look(transport: Transport | None) -> None:
    asked: list[int] = []
    once = _Once(lambda: asked.append(1), None)

    with pytest.raises(UnreachableError, match="before the first byte"):
        once.look(a_connection(transport))

    assert (asked, once.is_sent) == ([], False)
    assert isinstance(once.translate(OSError()), UnreachableError)


def test_what_the_last_look_said_comes_out_and_not_what_breaks_because_of_it() -> None:
    def refuse() -> None:
        raise CallRefusedError("a switch is engaged")

    once = _Once(refuse, None)
    with pytest.raises(CallRefusedError) as refused:
        once.look(a_connection(Transport()))

    assert once.translate(ConnectionResetError()) is refused.value


async def test_a_refused_request_closes_a_connection_that_nobody_reads_any_more() -> None:
    def refuse() -> None:
        raise CallRefusedError("a switch is engaged")

    closed: list[int] = []
    connection = a_connection(Transport())
    connection.close = lambda: closed.append(1)
    request = object.__new__(_OnceRequest)
    request.once = _Once(refuse, None)

    await request.write_bytes(cast("Any", None), connection)

    assert closed == [1]
    assert isinstance(request.once.stop, CallRefusedError)


def test_the_last_look_is_not_asked_again_once_the_request_counts_as_sent() -> None:
    asked: list[int] = []
    once = _Once(lambda: asked.append(1), None)
    once.look(a_connection(Transport()))

    once.look(a_connection(None))

    assert (asked, once.is_sent, once.stop) == ([1], True, None)


def test_a_connection_that_has_no_socket_to_ask_is_taken_for_open() -> None:
    assert not _is_readable(Transport())  # type: ignore[arg-type]


def test_a_certificate_file_that_cannot_be_read_is_a_setting_to_be_put_right(tmp_path: Path) -> None:
    garbled = tmp_path / "garbled.pem"
    garbled.write_text("no certificate")

    for path in (tmp_path / "missing.pem", garbled):
        with pytest.raises(ConfigurationError, match="name a PEM file"):
            HttpClient(OutboundPolicy.from_entries([]), ca_file=path)
