"""What the caller did, as metrics."""

from collections import Counter
from collections.abc import Mapping
from typing import Protocol

from enact.metrics import BreakerState, CallResult, ClaimResult, Metrics
from enact.records import ErrorClass, ParkReason, Status

_RESULTS = {
    "applied": CallResult.APPLIED,
    "not_applied": CallResult.NOT_APPLIED,
    "partial": CallResult.PARTIAL,
    "unknown": CallResult.UNKNOWN,
    "released": CallResult.NOT_SENT,
}


class ClaimMeter(Protocol):
    """What the owner tells the metrics."""

    def claimed(self, result: ClaimResult, unread_s: float) -> None:
        """A claim was read back, lost or given up, `unread_s` after its append."""

    def turned(self, in_flight: int, engagements: int, switches_age_s: float, waiting: Counter[str]) -> None:
        """Once a turn: slots taken, switches engaged, seconds since the view was proven fresh, executions that wait by what for."""

    def aged(self, oldest_s: Mapping[str, float]) -> None:
        """Once a second: the age of the oldest execution that waits, by what for; what is not named has none."""


class InvocationMetrics:
    """Implements `ClaimMeter`, `PermitMeter` and `CallMeter`; connectors outside the closed set are not counted."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def called(self, connector: str, result: str, seconds: float, error_class: ErrorClass | None = None) -> None:
        """A call ended."""
        if connector in self._metrics.call_s:
            self._metrics.call_s[connector].observe(seconds)
            self._metrics.calls[connector, _RESULTS[result]].inc()
            if error_class is not None:
                self._metrics.call_errors[connector, error_class].inc()

    def scheduled(self) -> None:
        """A further attempt was given a time."""
        self._metrics.retries.inc()

    def claimed(self, result: ClaimResult, unread_s: float) -> None:
        """A claim was read back, lost or given up."""
        self._metrics.claims[result].inc()
        if result is ClaimResult.STARTED:
            self._metrics.read_back_s.observe(unread_s)

    def turned(self, in_flight: int, engagements: int, switches_age_s: float, waiting: Counter[str]) -> None:
        """Gauges of this turn."""
        for reason in ParkReason:
            self._metrics.held[reason].set(waiting[reason.value])
        self._metrics.retrying.set(waiting[Status.RETRYING.value])
        self._metrics.in_doubt.set(waiting[Status.IN_DOUBT.value])
        self._metrics.in_flight.set(in_flight)
        self._metrics.switches_engaged.set(engagements)
        self._metrics.switches_age_s.set(switches_age_s)

    def permitted(self, breakers: Counter[tuple[str, BreakerState]], *, is_limits_file_refused: bool) -> None:
        """Gauges of this half second."""
        for key in self._metrics.breakers:
            self._metrics.breakers[key].set(breakers[key])
        self._metrics.limits_file_refused.set(is_limits_file_refused)

    def aged(self, oldest_s: Mapping[str, float]) -> None:
        """Gauges of this second."""
        for reason in ParkReason:
            self._metrics.held_oldest_age_s[reason].set(oldest_s.get(reason.value, 0.0))
        self._metrics.in_doubt_oldest_age_s.set(oldest_s.get(Status.IN_DOUBT.value, 0.0))
