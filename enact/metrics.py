"""Every metric of a process, typed, in one place: base units, labels from closed sets only.

A metric with a label is a mapping from each member of its closed set to the series, made up front: `metrics.records[Result.OK].inc()`.
All series carry the stage. Serve them with `exposition`.
"""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from enact.errors import ErrorCode
from enact.lifecycle import TERMINAL
from enact.records.enums import ErrorClass, ParkReason, Status

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

HANDLING_S = (0.00002, 0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.0025, 0.01, 0.05, 0.25, 1.0)
FLUSH_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
READ_BACK_S = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)
CALL_S = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
END_TO_END_S = (0.0025, 0.005, 0.01, 0.015, 0.025, 0.06, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0, 86400.0)
BATCH = (1, 2, 5, 10, 20, 50, 100, 200, 500)


class Result(StrEnum):
    """What became of a record that a stage read."""

    OK = "ok"
    SILENT = "silent"
    DEAD_LETTER = "dead_letter"
    SKIPPED = "skipped"


class ClaimResult(StrEnum):
    """What became of a claim."""

    STARTED = "started"
    LOST = "lost"
    RELEASED = "released"
    GIVEN_UP = "given_up"


class CallResult(StrEnum):
    """What an external call taught us."""

    APPLIED = "applied"
    NOT_APPLIED = "not_applied"
    PARTIAL = "partial"
    UNKNOWN = "unknown"
    NOT_SENT = "not_sent"


class BreakerState(StrEnum):
    """What a circuit breaker lets through: everything, nothing, or a few calls to try."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Remedy(StrEnum):
    """What reconciliation did about an execution that was lost on its way."""

    RETURNED = "returned"
    EXPIRED = "expired"
    TOLD = "told"


K = TypeVar("K", bound=StrEnum)


class Metrics:
    """The registry of one stage process, and what its loop reports to. `connectors` closes the label of the calls."""

    def __init__(self, stage: str, *, connectors: Sequence[str] = ()) -> None:
        self.registry = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)
        self._stage = stage
        self.records = self._counters("records", "Records read, by what became of them.", "result", Result)
        self.dead_letters = self._counters("dead_letters", "Records written to the dead-letter topic, by code.", "code", ErrorCode)
        self.rewinds = self._counter("rewinds", "Batches taken again after a delivery error.")
        self.records_lost = self._counter("records_lost", "Records that retention deleted before this stage had read them.")
        self.handling_s = self._histogram("handling_seconds", "Time to decide or fold one record.", HANDLING_S)
        self.batch_size = self._histogram("batch_records", "Records taken at once.", BATCH)
        self.flush_s = self._histogram("flush_seconds", "Time until a batch's records were acknowledged.", FLUSH_S)
        self.oldest_unprocessed_age_s = self._gauge(
            "oldest_unprocessed_age_seconds", "Age of the oldest record in hand; 0 when all is done."
        )
        self.in_flight = self._gauge("in_flight", "Claims and calls in flight.")
        self.claims = self._counters("claims", "Claims appended, by what became of them.", "result", ClaimResult)
        self.read_back_s = self._histogram("read_back_seconds", "From appending a claim or decision to reading it in the log.", READ_BACK_S)
        self.retries = self._counter("retries", "Further attempts scheduled.")
        self.end_to_end_s = self._histograms(
            "end_to_end_seconds", "From the broker's taking of an intent to its outcome, by how it ended.", END_TO_END_S, sorted(TERMINAL)
        )
        self.held = self._gauges("held", "Steps that wait on purpose.", "reason", ParkReason)
        self.held_oldest_age_s = self._gauges(
            "held_oldest_age_seconds", "Age of the oldest execution that waits on purpose; 0 when none does.", "reason", ParkReason
        )
        self.in_doubt = self._gauge("in_doubt", "Executions nobody can judge: they wait for evidence or a person.")
        self.in_doubt_oldest_age_s = self._gauge("in_doubt_oldest_age_seconds", "Age of the oldest execution in doubt; 0 when none is.")
        self.retrying = self._gauge("retrying", "Steps that wait for their next attempt.")
        self.switches_age_s = self._gauge("switches_age_seconds", "Seconds since the switch view was proven fresh.")
        self.switches_engaged = self._gauge("switches_engaged", "Engagements in force.")
        self.limits_file_refused = self._gauge("limits_file_refused", "1 while the newest limits file is not in force.")
        self.restore_remaining_records = self._gauge("restore_remaining_records", "Records of the assigned logs still to be folded.")
        self.partitions_quarantined = self._gauge("partitions_quarantined", "Partitions that wait for an operator.")
        self.repairs = self._counters("repairs", "Executions found lost on their way, by what was done about them.", "remedy", Remedy)
        self.consumer_lag_records = self._gauge("consumer_lag_records", "Records behind, over all partitions of this member.")
        self.approval_keys = self._gauge("approval_keys", "Public keys in force that may sign approvals.")
        self.approval_keys_stale = self._gauge(
            "approval_keys_stale", "1 while the file of keys cannot be read whole and the keys before it stay in force."
        )
        self._calls(connectors)
        labels, text = ("stage", "connector", "state"), "Tenants whose way to a connector has failed before, by state of the breaker."
        states = Gauge("enact_breakers", text, labels, registry=self.registry)
        self.breakers: Mapping[tuple[str, BreakerState], Gauge] = MappingProxyType(
            {(name, state): states.labels(self._stage, name, state.value) for name in connectors for state in BreakerState}
        )

    def _calls(self, connectors: Sequence[str]) -> None:
        took = Histogram("enact_call_seconds", "Time of one external call.", ("stage", "connector"), buckets=CALL_S, registry=self.registry)
        ended = Counter("enact_calls", "External calls, by what they taught us.", ("stage", "connector", "result"), registry=self.registry)
        failed = Counter("enact_call_errors", "Failed calls, by class.", ("stage", "connector", "error_class"), registry=self.registry)
        self.call_s: Mapping[str, Histogram] = MappingProxyType({name: took.labels(self._stage, name) for name in connectors})
        self.calls: Mapping[tuple[str, CallResult], Counter] = MappingProxyType(
            {(name, result): ended.labels(self._stage, name, result.value) for name in connectors for result in CallResult}
        )
        self.call_errors: Mapping[tuple[str, ErrorClass], Counter] = MappingProxyType(
            {(name, kind): failed.labels(self._stage, name, kind.value) for name in connectors for kind in ErrorClass}
        )

    def took(self, records: int) -> None:
        """A batch was taken."""
        if records:
            self.batch_size.observe(records)

    def ended(self, topic: str, result: str) -> None:
        """A record ended as one of `Result`. Raises: ValueError on any other word."""
        self.records[Result(result)].inc()

    def ended_together(self, records: int) -> None:
        """So many records of a batch ended as ok."""
        self.records[Result.OK].inc(records)

    def handled(self, seconds: float) -> None:
        """A record was decided or folded."""
        self.handling_s.observe(seconds)

    def waited(self, oldest_age_s: float) -> None:
        """How old the oldest record of the batch in hand is; 0 = there is none."""
        self.oldest_unprocessed_age_s.set(oldest_age_s)

    def flushed(self, seconds: float) -> None:
        """A flush was acknowledged."""
        self.flush_s.observe(seconds)

    def rewound(self) -> None:
        """A batch is taken again."""
        self.rewinds.inc()

    def lost(self, records: int) -> None:
        """Retention deleted so many records before this stage had read them."""
        self.records_lost.inc(records)

    def restoring(self, remaining: int) -> None:
        """Records of the log that are still to be folded."""
        self.restore_remaining_records.set(remaining)

    def quarantined(self, partitions: int) -> None:
        """How many partitions wait for an operator."""
        self.partitions_quarantined.set(partitions)

    def dead_lettered(self, code: ErrorCode) -> None:
        """A dead letter was acknowledged."""
        self.dead_letters[code].inc()

    def told_of_approval_keys(self, count: int, *, is_stale: bool) -> None:
        """The key set was read, or could not be."""
        self.approval_keys.set(count)
        self.approval_keys_stale.set(is_stale)

    def exposition(self) -> bytes:
        """The text that Prometheus reads."""
        return generate_latest(self.registry)

    def _counter(self, name: str, text: str) -> Counter:
        return Counter(f"enact_{name}", text, ("stage",), registry=self.registry).labels(self._stage)

    def _gauge(self, name: str, text: str) -> Gauge:
        return Gauge(f"enact_{name}", text, ("stage",), registry=self.registry).labels(self._stage)

    def _histogram(self, name: str, text: str, buckets: Sequence[float]) -> Histogram:
        return Histogram(f"enact_{name}", text, ("stage",), buckets=buckets, registry=self.registry).labels(self._stage)

    def _histograms(self, name: str, text: str, buckets: Sequence[float], ended: Iterable[Status]) -> Mapping[Status, Histogram]:
        made = Histogram(f"enact_{name}", text, ("stage", "status"), buckets=buckets, registry=self.registry)
        return MappingProxyType({status: made.labels(self._stage, status.value) for status in ended})

    def _counters(self, name: str, text: str, label: str, members: type[K]) -> Mapping[K, Counter]:
        made = Counter(f"enact_{name}", text, ("stage", label), registry=self.registry)
        return MappingProxyType({member: made.labels(self._stage, member.value) for member in members})

    def _gauges(self, name: str, text: str, label: str, members: type[K]) -> Mapping[K, Gauge]:
        made = Gauge(f"enact_{name}", text, ("stage", label), registry=self.registry)
        return MappingProxyType({member: made.labels(self._stage, member.value) for member in members})
