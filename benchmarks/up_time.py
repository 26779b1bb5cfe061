"""`enact up` as a person starts it: how long until it says that it runs, and what it takes while nothing happens."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from benchmarks.measure import idle_cpu
from benchmarks.usage import memory_of
from enact.broker.pid_file import PidFile

READY: Final = "enact is running"
SETTLE_S: Final = 5.0
STOP_S: Final = 90.0


def measure_up(data_dir: Path, *, idle_s: float) -> dict[str, Any]:
    """Twice on one folder, with the practice world: `first_s` in a new folder, `ready_s` again, then idle CPU and memory by process.

    The broker's jars and start cache are there by then (the first orderly stop writes the cache). Raises: RuntimeError.
    """
    found: dict[str, Any] = {}
    with _up(data_dir) as ready_s:
        found["first_s"] = ready_s
    with _up(data_dir) as ready_s:
        found["ready_s"] = ready_s
        time.sleep(SETTLE_S)
        pids = _pids(data_dir)
        found["idle_cpu"] = idle_cpu(pids, idle_s)
        found["memory"] = memory_of(pids)
    return found


@contextmanager
def _up(data_dir: Path) -> Iterator[float]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("ENACT_") or name == "ENACT_CACHE_DIR"}
    environ |= {"ENACT_DATA_DIR": str(data_dir), "PYTHONUNBUFFERED": "1"}
    started = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "cli.main", "up", "--sandbox", "--free-ports"],
        env=environ,
        cwd=Path(__file__).resolve().parents[1],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        said: list[str] = []
        assert process.stdout is not None
        for line in process.stdout:
            said.append(line)
            if READY in line:
                break
        else:
            raise RuntimeError("enact up did not become ready:\n" + "".join(said[-20:]))
        yield round(time.monotonic() - started, 2)
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.communicate(timeout=STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def _pids(data_dir: Path) -> dict[str, int]:
    """Everything that a running `enact up` has started, and itself."""
    marks = [*PidFile(data_dir / "enact.pid.json").read(), *PidFile(data_dir / "broker" / "broker.pid.json").read()]
    return {mark.name.removesuffix(".0"): mark.pid for mark in marks}
