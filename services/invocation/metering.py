"""What the caller did, as metrics."""

from typing import Protocol

from enact.metrics import CallResult, ClaimResult, Metrics

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

    def turned(self, in_flight: int, engagements: int, switches_age_s: float) -> None:
        """Once a turn: slots taken, switches engaged, seconds since the view was proven fresh."""


class InvocationMetrics:
    """Implements `ClaimMeter` and `services.invocation.caller.CallMeter`; connectors outside the closed set are not counted."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def called(self, connector: str, result: str, seconds: float) -> None:
        """A call ended."""
        if connector in self._metrics.call_s:
            self._metrics.call_s[connector].observe(seconds)
            self._metrics.calls[connector, _RESULTS[result]].inc()

    def claimed(self, result: ClaimResult, unread_s: float) -> None:
        """A claim was read back, lost or given up."""
        self._metrics.claims[result].inc()
        if result is ClaimResult.STARTED:
            self._metrics.read_back_s.observe(unread_s)

    def turned(self, in_flight: int, engagements: int, switches_age_s: float) -> None:
        """Gauges of this turn."""
        self._metrics.in_flight.set(in_flight)
        self._metrics.switches_engaged.set(engagements)
        self._metrics.switches_age_s.set(switches_age_s)
