"""Which offsets are done, and moving them: commit, and remember in the state what was committed.

An offset gets here only after the effects before it were acknowledged and the state that goes with it was
kept. The committed offset of the log never moves back while a state is rebuilt below it, and the state
remembers every commit that was acknowledged, because a committed offset below it means that the group was
rewound.
"""

from collections.abc import Callable, Iterable, Mapping

from enact.clock import Clock
from enact.errors import EnactError
from enact.failpoints import Failpoint, hit
from enact.kafka.assignment import Assignment
from enact.kafka.transport import NextOffset, Reader, TopicPartition
from enact.log import get_logger

COMMIT_EVERY_S = 1.0

Done = Callable[[TopicPartition, NextOffset], NextOffset]
"""How far an input may move, at most the given position."""

_log = get_logger("kernel")


class Offsets:
    """The done positions of the assigned partitions. `log` is the stage's log, None if it has none."""

    def __init__(self, reader: Reader, clock: Clock, assignment: Assignment, *, log: str | None, done: Done) -> None:
        self._reader = reader
        self._clock = clock
        self._assignment = assignment
        self._log_topic = log
        self._done = done
        self._positions: dict[TopicPartition, NextOffset] = {}
        self._last_commit_s = 0.0

    def position(self, tp: TopicPartition) -> NextOffset:
        """Everything below is done; 0 if nothing was read yet."""
        return self._positions.get(tp, NextOffset(0))

    def move(self, positions: Mapping[TopicPartition, NextOffset]) -> None:
        """Everything below these is done."""
        hit(Failpoint.BEFORE_OFFSET_STORE)
        self._positions.update(positions)
        hit(Failpoint.AFTER_OFFSET_STORE)

    def forget(self, partitions: Iterable[TopicPartition]) -> None:
        """These partitions left."""
        for tp in partitions:
            self._positions.pop(tp, None)

    def commit_first(self) -> None:
        """A log without a committed offset is empty: commit its end before the first append, so that a restart emits it."""
        if firsts := self._assignment.take_uncommitted():
            self._reader.commit(firsts, is_async=False)

    def commit_if_due(self) -> None:
        """At most once per second, without waiting for the answer."""
        self._remember()
        now_s = self._clock.boot_s()
        if now_s - self._last_commit_s < COMMIT_EVERY_S:
            return
        if offsets := self._committable(self._assignment.partitions):
            self._last_commit_s = now_s
            hit(Failpoint.BEFORE_COMMIT)
            self._reader.commit(offsets, is_async=True)
            hit(Failpoint.AFTER_COMMIT)

    def commit_now(self, partitions: Iterable[TopicPartition]) -> None:
        """Before they leave. A failure costs repeats, nothing else."""
        if not (offsets := self._committable(partitions)):
            return
        try:
            self._reader.commit(offsets, is_async=False)
        except EnactError as error:
            _log.warning("commit_on_revoke_failed", error, count=len(offsets))
        self._remember()

    def _remember(self) -> None:
        committed = self._reader.committed_by_us()
        for partition, owned in self._assignment.owned.items():
            offset = committed.get(TopicPartition(str(self._log_topic), partition))
            if offset is not None:
                owned.state.remember_committed(offset)

    def _committable(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, NextOffset]:
        offsets = {}
        acknowledged = self._reader.committed_by_us()
        for tp in partitions:
            position = self._positions.get(tp)
            if position is None:
                continue
            if tp.topic == self._log_topic:
                if position < self._assignment.owned[tp.partition].emit_from:
                    continue
            elif self._log_topic is None or self._assignment.is_live(tp.partition):
                position = self._done(tp, position)
            else:
                continue
            if acknowledged.get(tp) != position:
                offsets[tp] = position
        return offsets
