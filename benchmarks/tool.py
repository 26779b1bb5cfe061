"""A CRM that answers at once, or after a delay that can be set: as cheap as Python allows, so that it is not what is measured.

`python -m benchmarks.tool PORT` listens on 127.0.0.1 and ends when its standard input closes. It answers what the crm connector asks:

    PATCH  /services/data/v60.0/sobjects/Task/...   201, a task was made (an upsert); counted
    GET    /services/data/                          200, the health check
    GET    /stats                                   {"calls", "distinct", "duplicates", "in_flight", "in_flight_max"}
    PUT    /delay/<milliseconds>                    every later answer waits so long; the counters start anew
"""

import asyncio
import json
import os
import sys
from typing import cast

import uvloop

TASK = b'{"id":"00TB00000000001","success":true,"errors":[],"created":true}'


def answer(status: bytes, body: bytes) -> bytes:
    return b"HTTP/1.1 %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (status, len(body), body)


MADE = answer(b"201 Created", TASK)
VERSIONS = answer(b"200 OK", b'[{"label":"v60.0","url":"/services/data/v60.0","version":"60.0"}]')
UNKNOWN = answer(b"404 Not Found", b'[{"errorCode":"NOT_FOUND","message":"The requested resource does not exist"}]')


class Counters:
    """What reached the tool."""

    def __init__(self) -> None:
        self.delay_s = 0.0
        self.start_anew(0.0)

    def start_anew(self, delay_s: float) -> None:
        self.delay_s = delay_s
        self.calls = self.in_flight = self.in_flight_max = 0
        self.keys: set[bytes] = set()

    def shown(self) -> bytes:
        distinct = len(self.keys)
        said = {"calls": self.calls, "distinct": distinct, "duplicates": self.calls - distinct}
        return json.dumps(said | {"in_flight": self.in_flight, "in_flight_max": self.in_flight_max}).encode()


class ToolProtocol(asyncio.Protocol):
    """One keep-alive connection."""

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own transports are not of that class

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end].lower()
            length = int(value) if (value := header(head, b"content-length")) else 0
            if len(self._buffer) < end + 4 + length:
                return
            self._buffer = self._buffer[end + 4 + length :]
            self._respond(head)

    def _respond(self, head: bytes) -> None:
        method, path = head.split(b" ", 2)[:2]
        if method == b"patch":
            self._upsert(header(head, b"idempotency-key"))
        elif path == b"/stats":
            self._transport.write(answer(b"200 OK", self._counters.shown()))
        elif path.startswith(b"/delay/"):
            self._counters.start_anew(float(path[len(b"/delay/") :]) / 1000)
            self._transport.write(answer(b"200 OK", b"{}"))
        else:
            self._transport.write(VERSIONS if path.startswith(b"/services/data") else UNKNOWN)

    def _upsert(self, key: bytes) -> None:
        counters = self._counters
        counters.calls += 1
        counters.keys.add(key)
        if not counters.delay_s:
            self._transport.write(MADE)
            return
        counters.in_flight += 1
        counters.in_flight_max = max(counters.in_flight_max, counters.in_flight)
        asyncio.get_running_loop().call_later(counters.delay_s, self._done)

    def _done(self) -> None:
        self._counters.in_flight -= 1
        if not self._transport.is_closing():
            self._transport.write(MADE)


def header(head: bytes, name: bytes) -> bytes:
    """A header's value in a head that is in lower case; empty if it is not there."""
    start = head.find(b"\r\n" + name + b":")
    if start < 0:
        return b""
    start += len(name) + 3
    end = head.find(b"\r\n", start)
    return head[start : end if end >= 0 else len(head)].strip()


async def serve(port: int) -> None:
    loop, counters, ended = asyncio.get_running_loop(), Counters(), asyncio.Event()

    def look() -> None:
        if not os.read(0, 4096):
            loop.remove_reader(0)
            ended.set()

    server = await loop.create_server(lambda: ToolProtocol(counters), "127.0.0.1", port, backlog=4096)
    loop.add_reader(0, look)
    sys.stdout.write("listening\n")
    sys.stdout.flush()
    async with server:
        await ended.wait()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
