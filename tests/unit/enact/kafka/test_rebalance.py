"""Partitions come, go, come back paused and arrive one by one; nothing of a former ownership is believed."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from enact.errors import FencedError
from enact.kafka.assignment import Assignment
from enact.kafka.owned_partition import OwnedPartition, Phase
from enact.kafka.state import PartitionState
from enact.kafka.transport import NextOffset, TopicPartition
from tests.unit.enact.kafka.loop_rig import INPUT, LOG, OUT, Life, Rig

LOG_0, INPUT_0 = TopicPartition(LOG, 0), TopicPartition(INPUT, 0)


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


def elsewhere(rig: Rig) -> Path:
    return rig.folder / "elsewhere"


def with_history(rig: Rig) -> None:
    """Three decisions, all emitted and committed by a process that ended in good order."""
    rig.publish((b"a", b"1"), (b"b", b"1"), (b"c", b"1"))
    life = rig.life()
    life.turn_until_idle()
    life.stop()
    assert len(rig.emitted()) == 3


def phase(life: Life, partition: int = 0) -> Phase:
    return life.loop._assignment.owned[partition].phase


def test_a_partition_that_comes_back_is_read_again_whatever_was_paused_before(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    life = rig.life()
    life.turn_until_idle()
    rig.publish((b"y", b"bad"), topic=LOG)
    life.turn_until_idle()
    assert life.reader.paused == {LOG_0, INPUT_0}

    life.reader.revoke([INPUT_0, LOG_0])
    monkeypatch.setattr(life.stage, "fold", lambda record, state: [])
    rig.publish((b"a", b"1"))
    life.reader.give([INPUT_0, LOG_0])
    life.turn_until_idle()

    assert life.reader.paused == set()
    assert phase(life) is Phase.LIVE
    assert [record.key for record in life.stage.decided] == [b"a"]


@pytest.mark.parametrize("order", [(LOG_0, INPUT_0), (INPUT_0, LOG_0)])
def test_an_input_and_its_log_may_arrive_one_after_the_other(rig: Rig, order: tuple[TopicPartition, TopicPartition]) -> None:
    with_history(rig)
    rig.publish((b"a", b"2"), (b"d", b"1"))
    life = rig.life(folder=elsewhere(rig))
    life.reader.revoke([INPUT_0, LOG_0])

    for one in order:
        life.reader.give([one])
        life.loop.turn()
        life.loop.turn()
    life.turn_until_idle()

    assert rig.faults() == []
    assert rig.logged() == [(b"a", b"1"), (b"b", b"1"), (b"c", b"1"), (b"d", b"1")]


def test_an_input_may_leave_and_come_back_while_its_log_stays(rig: Rig) -> None:
    with_history(rig)
    life = rig.life()
    life.reader.pause([INPUT_0])

    life.reader.revoke([INPUT_0])
    rig.publish((b"d", b"1"))
    life.reader.give([INPUT_0])
    life.turn_until_idle()

    assert rig.faults() == []


@pytest.mark.parametrize("way", ["revoke", "lose"])
def test_a_log_that_leaves_without_its_inputs_ends_the_process(rig: Rig, way: str) -> None:
    life = rig.life()

    with pytest.raises(FencedError, match="co-partitioned"):
        getattr(life.reader, way)([LOG_0])


def test_an_input_that_is_read_before_its_log_is_restored_ends_the_process(rig: Rig) -> None:
    with_history(rig)
    rig.publish((b"a", b"2"))
    life = rig.life(folder=elsewhere(rig))

    life.reader.resume([INPUT_0])
    life.reader.pause([LOG_0])

    with pytest.raises(FencedError, match="not restored"):
        life.turn_until_idle()


def test_a_partition_given_twice_is_opened_anew(rig: Rig) -> None:
    with_history(rig)
    life = rig.life()

    life.reader.give([LOG_0, INPUT_0])
    rig.publish((b"d", b"1"))
    life.turn_until_idle()

    assert rig.faults() == []


def test_what_others_did_while_a_partition_was_lost_is_folded_before_anything_is_decided(rig: Rig) -> None:
    with_history(rig)
    life = rig.life()
    life.turn_until_idle()

    _lose_and_return(rig, life)

    assert rig.faults() == []
    assert rig.logged().count((b"d", b"theirs")) == 1
    assert (b"d", b"ours") not in rig.logged()


def _lose_and_return(rig: Rig, life: Life) -> None:
    both = [INPUT_0, LOG_0]
    life.reader.lose(both)
    rig.publish((b"d", b"theirs"), topic=LOG)
    rig.publish((b"d", b"ours"))
    life.reader.give(both)
    life.turn_until_idle()


def test_planted_a_state_kept_over_a_lost_partition_is_seen(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    with_history(rig)
    life = rig.life()
    life.turn_until_idle()
    kept = dict(life.loop._assignment.owned)
    monkeypatch.setattr(PartitionState, "close", lambda self: None)
    monkeypatch.setattr(Assignment, "_open", _keep_open(kept))

    _lose_and_return(rig, life)

    assert (b"d", b"ours") in rig.logged()


def _keep_open(kept: Mapping[int, OwnedPartition]) -> Callable[[Assignment, Sequence[TopicPartition]], Mapping[TopicPartition, NextOffset]]:
    def keeping(self: Assignment, logs: Sequence[TopicPartition]) -> Mapping[TopicPartition, NextOffset]:
        self.owned.update(kept)
        return self._reader.end_offsets(logs)

    return keeping


def test_an_assignment_of_nothing_is_an_answer_too(rig: Rig) -> None:
    life = rig.life(is_started=False)
    life.loop._report()
    assert (life.health.is_assigned, life.health.is_restored) == (False, False)

    life.loop._assignment.on_assign([])
    life.loop._report()

    assert (life.health.is_assigned, life.health.is_restored) == (True, True)
    assert rig.broker.records(OUT) == []
