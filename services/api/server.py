"""The api process: a thread that follows the ledger, an event loop that answers."""

import asyncio
import threading

import uvloop
from aiohttp import web

from enact.broker.file_lock import FileLock
from enact.clock import Clock
from enact.errors import ConfigurationError
from enact.health import HealthState
from enact.log import get_logger
from services.api.follower import Follower
from services.api.read_model import ReadModel
from services.api.routes import application

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
        clock: Clock,
        health: HealthState,
        host: str = "127.0.0.1",
        port: int,
        allowed_origin: str | None,
        lock: FileLock,
    ) -> None:
        self.port = port
        self._host = host
        self._model = model
        self._follower = follower
        self._clock = clock
        self._health = health
        self._allowed_origin = allowed_origin
        self._lock = lock
        self._failure: BaseException | None = None

    def run(self, stop: threading.Event) -> None:
        """Answer until `stop` is set, then let answers finish.

        Raises: ConfigurationError if the port is taken; whatever ended the following of the ledger.
        """
        thread = threading.Thread(target=self._follow, args=(stop,), name="ledger", daemon=True)
        thread.start()
        try:
            uvloop.run(self._serve(stop))
        finally:
            stop.set()
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
        app = application(self._model, freshness=lambda: self._follower.freshness, clock=self._clock, allowed_origin=self._allowed_origin)
        runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=_DRAIN_S)
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host, self.port).start()
            self.port = int(runner.addresses[0][1])
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
            await runner.cleanup()

    def _tell_health(self) -> None:
        self._health.beat()
        self._health.set_assigned(self._follower.is_assigned)
        is_caught_up = self._follower.freshness.as_of_s is not None
        self._health.set_restored(is_caught_up, "" if is_caught_up else self._follower.progress)
