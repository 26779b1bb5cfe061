"""What the caller did, as metrics."""

from enact.metrics import CallResult, Metrics

_RESULTS = {
    "applied": CallResult.APPLIED,
    "not_applied": CallResult.NOT_APPLIED,
    "partial": CallResult.PARTIAL,
    "unknown": CallResult.UNKNOWN,
    "released": CallResult.NOT_SENT,
}


class CallMetrics:
    """Implements `services.invocation.caller.CallMeter`; connectors outside the closed set are not counted."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def called(self, connector: str, result: str, seconds: float) -> None:
        """A call ended."""
        if connector in self._metrics.call_s:
            self._metrics.call_s[connector].observe(seconds)
            self._metrics.calls[connector, _RESULTS[result]].inc()
