"""The loop's promises, each with the fault that would break it."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from enact.errors import BrokerError, DeliveryError, ErrorCode, FencedError, NotReadyError, StateLostError
from enact.kafka.stage import Effect, StateView
from enact.kafka.stage_loop import NO_QUARANTINE, StageStoppedError
from enact.kafka.transport import Batch, InRecord, TopicPartition
from enact.stage_process import TryAgainError
from tests.unit.enact.kafka.loop_rig import (
    BAD,
    BUG,
    DLQ,
    HUGE,
    INPUT,
    LOG,
    MIB,
    WAVES,
    Life,
    Rig,
    ToyStage,
    distinct,
    emission,
    raise_once,
    sent,
)


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


def test_a_dead_letter_that_is_not_acknowledged_stops_the_stage_and_its_offset_stays(rig: Rig) -> None:
    rig.publish((b"bad", BAD))
    life = rig.life()
    rig.broker.fail_next_deliveries(1)

    with pytest.raises(StageStoppedError, match="dead letter could not be written"):
        life.turn_until_idle()
    life.kill()

    assert rig.committed(INPUT) in {None, 0}
    rig.life().turn_until_idle()
    assert rig.faults() == []


def test_a_dead_letter_that_is_too_large_for_its_topic_stops_the_stage(tmp_path: Path) -> None:
    rig = Rig(tmp_path, max_letter_bytes=MIB)
    life = rig.life()
    rig.publish((b"k", bytes(MIB + 1)))

    with pytest.raises(StageStoppedError, match="dead letter could not be written"):
        life.turn_until_idle()


def test_a_stage_that_stops_itself_is_to_be_started_again() -> None:
    assert issubclass(StageStoppedError, TryAgainError)


def test_a_delivery_error_takes_the_batch_again_from_its_start(rig: Rig) -> None:
    rig.publish(*WAVES[0])
    life = rig.life()
    rig.broker.fail_next_deliveries(2)

    life.turn_until_idle()

    assert life.meter.rewinds >= 1
    assert rig.faults() == []
    assert [record.key for record in life.stage.decided][:3] == [b"a", b"b", b"a"]
    assert len(life.stage.decided) > 3


def test_an_unknown_delivery_is_repeated_and_the_log_keeps_the_first(rig: Rig) -> None:
    rig.publish((b"a", b"1"))
    life = rig.life()
    rig.broker.fail_next_deliveries(1, is_stored=True)

    life.turn_until_idle()

    assert rig.logged() == [(b"a", b"1"), (b"a", b"1")]
    assert rig.emitted() == [emission(b"a", b"1")]
    assert rig.faults() == []


def test_a_rewind_forgets_what_the_batch_had_folded(rig: Rig) -> None:
    rig.publish((b"a", b"1"))
    life = rig.life()
    life.loop.turn()
    rig.broker.fail_next_deliveries(1)

    life.loop.turn()

    assert life.meter.rewinds == 1
    assert life.loop._assignment.owned[0].state.get(b"a") is None
    life.turn_until_idle()
    assert rig.emitted() == [emission(b"a", b"1")]


def test_an_end_met_in_a_batch_that_is_taken_again_does_not_count_as_restored(rig: Rig) -> None:
    rig.publish((b"a", b"1"), topic=LOG)
    rig.commit(LOG, 0)
    life = rig.life()
    rig.broker.fail_next_deliveries(1)

    life.loop.turn()
    assert life.meter.rewinds == 1
    assert not life.loop._assignment.is_live(0)
    assert (life.health.is_restored, life.meter.remaining) == (False, 1)
    life.loop.turn()

    assert life.loop._assignment.is_live(0)
    assert rig.emitted() == [emission(b"a", b"1")]


def test_what_is_not_ready_takes_the_batch_again_without_repeating_its_dead_letters(rig: Rig) -> None:
    rig.publish((b"bad", BAD), (b"a", b"1"))
    life = rig.life()
    life.stage.before_decide = raise_once(NotReadyError(), key=b"a")

    life.turn_until_idle()

    assert life.meter.rewinds == 1
    assert len(rig.broker.records(DLQ)) == 1
    assert life.meter.letters == [ErrorCode.PARAMETERS_INVALID]
    assert rig.faults() == []


@pytest.mark.parametrize("error", [FencedError(), BrokerError()])
def test_what_is_not_about_the_record_ends_the_process_and_is_no_dead_letter(rig: Rig, error: Exception) -> None:
    rig.publish((b"a", b"1"))
    life = rig.life()
    life.stage.before_decide = raise_once(error)

    with pytest.raises(type(error)):
        life.turn_until_idle()
    life.kill()
    rig.life().turn_until_idle()

    assert rig.broker.records(DLQ) == []
    assert rig.faults() == []


@pytest.mark.parametrize("error", [FencedError(), DeliveryError()])
def test_a_log_record_met_by_an_error_that_is_not_about_it_does_not_quarantine(rig: Rig, error: Exception) -> None:
    rig.publish((b"a", b"1"))
    life = rig.life()
    life.stage.before_fold = raise_once(error)

    if isinstance(error, FencedError):
        with pytest.raises(FencedError):
            life.turn_until_idle()
        life.kill()
        life = rig.life()
    life.turn_until_idle()

    assert life.meter.quarantined_now == 0
    assert rig.faults() == []


def test_doubtful_state_met_by_an_input_quarantines_the_partition_and_the_input_waits(rig: Rig) -> None:
    rig.publish((b"a", b"1"))
    life = rig.life()
    life.stage.before_decide = raise_once(StateLostError())

    life.turn_until_idle()

    assert life.loop._assignment.quarantined == [0]
    assert rig.broker.records(DLQ) == []
    assert rig.committed(INPUT) == 0 or rig.committed(INPUT) is None


def test_doubtful_state_in_a_stage_that_has_none_ends_the_process(rig: Rig) -> None:
    rig.publish((b"a", b"1"))
    life = rig.life(stage=ToyStage(has_log=False))
    life.stage.before_decide = raise_once(StateLostError())

    with pytest.raises(StateLostError):
        life.turn_until_idle()

    assert rig.broker.records(DLQ) == []


@pytest.mark.parametrize("content", [BAD, BUG, HUGE])
def test_a_log_record_that_cannot_be_folded_quarantines_its_partition_and_is_neither_skipped_nor_lost(
    tmp_path: Path, content: bytes
) -> None:
    rig = Rig(tmp_path, partitions=2)
    life = rig.life()
    life.turn_until_idle()
    rig.publish((b"x", b"1"), (b"y", content), (b"z", b"1"), topic=LOG, partition=0)
    rig.publish((b"a", b"1"), partition=0)
    rig.publish((b"b", b"1"), partition=1)

    life.turn_until_idle()

    assert life.loop._assignment.quarantined == [0]
    assert life.meter.quarantined_now == 1
    assert (life.health.conditions[NO_QUARANTINE], life.health.is_restored) == (False, True)
    assert rig.broker.records(DLQ) == []
    assert (rig.committed(LOG, 0) or 0) <= 1, "the unreadable record was passed"
    assert emission(b"b", b"1") in rig.emitted(), "the other partition must go on"
    life.stop()
    assert (rig.committed(LOG, 0) or 0) <= 1, "the end of the process passed the unreadable record"
    assert rig.committed(INPUT, 0) == 0 or (b"a", b"1") in rig.logged()

    mended = rig.life(stage=Mended())
    mended.turn_until_idle()
    assert rig.faults() == []


class Mended(ToyStage):
    """The next release: it folds everything."""

    def fold(self, record: InRecord, state: StateView) -> Sequence[Effect]:
        key = record.key or b""
        if state.get(key) is not None:
            return []
        state.put(key, record.value or b"")
        return [sent(record)]


def test_the_inputs_of_a_batch_that_quarantines_their_partition_wait(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    life = rig.life()
    life.turn_until_idle()
    rig.publish((b"y", BUG), topic=LOG)
    rig.publish((b"a", b"1"))
    log, inputs = (TopicPartition(topic, 0) for topic in (LOG, INPUT))
    monkeypatch.setattr(life.reader, "take", _log_first(life))

    life.turn_until_idle()

    assert life.loop._assignment.quarantined == [0]
    assert life.meter.results["skipped"] == 1
    assert {log, inputs} <= life.reader.paused
    assert (rig.committed(INPUT), rig.emitted()) == (0, [])


def _log_first(life: Life) -> Callable[[int, float], Batch]:
    take = life.reader.take

    def taking(max_records: int, wait_s: float) -> Batch:
        batch = take(max_records, wait_s)
        return Batch(sorted(batch.records, key=lambda record: record.topic != LOG), batch.ends)

    return taking


def test_an_effect_that_is_too_large_is_its_own_records_dead_letter_and_the_others_pass(rig: Rig) -> None:
    life = rig.life()
    rig.publish((b"a", b"1"), (b"large", bytes(MIB + 1)), (b"b", b"1"))

    life.turn_until_idle()

    assert [(record.key, len(record.value or b"")) for record in rig.broker.records(DLQ)] == [(b"large", MIB + 1)]
    assert life.meter.letters == [ErrorCode.INTENT_TOO_LARGE]
    assert distinct(rig.emitted()) == distinct([emission(b"a", b"1"), emission(b"b", b"1")])
    assert rig.committed(INPUT) == 3
    assert not life.loop._singly.is_on


def test_a_stage_without_a_log_decides_at_once_and_keeps_no_state(rig: Rig) -> None:
    life = rig.life(stage=ToyStage(has_log=False))
    rig.publish((b"a", b"1"), (b"bad", BAD))

    life.turn_until_idle()
    life.stop()

    assert rig.emitted() == [emission(b"a", b"1")]
    assert rig.committed(INPUT) == 2
    assert len(rig.broker.records(DLQ)) == 1
    assert life.health.is_restored
