"""The api process: a thread that follows the ledger, an event loop that answers."""

import asyncio
import threading
from collections.abc import Sequence

import uvloop
from aiohttp import web

from enact.broker.file_lock import FileLock
from enact.clock import Clock
from enact.errors import ConfigurationError
from enact.health import HealthState
from enact.log import get_logger
from enact.switch_table import SwitchTable
from services.api.application import application
from services.api.command_desk import CommandDesk
from services.api.door import Door
from services.api.follower import Follower
from services.api.protocol import DoorProtocol
from services.api.read_model import ReadModel
from services.api.switch_desk import SwitchDesk

_BEAT_S = 0.2
_DRAIN_S = 5.0

_log = get_logger("api")


class ApiServer:
    """Runs until told to stop. `port` is the real one once it listens."""

    def __init__(
        self,
        *,
        model: ReadModel,
        follower: Follower,
        desk: SwitchDesk,
        commands: CommandDesk,
        switches: SwitchTable,
        clock: Clock,
        health: HealthState,
        host: str = "127.0.0.1",
        port: int,
        origins: Sequence[str],
        base_path: str = "",
        lock: FileLock,
    ) -> None:
        self.port = port
        self._host = host
        self._model = model
        self._follower = follower
        self._desk, self._switches, self._commands = desk, switches, commands
        self._clock = clock
        self._health = health
        self._door = Door(freshness=lambda: follower.freshness, clock=clock, origins=origins)
        self._base_path = base_path
        self._lock = lock
        self._failure: BaseException | None = None

    def run(self, stop: threading.Event) -> None:
        """Answer until `stop` is set, then let answers finish.

        Raises: ConfigurationError if the port is taken; whatever ended the following of the ledger.
        """
        thread = threading.Thread(target=self._follow, args=(stop,), name="ledger", daemon=True)
        thread.start()
        self._switches.start()
        try:
            uvloop.run(self._serve(stop))
        finally:
            stop.set()
            self._switches.stop()
            thread.join(_DRAIN_S)
            if not thread.is_alive():
                self._follower.close()
                self._model.close()
                self._lock.release()
        if self._failure is not None:
            raise self._failure

    def _follow(self, stop: threading.Event) -> None:
        try:
            self._follower.run(stop)
        except BaseException as error:  # noqa: BLE001 - carried over to the main thread, which ends the process with it
            self._failure = error
            stop.set()

    async def _serve(self, stop: threading.Event) -> None:
        app = application(
            self._model,
            freshness=lambda: self._follower.freshness,
            clock=self._clock,
            door=self._door,
            desk=self._desk,
            commands=self._commands,
            base_path=self._base_path,
        )
        runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=_DRAIN_S)
        await runner.setup()
        listening: asyncio.Server | None = None
        try:
            listening = await self._listen(runner)
            self.port = int(listening.sockets[0].getsockname()[1])
            _log.info("api_listening", port=self.port)
            while not stop.is_set():
                self._tell_health()
                await asyncio.sleep(_BEAT_S)
        except OSError as error:
            message = (
                f"ENACT_API__PORT: {self._host}:{self.port} cannot be listened on ({error.strerror or 'taken'}): "
                "set another port, or 0 for any."
            )
            raise ConfigurationError(message) from error
        finally:
            if listening is not None:
                listening.close()
            await runner.cleanup()

    async def _listen(self, runner: web.AppRunner) -> asyncio.Server:
        loop, server = asyncio.get_running_loop(), runner.server
        if server is None:
            raise RuntimeError("the runner has not been set up")
        return await loop.create_server(lambda: DoorProtocol(server, self._door, loop=loop), self._host, self.port)

    def _tell_health(self) -> None:
        self._health.beat()
        self._health.set_assigned(self._follower.is_assigned)
        is_caught_up = self._follower.freshness.as_of_s is not None
        self._health.set_restored(is_caught_up, "" if is_caught_up else self._follower.progress)
