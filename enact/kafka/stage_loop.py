"""The loop every stage runs in: take, decide, send, flush, keep, move offsets; one thread, one order.

The order is the guarantee. Effects are acknowledged before dead letters are written, dead letters before state
is kept, state is kept before offsets move, so a crash anywhere repeats work with the same ids and loses none.
A delivery error takes the batch again from its start; a dead letter that is not acknowledged stops the stage;
a record whose effect is too large for its topic is that record's own dead letter. A record of the log is never
a dead letter: what cannot be folded quarantines its partition, and the offsets of a quarantined partition stay.

Tests: tests/unit/enact/kafka/test_stage_loop.py (a crash at every boundary), tests/integration/kafka/test_stage_loop.py.
"""

import threading
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from enact.errors import BrokerError, DeliveryError, EnactError, ErrorCode, FencedError, RecordTooLargeError, StateLostError
from enact.failpoints import Failpoint, hit
from enact.kafka.assignment import Assignment
from enact.kafka.crash_marker import CrashMarker, Span, spans_of
from enact.kafka.dead_letter import dead_letter_record, letter_for
from enact.kafka.flood_guard import FloodGuard
from enact.kafka.loop_context import ActiveStage, LoopContext
from enact.kafka.membership import Membership
from enact.kafka.offsets import Offsets
from enact.kafka.owned_partition import OwnedPartition, Phase
from enact.kafka.pace import Pace
from enact.kafka.single_mode import SingleMode
from enact.kafka.stage import DeadLetter, Effect, Stage
from enact.kafka.transport import Batch, InRecord, NextOffset, OutRecord, TopicPartition
from enact.log import get_logger
from enact.stage_process import TryAgainError

MAX_WAIT_S = 0.1
FLUSH_TIMEOUT_S = 45.0
NO_QUARANTINE = "no partition is quarantined"

ESCAPES = (DeliveryError, FencedError, BrokerError)
"""What a stage may raise that is not about the record: the batch is taken again, or the process ends."""


class StageStoppedError(TryAgainError):
    """The stage cannot go on safely and stops; its offsets stay where they are."""


class PoisonRecordError(EnactError):
    """Handling this record ended the stage three times: look at the stage's log, mend the cause, then redrive it."""


class _Letter(NamedTuple):
    code: ErrorCode
    record: OutRecord


class StageLoop:
    """Runs one stage on one reader and one writer until told to stop."""

    def __init__(self, stage: Stage, context: LoopContext, active: ActiveStage | None = None) -> None:
        self._stage, self._active, self._context = stage, active, context
        self._reader, self._writer, self._meter = context.reader, context.writer, context.meter
        self._log = get_logger(stage.name)
        self._assignment = Assignment(
            context.reader,
            inputs=stage.inputs,
            log=stage.log,
            state_folder=context.state_folder / "state",
            on_live=self._on_live,
            before_revoke=self._before_revoke,
            on_gone=self._on_gone,
            tell_lost=context.meter.lost,
        )
        self._offsets = Offsets(context.reader, context.clock, self._assignment, log=stage.log, done=self._done)
        self._membership = Membership(context.reader, context.clock, self._assignment)
        self._marker = CrashMarker(context.state_folder / "batch")
        self._singly = SingleMode(self._marker, self._seek)
        self._guard = FloodGuard()
        self._pace = Pace(context.clock)
        self._letters: list[_Letter] = []
        self._effects: list[OutRecord] = []
        self._paused: set[TopicPartition] = set()

    def run(self, stop: threading.Event) -> None:
        """Turn until `stop` is set, then drain, commit and close.

        Raises: StageStoppedError if the stage cannot go on safely; FencedError, StateLostError, BrokerError as they come.
        """
        try:
            self.start()
            while not stop.is_set():
                self.turn()
            self._drain()
        except EnactError:
            self._marker.rest()
            raise
        finally:
            self._close()

    def start(self) -> None:
        """Join the group without running: for tests that call `turn` themselves."""
        topics = [*self._stage.inputs, *([self._stage.log] if self._stage.log else [])]
        self._reader.subscribe(topics, self._assignment)

    def turn(self) -> int:
        """One round; returns how many records it took."""
        if self._active is None and (gather_s := self._pace.gather_s()):
            time.sleep(gather_s)
        wait_s = MAX_WAIT_S if self._active is None else min(MAX_WAIT_S, max(0.0, self._active.wait_s()))
        batch = self._reader.take(1 if self._singly.is_on else self._pace.max_records, wait_s)
        hit(Failpoint.AFTER_READ)
        self._context.health.beat()
        self._offsets.commit_first()
        if batch.records:
            self._pace.begin()
            self._handle(self._singly.choose(batch.records))
            self._pace.end(len(batch.records))
        else:
            self._act_idle()
        self._meet_ends(batch)
        self._report()
        self._offsets.commit_if_due()
        self._apply_pauses()
        return len(batch.records)

    def _handle(self, records: Sequence[InRecord]) -> None:
        spans = spans_of(records)
        self._meter.took(len(records))
        self._meter.waited(max(0.0, (self._context.clock.wall_ms() - min(r.timestamp_ms for r in records)) / 1000))
        self._letters.clear()
        self._effects.clear()
        self._marker.begin(spans)
        try:
            for record in records:
                started_s = time.perf_counter()
                self._send(self._effects_of(record), record)
                self._meter.handled(time.perf_counter() - started_s)
            hit(Failpoint.BEFORE_APPEND)
            for effect in self._effects:  # all at once: sent while deciding they would leave in requests of one or two
                self._writer.send(effect)
            hit(Failpoint.AFTER_DECIDE)
            if self._active is not None:
                self._active.before_flush()
            self._marker.rest()
            self._flush()
        except RecordTooLargeError as error:
            self._too_large(records, spans, error)
        except DeliveryError as error:
            self._rewind(spans, error)
        else:
            self._finish(spans)

    def _effects_of(self, record: InRecord) -> Sequence[Effect]:
        owned = self._assignment.owned.get(record.partition)
        if owned is not None and owned.phase is Phase.QUARANTINED:
            self._meter.ended(record.topic, "skipped")
            return ()
        if record.topic == self._stage.log and owned is not None:
            return self._fold(record, owned)
        if self._stage.log is not None and (owned is None or owned.phase is not Phase.LIVE):
            raise FencedError("An input was read for a partition whose log is not restored: the assignor split co-partitioned topics.")
        return self._decide(record, owned)

    def _decide(self, record: InRecord, owned: OwnedPartition | None) -> Sequence[Effect]:
        result = "ok"
        try:
            self._require_harmless(record)
            effects = self._stage.decide(record, owned.state if owned else None)
            self._guard.saw(is_unexpected=False)
        except ESCAPES:
            raise
        except StateLostError as error:
            if owned is None:
                raise
            self._quarantine(record, error)
            return ()
        except Exception as error:  # the one place: an input's failure ends in its dead letter
            self._log.warning("record_refused", error, topic=record.topic, partition=record.partition, offset=record.offset)
            self._guard.saw(is_unexpected=not isinstance(error, EnactError))
            if self._guard.is_tripped:
                raise StageStoppedError(
                    "Too many records fail unexpectedly: the stage stops so that the topic is not sent to the dead letters."
                ) from error
            effects, result = [letter_for(error)], "dead_letter"
            self._gave_up(record)
        self._meter.ended(record.topic, result)
        return effects

    def _fold(self, record: InRecord, owned: OwnedPartition) -> Sequence[Effect]:
        """A record of the log is never dead-lettered: one that cannot be folded quarantines its partition."""
        try:
            if owned.is_witness(record):
                self._meter.ended(record.topic, "silent")
                return ()
            self._require_harmless(record)
            owned.epoch = record.leader_epoch
            is_silent = owned.state.is_silent = record.offset < owned.emit_from
            effects = self._stage.fold(record, owned.state)
        except ESCAPES:
            raise
        except Exception as error:  # noqa: BLE001 - what it is does not matter: the record may neither be skipped nor lost
            self._quarantine(record, error)
            return ()
        self._meter.ended(record.topic, "silent" if is_silent else "ok")
        return () if is_silent else effects

    def _require_harmless(self, record: InRecord) -> None:
        if self._marker.is_poison(TopicPartition(record.topic, record.partition), record.offset):
            raise PoisonRecordError

    def _quarantine(self, record: InRecord, error: Exception) -> None:
        self._log.error("record_not_foldable", error, topic=record.topic, partition=record.partition, offset=record.offset)
        self._assignment.quarantine(record.partition, error.message if isinstance(error, EnactError) else type(error).__name__)
        if self._active is not None:
            self._active.on_gone([record.partition])

    def _send(self, effects: Sequence[Effect], record: InRecord) -> None:
        for effect in effects:
            if isinstance(effect, DeadLetter):
                topic, at_ms = self._context.dead_letter_topic, self._context.clock.wall_ms()
                letter = dead_letter_record(effect, record, topic=topic, stage=self._stage.name, at_ms=at_ms)
                self._letters.append(_Letter(effect.code, letter))
            else:
                self._effects.append(effect)

    def _flush(self) -> None:
        hit(Failpoint.BEFORE_EMISSION_FLUSH)
        started_s = time.perf_counter()
        self._writer.flush(FLUSH_TIMEOUT_S)
        self._meter.flushed(time.perf_counter() - started_s)
        hit(Failpoint.AFTER_EMISSION_FLUSH)

    def _finish(self, spans: Mapping[TopicPartition, Span]) -> None:
        """Effects are acknowledged: write the dead letters, keep state with its offset, then let the offsets move."""
        self._write_letters()
        hit(Failpoint.BEFORE_STATE_WRITE)
        moved = {tp: NextOffset(span.last + 1) for tp, span in spans.items() if not self._is_quarantined(tp.partition)}
        committed = self._reader.committed_by_us()
        for tp, position in moved.items():
            if tp.topic == self._stage.log:
                owned = self._assignment.owned[tp.partition]
                owned.state.persist(position, committed.get(tp), epoch=owned.epoch)
        hit(Failpoint.AFTER_STATE_WRITE)
        self._marker.passed({tp: spans[tp] for tp in moved})
        self._advance(moved)
        if self._active is not None:
            self._active.after_persist()

    def _write_letters(self) -> None:
        if not self._letters:
            return
        try:
            for letter in self._letters:
                self._writer.send(letter.record)
            hit(Failpoint.BEFORE_LETTER_FLUSH)
            self._flush()
            hit(Failpoint.AFTER_LETTER_FLUSH)
        except (DeliveryError, RecordTooLargeError) as error:
            raise StageStoppedError("A dead letter could not be written: the stage stops and its offsets stay.") from error
        for letter in self._letters:
            self._meter.dead_lettered(letter.code)
        self._letters.clear()

    def _advance(self, positions: Mapping[TopicPartition, NextOffset]) -> None:
        self._offsets.move(positions)
        for tp, position in positions.items():
            self._singly.passed(tp, position)
            if tp.topic == self._stage.log:
                self._assignment.met(tp.partition, position)

    def _act_idle(self) -> None:
        self._meter.waited(0.0)
        if self._active is None:
            self._writer.poll()
            return
        self._active.before_flush()
        self._writer.poll()
        self._active.after_persist()

    def _meet_ends(self, batch: Batch) -> None:
        """An end counts once every record before it is done: not for a partition that was put back or quarantined."""
        if not batch.ends:
            return
        last = {tp: span.last for tp, span in spans_of(batch.records).items()}
        met = {
            tp: NextOffset(max(end, self._offsets.position(tp)))
            for tp, end in batch.ends.items()
            if tp in self._assignment.partitions
            and not self._is_quarantined(tp.partition)
            and self._offsets.position(tp) > last.get(tp, -1)
        }
        if met:
            self._advance(met)

    def _rewind(self, spans: Mapping[TopicPartition, Span], error: EnactError) -> None:
        """Take the batch again from its start: nothing of it was kept, and its ids make the repeat harmless."""
        self._log.warning("batch_rewound", error, count=len(spans))
        self._marker.rest()
        self._meter.rewound()
        for owned in self._assignment.owned.values():
            owned.state.discard()
        if self._active is not None:
            self._active.on_rewind()
        for tp, span in spans.items():
            self._seek(tp, NextOffset(span.first))
        hit(Failpoint.AFTER_REWIND)

    def _seek(self, tp: TopicPartition, next_offset: NextOffset) -> None:
        if tp in self._assignment.partitions:
            self._reader.seek(tp, next_offset)

    def _too_large(self, records: Sequence[InRecord], spans: Mapping[TopicPartition, Span], error: RecordTooLargeError) -> None:
        """Find the record whose effect is too large by taking the batch singly; alone, it is a dead letter."""
        if len(records) > 1:
            self._singly.enter(records)
            self._rewind(spans, error)
            return
        self._marker.rest()
        if records[0].topic == self._stage.log:
            self._quarantine(records[0], error)
        else:
            letter = DeadLetter(code=ErrorCode.INTENT_TOO_LARGE, message=error.message, exception_class=type(error).__name__)
            self._send([letter], records[0])
            self._gave_up(records[0])
        self._finish(spans)

    def _gave_up(self, record: InRecord) -> None:
        if self._active is not None:
            self._active.gave_up(record)

    def _done(self, tp: TopicPartition, position: NextOffset) -> NextOffset:
        return position if self._active is None else self._active.done(tp, position)

    def _before_revoke(self, partitions: Sequence[TopicPartition]) -> None:
        hit(Failpoint.ON_REVOKE)
        self._offsets.commit_now(partitions)

    def _on_live(self, partition: int) -> None:
        self._log.info("partition_live", partition=partition)
        hit(Failpoint.ON_LIVE)
        if self._active is not None:
            self._active.on_live(partition, self._assignment.owned[partition].state)

    def _on_gone(self, partitions: Sequence[TopicPartition]) -> None:
        logs = [tp.partition for tp in partitions if tp.topic == self._stage.log]
        if self._active is not None and logs:
            self._active.on_gone(logs)
        self._offsets.forget(partitions)
        self._singly.forget(partitions)
        self._paused.difference_update(partitions)

    def _apply_pauses(self) -> None:
        if self._active is None:
            return
        wanted = {tp for tp in self._active.paused() if tp in self._assignment.partitions and self._assignment.is_live(tp.partition)}
        if leaving := [tp for tp in self._paused - wanted if self._assignment.is_live(tp.partition)]:
            self._reader.resume(leaving)
        if entering := wanted - self._paused:
            self._reader.pause(sorted(entering))
        self._paused = wanted

    def _is_quarantined(self, partition: int) -> bool:
        return self._assignment.owned[partition].phase is Phase.QUARANTINED if partition in self._assignment.owned else False

    def _report(self) -> None:
        remaining = sum(
            max(0, owned.restore_to - self._offsets.position(TopicPartition(str(self._stage.log), partition)))
            for partition, owned in self._assignment.owned.items()
            if owned.phase is Phase.RESTORING
        )
        quarantined = self._assignment.quarantined
        self._meter.restoring(remaining)
        self._meter.quarantined(len(quarantined))
        health = self._context.health
        health.set_assigned(self._membership.look())
        health.set_restored(self._assignment.is_restored, f"{remaining} records to fold" if remaining else "")
        health.set_condition(NO_QUARANTINE, is_met=not quarantined)

    def _drain(self) -> None:
        """Start nothing, keep polling until nothing is in flight, commit; `kill -9` instead would only raise more doubt."""
        self._log.info("stage_draining")
        while self._active is not None and not self._active.stop():
            self.turn()
        self.turn()
        self._before_revoke(sorted(self._assignment.partitions))

    def _close(self) -> None:
        """On this thread. States are released first: nothing is committed after this."""
        try:
            self._assignment.close()
            self._reader.close()
        finally:
            self._writer.close()
            self._marker.close()
