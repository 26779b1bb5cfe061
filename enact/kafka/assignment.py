"""What a process owns of its stage's log: restore before acting, and where emission starts.

On assign the state is folded from its stored offset to the end offset taken *after* the assignment; until
then the inputs of that partition stay paused and nothing is decided. Emission starts at the larger of the
stored and the committed offset; below it the fold is silent. A committed offset below what the state
remembers as committed means that somebody rewound the group: the state is dropped, folded silently up to the
committed offset, and everything after it is emitted again.

Nothing is taken from the client about pauses: a partition that comes back can come back paused, so every
assignment says for each of its partitions whether it is read.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from enact.errors import FencedError
from enact.failpoints import Failpoint, hit
from enact.kafka.state import PartitionState
from enact.kafka.transport import NextOffset, Reader, TopicPartition
from enact.log import get_logger

_log = get_logger("kernel")


class Phase(StrEnum):
    """Where an owned partition of the log stands."""

    RESTORING = "RESTORING"
    LIVE = "LIVE"
    QUARANTINED = "QUARANTINED"


@dataclass(slots=True)
class OwnedPartition:
    """One owned partition of the log, with its state."""

    state: PartitionState
    emit_from: NextOffset
    restore_to: NextOffset
    phase: Phase


class Assignment:
    """The listener of a stage's group reader; every method on the reader's thread."""

    def __init__(
        self,
        reader: Reader,
        *,
        inputs: Sequence[str],
        log: str | None,
        state_folder: Path,
        on_live: Callable[[int], None],
        before_revoke: Callable[[Sequence[TopicPartition]], None],
        on_gone: Callable[[Sequence[TopicPartition]], None],
    ) -> None:
        self._reader = reader
        self._inputs = frozenset(inputs)
        self._log_topic = log
        self._folder = state_folder
        self._on_live = on_live
        self._before_revoke = before_revoke
        self._on_gone = on_gone
        self.owned: dict[int, OwnedPartition] = {}
        self.partitions: set[TopicPartition] = set()
        self.has_joined = False
        self._uncommitted: dict[TopicPartition, NextOffset] = {}

    def on_assign(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, NextOffset]:
        """Open states, pause their inputs, answer where each log partition starts.

        Raises: StateLostError if a state can neither be opened nor rebuilt. The process must end then.
        """
        hit(Failpoint.ON_ASSIGN)
        self.has_joined = True
        self.partitions.update(partitions)
        logs = [tp for tp in partitions if tp.topic == self._log_topic]
        starts = self._open(logs) if logs else {}
        waiting = [tp for tp in partitions if self._must_wait(tp)]
        self._reader.resume([tp for tp in partitions if tp not in waiting])
        self._reader.pause(waiting)
        for tp in logs:
            self._live_if_restored(tp.partition, starts[tp])
        _log.info("partitions_assigned", partitions=_names(partitions))
        return starts

    def on_revoke(self, partitions: Sequence[TopicPartition]) -> None:
        """Commit what is done, then let go. Raises: FencedError if a log leaves without its inputs."""
        self._before_revoke(partitions)
        self._forget(partitions)
        self._require_pairs(partitions)

    def on_lost(self, partitions: Sequence[TopicPartition]) -> None:
        """Let go without a commit: somebody else may own these already. Raises: as `on_revoke`."""
        _log.warning("partitions_lost", partitions=_names(partitions))
        self._forget(partitions)
        self._require_pairs(partitions)

    def met(self, partition: int, next_offset: NextOffset) -> None:
        """The fold of this log partition has reached `next_offset`."""
        self._live_if_restored(partition, next_offset)

    def quarantine(self, partition: int, why: str) -> None:
        """Keep the partition assigned and paused, its state as it was last kept: nothing is decided in it until an operator looks."""
        owned = self.owned[partition]
        owned.phase = Phase.QUARANTINED
        owned.state.discard()
        self._reader.pause([tp for tp in self.partitions if tp.partition == partition])
        _log.error("partition_quarantined", partition=partition, reason=why)

    def take_uncommitted(self) -> dict[TopicPartition, NextOffset]:
        """Partitions of the log that were empty and without a committed offset when they were assigned; once."""
        taken, self._uncommitted = self._uncommitted, {}
        return {tp: offset for tp, offset in taken.items() if tp in self.partitions}

    @property
    def quarantined(self) -> list[int]:
        """Partitions of the log that wait for an operator."""
        return sorted(p for p, o in self.owned.items() if o.phase is Phase.QUARANTINED)

    @property
    def is_restored(self) -> bool:
        """True once assigned and nothing is being restored."""
        return self.has_joined and all(o.phase is not Phase.RESTORING for o in self.owned.values())

    def close(self) -> None:
        """Release every state folder."""
        self._forget(list(self.partitions))

    def is_live(self, partition: int) -> bool:
        """True if this partition of the log is ours and folded to its end."""
        owned = self.owned.get(partition)
        return owned is not None and owned.phase is Phase.LIVE

    def _must_wait(self, tp: TopicPartition) -> bool:
        if tp.topic == self._log_topic:
            return self.owned[tp.partition].phase is Phase.QUARANTINED
        return self._log_topic is not None and not self.is_live(tp.partition)

    def _open(self, logs: Sequence[TopicPartition]) -> dict[TopicPartition, NextOffset]:
        begins, ends = self._reader.begin_offsets(logs), self._reader.end_offsets(logs)
        committed = self._reader.committed(logs)
        starts = {}
        for tp in logs:
            if (left_open := self.owned.pop(tp.partition, None)) is not None:
                left_open.state.close()
            state = PartitionState(self._folder / str(tp.partition), tp.partition)
            owned, starts[tp] = _restore_plan(state, begins[tp], ends[tp], committed[tp])
            self.owned[tp.partition] = owned
            if committed[tp] is None and owned.phase is not Phase.QUARANTINED:
                self._uncommitted[tp] = ends[tp]
        return starts

    def _live_if_restored(self, partition: int, next_offset: NextOffset) -> None:
        owned = self.owned[partition]
        if owned.phase is not Phase.RESTORING or next_offset < owned.restore_to:
            return
        owned.phase = Phase.LIVE
        inputs = [tp for tp in self.partitions if tp.partition == partition and tp.topic in self._inputs]
        if inputs:
            self._reader.resume(inputs)
        self._on_live(partition)

    def _forget(self, partitions: Sequence[TopicPartition]) -> None:
        self._on_gone(partitions)
        for tp in partitions:
            self.partitions.discard(tp)
            if tp.topic == self._log_topic and tp.partition in self.owned:
                self.owned.pop(tp.partition).state.close()

    def _require_pairs(self, left: Sequence[TopicPartition]) -> None:
        """An input that stays without its log was read further than is kept: only a new start reads it from its committed offset."""
        logs = {tp.partition for tp in left if tp.topic == self._log_topic}
        if any(tp.partition in logs for tp in self.partitions):
            raise FencedError("A partition of the log left without its inputs: the assignor must keep co-partitioned topics together.")


def _restore_plan(
    state: PartitionState, begin: NextOffset, end: NextOffset, committed: NextOffset | None
) -> tuple[OwnedPartition, NextOffset]:
    """Where to start folding, where emission starts, and whether the partition can be trusted at all.

    The way out of a quarantine is a new committed offset: one below what the state remembers rebuilds the state.
    """
    if committed is None and end > begin:
        why = "the log has records but the group has no committed offset: commit the offset from which to emit, then start again"
        return _quarantined(state, end, why)
    if committed is not None and committed > end:
        return _quarantined(state, end, "the committed offset lies beyond the log's end: records were cut off; commit an offset it holds")
    if committed is not None and state.committed is not None and committed < state.committed:
        _log.warning("group_rewound", partition=state.partition, next_offset=committed)
        state.drop()
    if state.applied is not None and state.applied > end:
        return _quarantined(state, end, "the state knows records beyond the end of the log: they were cut off; commit an offset it holds")
    if state.applied is not None and state.applied < begin:
        _log.warning("state_older_than_log", partition=state.partition, next_offset=state.applied)
        state.drop()
    if committed is not None:
        state.remember_committed(committed)
    start = state.applied if state.applied is not None else begin
    emit_from = max(start, committed if committed is not None else end)
    return OwnedPartition(state, emit_from, end, Phase.RESTORING), start


def _quarantined(state: PartitionState, end: NextOffset, why: str) -> tuple[OwnedPartition, NextOffset]:
    _log.error("partition_quarantined", partition=state.partition, next_offset=state.applied or 0, end_offset=end, reason=why)
    return OwnedPartition(state, end, end, Phase.QUARANTINED), end


def _names(partitions: Sequence[TopicPartition]) -> list[str]:
    return [f"{tp.topic}/{tp.partition}" for tp in sorted(partitions)]
