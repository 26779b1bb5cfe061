"""One supervised process: starting, ready, waiting for its next start, refused; each change is one line."""

import signal
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from cli.processes import EXIT_CONFIGURATION, BackOff, Launch, ProcessSpec, Running, exit_in_words, log_tail
from enact.broker.ports import is_free
from enact.clock import Clock
from enact.errors import EnactError


class ChildState(StrEnum):
    """Where a process is. REFUSED = it cannot start as configured and is not started again."""

    STARTING = "starting"
    READY = "ready"
    WAITING = "waiting"
    REFUSED = "refused"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that happened, with the line that says it. `name` is a process, `broker` or `supervisor`."""

    name: str
    state: ChildState
    line: str


class Child:
    """A stage's process. `start` and `tend` belong to the supervisor's thread."""

    def __init__(self, spec: ProcessSpec, log_path: Path, *, clock: Clock, launcher: Launch, probe: Callable[[int], bool]) -> None:
        self.spec = spec
        self.log_path = log_path
        self.state = ChildState.WAITING
        self.restarts = 0
        self._clock = clock
        self._launch = launcher
        self._probe = probe
        self._process: Running | None = None
        self._back_off = BackOff()
        self._started_s = 0.0
        self._next_start_s = 0.0

    @property
    def name(self) -> str:
        """`validation.0`."""
        return self.spec.name

    @property
    def pid(self) -> int | None:
        """The pid of the running process, None if there is none."""
        return self._process.pid if self._process is not None and self.is_running else None

    @property
    def is_running(self) -> bool:
        """Whether its process runs."""
        return self._process is not None and self._process.poll() is None

    def start(self, supervisor_fd: int) -> Change:
        """Start the process.

        Raises: OSError if the program cannot be started.
        """
        self._process = self._launch(self.spec, self.log_path, supervisor_fd)
        self._started_s = self._clock.boot_s()
        return self._to(ChildState.STARTING, f"{self.name} starting (pid {self._process.pid})")

    def tend(self, supervisor_fd: int) -> Change | None:
        """Look once: restart it when its time has come, note that it ended or became ready."""
        now_s = self._clock.boot_s()
        if self.state in {ChildState.STARTING, ChildState.READY}:
            status = None if self._process is None else self._process.poll()
            if status is not None:
                return self._ended(status, now_s)
        if self.state is ChildState.WAITING and now_s >= self._next_start_s:
            self.restarts += 1
            return self.start(supervisor_fd)
        if self.state is ChildState.STARTING:
            port = self.spec.health_port
            if port is None or self._probe(port):
                return self._to(ChildState.READY, f"{self.name} ready" + ("" if port is None else f" on port {port}"))
        return None

    def send(self, number: signal.Signals) -> None:
        """Signal the process if there is one."""
        if self._process is not None:
            self._process.send_signal(number)

    def _ended(self, status: int, now_s: float) -> Change:
        """It ended without being asked to."""
        words = exit_in_words(status)
        if status == EXIT_CONFIGURATION and self._lost_its_port():
            taken, self.spec = self.spec.health_port, self.spec.moved()
            self._next_start_s = now_s
            return self._to(
                ChildState.WAITING, f"{self.name}: another program took port {taken} first; starting it on {self.spec.health_port}"
            )
        if status == EXIT_CONFIGURATION:
            return self._to(
                ChildState.REFUSED,
                f"{self.name} will not be started again ({words}). Correct this and start anew; {self.log_path} ends with\n"
                + log_tail(self.log_path),
            )
        delay_s = self._back_off.after_running(now_s - self._started_s)
        self._next_start_s = now_s + delay_s
        return self._to(ChildState.WAITING, f"{self.name} ended ({words}): starting it again in {delay_s:g} s; log: {self.log_path}")

    def _lost_its_port(self) -> bool:
        """True if a port that was free when it was chosen is somebody else's now: between the two anybody could take it."""
        port = self.spec.health_port
        return self.spec.may_move and port is not None and not is_free(port)

    def _to(self, state: ChildState, line: str) -> Change:
        self.state = state
        return Change(self.name, state, line)


class SupervisedBroker(Protocol):
    """What the supervisor needs of a broker; `enact.broker.embedded.EmbeddedBroker` is one."""

    @property
    def is_running(self) -> bool:
        """Whether its process runs."""

    @property
    def exit_status(self) -> int | None:
        """How it ended."""

    @property
    def log_path(self) -> Path:
        """What it says."""

    def start(self) -> None:
        """Start its process again, on the same ports."""

    def is_ready(self) -> bool:
        """Whether it serves now."""

    def stop(self) -> None:
        """End it in good order."""

    def hurry(self) -> None:
        """End it at once; another thread may be in `stop`."""


class BrokerWatch:
    """Keeps a broker running that was started and ready when the watch began."""

    def __init__(self, broker: SupervisedBroker, *, clock: Clock) -> None:
        self.broker = broker
        self.state = ChildState.READY
        self._clock = clock
        self._back_off = BackOff()
        self._started_s = clock.boot_s()
        self._next_start_s = 0.0

    def tend(self) -> Change | None:
        """Look once: restart it when its time has come, note that it ended or serves again."""
        now_s = self._clock.boot_s()
        if self.state is not ChildState.WAITING and not self.broker.is_running:
            words = exit_in_words(self.broker.exit_status or 0)
            delay_s = self._wait(now_s, now_s - self._started_s)
            return self._to(ChildState.WAITING, f"broker ended ({words}): starting it again in {delay_s:g} s; log: {self.broker.log_path}")
        if self.state is ChildState.WAITING and now_s >= self._next_start_s:
            self._started_s = now_s
            try:
                self.broker.start()
            except EnactError as error:
                delay_s = self._wait(now_s, 0.0)
                return self._to(ChildState.WAITING, f"broker could not be started, next try in {delay_s:g} s: {error.message}")
            return self._to(ChildState.STARTING, "broker starting")
        if self.state is ChildState.STARTING and self.broker.is_ready():
            return self._to(ChildState.READY, "broker serves again")
        return None

    def _wait(self, now_s: float, ran_s: float) -> float:
        delay_s = self._back_off.after_running(ran_s)
        self._next_start_s = now_s + delay_s
        return delay_s

    def _to(self, state: ChildState, line: str) -> Change:
        self.state = state
        return Change("broker", state, line)
