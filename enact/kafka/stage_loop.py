"""The loop every stage runs in: take, decide, send, flush, keep, move offsets; one thread, one order.

The order is the guarantee. Effects are acknowledged before state is kept, state is kept before offsets are
stored, so a crash anywhere repeats work with the same ids and loses none. A delivery error takes the batch
again from its start; a record that is too large for its topic is that record's own dead letter.
"""

import threading
import time
from collections.abc import Iterable, Mapping, Sequence

from enact.errors import DeliveryError, EnactError, ErrorCode, FencedError, RecordTooLargeError
from enact.failpoints import Failpoint, hit
from enact.kafka.assignment import Assignment, Phase
from enact.kafka.crash_marker import CrashMarker
from enact.kafka.dead_letter import dead_letter_record, letter_for
from enact.kafka.flood_guard import FloodGuard
from enact.kafka.loop_context import ActiveStage, LoopContext
from enact.kafka.stage import DeadLetter, Effect, Stage
from enact.kafka.state import PartitionState
from enact.kafka.transport import Batch, InRecord, NextOffset, TopicPartition
from enact.log import get_logger

MAX_BATCH = 500
MAX_WAIT_S = 0.1
COMMIT_EVERY_S = 1.0
FLUSH_TIMEOUT_S = 45.0


class StageStoppedError(EnactError):
    """The stage cannot go on safely and stops; its offsets stay where they are."""


class PoisonRecordError(EnactError):
    """Handling this record ended the stage three times: look at the stage's log, mend the cause, then redrive it."""


class StageLoop:
    """Runs one stage on one reader and one writer until told to stop."""

    def __init__(self, stage: Stage, context: LoopContext, active: ActiveStage | None = None) -> None:
        self._stage, self._active, self._context = stage, active, context
        self._reader, self._writer = context.reader, context.writer
        self._log = get_logger(stage.name)
        self._assignment = Assignment(
            context.reader,
            inputs=stage.inputs,
            log=stage.log,
            state_folder=context.state_folder / "state",
            on_live=self._on_live,
            before_revoke=self._commit_revoked,
            on_gone=self._on_gone,
        )
        self._marker = CrashMarker(context.state_folder / "batch")
        self._guard = FloodGuard()
        self._positions: dict[TopicPartition, NextOffset] = {}
        self._last_commit_s = 0.0
        self._singly_until: dict[TopicPartition, int] = {}
        self._paused: set[TopicPartition] = set()

    def run(self, stop: threading.Event) -> None:
        """Turn until `stop` is set, then drain, commit and close.

        Raises: StageStoppedError if the stage cannot go on safely; FencedError, StateLostError, BrokerError as they come.
        """
        self._subscribe()
        try:
            while not stop.is_set():
                self.turn()
            self._drain()
        finally:
            self._marker.clear()
            self._assignment.close()
            self._reader.close()
            self._writer.close()

    def start(self) -> None:
        """Join the group without running: for tests that call `turn` themselves."""
        self._subscribe()

    def turn(self) -> int:
        """One round; returns how many records it took."""
        wait_s = MAX_WAIT_S if self._active is None else min(MAX_WAIT_S, max(0.0, self._active.wait_s()))
        batch = self._reader.take(1 if self._singly_until else MAX_BATCH, wait_s)
        hit(Failpoint.AFTER_READ)
        self._context.health.beat()
        self._commit_first()
        if batch.records:
            self._handle(batch)
        else:
            self._act_idle()
        for tp, end in batch.ends.items():
            if tp.topic == self._stage.log and tp.partition in self._assignment.owned:
                self._assignment.met(tp.partition, end)
        self._report()
        self._commit_if_due()
        self._apply_pauses()
        return len(batch.records)

    def _subscribe(self) -> None:
        topics = [*self._stage.inputs, *([self._stage.log] if self._stage.log else [])]
        self._reader.subscribe(topics, self._assignment)

    def _handle(self, batch: Batch) -> None:
        starts: dict[TopicPartition, NextOffset] = {}
        for record in batch.records:
            starts.setdefault(TopicPartition(record.topic, record.partition), NextOffset(record.offset))
        self._enter_single_mode_after_crashes(starts)
        if self._singly_until:
            batch = self._one_by_one(batch, starts)
        self._context.meter.took(len(batch.records))
        self._marker.begin({tp: int(start) for tp, start in starts.items()})
        has_dead_letter = False
        try:
            for record in batch.records:
                has_dead_letter |= self._handle_record(record)
            hit(Failpoint.AFTER_DECIDE)
            if self._active is not None:
                self._active.before_flush()
            self._flush()
        except RecordTooLargeError as error:
            self._too_large(batch, starts, error)
            return
        except DeliveryError as error:
            if has_dead_letter:
                raise StageStoppedError("A dead letter could not be written; the stage stops and its offsets stay.") from error
            self._rewind(starts, error)
            return
        self._keep(batch)
        self._marker.clear()
        if self._guard.is_tripped:
            raise StageStoppedError("Too many records fail unexpectedly: the stage stops so that the topic is not sent to the dead letters.")

    def _handle_record(self, record: InRecord) -> bool:
        """Decide or fold one record and send what follows; True if a dead letter was among it."""
        owned = self._assignment.owned.get(record.partition)
        if record.topic == self._stage.log:
            if owned is None or owned.phase is Phase.QUARANTINED:
                return False
            return self._fold(record, owned.state, is_silent=record.offset < owned.emit_from)
        if self._stage.log is not None and (owned is None or owned.phase is not Phase.LIVE):
            raise FencedError("An input was read for a partition whose log is not restored: the assignor split co-partitioned topics.")
        try:
            if self._marker.is_poison(TopicPartition(record.topic, record.partition), record.offset):
                raise PoisonRecordError
            effects = self._stage.decide(record, owned.state if owned else None)
            self._guard.saw(is_unexpected=False)
            result = "ok"
        except (DeliveryError, FencedError):
            raise
        except Exception as error:  # the one place: an input's failure ends in its dead letter
            is_unexpected = not isinstance(error, EnactError)
            self._guard.saw(is_unexpected=is_unexpected)
            self._log.warning("record_refused", error, topic=record.topic, partition=record.partition, offset=record.offset)
            effects, result = [letter_for(error)], "dead_letter"
        self._context.meter.ended(record.topic, result)
        return self._send(effects, record)

    def _fold(self, record: InRecord, state: PartitionState, *, is_silent: bool) -> bool:
        """A record of the log is never dead-lettered: one that cannot be folded quarantines its partition."""
        try:
            effects = self._stage.fold(record, state)
        except EnactError as error:
            self._log.error("log_record_unreadable", error, topic=record.topic, partition=record.partition, offset=record.offset)
            self._assignment.quarantine(record.partition, error.message)
            return False
        self._context.meter.ended(record.topic, "silent" if is_silent else "ok")
        return False if is_silent else self._send(effects, record)

    def _send(self, effects: Sequence[Effect], record: InRecord) -> bool:
        has_dead_letter = False
        for effect in effects:
            if isinstance(effect, DeadLetter):
                has_dead_letter = True
                effect = dead_letter_record(
                    effect, record, topic=self._context.dead_letter_topic, stage=self._stage.name, at_ms=self._context.clock.wall_ms()
                )
                self._context.meter.ended(record.topic, "dead_letter")
            self._writer.send(effect)
        return has_dead_letter

    def _flush(self) -> None:
        hit(Failpoint.BEFORE_EMISSION_FLUSH)
        started_s = time.perf_counter()
        self._writer.flush(FLUSH_TIMEOUT_S)
        self._context.meter.flushed(time.perf_counter() - started_s)
        hit(Failpoint.AFTER_EMISSION_FLUSH)

    def _keep(self, batch: Batch) -> None:
        """Everything is acknowledged: keep state with its offset, then let the offsets move."""
        for record in batch.records:
            self._positions[TopicPartition(record.topic, record.partition)] = NextOffset(record.offset + 1)
        hit(Failpoint.BEFORE_STATE_WRITE)
        committed = self._reader.committed_by_us()
        for partition, owned in self._assignment.owned.items():
            tp = TopicPartition(str(self._stage.log), partition)
            if owned.phase is not Phase.QUARANTINED and tp in self._positions:
                owned.state.persist(self._positions[tp], committed.get(tp))
        hit(Failpoint.AFTER_STATE_WRITE)
        for record in batch.records:
            if record.topic == self._stage.log and record.partition in self._assignment.owned:
                self._assignment.met(record.partition, self._positions[TopicPartition(record.topic, record.partition)])
        self._leave_single_mode()
        if self._active is not None:
            self._active.after_persist()

    def _act_idle(self) -> None:
        if self._active is None:
            self._writer.poll()
            return
        self._active.before_flush()
        self._writer.poll()
        self._active.after_persist()

    def _rewind(self, starts: Mapping[TopicPartition, NextOffset], error: EnactError) -> None:
        """Take the batch again from its start: nothing of it was kept, and its ids make the repeat harmless."""
        self._log.warning("batch_rewound", error, count=len(starts))
        self._context.meter.rewound()
        for owned in self._assignment.owned.values():
            owned.state.discard()
        if self._active is not None:
            self._active.on_rewind()
        for tp, start in starts.items():
            if tp in self._assignment.partitions:
                self._reader.seek(tp, start)

    def _too_large(self, batch: Batch, starts: Mapping[TopicPartition, NextOffset], error: RecordTooLargeError) -> None:
        """Find the record whose effect is too large by taking the batch singly; alone, it is a dead letter."""
        first = batch.records[0]
        if len(batch.records) > 1 or first.topic == self._stage.log:
            for record in batch.records:
                self._singly_until[TopicPartition(record.topic, record.partition)] = record.offset
            self._rewind(starts, error)
            return
        for owned in self._assignment.owned.values():
            owned.state.discard()
        self._send([DeadLetter(code=ErrorCode.INTENT_TOO_LARGE, message=error.message, exception_class=type(error).__name__)], first)
        self._flush()
        self._keep(batch)

    def _enter_single_mode_after_crashes(self, starts: Mapping[TopicPartition, NextOffset]) -> None:
        for tp in self._marker.suspects & starts.keys():
            self._singly_until[tp] = int(starts[tp]) + MAX_BATCH

    def _one_by_one(self, batch: Batch, starts: dict[TopicPartition, NextOffset]) -> Batch:
        """Keep the first record only, seek the others back; a record that keeps ending the process is dead-lettered."""
        first = batch.records[0]
        own = TopicPartition(first.topic, first.partition)
        for tp, start in list(starts.items()):
            if tp != own:
                self._reader.seek(tp, start)
                del starts[tp]
        if len([r for r in batch.records if (r.topic, r.partition) == own]) > 1:
            self._reader.seek(own, NextOffset(first.offset + 1))
        return Batch(records=[first], ends={})

    def _leave_single_mode(self) -> None:
        for tp, last in list(self._singly_until.items()):
            if self._positions.get(tp, 0) > last or tp not in self._assignment.partitions:
                del self._singly_until[tp]

    def _commit_first(self) -> None:
        """A log without a committed offset is empty: commit its end before the first append, so that a restart emits it."""
        if firsts := self._assignment.take_uncommitted():
            self._reader.commit(firsts, is_async=False)

    def _commit_if_due(self) -> None:
        now_s = self._context.clock.boot_s()
        if now_s - self._last_commit_s < COMMIT_EVERY_S:
            return
        offsets = self._committable(self._assignment.partitions)
        if offsets:
            self._last_commit_s = now_s
            hit(Failpoint.BEFORE_COMMIT)
            self._reader.commit(offsets, is_async=True)
            hit(Failpoint.AFTER_COMMIT)

    def _committable(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, NextOffset]:
        offsets = {}
        acknowledged = self._reader.committed_by_us()
        for tp in partitions:
            position = self._positions.get(tp)
            if position is None:
                continue
            if self._active is not None and tp.topic != self._stage.log:
                position = self._active.done(tp, position)
            if acknowledged.get(tp) != position:
                offsets[tp] = position
        return offsets

    def _commit_revoked(self, partitions: Sequence[TopicPartition]) -> None:
        hit(Failpoint.ON_REVOKE)
        offsets = self._committable(partitions)
        if not offsets:
            return
        try:
            self._reader.commit(offsets, is_async=False)
        except EnactError as error:
            self._log.warning("commit_on_revoke_failed", error, count=len(offsets))

    def _on_live(self, partition: int) -> None:
        self._log.info("partition_live", partition=partition)
        if self._active is not None:
            self._active.on_live(partition, self._assignment.owned[partition].state)

    def _on_gone(self, partitions: Sequence[TopicPartition]) -> None:
        logs = [tp.partition for tp in partitions if tp.topic == self._stage.log]
        if self._active is not None and logs:
            self._active.on_gone(logs)
        for tp in partitions:
            self._positions.pop(tp, None)
            self._singly_until.pop(tp, None)
            self._paused.discard(tp)

    def _apply_pauses(self) -> None:
        if self._active is None:
            return
        wanted = {tp for tp in self._active.paused() if tp in self._assignment.partitions and self._is_live(tp.partition)}
        if leaving := self._paused - wanted:
            self._reader.resume([tp for tp in leaving if self._is_live(tp.partition)])
        if entering := wanted - self._paused:
            self._reader.pause(list(entering))
        self._paused = wanted

    def _is_live(self, partition: int) -> bool:
        owned = self._assignment.owned.get(partition)
        return owned is not None and owned.phase is Phase.LIVE

    def _report(self) -> None:
        remaining = sum(
            max(0, o.restore_to - self._positions.get(TopicPartition(str(self._stage.log), p), NextOffset(0)))
            for p, o in self._assignment.owned.items()
            if o.phase is Phase.RESTORING
        )
        self._context.meter.restoring(remaining)
        quarantined = self._assignment.quarantined
        detail = f"quarantined partitions: {quarantined}" if quarantined else (f"{remaining} records to fold" if remaining else "")
        self._context.health.set_assigned(self._assignment.has_joined)
        self._context.health.set_restored(self._assignment.is_restored and not quarantined, detail)

    def _drain(self) -> None:
        """Start nothing, keep polling until nothing is in flight, commit; `kill -9` instead would only raise more doubt."""
        self._log.info("stage_draining")
        while self._active is not None and not self._active.stop():
            self.turn()
        self.turn()
        self._commit_revoked(list(self._assignment.partitions))
