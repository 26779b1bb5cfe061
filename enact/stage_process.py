"""What every `services/<stage>/__main__.py` is around its stage: settings, log, health, signals, supervisor, exit codes.

    sys.exit(run_stage("recording", build, RecordingSettings, subjects=subjects))

`build` gets a `ProcessContext` and returns something with `run(stop)`. Nothing is created at import.
"""

import gc
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from types import FrameType
from typing import Generic, Protocol, TypeVar

from enact import log
from enact.clock import Clock, SystemClock
from enact.errors import BrokerError, ConfigurationError, DeliveryError, EnactError, FencedError, StateLostError
from enact.failpoint_rules import enable_failpoints
from enact.health import HealthServer, HealthState
from enact.kafka.value_framing import value_framing
from enact.log import StageLogger, get_logger
from enact.metrics import Metrics
from enact.settings import KernelSettings, load
from enact.watchdog import ProgressWatchdog, end_after_stop, end_with_supervisor


class ExitCode(IntEnum):
    """How a stage process ends (sysexits.h)."""

    STOPPED = 0
    CONFIGURATION = 64
    UNEXPECTED = 70
    TRY_AGAIN = 75


class TryAgainError(EnactError):
    """The stage stopped itself because something around it is wrong; a later start may go well: see the log lines before this one."""


AGAIN = (TryAgainError, BrokerError, DeliveryError, FencedError, StateLostError)

S = TypeVar("S", bound=KernelSettings)


class Runnable(Protocol):
    """A stage, wired."""

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set, then drain and return. Raises: EnactError; anything else is a bug."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessContext(Generic[S]):
    """What the process has ready for its stage."""

    name: str
    settings: S
    metrics: Metrics
    health: HealthState
    log: StageLogger
    clock: Clock


def run_stage(
    name: str,
    build: Callable[[ProcessContext[S]], Runnable],
    settings_class: type[S],
    *,
    connectors: tuple[str, ...] = (),
    subjects: Callable[[str], Mapping[str, type]] = lambda _: {},
    environ: Mapping[str, str] | None = None,
) -> int:
    """Run a stage until it is told to stop; returns the exit code for `sys.exit`.

    `subjects` gives the subjects of a schema registry for a topic prefix. `connectors` closes the label of the call metrics.
    `environ` stands in for the environment in tests.
    """
    log.configure()
    logger = get_logger(name)
    try:
        settings = load(settings_class, environ)
        settings.kafka.require_bootstrap_servers()
        enable_failpoints(name, settings)
        log.configure(settings.log.level.value)
        with value_framing(settings.schema_registry, subjects(settings.topic_prefix)):
            _serve(name, build, settings, connectors)
    except ConfigurationError as error:
        sys.stderr.write(f"enact {name} cannot start: {'; '.join(error.message.splitlines())}\n")
        return ExitCode.CONFIGURATION
    except AGAIN as error:
        logger.critical("stage_stopped_itself", error=error, exit_code=int(ExitCode.TRY_AGAIN))
        return ExitCode.TRY_AGAIN
    except Exception as error:  # noqa: BLE001 - the edge of the process: said once, in our own format, and ended
        logger.critical("stage_failed", error=error, exit_code=int(ExitCode.UNEXPECTED))
        return ExitCode.UNEXPECTED
    logger.info("stage_stopped", exit_code=int(ExitCode.STOPPED))
    return ExitCode.STOPPED


def _serve(name: str, build: Callable[[ProcessContext[S]], Runnable], settings: S, connectors: tuple[str, ...]) -> None:
    logger, clock, stop = get_logger(name), SystemClock(), threading.Event()
    health, metrics = HealthState(clock), Metrics(name, connectors=connectors)
    if settings.supervisor_fd is not None:
        end_with_supervisor(settings.supervisor_fd, stop)
    server = HealthServer(settings.health, health, metrics)
    watchdog = ProgressWatchdog(lambda: health.beats)
    with _stop_on_signals(stop, health, logger):
        server.start()
        try:
            logger.info("stage_starting", pid=os.getpid(), port=server.port)
            context = ProcessContext(name=name, settings=settings, metrics=metrics, health=health, log=logger, clock=clock)
            runnable = build(context)
            watchdog.start()
            end_after_stop(stop, settings.shutdown_timeout_s)
            _collect_garbage_seldom()
            runnable.run(stop)
        finally:
            watchdog.stop()
            server.stop()


def _collect_garbage_seldom() -> None:
    """What was loaded stays, and records are in no cycle: looking for cycles every 700 new objects would find nothing."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


@contextmanager
def _stop_on_signals(stop: threading.Event, health: HealthState, logger: StageLogger) -> Iterator[None]:
    """SIGTERM and SIGINT set the flag; a second one ends the process at once. Elsewhere than on the main thread: nothing."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def asked(number: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            os._exit(ExitCode.UNEXPECTED)
        health.set_stopping()
        stop.set()
        logger.info("stop_asked", signal=signal.Signals(number).name)

    before = {number: signal.signal(number, asked) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
