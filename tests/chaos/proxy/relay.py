"""One connection through the proxy: requests up, responses down, and the harm that is done to them."""

import asyncio
import contextlib

from tests.chaos.proxy.faults import DOOMING, Active, Faults, Harm
from tests.chaos.proxy.frames import correlation_of, framed, read_body, request_of


class Relay:
    """Moves whole frames between a client and the broker until one of them ends, or a fault does."""

    def __init__(
        self,
        client: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        broker: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        faults: Faults,
    ) -> None:
        self._from_client, self._to_client = client
        self._from_broker, self._to_broker = broker
        self._faults = faults
        self._spoilt: dict[int, Harm] = {}
        self._is_frozen = False
        self._doom: asyncio.TimerHandle | None = None
        self.client_id = ""

    async def run(self) -> None:
        """Relay until an end; both connections are closed then."""
        ways = [asyncio.ensure_future(self._up()), asyncio.ensure_future(self._down())]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            self.cut()

    def cut(self) -> None:
        """End both connections at once, without farewell."""
        if self._doom is not None:
            self._doom.cancel()
        for writer in (self._to_client, self._to_broker):
            writer.transport.abort()

    def cut_if_doomed(self) -> None:
        """After healing: a connection that lost something does not go on."""
        if self._doom is not None:
            self.cut()

    async def _up(self) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, OSError, ValueError):
            while True:
                body = await read_body(self._from_client)
                if self._is_frozen:
                    continue
                request = request_of(body)
                self.client_id = request.client_id
                active = self._faults.meeting(request)
                if active is not None and not await self._may_pass(active, request.correlation):
                    continue
                self._to_broker.write(framed(body))
                await self._to_broker.drain()

    async def _may_pass(self, active: Active, correlation: int) -> bool:
        """Do what comes before the broker hears a request; False if it never will.

        Raises: ConnectionAbortedError when the connection ends here.
        """
        harm = active.fault.harm
        if harm in DOOMING and self._doom is None:
            loop = asyncio.get_running_loop()
            self._doom = loop.call_at(active.until_s, self.cut)
        match harm:
            case Harm.DELAY:
                await asyncio.sleep(active.fault.delay_ms / 1000)
                return True
            case Harm.DROP_REQUEST:
                return False
            case Harm.CUT_BEFORE:
                raise ConnectionAbortedError
            case Harm.HALF_OPEN:
                self._is_frozen = True
                return False
            case Harm.DROP_RESPONSE | Harm.CUT_AFTER:
                self._spoilt[correlation] = harm
                return True

    async def _down(self) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, OSError, ValueError):
            while True:
                body = await read_body(self._from_broker)
                if self._is_frozen:
                    continue
                harm = self._spoilt.pop(correlation_of(body), None)
                if harm is Harm.CUT_AFTER:
                    return
                if harm is None:
                    self._to_client.write(framed(body))
                    await self._to_client.drain()
