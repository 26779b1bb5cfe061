"""A broker in memory, for unit tests: it appends, reads, keeps offsets. Never evidence for a guarantee.

What it is not: no groups of several members, no compaction, no retention by time, no network. What it shares with the real one
is what `tests/contract/brokers` runs against both. Time is the clock it is given. Safe to use from several threads.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from enact.clock import Clock, ManualClock
from enact.errors import BrokerError, DeliveryError, EnactError, RecordTooLargeError
from enact.kafka.local_reader import LocalReader
from enact.kafka.transport import DeliveryReport, InRecord, NextOffset, Offset, OutRecord, TopicPartition

__all__ = ["LocalBroker", "LocalReader", "LocalWriter"]

MAX_MESSAGE_BYTES = 1_048_576


@dataclass(slots=True)
class _Log:
    """One partition: `records[i]` lies at offset `begin + i`."""

    begin: int = 0
    records: list[InRecord] = field(default_factory=list)

    @property
    def end(self) -> int:
        return self.begin + len(self.records)


@dataclass(slots=True)
class _Topic:
    logs: list[_Log]
    max_message_bytes: int


@dataclass(slots=True)
class _Fault:
    """The next deliveries fail with `error`; `is_stored` = the record is in the log all the same."""

    left: int
    error: EnactError
    is_stored: bool


class LocalBroker:
    """Topics and committed offsets. A `take` waits at most `max_wait_s` of real time, whatever it is asked (0: never)."""

    def __init__(self, clock: Clock | None = None, *, max_wait_s: float = 0.0) -> None:
        self.clock: Clock = clock if clock is not None else ManualClock()
        self.max_wait_s = max_wait_s
        self.leader_epoch = 0
        self.commits: dict[str, dict[TopicPartition, NextOffset]] = {}
        self._topics: dict[str, _Topic] = {}
        self._arrived = threading.Condition(threading.RLock())
        self._fault: _Fault | None = None

    def create_topic(self, name: str, partitions: int, *, max_message_bytes: int = MAX_MESSAGE_BYTES) -> None:
        """Raises: BrokerError if it exists."""
        with self._arrived:
            if name in self._topics:
                raise BrokerError(f"The topic {name} exists already.")
            self._topics[name] = _Topic([_Log() for _ in range(partitions)], max_message_bytes)

    def writer(self) -> "LocalWriter":
        """A producer."""
        return LocalWriter(self)

    def reader(self, group: str) -> LocalReader:
        """The one member of a group: it owns every partition of what it subscribes to, at once."""
        return LocalReader(self, group)

    def log_reader(self) -> LocalReader:
        """A reader of named partitions."""
        return LocalReader(self, None)

    def fail_next_deliveries(self, count: int, *, error: EnactError | None = None, is_stored: bool = False) -> None:
        """The next `count` records are not acknowledged; with `is_stored` they are in the log all the same (an unknown delivery)."""
        with self._arrived:
            self._fault = _Fault(count, error if error is not None else DeliveryError(), is_stored)

    def cut(self, partition: TopicPartition, begin: NextOffset) -> None:
        """Retention: the log starts at `begin` now."""
        with self._arrived:
            log = self._log(partition)
            log.records = log.records[max(0, begin - log.begin) :]
            log.begin = max(log.begin, begin)

    def lose(self, partition: TopicPartition, end: NextOffset) -> None:
        """A broker that lost what it had acknowledged: the log ends at `end` now, under another leader."""
        with self._arrived:
            log = self._log(partition)
            del log.records[max(0, end - log.begin) :]
            self.leader_epoch += 1

    def records(self, topic: str, partition: int | None = None) -> list[InRecord]:
        """What lies in a topic (or in one partition of it): for assertions."""
        with self._arrived:
            logs = self._topic(topic).logs
            return [record for log in (logs if partition is None else [logs[partition]]) for record in log.records]

    def partition_count(self, topic: str) -> int:
        """Raises: BrokerError if the topic does not exist."""
        with self._arrived:
            return len(self._topic(topic).logs)

    def bounds(self, partition: TopicPartition) -> tuple[NextOffset, NextOffset]:
        """Log start and end."""
        with self._arrived:
            log = self._log(partition)
            return NextOffset(log.begin), NextOffset(log.end)

    def read(self, partition: TopicPartition, at: int, max_records: int) -> Sequence[InRecord]:
        """Records from `at` on."""
        with self._arrived:
            log = self._log(partition)
            return log.records[at - log.begin : at - log.begin + max_records]

    def wait_for_arrival(self, wait_s: float) -> None:
        """Until somebody appends, for at most min(wait_s, max_wait_s)."""
        with self._arrived:
            self._arrived.wait(min(wait_s, self.max_wait_s))

    def append(self, record: OutRecord) -> tuple[EnactError | None, int]:
        """What a delivery report says: an error, or the offset."""
        with self._arrived:
            topic = self._topic(record.topic)
            log = self._log(TopicPartition(record.topic, record.partition))
            if len(record.value or b"") + len(record.key or b"") > topic.max_message_bytes:
                return RecordTooLargeError(f"Could not append to {record.topic}[{record.partition}]: the record is too large."), -1
            fault = self._fault
            if fault is not None:
                fault.left -= 1
                if fault.left <= 0:
                    self._fault = None
                if not fault.is_stored:
                    return fault.error, -1
            offset = Offset(log.end)
            log.records.append(
                InRecord(
                    record.topic,
                    record.partition,
                    offset,
                    self.clock.wall_ms(),
                    record.key,
                    record.value,
                    record.headers,
                    self.leader_epoch,
                )
            )
            self._arrived.notify_all()
            return (None, offset) if fault is None else (fault.error, -1)

    def _topic(self, name: str) -> _Topic:
        if name not in self._topics:
            raise BrokerError(f"The topic {name} does not exist: run `enact topics apply`.")
        return self._topics[name]

    def _log(self, partition: TopicPartition) -> _Log:
        logs = self._topic(partition.topic).logs
        if not 0 <= partition.partition < len(logs):
            raise BrokerError(f"{partition.topic} has no partition {partition.partition}.")
        return logs[partition.partition]


class LocalWriter:
    """`Writer` on a LocalBroker: appends at once, reports in `poll` and `flush`."""

    def __init__(self, broker: LocalBroker) -> None:
        self._broker = broker
        self._lock = threading.Lock()
        self._failure: EnactError | None = None
        self._reports: list[tuple[DeliveryReport, EnactError | None, int, int]] = []

    def send(self, record: OutRecord, on_delivery: DeliveryReport | None = None) -> None:
        """Append. Raises: BrokerError if there is no such partition."""
        error, offset = self._broker.append(record)
        with self._lock:
            if on_delivery is not None:
                self._reports.append((on_delivery, error, record.partition, offset))
            elif error is not None and (self._failure is None or isinstance(self._failure, RecordTooLargeError)):
                self._failure = error

    def poll(self) -> None:
        """Serve delivery reports."""
        with self._lock:
            reports, self._reports = self._reports, []
        for on_delivery, error, partition, offset in reports:
            on_delivery(error, partition, offset)

    def flush(self, timeout_s: float) -> None:
        """Serve delivery reports. Raises: what a record without `on_delivery` met since the last `flush`."""
        self.poll()
        with self._lock:
            failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def partition_count(self, topic: str) -> int:
        """Raises: BrokerError if the topic does not exist."""
        return self._broker.partition_count(topic)

    def close(self) -> None:
        """Serve what is left."""
        self.poll()
