"""The whole run: columns and bare loop in turn, round after round, on one warmed broker; then medians, ratios and budgets."""

import itertools
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.bare import BareLoop
from benchmarks.instant_crm import InstantCrm
from benchmarks.measure import Load, Measured, idle_cpu, measure
from benchmarks.pipeline import CLASS_D, CLASS_P, WITHOUT_API, Column, Pipeline
from benchmarks.restore import measure_restore
from benchmarks.sizes import BARE, Size
from benchmarks.summary import summary
from benchmarks.up_time import measure_up
from benchmarks.usage import memory_of
from benchmarks.warm import warm_broker
from enact.broker.embedded import EmbeddedBroker
from enact.broker.java import BENCHMARK

SETTLE_S: Final = 1.0
"""Between the last load and the look at what everything takes while nothing happens."""

Tell = Callable[[str], None]


@dataclass(slots=True)
class Found:
    """What was measured, before any arithmetic over rounds."""

    columns: dict[str, list[dict[str, Measured]]]
    idle: dict[str, list[dict[str, Any]]]
    bare: list[dict[str, dict[str, Any]]]
    up: dict[str, Any] | None = None
    restore: dict[str, Any] | None = None


class Bench:
    """One run in a folder of its own."""

    def __init__(self, size: Size, bare_loop: BareLoop, folder: Path, *, partitions: int, restored: int = 0, tell: Tell) -> None:
        """`restored`: how many ended executions a restore is measured over; 0 = it is left out."""
        self._size, self._bare_loop, self._folder = size, bare_loop, folder
        self._partitions, self._restored, self._tell = partitions, restored, tell
        self._tags, self._has_warmed = itertools.count(1), False
        self._seen_per_s: float | None = None

    def run(self) -> dict[str, Any]:
        """Everything; the result as `summary` shapes it. Raises: RuntimeError, EnactError."""
        started = time.monotonic()
        found = Found(columns={}, idle={}, bare=[])
        with self._broker() as broker, InstantCrm() as tool:
            for number in range(max(self._size.rounds.values())):
                for column in (CLASS_P, CLASS_D, WITHOUT_API):
                    if number < self._size.rounds.get(column.name, 0):
                        self._tell(f"round {number + 1}, column {column.name}")
                        self._measure_column(found, column, broker, tool)
                    if column is CLASS_P:
                        self._measure_bare(found, broker)
            if self._restored:
                self._tell(f"restore of {self._restored} executions")
                found.restore = measure_restore(
                    broker, tool, self._folder, count=self._restored, partitions=self._partitions, tell=self._tell
                )
        if self._size.has_up:
            self._tell("enact up: time until ready, at rest")
            found.up = measure_up(self._folder / "up", idle_s=2 * self._size.idle_s)
        self._tell(f"measured in {time.monotonic() - started:.0f} s")
        return summary(found, kind=self._size.kind, partitions=self._partitions, bare_absent=self._bare_loop.absent_because)

    @contextmanager
    def _broker(self) -> Iterator[EmbeddedBroker]:
        broker = EmbeddedBroker(self._folder, port=0, controller_port=0, java=BENCHMARK, on_progress=self._tell)
        self._tell("starting a broker with the full compiler and 512 MB")
        try:
            broker.start()
            broker.wait_ready()
            self._tell("warming the broker")
            warm_broker(broker, least_s=self._size.warm_broker_s[0], most_s=self._size.warm_broker_s[1], tell=self._tell)
            yield broker
        finally:
            broker.stop()

    def _measure_column(self, found: Found, column: Column, broker: EmbeddedBroker, tool: InstantCrm) -> None:
        with Pipeline(column, broker=broker, tool=tool, folder=self._folder, partitions=self._partitions, tell=self._tell) as pipeline:
            memory = memory_of(pipeline.pids())
            loads = self._size.loads_of(column.name, per_s=self._per_s(self._warm(pipeline)))
            measured = {load.name: self._measure_load(pipeline, load) for load in loads}
            found.columns.setdefault(column.name, []).append(measured)
            time.sleep(SETTLE_S)
            at_rest = {"cpu": idle_cpu(pipeline.pids(), self._size.idle_s), "memory": memory}
            found.idle.setdefault(column.name, []).append(at_rest)

    def _measure_load(self, pipeline: Pipeline, load: Load) -> Measured:
        return measure(pipeline, load, tag=f"b{next(self._tags)}", driver_pid=os.getpid(), tell=self._tell)

    def _per_s(self, seen: float) -> float:
        """The rate by which loads are sized: what was seen first, so that all rounds and columns get the same."""
        self._seen_per_s = self._seen_per_s or seen
        return self._seen_per_s

    def _warm(self, pipeline: Pipeline) -> float:
        """Load before what counts: connections, caches and what the warmed broker has not seen yet. Returns executions per second."""
        seconds = self._size.warm_s if self._has_warmed else self._size.first_warm_s
        self._has_warmed = True
        self._tell(f"warming up for {seconds:g} s")
        deadline_s = time.monotonic() + seconds
        while True:
            seen = self._measure_load(pipeline, Load(name="warm-up", count=self._size.warm_count))
            if time.monotonic() >= deadline_s:
                return seen.executions_per_s

    def _measure_bare(self, found: Found, broker: EmbeddedBroker) -> None:
        if self._bare_loop.program is None:
            return
        told: dict[str, dict[str, Any]] = {}
        for load in self._size.loads_of(BARE):
            self._tell(f"the bare loop, {load.name}")
            told[load.name] = self._bare_loop.run(
                broker, count=load.count, rate=load.rate, delay_ms=load.delay_ms, partitions=self._partitions
            )
        found.bare.append(told)
