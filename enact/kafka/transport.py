"""The few words in which the kernel speaks to a broker, real (`client`) or in memory (`local`).

`offset` is where a record lies, `next_offset` is what is committed (the offset after the last done record).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, NewType, Protocol

from msgspec import Struct

from enact.errors import EnactError

Offset = NewType("Offset", int)
NextOffset = NewType("NextOffset", int)
Headers = tuple[tuple[str, bytes], ...]


class TopicPartition(NamedTuple):
    """One partition of one topic."""

    topic: str
    partition: int


class InRecord(Struct, frozen=True):
    """A record as it was read. `timestamp_ms` is the broker's LogAppendTime, `leader_epoch` under which leader it was taken."""

    topic: str
    partition: int
    offset: Offset
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    leader_epoch: int | None = None


class OutRecord(Struct, frozen=True):
    """A record to append. The partition is always explicit: `partition_of` in `enact.kafka.partitioner`."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


class Batch(Struct, frozen=True):
    """What one `take` brought: records in offset order per partition, and partitions whose end was met.

    `ends` maps a partition to the high watermark at which the end was met (no record at or beyond it yet).
    """

    records: Sequence[InRecord]
    ends: Mapping[TopicPartition, NextOffset]


DeliveryReport = Callable[[EnactError | None, int, int], None]
"""Called with (error, partition, offset); offset is -1 on error. Runs on a thread that calls `flush`, `poll` or `send`."""


class Writer(Protocol):
    """An idempotent producer with `acks=all`. `send` may be called from any thread."""

    def send(self, record: OutRecord, on_delivery: DeliveryReport | None = None) -> None:
        """Queue a record. Without `on_delivery` a failure surfaces in the next `flush`."""

    def poll(self) -> None:
        """Serve delivery reports without waiting."""

    def flush(self, timeout_s: float) -> None:
        """Wait until every record sent *without* `on_delivery` is acknowledged.

        Raises: DeliveryError if one was not (the record may be in the log all the same);
        RecordTooLargeError if the broker refused one for its size, and with it whatever lay in the same request.
        """

    def close(self) -> None:
        """Flush what is queued, shortly, and end."""


class AssignmentListener(Protocol):
    """What a group reader tells its stage, always on the thread that calls `take`."""

    def on_assign(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, NextOffset]:
        """Partitions arrive. Returns explicit start offsets; a partition left out starts at its committed offset."""

    def on_revoke(self, partitions: Sequence[TopicPartition]) -> None:
        """Partitions leave in good order: commits are still accepted."""

    def on_lost(self, partitions: Sequence[TopicPartition]) -> None:
        """Partitions were taken away: somebody else may own them already, nothing may be committed."""


class Reader(Protocol):
    """A consumer; every method on one and the same thread."""

    def subscribe(self, topics: Sequence[str], listener: AssignmentListener) -> None:
        """Join the group (range assignor: co-partitioned topics stay together)."""

    @property
    def is_member(self) -> bool:
        """True once the group has taken us in, with partitions or without any."""

    def assign(self, starts: Mapping[TopicPartition, NextOffset]) -> None:
        """Read these partitions without a group."""

    def take(self, max_records: int, wait_s: float) -> Batch:
        """What has arrived: at most `max_records`, waiting at most `wait_s` for the first."""

    def seek(self, partition: TopicPartition, next_offset: NextOffset) -> None:
        """Continue reading from there; records already fetched are dropped."""

    def pause(self, partitions: Sequence[TopicPartition]) -> None:
        """Stop reading these; keep the assignment."""

    def resume(self, partitions: Sequence[TopicPartition]) -> None:
        """Read these again."""

    def end_offsets(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, NextOffset]:
        """The high watermarks now, asked of the broker."""

    def begin_offsets(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, NextOffset]:
        """The log start offsets now, asked of the broker."""

    def committed(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, NextOffset | None]:
        """The group's committed offsets; None where there is none."""

    def commit(self, offsets: Mapping[TopicPartition, NextOffset], *, is_async: bool) -> None:
        """Commit for partitions this reader owns. One asynchronous commit may be in flight; a second is refused silently.

        Raises: EnactError on a synchronous failure.
        """

    def committed_by_us(self) -> Mapping[TopicPartition, NextOffset]:
        """What this reader's own successful commits have reached, asynchronous ones included."""

    def partition_count(self, topic: str) -> int:
        """From broker metadata. Raises: BrokerError if the topic does not exist."""

    def close(self) -> None:
        """Leave the group and end."""
