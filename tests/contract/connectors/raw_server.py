"""A server that counts every request it receives and does with the connection exactly what a test says."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
CLOSE = b""
"""Read the request, answer nothing, close."""


@dataclass
class RawServer:
    """`script(number)` gives the bytes to answer the request of that number with (from 1); without bytes it closes."""

    script: Callable[[int], bytes | None]
    closes_after: frozenset[int] = frozenset()
    receipts: list[bytes] = field(default_factory=list)
    connections: int = 0
    port: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while (head := await _request(reader)) is not None:
                self.receipts.append(head)
                number = len(self.receipts)
                answer = self.script(number)
                if answer is None:  # silence
                    await reader.read()
                    break
                writer.write(answer)
                await writer.drain()
                if answer == CLOSE or number in self.closes_after:
                    break
        except ConnectionError:
            pass
        finally:
            writer.close()

    def url(self, scheme: str = "http", host: str = "127.0.0.1") -> str:
        return f"{scheme}://{host}:{self.port}/x"

    def address(self) -> str:
        return f"127.0.0.1:{self.port}"


async def _request(reader: asyncio.StreamReader) -> bytes | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            head += await reader.readexactly(int(line.partition(b":")[2]))
    return head


@asynccontextmanager
async def raw_server(
    script: Callable[[int], bytes | None], *, closes_after: frozenset[int] = frozenset(), tls: ssl.SSLContext | None = None
) -> AsyncIterator[RawServer]:
    """Serve on loopback while the block lasts."""
    raw = RawServer(script, closes_after)
    server = await asyncio.start_server(raw.serve, "127.0.0.1", 0, ssl=tls)
    raw.port = server.sockets[0].getsockname()[1]
    try:
        yield raw
    finally:
        server.close()
        await asyncio.sleep(0)
