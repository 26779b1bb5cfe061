"""A lane: a process with a broker of its own that plays one run after another, and lets the minute after a run pass in the next.

What a run leaves is judged by another process. A run that kept every promise keeps its figures; of any other everything is kept.
"""

import json
import logging
import shutil
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterator
from itertools import chain, islice
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any, NamedTuple

from tests.chaos.cluster import Lane
from tests.chaos.matrix import CellRun, cells
from tests.chaos.nemesis import Run, Size

RESULT = "result.json"
BROKEN_RUN = "harness"
"""The result of a run that could not be played to its end: says nothing of the product, is played again next time."""
BULKY = ("world", "topics")
RUNS_PER_BROKER = 25
MAX_IDLE_S = 6.0
"""A run whose minute is over so soon is waited for; while that of another passes, the next run is played."""
MAX_WAITING = 1


class News(NamedTuple):
    """What a lane tells: which lane, which run, what it is doing, and at the end its result."""

    lane: int
    run: str
    phase: str
    result: str = ""


def run_of(name: str, lane: Lane, folder: Path) -> Run:
    """The run of a name: `random-0017` or a cell's. Raises: KeyError for a name of neither kind."""
    if name.startswith("random-"):
        seed = int(name.partition("-")[2])
        return Run(lane, folder / name, seed=seed, size=Size(instances=2 if seed % 4 == 0 else 1))
    return CellRun(lane, folder / name, {cell.name: cell for cell in cells()}[name])


def work(number: int, folder: Path, names: "Queue[str | None]", news: "Queue[News]", is_over: Event) -> None:
    """Play runs until there is no more name, or no new one may begin. The main function of a lane's process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.basicConfig(filename=folder / f"lane-{number}.log", level=logging.INFO, format="%(asctime)s %(name)s %(message)s")

    def given() -> Iterator[str]:
        for name in iter(names.get, None):
            yield name
            if is_over.is_set():
                return

    everything = given()
    while _with_one_broker(number, folder, islice(everything, RUNS_PER_BROKER), news):
        continue


def _with_one_broker(number: int, folder: Path, names: Iterator[str], news: "Queue[News]") -> bool:
    """Play these runs on a new broker; False if there were none."""
    first = next(names, None)
    if first is None:
        return False
    with tempfile.TemporaryDirectory(prefix="enact-lane-", ignore_cleanup_errors=True) as home:
        lane = Lane(Path(home), seed=number)
        lane.start()
        waiting: list[Run] = []
        try:
            for name in chain([first], names):
                run = _played(number, name, lane, folder, news)
                waiting = sorted([*waiting, *([] if run is None else [run])], key=lambda one: one.waits_s)
                while waiting and (waiting[0].waits_s <= MAX_IDLE_S or len(waiting) > MAX_WAITING):
                    _ended(number, waiting.pop(0), news)
            for run in waiting:
                _ended(number, run, news)
        finally:
            lane.stop()
    return True


def _played(number: int, name: str, lane: Lane, folder: Path, news: "Queue[News]") -> Run | None:
    """Play a run as far as the minute after it; None if that went wrong."""
    shutil.rmtree(folder / name, ignore_errors=True)
    run = run_of(name, lane, folder)
    try:
        for phase, step in (("starting", run.start), ("harm", run.harm), ("settling", run.settle)):
            news.put(News(number, name, phase))
            step()
    except BaseException:  # noqa: BLE001 - whatever it is, the other runs go on
        _broken(number, run, news)
        lane.proxy.heal()
        return None
    news.put(News(number, name, "a minute later"))
    return run


def _ended(number: int, run: Run, news: "Queue[News]") -> None:
    try:
        run.finish()
    except BaseException:  # noqa: BLE001 - as above
        _broken(number, run, news)
        return
    checked = subprocess.run(
        [sys.executable, "-m", "tests.chaos.checker", str(run.journal.path)], capture_output=True, text=True, check=False
    )
    (run.journal.path / "checker.txt").write_text(checked.stdout + checked.stderr, encoding="utf-8")
    result = {0: "ok", 1: "violation", 2: "unknown"}.get(checked.returncode, BROKEN_RUN)
    if result == "ok":
        for bulky in BULKY:
            shutil.rmtree(run.journal.path / bulky, ignore_errors=True)
    news.put(News(number, run.name, "done", result))


def _broken(number: int, run: Run, news: "Queue[News]") -> None:
    (run.journal.path / "harness.txt").write_text(traceback.format_exc(), encoding="utf-8")
    try:
        run.stop()
    except Exception:  # noqa: BLE001 - it is being given up anyway
        traceback.print_exc()
    news.put(News(number, run.name, "done", BROKEN_RUN))


def result_of(path: Path) -> dict[str, Any] | None:
    """What the checker decided of a run, None if it has not."""
    try:
        found: dict[str, Any] = json.loads((path / RESULT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found
