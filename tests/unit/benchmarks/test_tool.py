"""The measured tool: answers, counts, waits."""

import asyncio
import json

from benchmarks.tool import Counters, ToolProtocol


class Wire(asyncio.Transport):
    """What was answered on a connection."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.is_answered = asyncio.Event()

    def write(self, data: object) -> None:
        assert isinstance(data, bytes)
        self.written += data
        self.is_answered.set()

    def is_closing(self) -> bool:
        return False


def connected(counters: Counters) -> tuple[ToolProtocol, Wire]:
    protocol, wire = ToolProtocol(counters), Wire()
    protocol.connection_made(wire)
    return protocol, wire


def upsert(key: str, body: bytes = b'{"Subject":"x"}') -> bytes:
    head = f"PATCH /services/data/v60.0/sobjects/Task/Enact_Key__c/{key} HTTP/1.1\r\nHost: x\r\nIdempotency-Key: {key}\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def ask(protocol: ToolProtocol, wire: Wire, method: str, path: str) -> dict[str, int]:
    wire.written = b""
    protocol.data_received(f"{method} {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    found: dict[str, int] = json.loads(wire.written.split(b"\r\n\r\n", 1)[1])
    return found


def test_calls_and_distinct_keys_are_counted() -> None:
    protocol, wire = connected(Counters())

    protocol.data_received(upsert("a") + upsert("b") + upsert("a"))

    assert wire.written.count(b"201 Created") == 3
    assert ask(protocol, wire, "GET", "/stats") == {"calls": 3, "distinct": 2, "duplicates": 1, "in_flight": 0, "in_flight_max": 0}


def test_a_request_in_pieces_is_one_call() -> None:
    protocol, wire = connected(Counters())
    whole = upsert("a")

    for at in range(0, len(whole), 7):
        assert wire.written == b""
        protocol.data_received(whole[at : at + 7])

    assert wire.written.count(b"201 Created") == 1


async def test_with_a_delay_the_answer_waits_and_calls_are_in_flight() -> None:
    protocol, wire = connected(Counters())
    ask(protocol, wire, "PUT", "/delay/1")
    wire.written, wire.is_answered = b"", asyncio.Event()

    protocol.data_received(upsert("a") + upsert("b"))
    before = wire.written
    await wire.is_answered.wait()

    assert before == b""
    assert wire.written.startswith(b"HTTP/1.1 201 Created")
    assert ask(protocol, wire, "GET", "/stats")["in_flight_max"] == 2


def test_setting_the_delay_starts_the_counters_anew() -> None:
    protocol, wire = connected(Counters())
    protocol.data_received(upsert("a"))

    ask(protocol, wire, "PUT", "/delay/0")

    assert ask(protocol, wire, "GET", "/stats")["calls"] == 0


def test_the_health_check_is_answered_and_a_stray_request_is_not_found() -> None:
    protocol, wire = connected(Counters())

    protocol.data_received(b"GET /services/data/ HTTP/1.1\r\n\r\nGET /elsewhere HTTP/1.1\r\n\r\n")

    assert wire.written.startswith(b"HTTP/1.1 200 OK")
    assert b"404 Not Found" in wire.written
