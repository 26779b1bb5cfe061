"""The loop of a stage that watches several topics and acts on time: never urgent, so it takes much at once and seldom.

Order: what was read is folded, dead letters are acknowledged, state and positions are kept in one write, then offsets may be
committed. What is read within two seconds is kept together: most of what it is about begins and ends in that time, and is written
once. What a crash loses of it is read again, because no offset moves before. What is due is acted on only in partitions that are
read to the end they had when they came: during a restore nothing is sent. What is sent is acknowledged before the state remembers
it, so a crash between the two sends it once more, with the same ids.

Tests: tests/unit/enact/kafka/test_watch_loop.py.
"""

import threading
from collections.abc import Iterable, Sequence
from typing import Protocol

from enact.errors import DeliveryError, EnactError, RecordTooLargeError, StateLostError
from enact.failpoints import Failpoint, hit
from enact.kafka.dead_letter import dead_letter_record, letter_for
from enact.kafka.flood_guard import FloodGuard
from enact.kafka.loop_context import LoopContext
from enact.kafka.membership import Membership
from enact.kafka.stage_loop import ESCAPES, FLUSH_TIMEOUT_S, StageStoppedError
from enact.kafka.state import PartitionState
from enact.kafka.transport import Batch, InRecord, NextOffset, OutRecord, TopicPartition
from enact.kafka.watched import Watched
from enact.log import get_logger

MAX_RECORDS = 5_000
MAX_WAIT_S = 0.5
GATHER_S = 0.75
_MANY = 200
_KEEP_EVERY_S = 2.0
_MAX_UNKEPT = 20_000


class Watcher(Protocol):
    """A stage that learns from records and acts on time. Pure but for its clock: no I/O; state changes go through `state`."""

    name: str
    inputs: Sequence[str]

    def learn(self, record: InRecord, state: PartitionState) -> None:
        """Fold one record. Folding it again must change nothing. Raises: EnactError = a dead letter with its code."""

    def due(self, state: PartitionState) -> Sequence[OutRecord]:
        """What is due now in a caught-up partition, with the state changes that remember it; nothing is dirty before."""

    def on_live(self, partition: int) -> None:
        """The partition is caught up for the first time since it came."""

    def on_gone(self, partition: int) -> None:
        """The partition left."""

    def on_rewind(self, partition: int) -> None:
        """What was changed in this partition since the last write did not happen."""


class WatchLoop:
    """Runs one watcher on one reader and one writer until told to stop."""

    def __init__(self, stage: Watcher, context: LoopContext) -> None:
        self._stage, self._context = stage, context
        self._reader, self._writer, self._meter = context.reader, context.writer, context.meter
        self._log = get_logger(stage.name)
        self._watched = Watched(
            context.reader,
            inputs=stage.inputs,
            state_folder=context.state_folder / "state",
            before_revoke=self._before_revoke,
            on_gone=self._gone,
        )
        self._guard = FloodGuard()
        self._live: set[int] = set()
        self._membership = Membership(context.reader, context.clock, self._watched)
        self._kept_s, self._unkept = float("-inf"), 0

    def run(self, stop: threading.Event) -> None:
        """Turn until `stop` is set, then commit and close.

        Raises: StageStoppedError if the stage cannot go on safely; FencedError, StateLostError, BrokerError as they come.
        """
        try:
            self.start()
            while not stop.is_set():
                if _MANY <= self.turn() < MAX_RECORDS // 2:
                    stop.wait(GATHER_S)
            self._before_revoke(self._partitions())
        finally:
            self.close()

    def start(self) -> None:
        """Join the group without running: for tests that call `turn` themselves."""
        self._reader.subscribe(list(self._stage.inputs), self._watched)

    def turn(self) -> int:
        """One round; returns how many records it took."""
        batch = self._reader.take(MAX_RECORDS, MAX_WAIT_S)
        hit(Failpoint.AFTER_READ)
        self._context.health.beat()
        records = [record for record in batch.records if record.partition in self._watched.owned]
        if records:
            self._learn(records)
        self._meet_ends(batch)
        self._report(records)
        now_s = self._context.clock.boot_s()
        self._unkept += len(records)
        if not records or now_s - self._kept_s >= _KEEP_EVERY_S or self._unkept >= _MAX_UNKEPT:
            self._kept_s, self._unkept = now_s, 0
            self._keep()
            self._act()
            self._commit(self._partitions(), is_async=True)
        return len(batch.records)

    def close(self) -> None:
        """On the loop's thread. States are released first: nothing is committed after this."""
        try:
            self._watched.close()
            self._reader.close()
        finally:
            self._writer.close()

    def _learn(self, records: Sequence[InRecord]) -> None:
        """Fold a batch; its dead letters are acknowledged before anything of it can be kept."""
        letters: list[OutRecord] = []
        last: dict[TopicPartition, int] = {}
        for record in records:
            try:
                self._stage.learn(record, self._watched.owned[record.partition].state)
            except (*ESCAPES, StateLostError):
                raise
            except Exception as error:  # noqa: BLE001 - the one place: a record's failure ends in its dead letter
                letters.append(self._letter(record, error))
            last[TopicPartition(record.topic, record.partition)] = record.offset + 1
        self._meter.ended_together(len(records) - len(letters))
        if letters:
            self._send_letters(letters)
        for tp, next_offset in last.items():
            self._watched.owned[tp.partition].reached(tp.topic, next_offset)

    def _keep(self) -> None:
        """State and positions, in one write for each partition that has anything new."""
        unkept = [owned.state for owned in self._watched.owned.values() if not owned.state.is_clean]
        if not unkept:
            return
        hit(Failpoint.BEFORE_STATE_WRITE)
        for state in unkept:
            state.persist()
        hit(Failpoint.AFTER_STATE_WRITE)

    def _before_revoke(self, partitions: Sequence[TopicPartition]) -> None:
        self._keep()
        self._commit(partitions, is_async=False)

    def _letter(self, record: InRecord, error: Exception) -> OutRecord:
        self._log.warning("record_refused", error, topic=record.topic, partition=record.partition, offset=record.offset)
        self._guard.saw(is_unexpected=not isinstance(error, EnactError))
        if self._guard.is_tripped:
            raise StageStoppedError(
                "Too many records fail unexpectedly: the stage stops so that the topic is not sent to the dead letters."
            )
        letter = letter_for(error)
        self._meter.ended(record.topic, "dead_letter")
        self._meter.dead_lettered(letter.code)
        context = self._context
        return dead_letter_record(letter, record, topic=context.dead_letter_topic, stage=self._stage.name, at_ms=context.clock.wall_ms())

    def _send_letters(self, letters: Iterable[OutRecord]) -> None:
        try:
            self._send(letters)
        except (DeliveryError, RecordTooLargeError) as error:
            raise StageStoppedError("A dead letter could not be written: the stage stops and its offsets stay.") from error

    def _meet_ends(self, batch: Batch) -> None:
        """An end behind the last record: what lies between holds no record (a compacted or aborted tail)."""
        for tp, end in batch.ends.items():
            owned = self._watched.owned.get(tp.partition)
            if owned is not None and owned.positions.get(tp.topic, 0) < end:
                owned.positions[tp.topic] = end
        for partition in self._watched.owned.keys() - self._live:
            if self._watched.is_caught_up(partition):
                self._live.add(partition)
                self._log.info("partition_live", partition=partition)
                self._stage.on_live(partition)

    def _act(self) -> None:
        """Send what is due, partition by partition; remembered once it is acknowledged, else it is due again."""
        for partition in sorted(self._live):
            state = self._watched.owned[partition].state
            effects = self._stage.due(state)
            if effects:
                try:
                    self._send(effects)
                except (DeliveryError, RecordTooLargeError) as error:
                    self._log.warning("batch_rewound", error, count=len(effects))
                    self._meter.rewound()
                    state.discard()
                    self._stage.on_rewind(partition)
                    continue
            if not state.is_clean:
                state.persist()

    def _send(self, records: Iterable[OutRecord]) -> None:
        for record in records:
            self._writer.send(record)
        hit(Failpoint.BEFORE_EMISSION_FLUSH)
        self._writer.flush(FLUSH_TIMEOUT_S)
        hit(Failpoint.AFTER_EMISSION_FLUSH)

    def _gone(self, partition: int) -> None:
        self._live.discard(partition)
        self._stage.on_gone(partition)

    def _partitions(self) -> list[TopicPartition]:
        return [TopicPartition(topic, p) for p, owned in self._watched.owned.items() for topic in owned.ends]

    def _commit(self, partitions: Sequence[TopicPartition], *, is_async: bool) -> None:
        acknowledged = self._reader.committed_by_us()
        found = {tp: self._watched.owned[tp.partition].positions.get(tp.topic) for tp in partitions if tp.partition in self._watched.owned}
        moved = {tp: NextOffset(at) for tp, at in found.items() if at is not None and acknowledged.get(tp) != at}
        if not moved:
            return
        try:
            self._reader.commit(moved, is_async=is_async)
        except EnactError as error:
            if is_async:
                raise
            self._log.warning("commit_failed", error)  # costs repeats, nothing else

    def _report(self, records: Sequence[InRecord]) -> None:
        oldest_ms = min((record.timestamp_ms for record in records), default=None)
        self._meter.waited(0.0 if oldest_ms is None else max(0.0, (self._context.clock.wall_ms() - oldest_ms) / 1000))
        if records:
            self._meter.took(len(records))
        remaining = self._watched.remaining
        self._meter.restoring(remaining)
        health = self._context.health
        health.set_assigned(self._membership.look())
        is_restored = self._watched.has_joined and self._watched.owned.keys() <= self._live
        health.set_restored(is_restored, f"{remaining} records to fold" if remaining else "")
