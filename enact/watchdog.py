"""Threads that end a process which no longer can: stuck, orphaned, or too slow to stop."""

import faulthandler
import os
import select
import sys
import threading
import time
from collections.abc import Callable

from enact.log import get_logger

TICK_S = 1.0
ORPHAN_GRACE_S = 5.0
MAX_SILENT_TICKS = 10
EXIT_STUCK = 70
EXIT_ORPHANED = 75

_log = get_logger("watchdog")


def _exit(code: int) -> None:
    sys.stderr.flush()
    os._exit(code)


class ProgressWatchdog:
    """Ends the process after 10 s in which this thread ran and the main loop did not.

    Counted in its own ticks, so that a suspended machine or a stopped process (SIGSTOP) is not mistaken for a stuck loop: after it
    is continued the loop has ten seconds again. Without it a stuck member keeps its partitions for `max.poll.interval.ms`.
    """

    def __init__(self, beats: Callable[[], int], *, tick_s: float = TICK_S, end: Callable[[int], None] = _exit) -> None:
        self._beats = beats
        self._seen = 0
        self._tick_s = tick_s
        self._end = end
        self._silent = 0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="progress-watchdog", daemon=True)

    def start(self) -> None:
        """Watch."""
        self._thread.start()

    def stop(self) -> None:
        """Watch no longer."""
        self._stopped.set()

    def tick(self) -> None:
        """Look once. A loop that has not begun is not watched."""
        beats = self._beats()
        self._silent = self._silent + 1 if beats == self._seen and beats > 0 else 0
        self._seen = beats
        if self._silent >= MAX_SILENT_TICKS:
            _log.critical("no_progress", age_s=self._silent * self._tick_s, exit_code=EXIT_STUCK)
            faulthandler.dump_traceback(file=sys.__stderr__ or sys.stderr, all_threads=True)
            self._end(EXIT_STUCK)

    def _run(self) -> None:
        while not self._stopped.wait(self._tick_s):
            self.tick()


def end_with_supervisor(
    fd: int, stop: threading.Event, *, grace_s: float = ORPHAN_GRACE_S, end: Callable[[int], None] = _exit
) -> threading.Thread:
    """Read the supervisor's pipe in a thread: when it closes, ask for a stop and end the process after `grace_s` at the latest."""

    def watch() -> None:
        try:
            while _wait_and_read(fd):
                pass
        except OSError:
            _log.warning("supervisor_pipe_broken")
        _log.warning("supervisor_gone", wait_s=grace_s)
        stop.set()
        time.sleep(grace_s)
        end(EXIT_ORPHANED)

    thread = threading.Thread(target=watch, name="supervisor-pipe", daemon=True)
    thread.start()
    return thread


def _wait_and_read(fd: int) -> bytes:
    """Block until there is something or the end, whatever a sibling did to the pipe: O_NONBLOCK is shared by all who hold it."""
    while True:
        select.select([fd], [], [])
        try:
            return os.read(fd, 64)
        except BlockingIOError:
            continue


def end_after_stop(stop: threading.Event, timeout_s: float, *, end: Callable[[int], None] = _exit) -> threading.Thread:
    """A stop that takes longer than `timeout_s` is ended (crash-only: nothing is lost that `kill -9` would not lose)."""

    def watch() -> None:
        stop.wait()
        time.sleep(timeout_s)
        _log.critical("stop_took_too_long", wait_s=timeout_s, exit_code=EXIT_STUCK)
        end(EXIT_STUCK)

    thread = threading.Thread(target=watch, name="stop-watchdog", daemon=True)
    thread.start()
    return thread
