"""Stops under load, judged: intents at a steady rate, switches engaged and released, and when the last matching call arrived."""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from enact.kafka.transport import OutRecord, Writer
from enact.records import ApprovedIntent


class Stop(NamedTuple):
    """One engagement, in epoch milliseconds of one machine: asked for, appended (the broker's clock), acknowledged, release asked for."""

    asked_ms: int
    appended_ms: int
    acknowledged_ms: int
    released_ms: int


BEFORE_MS = 1_000
"""A stop shows something only if there were calls until then: so long before it one must have arrived."""


class LastCalls(NamedTuple):
    """For each stop before which calls arrived: how long after its append, and after its acknowledgement, the last one did (ms).

    Negative: before it.
    """

    after_append_ms: list[int]
    after_acknowledgement_ms: list[int]


def last_calls(stops: Iterable[Stop], calls_ms: Sequence[int]) -> LastCalls:
    """`calls_ms`: when each call of the scope arrived."""
    found = LastCalls([], [])
    for stop in stops:
        met = [at_ms for at_ms in calls_ms if stop.asked_ms - BEFORE_MS <= at_ms < stop.released_ms]
        if met:
            found.after_append_ms.append(max(met) - stop.appended_ms)
            found.after_acknowledgement_ms.append(max(met) - stop.acknowledged_ms)
    return found


def rate_while_stopped(stops: Sequence[Stop], calls_ms: Sequence[int], *, settle_ms: int) -> float:
    """Calls per second during the stops, by those of the whole time from the first stop to the last release: 1 = nothing changed.

    The first `settle_ms` of each stop are left out, and counted as not stopped. Raises: ValueError if there is nothing to compare.
    """
    windows = [(stop.acknowledged_ms + settle_ms, stop.released_ms) for stop in stops]
    whole_ms = stops[-1].released_ms - stops[0].asked_ms if stops else 0
    stopped_ms = sum(to_ms - from_ms for from_ms, to_ms in windows)
    during = sum(from_ms <= at_ms < to_ms for at_ms in calls_ms for from_ms, to_ms in windows)
    all_ = sum(stops[0].asked_ms <= at_ms < stops[-1].released_ms for at_ms in calls_ms) if stops else 0
    if stopped_ms <= 0 or not all_:
        raise ValueError("there is no time or no call to compare")
    return (during / stopped_ms) / (all_ / whole_ms)


class Traffic:
    """Publishes open loop, in a thread of its own, `rate` a second until `stop`; `published` is what it sent."""

    def __init__(self, writer: Writer, rate: float, make: Callable[[int], tuple[ApprovedIntent, OutRecord]]) -> None:
        """`make`: the n-th intent and its record."""
        self.published: list[ApprovedIntent] = []
        self._writer, self._rate, self._make = writer, rate, make
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._publish, name="traffic", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> list[ApprovedIntent]:
        """End, wait until everything is acknowledged, and say what was published. Raises: DeliveryError."""
        self._stop.set()
        self._thread.join()
        self._writer.flush(60.0)
        return self.published

    def _publish(self) -> None:
        started = time.monotonic()
        while not self._stop.is_set():
            intent, record = self._make(len(self.published))
            self._writer.send(record)
            self._writer.poll()
            self.published.append(intent)
            self._stop.wait(max(0.0, started + len(self.published) / self._rate - time.monotonic()))
