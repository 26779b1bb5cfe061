"""What a watching stage owns: several co-partitioned logs folded into one state, and whether all of them are read to their end.

A watcher decides nothing from one record, so it needs no decision log: its state keeps the offset reached in each topic, in the
same write batch as what was learned. Everything learned is a join, so reading a record twice changes nothing, and a start below
what is known (a rewound group, somebody else's old folder) is always safe. It never starts above what its state knows: a
committed offset is another's word.

Tests: tests/unit/enact/kafka/test_watch_loop.py.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from enact.errors import FencedError
from enact.kafka.state import PartitionState
from enact.kafka.transport import NextOffset, Reader, TopicPartition
from enact.log import get_logger

_POSITIONS = b"\x00positions"
_log = get_logger("kernel")


@dataclass(slots=True)
class WatchedPartition:
    """One owned partition: its state, how far each topic is read, and the ends that were there when it was assigned."""

    state: PartitionState
    positions: dict[str, int]
    ends: dict[str, int]

    def reached(self, topic: str, next_offset: int) -> None:
        """Everything below is folded; part of the state's next write."""
        self.positions[topic] = next_offset
        self.state.put(_POSITIONS, msgspec.msgpack.encode(self.positions))

    @property
    def remaining(self) -> int:
        """Records that were there at the assignment and are not folded yet."""
        return sum(max(0, end - self.positions.get(topic, 0)) for topic, end in self.ends.items())


class Watched:
    """The listener of a watcher's group reader; every method on the reader's thread."""

    def __init__(
        self,
        reader: Reader,
        *,
        inputs: Sequence[str],
        state_folder: Path,
        before_revoke: Callable[[Sequence[TopicPartition]], None],
        on_gone: Callable[[int], None],
    ) -> None:
        self._reader, self._inputs, self._folder = reader, frozenset(inputs), state_folder
        self._before_revoke, self._on_gone = before_revoke, on_gone
        self.owned: dict[int, WatchedPartition] = {}
        self.has_joined = False

    def on_assign(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, NextOffset]:
        """Open the states; answer where each topic goes on. Raises: StateLostError if a state can neither be opened nor made anew."""
        self.has_joined = True
        begins, ends = self._reader.begin_offsets(partitions), self._reader.end_offsets(partitions)
        committed = self._reader.committed(partitions)
        starts: dict[TopicPartition, NextOffset] = {}
        for tp in partitions:
            owned = self.owned.get(tp.partition) or self._open(tp.partition)
            start = _start(owned.positions.get(tp.topic), begins[tp], ends[tp], committed[tp])
            owned.positions[tp.topic] = starts[tp] = start
            owned.ends[tp.topic] = ends[tp]
        self._reader.resume(list(partitions))
        _log.info("partitions_assigned", partitions=[f"{tp.topic}/{tp.partition}" for tp in sorted(partitions)])
        return starts

    def on_revoke(self, partitions: Sequence[TopicPartition]) -> None:
        """Commit what is kept, then let go. Raises: FencedError if co-partitioned topics are torn apart."""
        self._before_revoke(partitions)
        self._forget(partitions)

    def on_lost(self, partitions: Sequence[TopicPartition]) -> None:
        """Let go without a commit. Raises: as `on_revoke`."""
        self._forget(partitions)

    def is_caught_up(self, partition: int) -> bool:
        """True once every topic of the partition is ours and folded to the end it had when it was assigned."""
        owned = self.owned.get(partition)
        return owned is not None and owned.ends.keys() == self._inputs and owned.remaining == 0

    @property
    def remaining(self) -> int:
        """Records still to be folded before everything is caught up."""
        return sum(owned.remaining for owned in self.owned.values())

    def close(self) -> None:
        """Release every state folder."""
        for partition in list(self.owned):
            self._close(partition)

    def _open(self, partition: int) -> WatchedPartition:
        state = PartitionState(self._folder / str(partition), partition)
        raw = state.get(_POSITIONS)
        positions = msgspec.msgpack.decode(raw, type=dict[str, int]) if raw else {}
        self.owned[partition] = WatchedPartition(state, positions, {})
        return self.owned[partition]

    def _forget(self, partitions: Sequence[TopicPartition]) -> None:
        left: defaultdict[int, set[str]] = defaultdict(set)
        for tp in partitions:
            left[tp.partition].add(tp.topic)
        torn = [p for p, topics in left.items() if p in self.owned and topics != self.owned[p].ends.keys()]
        for partition in left:
            self._close(partition)
        if torn:
            raise FencedError("Some topics of a partition left without the others: the assignor must keep co-partitioned topics together.")

    def _close(self, partition: int) -> None:
        if (owned := self.owned.pop(partition, None)) is not None:
            self._on_gone(partition)
            owned.state.close()


def _start(known: int | None, begin: NextOffset, end: NextOffset, committed: NextOffset | None) -> NextOffset:
    """Where to go on: where the state stands, or lower if the group was rewound; from the beginning if the log knows neither."""
    if known is None or known > end:
        return begin
    return max(begin, NextOffset(known if committed is None else min(known, committed)))
