"""Which processes are ours: a pid *and* the moment it started, so that a recycled pid is never taken for an old child."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessMark:
    """One process, for good: no other process, before or after a reboot, has the same pid and `started`."""

    name: str
    pid: int
    started: str


def started_mark(pid: int) -> str | None:
    """When a process started, in the system's own terms (boot id and clock ticks on Linux); None if it is not running."""
    if not sys.platform.startswith("linux"):
        return _started_by_ps(pid)
    try:
        # The command name is in parentheses and may contain anything; after the last one the fields are plain.
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return None
    return None if fields[0] in {b"Z", b"X"} else f"{boot}:{fields[19].decode()}"


def _started_by_ps(pid: int) -> str | None:
    answer = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)  # noqa: S607
    return answer.stdout.strip() or None


def mark_of(name: str, pid: int) -> ProcessMark | None:
    """The mark of a running process; None if it is already gone."""
    started = started_mark(pid)
    return None if started is None else ProcessMark(name=name, pid=pid, started=started)


def is_running(mark: ProcessMark) -> bool:
    """Whether exactly this process still runs (a zombie does not)."""
    return started_mark(mark.pid) == mark.started


def end(marks: Sequence[ProcessMark], *, grace_s: float) -> tuple[ProcessMark, ...]:
    """Ask these processes to end, wait up to `grace_s`, then kill; nobody else, even if a pid was given away meanwhile.

    Returns those that were running when asked.
    """
    alive = tuple(mark for mark in marks if _send(mark, signal.SIGTERM))
    deadline = time.monotonic() + grace_s
    while any(is_running(mark) for mark in alive) and time.monotonic() < deadline:
        time.sleep(0.05)
    for mark in alive:
        _send(mark, signal.SIGKILL)
    while any(is_running(mark) for mark in alive) and time.monotonic() < deadline + 5.0:
        time.sleep(0.01)
    return alive


def _send(mark: ProcessMark, number: signal.Signals) -> bool:
    """Signal through a pidfd: it names the process that was checked, not whoever has its pid next."""
    if not hasattr(os, "pidfd_open"):
        if not is_running(mark):
            return False
        os.kill(mark.pid, number)
        return True
    try:
        descriptor = os.pidfd_open(mark.pid)
    except OSError:
        return False
    try:
        if not is_running(mark):
            return False
        signal.pidfd_send_signal(descriptor, number)
    except ProcessLookupError:
        return False
    else:
        return True
    finally:
        os.close(descriptor)


class PidFile:
    """The processes a supervisor started, on disk, so that the next one finds what a killed one left behind."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> tuple[ProcessMark, ...]:
        """What was written last; empty if there is no file or it is unreadable (then nobody is ended)."""
        try:
            rows = json.loads(self.path.read_text(encoding="utf-8"))["processes"]
            return tuple(ProcessMark(name=str(row["name"]), pid=int(row["pid"]), started=str(row["started"])) for row in rows)
        except (OSError, ValueError, KeyError, TypeError):
            return ()

    def write(self, marks: Iterable[ProcessMark]) -> None:
        """Replace the file in one step."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        draft = self.path.with_name(f"{self.path.name}.{os.getpid()}")
        draft.write_text(json.dumps({"processes": [asdict(mark) for mark in marks]}, indent=1), encoding="utf-8")
        draft.replace(self.path)

    def delete(self) -> None:
        """Forget all."""
        self.path.unlink(missing_ok=True)
