"""All runs in order: lanes in parallel, what is done is skipped, the first violation stops everything unless told to go on."""

import multiprocessing
import os
import queue
import shutil
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing.queues import Queue
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from tests.chaos.lane import BROKEN_RUN, News, result_of, work

HEAR_S = 0.5


@dataclass
class Outcome:
    """How a set of runs went. `results` counts runs by result; `bad` names those that were no success."""

    results: Counter[str] = field(default_factory=Counter)
    bad: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        """Whether no run broke a promise, and every run was played to its end."""
        return not self.results["violation"] and not self.results[BROKEN_RUN]


def undone(names: Sequence[str], folder: Path) -> list[str]:
    """Those that no checker has decided yet."""
    return [name for name in names if result_of(folder / name) is None]


class Runner:
    """Plays runs by name in `lanes` processes. Times out softly: after `within_s` no new run begins."""

    def __init__(self, folder: Path, *, lanes: int, keeps_going: bool = False, within_s: float = float("inf")) -> None:
        self._folder, self._lanes, self._keeps_going = folder, lanes, keeps_going
        self._until_s = time.monotonic() + within_s
        self._console = Console(file=sys.stderr)

    def play(self, names: Sequence[str]) -> Outcome:
        """Play what is not decided yet; returns how that went. Ctrl-C ends the lanes; decided runs stay decided."""
        outcome = Outcome()
        waiting = undone(names, self._folder)
        self._folder.mkdir(parents=True, exist_ok=True)
        context = multiprocessing.get_context("spawn")
        given: Queue[str | None] = context.Queue()
        news: Queue[News] = context.Queue()
        is_over = context.Event()
        lanes = range(min(self._lanes, len(waiting)))
        for name in (*waiting, *(None for _ in lanes)):
            given.put(name)
        processes = [
            context.Process(target=work, args=(number, self._folder, given, news, is_over), name=f"lane-{number}") for number in lanes
        ]
        for process in processes:
            process.start()
        try:
            with self._progress() as progress:
                bar = progress.add_task("runs", total=len(waiting))
                while any(process.is_alive() for process in processes) or not news.empty():
                    if time.monotonic() > self._until_s or not (self._keeps_going or outcome.is_clean):
                        is_over.set()
                    self._hear(news, outcome, progress, bar)
        finally:
            for process in processes:
                process.terminate()
                process.join(20)
        return outcome

    def _hear(self, news: "Queue[News]", outcome: Outcome, progress: Progress, bar: TaskID) -> None:
        try:
            one = news.get(timeout=HEAR_S)
        except queue.Empty:
            return
        progress.update(bar, description=f"lane {one.lane}: {one.run} {one.phase}")
        if one.phase == "done":
            self._count(one, outcome, progress)
            progress.advance(bar)

    def _count(self, one: News, outcome: Outcome, progress: Progress) -> None:
        outcome.results[one.result] += 1
        if one.result != "ok":
            outcome.bad.append(one.run)
            progress.console.print(f"{one.run}: {one.result}; everything about it is kept in {self._folder / one.run}")

    def _progress(self) -> Progress:
        columns = (TextColumn("{task.description:45}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        return Progress(*columns, console=self._console)


def forget(folder: Path) -> None:
    """Throw all results away."""
    shutil.rmtree(folder, ignore_errors=True)


def lanes_of_this_machine() -> int:
    """As many lanes as fit: a run keeps about two thirds of a core busy."""
    return max(1, (os.cpu_count() or 1) * 3 // 2)
