"""The proxy in a thread of its own, with commands that any thread may give."""

import asyncio
import threading
from collections import Counter
from collections.abc import Callable
from types import TracebackType
from typing import Self, TypeVar

from enact.broker.ports import LOOPBACK
from tests.chaos.proxy.faults import Fault, Faults
from tests.chaos.proxy.relay import Relay

R = TypeVar("R")
_ANSWER_S = 10.0


class KafkaProxy:
    """Listens on a free port of 127.0.0.1 and forwards to `broker_port` there. Use it as a context, or `start` and `stop`."""

    def __init__(self, broker_port: Callable[[], int], *, seed: int = 0) -> None:
        self._broker_port = broker_port
        self._seed = seed
        self._loop = asyncio.new_event_loop()
        self._faults = Faults(seed, self._loop.time)
        self._relays: set[Relay] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._thread = threading.Thread(target=self._loop.run_forever, name="kafka-proxy", daemon=True)
        self.port = 0

    @property
    def address(self) -> str:
        """For clients: `127.0.0.1:<port>`."""
        return f"{LOOPBACK}:{self.port}"

    def start(self) -> None:
        """Listen. The broker need not be there yet: connections are refused until it is."""
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(_ANSWER_S)

    def stop(self) -> None:
        """Cut everything and end the thread."""
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(_ANSWER_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_ANSWER_S)
        self._loop.close()

    def add(self, fault: Fault) -> None:
        """Put a fault in force; it ends by itself after its seconds."""
        self._tell(lambda: self._faults.add(fault))

    def heal(self) -> None:
        """Let everything through; connections that lost something are cut, the others stay."""
        self._tell(self._heal)

    def cut_all(self, client: str | None = None) -> int:
        """End the connections of a client id, or all; returns how many."""
        return self._tell(lambda: self._cut(client))

    def clients(self) -> Counter[str]:
        """Connections by client id."""
        return self._tell(lambda: Counter(relay.client_id for relay in self._relays))

    def met(self) -> Counter[tuple[str, str]]:
        """Harm done so far, by (harm, API)."""
        return self._tell(lambda: Counter(self._faults.met))

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def _heal(self) -> None:
        self._faults.clear()
        for relay in list(self._relays):
            relay.cut_if_doomed()

    def _cut(self, client: str | None) -> int:
        chosen = [relay for relay in self._relays if client in {None, relay.client_id}]
        for relay in chosen:
            relay.cut()
        return len(chosen)

    def _tell(self, what: Callable[[], R]) -> R:
        async def told() -> R:
            return what()

        return asyncio.run_coroutine_threadsafe(told(), self._loop).result(_ANSWER_S)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, LOOPBACK, 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
        self._cut(None)
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        try:
            broker = await asyncio.open_connection(LOOPBACK, self._broker_port())
        except OSError:
            writer.transport.abort()
            return
        relay = Relay((reader, writer), broker, self._faults)
        self._relays.add(relay)
        try:
            await relay.run()
        finally:
            self._relays.discard(relay)
