"""What a process owns of its stage's log: restore before acting, and where emission starts.

On assign the state is folded from its stored offset to the end offset taken *after* the assignment; until then the inputs of that
partition stay paused and nothing is decided. Where a fold starts and where emission starts is in `enact.kafka.owned_partition`.

Nothing is taken from the client about pauses: a partition that comes back can come back paused, so every
assignment says for each of its partitions whether it is read.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from enact.errors import FencedError
from enact.failpoints import Failpoint, hit
from enact.kafka.owned_partition import OwnedPartition, Phase, restore_plan
from enact.kafka.state import PartitionState
from enact.kafka.transport import NextOffset, Reader, TopicPartition
from enact.log import get_logger

_log = get_logger("kernel")


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
        tell_lost: Callable[[int], None] = lambda _: None,
    ) -> None:
        """`tell_lost` hears how many records retention deleted before this group had read them."""
        self._reader = reader
        self._inputs = frozenset(inputs)
        self._log_topic = log
        self._folder = state_folder
        self._on_live = on_live
        self._before_revoke = before_revoke
        self._on_gone = on_gone
        self._tell_lost = tell_lost
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
        starts |= self._input_starts([tp for tp in partitions if tp.topic in self._inputs])
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
            is_missing = state.applied is None or state.applied < begins[tp]
            owned, starts[tp] = restore_plan(state, begins[tp], ends[tp], committed[tp])
            if is_missing and (at := committed[tp]) is not None and at < begins[tp]:
                self._lost(tp, at, begins[tp])
            self.owned[tp.partition] = owned
            if committed[tp] is None and owned.phase is not Phase.QUARANTINED:
                self._uncommitted[tp] = ends[tp]
        return starts

    def _input_starts(self, inputs: Sequence[TopicPartition]) -> dict[TopicPartition, NextOffset]:
        """An input is read from where it was left, or from its start if that is no longer there.

        Nobody can bring back what retention deleted, and waiting would only lose more: it is said, counted, and the rest is read.
        An input that was cut off behind us is read again from its start, because to read twice does no harm (docs/decisions/0014).
        """
        committed = self._reader.committed(inputs)
        begins, ends = self._reader.begin_offsets(inputs), self._reader.end_offsets(inputs)
        starts: dict[TopicPartition, NextOffset] = {}
        for tp in inputs:
            at = committed[tp]
            starts[tp] = begins[tp] if at is None or not begins[tp] <= at <= ends[tp] else at
            if at is not None and at < begins[tp]:
                self._lost(tp, at, begins[tp])
            elif at is not None and at > ends[tp]:
                _log.error("input_cut_off", topic=tp.topic, partition=tp.partition, next_offset=at, end_offset=ends[tp])
        return starts

    def _lost(self, tp: TopicPartition, committed: NextOffset, begin: NextOffset) -> None:
        lost = begin - committed
        _log.error("records_lost", topic=tp.topic, partition=tp.partition, next_offset=committed, begin_offset=begin, count=lost)
        self._tell_lost(lost)

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


def _names(partitions: Sequence[TopicPartition]) -> list[str]:
    return [f"{tp.topic}/{tp.partition}" for tp in sorted(partitions)]
