"""/livez, /readyz, /startupz and /metrics of one process, answered by a thread of their own.

Three questions with three meanings: *startup* = the state is restored; *ready* = restored, assigned and every named condition holds
(fresh switches, complete tables) and not stopping; *live* = the main loop made progress within the last 10 s.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web

from enact.clock import Clock, SystemClock
from enact.errors import ConfigurationError
from enact.log import get_logger
from enact.metrics import CONTENT_TYPE, Metrics
from enact.settings import HealthSettings

PROGRESS_S = 10.0
START_S = 10.0

_log = get_logger("health")


class HealthState:
    """What a stage says about itself. Safe from any thread."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock: Clock = clock if clock is not None else SystemClock()
        self._lock = threading.Lock()
        self._is_restored = False
        self._detail = ""
        self._is_assigned = False
        self._is_stopping = False
        self._conditions: dict[str, bool] = {}
        self._beat_s: float | None = None
        self._beats = 0

    def set_restored(self, is_restored: bool, detail: str = "") -> None:  # noqa: FBT001 - the name says what is true
        """Local state is complete up to the end taken after assignment; `detail` says how far it is when not."""
        with self._lock:
            self._is_restored = is_restored
            self._detail = detail

    def set_assigned(self, is_assigned: bool) -> None:  # noqa: FBT001 - as above
        """The group gave us an answer: partitions, or none because others have them all."""
        with self._lock:
            self._is_assigned = is_assigned

    def set_condition(self, name: str, *, is_met: bool) -> None:
        """One more thing that readiness needs, by its name for people ("switches are fresh")."""
        with self._lock:
            self._conditions[name] = is_met

    def set_stopping(self) -> None:
        """Not ready from now on."""
        with self._lock:
            self._is_stopping = True

    def beat(self) -> None:
        """The main loop went round once more. Called by that one thread."""
        self._beat_s = self._clock.boot_s()
        self._beats += 1

    @property
    def beats(self) -> int:
        """How often the main loop went round; 0 = it has not begun."""
        return self._beats

    @property
    def beat_age_s(self) -> float | None:
        """Seconds since the last beat; None before the first."""
        beat_s = self._beat_s
        return None if beat_s is None else self._clock.boot_s() - beat_s

    def missing_to_start(self) -> list[str]:
        """Empty = started."""
        with self._lock:
            return self._unrestored()

    def missing_to_be_ready(self) -> list[str]:
        """Empty = ready."""
        with self._lock:
            return [
                *self._unrestored(),
                *([] if self._is_assigned else ["partitions are not assigned"]),
                *(f"not met: {name}" for name, is_met in sorted(self._conditions.items()) if not is_met),
                *(["the process is stopping"] if self._is_stopping else []),
            ]

    def _unrestored(self) -> list[str]:
        if self._is_restored:
            return []
        return [f"state is not restored: {self._detail}" if self._detail else "state is not restored"]

    def missing_to_live(self) -> list[str]:
        """Empty = alive. A loop that never began is the business of startup."""
        age_s = self.beat_age_s
        return [] if age_s is None or age_s < PROGRESS_S else [f"no progress for {age_s:.0f} s"]


class HealthServer:
    """The four routes on loopback (or where the settings say), in a thread of their own."""

    def __init__(self, settings: HealthSettings, state: HealthState, metrics: Metrics) -> None:
        self._settings = settings
        self._state = state
        self._metrics = metrics
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="health", daemon=True)
        self._started = threading.Event()
        self._failure: OSError | None = None
        self.port = settings.port

    def start(self) -> None:
        """Listen; `port` is then the real one. Raises: ConfigurationError if the address is taken."""
        self._thread.start()
        self._started.wait(START_S)
        if self._failure is not None:
            raise ConfigurationError(
                f"ENACT_HEALTH__PORT: {self._settings.host}:{self._settings.port} cannot be listened on "
                f"({self._failure.strerror or 'taken'}): set another port, or 0 for any free one."
            ) from self._failure

    def stop(self) -> None:
        """Close the port and end the thread."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(START_S)

    def _run(self) -> None:
        runner = web.AppRunner(self._app(), access_log=None, handle_signals=False)
        try:
            self._loop.run_until_complete(self._listen(runner))
        except OSError as error:
            self._failure = error
        else:
            _log.info("health_listening", port=self.port)
            self._started.set()
            self._loop.run_forever()
        finally:
            self._loop.run_until_complete(runner.cleanup())
            self._loop.close()
            self._started.set()

    async def _listen(self, runner: web.AppRunner) -> None:
        await runner.setup()
        site = web.TCPSite(runner, self._settings.host, self._settings.port)
        await site.start()
        self.port = int(runner.addresses[0][1])

    def _app(self) -> web.Application:
        app = web.Application()
        questions: Mapping[str, Callable[[], list[str]]] = {
            "/livez": self._state.missing_to_live,
            "/readyz": self._state.missing_to_be_ready,
            "/startupz": self._state.missing_to_start,
        }
        for path, missing in questions.items():
            app.router.add_get(path, _answer(missing))
        app.router.add_get("/metrics", self._metrics_page)
        return app

    async def _metrics_page(self, _request: web.Request) -> web.Response:
        return web.Response(body=self._metrics.exposition(), headers={"Content-Type": CONTENT_TYPE})


def _answer(missing: Callable[[], list[str]]) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handler(_request: web.Request) -> web.Response:
        found = missing()
        return web.json_response({"ok": not found, "missing": found}, status=503 if found else 200)

    return handler
