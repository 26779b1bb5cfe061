"""The reader of the broker in memory: the same promises as the real ones, for one member of a group."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from enact.errors import ConfigurationError
from enact.kafka.client_errors import OffsetOutOfRangeError
from enact.kafka.transport import AssignmentListener, Batch, InRecord, NextOffset, TopicPartition


class Logs(Protocol):
    """What a reader needs of its broker."""

    commits: dict[str, dict[TopicPartition, NextOffset]]

    def partition_count(self, topic: str) -> int:
        """Raises: BrokerError if the topic does not exist."""

    def bounds(self, partition: TopicPartition) -> tuple[NextOffset, NextOffset]:
        """Log start and end."""

    def read(self, partition: TopicPartition, at: int, max_records: int) -> Sequence[InRecord]:
        """Records from `at` on."""

    def wait_for_arrival(self, wait_s: float) -> None:
        """Until somebody appends, for a while."""


class LocalReader:
    """`Reader` in memory. `give`, `revoke` and `lose` play the group's part in tests."""

    def __init__(self, broker: Logs, group: str | None) -> None:
        self._broker = broker
        self._group = group
        self._listener: AssignmentListener | None = None
        self._positions: dict[TopicPartition, int] = {}
        self._paused: set[TopicPartition] = set()
        self._ended: set[TopicPartition] = set()
        self._committed: dict[TopicPartition, NextOffset] = {}

    @property
    def owned(self) -> frozenset[TopicPartition]:
        """What is assigned."""
        return frozenset(self._positions)

    @property
    def paused(self) -> frozenset[TopicPartition]:
        """What is not read now."""
        return frozenset(self._paused)

    def subscribe(self, topics: Sequence[str], listener: AssignmentListener) -> None:
        """Own every partition of these topics at once; the listener is called before this returns."""
        self._own_group()
        self._listener = listener
        self.give([TopicPartition(topic, number) for topic in topics for number in range(self._broker.partition_count(topic))])

    def give(self, partitions: Sequence[TopicPartition]) -> None:
        """Assign as a group would: explicit starts, else committed offsets, else the beginning."""
        answered = self._listening().on_assign(list(partitions))
        commits = self._broker.commits.get(self._own_group(), {})
        for one in partitions:
            begin, _ = self._broker.bounds(one)
            self._positions[one] = answered.get(one, commits.get(one, begin))
            self._ended.discard(one)

    def revoke(self, partitions: Sequence[TopicPartition]) -> None:
        """Take partitions away in good order."""
        self._listening().on_revoke(list(partitions))
        self._forget(partitions)

    def lose(self, partitions: Sequence[TopicPartition]) -> None:
        """Take partitions away without asking."""
        self._forget(partitions)
        self._listening().on_lost(list(partitions))

    def _forget(self, partitions: Iterable[TopicPartition]) -> None:
        for one in partitions:
            self._positions.pop(one, None)
            self._committed.pop(one, None)
            self._ended.discard(one)

    @property
    def is_member(self) -> bool:
        """True after `subscribe`."""
        return self._listener is not None

    def assign(self, starts: Mapping[TopicPartition, NextOffset]) -> None:
        """Read these partitions, and only these."""
        if self._group is not None:
            raise ValueError("A reader of a group is assigned by its group: use `log_reader`.")
        for one in starts:
            self._broker.bounds(one)
        self._positions = dict(starts)
        self._ended.clear()

    def take(self, max_records: int, wait_s: float) -> Batch:
        """What is there. Raises: OffsetOutOfRangeError once, then the partition is silent until it is assigned anew."""
        batch = self._collect(max_records)
        if not batch.records and not batch.ends:
            self._broker.wait_for_arrival(wait_s)
            batch = self._collect(max_records)
        return batch

    def _collect(self, max_records: int) -> Batch:
        records: list[InRecord] = []
        ends: dict[TopicPartition, NextOffset] = {}
        for one, position in list(self._positions.items()):
            begin, end = self._broker.bounds(one)
            if one in self._paused or position < 0:
                continue
            if not begin <= position <= end:
                if records or ends:
                    break
                self._positions[one] = -1
                raise OffsetOutOfRangeError(one)
            found = self._broker.read(one, position, max_records - len(records))
            records += found
            self._positions[one] = position + len(found)
            if self._positions[one] < end or found:
                self._ended.discard(one)
            if self._positions[one] == end and one not in self._ended:
                self._ended.add(one)
                ends[one] = end
        return Batch(records, ends)

    def seek(self, partition: TopicPartition, next_offset: NextOffset) -> None:
        """Continue reading from there; silently nothing for a partition that is gone."""
        if partition in self._positions:
            self._positions[partition] = next_offset
            self._ended.discard(partition)

    def pause(self, partitions: Sequence[TopicPartition]) -> None:
        """Stop reading these."""
        self._paused.update(partitions)

    def resume(self, partitions: Sequence[TopicPartition]) -> None:
        """Read these again."""
        self._paused.difference_update(partitions)

    def end_offsets(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, NextOffset]:
        """The ends now."""
        return {one: self._broker.bounds(one)[1] for one in partitions}

    def begin_offsets(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, NextOffset]:
        """The log starts now."""
        return {one: self._broker.bounds(one)[0] for one in partitions}

    def committed(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, NextOffset | None]:
        """The group's committed offsets; None where there is none."""
        commits = self._broker.commits.get(self._own_group(), {})
        return {one: commits.get(one) for one in partitions}

    def commit(self, offsets: Mapping[TopicPartition, NextOffset], *, is_async: bool) -> None:
        """Commit what is owned of this, at once."""
        wanted = {one: offset for one, offset in offsets.items() if one in self._positions}
        self._broker.commits.setdefault(self._own_group(), {}).update(wanted)
        self._committed.update(wanted)

    def committed_by_us(self) -> Mapping[TopicPartition, NextOffset]:
        """What our own commits have reached."""
        return dict(self._committed)

    def partition_count(self, topic: str) -> int:
        """Raises: BrokerError if the topic does not exist."""
        return self._broker.partition_count(topic)

    def close(self) -> None:
        """Give everything back."""
        if self._listener is not None and self._positions:
            self.revoke(sorted(self._positions))
        self._positions.clear()

    def _own_group(self) -> str:
        if self._group is None:
            raise ConfigurationError("A log reader belongs to no group: use `reader(group)` to subscribe or commit.")
        return self._group

    def _listening(self) -> AssignmentListener:
        if self._listener is None:
            raise ValueError("Nobody subscribed yet.")
        return self._listener
