"""How the suite reads: until something is true, or until it takes too long."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from enact.kafka.transport import InRecord, NextOffset, OutRecord, Reader, TopicPartition, Writer

PATIENCE_S = 20.0


@dataclass
class Seen:
    records: list[InRecord] = field(default_factory=list)
    ends: dict[TopicPartition, NextOffset] = field(default_factory=dict)

    def values(self, partition: int | None = None) -> list[bytes | None]:
        return [record.value for record in self.records if partition is None or record.partition == partition]


def read_until(reader: Reader, is_done: Callable[[Seen], bool], *, max_records: int = 100) -> Seen:
    seen = Seen()
    deadline = time.monotonic() + PATIENCE_S
    while not is_done(seen):
        assert time.monotonic() < deadline, f"gave up with {len(seen.records)} records and ends {seen.ends}"
        batch = reader.take(max_records, 0.1)
        assert len(batch.records) <= max_records
        seen.records += batch.records
        seen.ends |= batch.ends
    return seen


def read_for(reader: Reader, seconds: float) -> Seen:
    seen = Seen()
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        batch = reader.take(100, 0.05)
        seen.records += batch.records
        seen.ends |= batch.ends
    return seen


def at_end(*partitions: TopicPartition) -> Callable[[Seen], bool]:
    return lambda seen: all(partition in seen.ends for partition in partitions)


def count(number: int) -> Callable[[Seen], bool]:
    return lambda seen: len(seen.records) >= number


def append(writer: Writer, topic: str, values: Sequence[bytes | None], partition: int = 0) -> None:
    for value in values:
        writer.send(OutRecord(topic, partition, b"k", value))
    writer.flush(10)


class Listening:
    """A listener that notes what it was told and answers with the given starts."""

    def __init__(self, starts: Mapping[TopicPartition, NextOffset] | None = None) -> None:
        self.starts = dict(starts or {})
        self.assigned: list[TopicPartition] = []
        self.revoked: list[TopicPartition] = []
        self.lost: list[TopicPartition] = []
        self.threads: set[str] = set()
        self.before_revoke: Callable[[], None] = lambda: None

    def on_assign(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, NextOffset]:
        self.threads.add(threading.current_thread().name)
        self.assigned += partitions
        return {one: at for one, at in self.starts.items() if one in partitions}

    def on_revoke(self, partitions: Sequence[TopicPartition]) -> None:
        self.threads.add(threading.current_thread().name)
        self.before_revoke()
        self.revoked += partitions

    def on_lost(self, partitions: Sequence[TopicPartition]) -> None:
        self.lost += partitions
