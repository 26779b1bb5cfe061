"""Records that are gone: deleted by retention before they were read, or cut off a log that grew again since."""

from pathlib import Path

import pytest

from enact.errors import DeliveryError
from enact.kafka.owned_partition import OwnedPartition, Phase
from enact.kafka.state import PartitionState
from enact.kafka.transport import NextOffset, TopicPartition
from tests.unit.enact.kafka.loop_rig import INPUT, LOG, Life, Rig, ToyStage, emission

LOG_0, INPUT_0 = TopicPartition(LOG, 0), TopicPartition(INPUT, 0)


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


def with_history(rig: Rig) -> None:
    """Three decisions, all emitted and committed by a process that ended in good order."""
    rig.publish((b"a", b"1"), (b"b", b"1"), (b"c", b"1"))
    life = rig.life()
    life.turn_until_idle()
    life.stop()


def phase(life: Life) -> Phase:
    return life.loop._assignment.owned[0].phase


# deleted by retention


@pytest.mark.parametrize("has_log", [True, False])
def test_an_input_deleted_before_it_was_read_is_counted_and_the_rest_is_read(
    rig: Rig, caplog: pytest.LogCaptureFixture, *, has_log: bool
) -> None:
    with_history(rig)
    rig.publish(*((b"%d" % number, b"1") for number in range(5)))
    rig.broker.cut(INPUT_0, NextOffset(6))

    life = rig.life(stage=ToyStage(has_log=has_log))
    life.turn_until_idle()

    assert [record.key for record in life.stage.decided] == [b"3", b"4"]
    assert life.meter.lost_records == 3
    (told,) = [record for record in caplog.records if record.message == "records_lost"]
    assert told.levelname == "ERROR"
    assert rig.committed(INPUT) == 8


def test_nothing_is_lost_where_retention_deleted_only_what_was_read(rig: Rig) -> None:
    with_history(rig)
    rig.broker.cut(INPUT_0, NextOffset(3))
    rig.broker.cut(LOG_0, NextOffset(2))

    life = rig.life()
    life.turn_until_idle()

    assert life.meter.lost_records == 0
    assert phase(life) is Phase.LIVE


def test_decisions_deleted_before_they_were_emitted_are_counted_too(rig: Rig) -> None:
    with_history(rig)
    rig.publish(*((b"%d" % number, b"1") for number in range(5)), topic=LOG)
    rig.broker.cut(LOG_0, NextOffset(5))

    life = rig.life(folder=rig.folder / "elsewhere")
    life.turn_until_idle()

    assert life.meter.lost_records == 2
    assert rig.emitted()[3:] == [emission(b"2", b"1"), emission(b"3", b"1"), emission(b"4", b"1")]


def test_an_input_that_was_cut_off_is_read_again_from_its_start(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    with_history(rig)
    rig.broker.lose(INPUT_0, NextOffset(1))
    rig.publish((b"d", b"1"))

    life = rig.life()
    life.turn_until_idle()

    assert [record.key for record in life.stage.decided] == [b"a", b"d"]
    assert "input_cut_off" in [record.message for record in caplog.records]
    assert rig.committed(INPUT) == 2


# cut off, and grown again


def _grow_again(rig: Rig, keys: int) -> None:
    """The broker loses everything from the second record on, and others are appended in their place."""
    rig.broker.lose(LOG_0, NextOffset(1))
    rig.publish(*((b"new-%d" % number, b"1") for number in range(keys)), topic=LOG)


@pytest.mark.parametrize("keys", [2, 5])
def test_a_log_that_was_cut_off_and_grew_again_quarantines_its_partition(rig: Rig, keys: int) -> None:
    with_history(rig)
    _grow_again(rig, keys)

    life = rig.life()
    life.turn_until_idle()

    assert phase(life) is Phase.QUARANTINED
    assert life.stage.folded == []
    assert len(rig.emitted()) == 3


def test_planted_the_state_of_a_log_that_grew_again_is_kept_without_its_witness(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    with_history(rig)
    _grow_again(rig, 5)
    monkeypatch.setattr(OwnedPartition, "is_witness", lambda self, record: record.offset < self.fold_from)

    life = rig.life()
    life.turn_until_idle()

    assert emission(b"new-0", b"1") not in rig.emitted(), "a decision that nobody folded"
    assert phase(life) is Phase.LIVE


def test_a_lower_committed_offset_is_the_way_out_of_that_quarantine(rig: Rig) -> None:
    with_history(rig)
    _grow_again(rig, 5)
    life = rig.life()
    life.turn_until_idle()
    life.kill()
    rig.commit(LOG, 1)

    again = rig.life()
    again.turn_until_idle()

    assert phase(again) is Phase.LIVE
    assert [record.key for record in again.stage.folded] == [b"a", *(b"new-%d" % number for number in range(5))]
    assert rig.emitted()[3:] == [emission(b"new-%d" % number, b"1") for number in range(5)]


def test_another_leader_alone_is_no_reason_to_distrust(rig: Rig) -> None:
    with_history(rig)
    rig.broker.leader_epoch += 1
    rig.publish((b"d", b"1"))

    for _ in range(2):
        life = rig.life()
        life.turn_until_idle()
        life.stop()

    assert rig.emitted()[3:] == [emission(b"d", b"1")]
    assert rig.faults() == []


def test_a_batch_that_is_taken_again_under_another_leader_does_not_accuse_the_log(rig: Rig) -> None:
    with_history(rig)
    rig.broker.leader_epoch += 1
    rig.publish((b"d", b"1"), topic=LOG)
    life = rig.life()
    rig.broker.fail_next_deliveries(1, error=DeliveryError())

    life.turn_until_idle()

    assert life.meter.rewinds == 1
    assert phase(life) is Phase.LIVE
    assert rig.emitted()[3:] == [emission(b"d", b"1")]


def test_a_state_of_before_epochs_were_kept_and_a_witness_that_was_compacted_away_are_trusted(rig: Rig) -> None:
    with_history(rig)
    state = PartitionState(rig.folder / "state" / "0", 0)
    state.persist(NextOffset(3), epoch=None)
    state.close()
    rig.broker.leader_epoch += 1

    life = rig.life()
    life.turn_until_idle()

    assert phase(life) is Phase.LIVE
    assert life.stage.folded == []
