"""The process supervisor behind `enact up`: starts all, keeps all running, stops all, and leaves nothing behind.

If the supervisor itself is killed, its children see the end of a pipe (`ENACT_SUPERVISOR_FD`) and end, and the kernel
ends the broker. What is left all the same is found by the next start in the pid file and ended, and nobody else.
"""

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from cli.child import BrokerWatch, Change, Child, ChildState, SupervisedBroker
from cli.processes import Launch, ProcessSpec, is_ready, launch, log_tail
from enact.broker.file_lock import FileLock
from enact.broker.pid_file import PidFile, ProcessMark, end, is_running, mark_of
from enact.clock import Clock, SystemClock
from enact.errors import ConfigurationError, EnactError

SELF = "supervisor"
_STEP_S = 0.2


@contextmanager
def on_stop_signals(react: Callable[[], None]) -> Iterator[None]:
    """While inside, Ctrl-C, SIGTERM and SIGHUP call `react`, in the main thread; main thread only."""

    def handler(_number: int, _frame: FrameType | None) -> None:
        react()

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)


class NotReadyError(EnactError):
    """Not every process became ready: see its log."""


class Supervisor:
    """Keeps `specs` and a broker (already started and ready, or None) running until told to stop.

    One thread calls everything except `request_stop`. `on_change` gets one line per change. `grace_s` must be above
    the time the processes may need to drain. Order: `claim`, start the broker, `start`, `wait_ready`, `run`, `stop`.
    What is only known after `claim` (ports, addresses) comes with `keep`.
    """

    def __init__(
        self,
        specs: Sequence[ProcessSpec],
        *,
        data_dir: Path,
        broker: SupervisedBroker | None = None,
        on_change: Callable[[Change], None] = lambda _: None,
        grace_s: float = 65.0,
        clock: Clock | None = None,
        launcher: Launch = launch,
        probe: Callable[[int], bool] = is_ready,
    ) -> None:
        self._data_dir = data_dir.absolute()
        self._clock = clock or SystemClock()
        self._launcher, self._probe = launcher, probe
        self.children: tuple[Child, ...] = ()
        self._broker: SupervisedBroker | None = None
        self.keep(specs, broker=broker)
        self._watch: BrokerWatch | None = None
        self._on_change = on_change
        self._grace_s = grace_s
        self._lock = FileLock(self._data_dir / "enact.lock")
        self._pid_file = PidFile(self._data_dir / "enact.pid.json")
        self._marks: dict[str, ProcessMark] = {}
        self._pipe: tuple[int, int] | None = None
        self._stop_requests = 0
        self._wake = threading.Event()

    @property
    def is_stopping(self) -> bool:
        """Whether somebody asked to stop."""
        return self._stop_requests > 0

    def keep(self, specs: Sequence[ProcessSpec], *, broker: SupervisedBroker | None = None) -> None:
        """Say what to keep running, instead of what was said before; only before `start`."""
        logs = self._data_dir / "logs"
        self._broker = broker
        self.children = tuple(
            Child(spec, logs / f"{spec.name}.log", clock=self._clock, launcher=self._launcher, probe=self._probe) for spec in specs
        )

    def claim(self) -> None:
        """Become the one supervisor of the data folder and end what a killed one left behind.

        Raises: ConfigurationError if another supervisor runs there or the folder cannot be used.
        """
        try:
            is_ours = self._lock.try_acquire()
        except OSError as error:
            raise ConfigurationError(f"The data folder {self._data_dir} cannot be used ({error}): set ENACT_DATA_DIR.") from error
        left = self._pid_file.read()
        owner = next((mark for mark in left if mark.name == SELF and mark.pid != os.getpid() and is_running(mark)), None)
        if not is_ours or owner is not None:
            self._lock.release()
            who, how = ("", "") if owner is None else (f" (pid {owner.pid})", f" or `kill {owner.pid}`")
            raise ConfigurationError(
                f"enact already runs on {self._data_dir}{who}. Stop it with Ctrl-C in its terminal{how}, "
                f"or set ENACT_DATA_DIR to another folder."
            )
        for mark in end([mark for mark in left if mark.name != SELF], grace_s=5.0):
            self._say(mark.name, f"{mark.name}: ended what a killed enact had left behind (pid {mark.pid})")
        self._record(SELF, os.getpid())

    def start(self) -> None:
        """Start every process; returns before they are ready.

        Raises: ConfigurationError as `claim` does; OSError if a program cannot be started.
        """
        if not self._lock.is_held:
            self.claim()
        if self._broker is not None:
            self._watch = BrokerWatch(self._broker, clock=self._clock)
        self._pipe = os.pipe()
        for child in self.children:
            self._report(child, child.start(self._pipe[0]))

    def tick(self) -> None:
        """Look once after everything: restart what ended, note what became ready. Blocks for some seconds at most."""
        change = None if self._watch is None else self._watch.tend()
        if change is not None:
            self._on_change(change)
        if self._pipe is not None:
            for child in self.children:
                self._report(child, child.tend(self._pipe[0]))

    def wait_ready(self, timeout_s: float = 60.0) -> bool:
        """Tend everything until every process is ready; False if a stop was requested meanwhile.

        Raises: NotReadyError with the end of a log when a process refuses its configuration or time is up.
        """
        deadline_s = self._clock.boot_s() + timeout_s
        while not self.is_stopping:
            self.tick()
            pending = [child for child in self.children if child.state is not ChildState.READY]
            if not pending:
                return True
            refused = [child for child in pending if child.state is ChildState.REFUSED]
            if refused or self._clock.boot_s() >= deadline_s:
                raise NotReadyError(_not_ready(refused or pending, timeout_s))
            self._wake.wait(_STEP_S)
        return False

    def run(self) -> None:
        """Tend everything until `request_stop`; does not stop the processes itself."""
        while not self.is_stopping:
            self.tick()
            self._wake.wait(_STEP_S)

    def request_stop(self) -> None:
        """Ask `run` and `wait_ready` to come to an end; a second time: `stop` hurries. Safe in a signal handler."""
        self._stop_requests += 1
        self._wake.set()

    def stop(self) -> None:
        """Ask every process to end, kill what has not after the grace time (at once when hurried), then end the broker."""
        self._stop_requests = max(self._stop_requests, 1)
        alive = [child for child in self.children if child.is_running]
        if alive:
            self._say(SELF, f"Stopping {len(alive)} processes: calls in flight may finish. Ctrl-C (again) ends them now.")
        for child in alive:
            child.send(signal.SIGTERM)
        if not self._wait_ended(alive, self._grace_s):
            late = [child for child in alive if child.is_running]
            for child in late:
                self._say(child.name, f"{child.name} did not end in time: killed (nothing acknowledged is lost)")
                child.send(signal.SIGKILL)
            self._wait_ended(late, 10.0, may_hurry=False)
        for child in self.children:
            child.state = ChildState.ENDED
        self._stop_broker()
        for descriptor in self._pipe or ():
            os.close(descriptor)
        self._pipe = None
        if self._lock.is_held:
            self._pid_file.delete()
        self._lock.release()

    @contextmanager
    def signals(self) -> Iterator[None]:
        """While inside, Ctrl-C, SIGTERM and SIGHUP request a stop. Main thread only."""
        with on_stop_signals(self.request_stop):
            yield

    def _stop_broker(self) -> None:
        if self._broker is None:
            return
        self._say("broker", "Stopping the broker.")
        stopping = threading.Thread(target=self._broker.stop, name="stop-broker")
        stopping.start()
        while stopping.is_alive():
            if self._stop_requests > 1:
                self._broker.hurry()
            stopping.join(0.05)

    def _wait_ended(self, children: Sequence[Child], seconds: float, *, may_hurry: bool = True) -> bool:
        """Wait until all have ended; False after `seconds`, or as soon as somebody hurries."""
        deadline_s = self._clock.boot_s() + seconds
        while any(child.is_running for child in children):
            if self._clock.boot_s() >= deadline_s or (may_hurry and self._stop_requests > 1):
                return False
            self._wake.clear()
            self._wake.wait(0.05)
        return True

    def _report(self, child: Child, change: Change | None) -> None:
        if change is None:
            return
        if change.state is ChildState.STARTING and child.pid is not None:
            self._record(child.name, child.pid)
        if change.state is ChildState.READY:
            count = sum(other.state is ChildState.READY for other in self.children)
            change = Change(change.name, change.state, f"{change.line} ({count} of {len(self.children)})")
        self._on_change(change)

    def _record(self, name: str, pid: int) -> None:
        """Note a process on disk before anything else can go wrong."""
        mark = mark_of(name, pid)
        if mark is not None:
            self._marks[name] = mark
            self._pid_file.write(self._marks.values())

    def _say(self, name: str, line: str) -> None:
        self._on_change(Change(name, ChildState.ENDED, line))


def _not_ready(children: Sequence[Child], timeout_s: float) -> str:
    first = children[0]
    is_refused = first.state is ChildState.REFUSED
    why = "cannot start as configured" if is_refused else f"did not become ready within {timeout_s:g} s"
    names = ", ".join(child.name for child in children)
    return f"{names} {why}. {first.log_path} ends with\n{log_tail(first.log_path)}"
