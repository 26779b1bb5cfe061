"""What is restored before anything acts, where emission starts, and what a log that lost records does to its partition."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from enact.kafka.assignment import Assignment
from enact.kafka.owned_partition import OwnedPartition, Phase
from enact.kafka.stage_loop import NO_QUARANTINE
from enact.kafka.state import PartitionState
from enact.kafka.transport import InRecord, NextOffset, TopicPartition
from tests.unit.enact.kafka.loop_rig import INPUT, LOG, Life, Rig, emission

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


def plan(rig: Rig) -> OwnedPartition:
    return rig.life().loop._assignment.owned[0]


def test_an_empty_log_is_live_at_once_and_its_end_is_committed(rig: Rig) -> None:
    life = rig.life()
    life.loop.turn()

    assert phase(life) is Phase.LIVE
    assert rig.committed(LOG) == 0


def test_a_log_emptied_by_retention_is_committed_at_its_end(rig: Rig) -> None:
    rig.publish((b"a", b"1"), (b"b", b"1"), topic=LOG)
    rig.broker.cut(LOG_0, NextOffset(2))

    rig.life().loop.turn()

    assert rig.committed(LOG) == 2


def test_what_is_appended_after_the_first_commit_is_emitted_by_the_next_process(rig: Rig) -> None:
    life = rig.life()
    life.loop.turn()
    life.kill()
    rig.publish((b"a", b"1"), topic=LOG)

    rig.life(folder=elsewhere(rig)).turn_until_idle()

    assert rig.emitted() == [emission(b"a", b"1")]


def test_a_log_with_records_and_no_committed_offset_waits_for_an_operator(rig: Rig) -> None:
    rig.publish((b"a", b"1"), topic=LOG)
    rig.publish((b"b", b"1"))

    life = rig.life()
    life.turn_until_idle()

    assert phase(life) is Phase.QUARANTINED
    assert (rig.emitted(), life.stage.folded, life.stage.decided) == ([], [], [])
    assert rig.committed(LOG) is None
    assert life.health.conditions[NO_QUARANTINE] is False
    life.kill()
    rig.commit(LOG, 0)
    rig.life().turn_until_idle()
    assert rig.faults() == []


def test_inputs_wait_until_the_log_is_folded_to_its_end(rig: Rig) -> None:
    with_history(rig)
    rig.publish((b"a", b"2"))

    life = rig.life(folder=elsewhere(rig))
    assert phase(life) is Phase.RESTORING
    assert life.reader.paused == {INPUT_0}
    life.turn_until_idle()

    assert [record.key for record in life.stage.folded] == [b"a", b"b", b"c"]
    assert rig.logged() == [(b"a", b"1"), (b"b", b"1"), (b"c", b"1")], "an input was decided against a state that did not know it"
    assert rig.emitted()[3:] == [emission(b"a", b"1")]


def test_planted_acting_before_the_end_is_seen(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    with_history(rig)
    rig.publish((b"a", b"2"))
    monkeypatch.setattr(Assignment, "_live_if_restored", _live_at_once)

    life = rig.life(folder=elsewhere(rig))
    life.reader.seek(LOG_0, NextOffset(1))
    life.turn_until_idle()

    assert (b"a", b"2") in rig.logged()


def _live_at_once(self: Assignment, partition: int, next_offset: NextOffset) -> None:
    self.owned[partition].phase = Phase.LIVE
    self._reader.resume([TopicPartition(INPUT, partition)])


def test_the_end_that_counts_is_the_one_after_the_assignment(rig: Rig) -> None:
    with_history(rig)

    assert plan(rig).restore_to == 3


def test_a_rebuild_is_silent_up_to_the_committed_offset(rig: Rig) -> None:
    with_history(rig)
    rig.publish((b"d", b"1"), topic=LOG)

    life = rig.life(folder=elsewhere(rig))
    life.turn_until_idle()

    assert life.meter.results["silent"] == 3
    assert rig.emitted()[3:] == [emission(b"d", b"1")]
    assert rig.committed(LOG) == 4


def test_a_rebuild_never_commits_below_the_committed_offset(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    with_history(rig)
    life = rig.life(folder=elsewhere(rig))
    monkeypatch.setattr(rig.broker, "read", _one_at_a_time(rig))
    seen = set()

    for _ in range(6):
        life.loop.turn()
        rig.clock.advance(2)
        seen.add(rig.committed(LOG))

    assert seen == {3}


def _one_at_a_time(rig: Rig) -> Callable[[TopicPartition, int, int], Sequence[InRecord]]:
    read = rig.broker.read
    return lambda partition, at, max_records: read(partition, at, min(1, max_records))


def test_emission_starts_at_what_was_kept_if_that_is_further_than_what_was_committed(rig: Rig) -> None:
    rig.publish((b"a", b"1"), (b"b", b"1"))
    life = rig.life()
    life.loop.turn()
    life.loop.turn()
    life.kill()
    assert (rig.committed(LOG), len(rig.emitted())) == (0, 2)

    again = rig.life()
    again.turn_until_idle()

    assert again.stage.folded == []
    assert len(rig.emitted()) == 2
    assert rig.faults() == []


def test_emission_starts_at_what_was_committed_if_that_is_further_than_what_was_kept(rig: Rig) -> None:
    with_history(rig)
    other = rig.life(folder=elsewhere(rig))
    other.turn_until_idle()
    rig.publish((b"d", b"1"))
    other.turn_until_idle()
    other.stop()
    assert len(rig.emitted()) == 4

    life = rig.life()
    life.turn_until_idle()

    assert [record.key for record in life.stage.folded] == [b"d"]
    assert len(rig.emitted()) == 4


@pytest.mark.parametrize("to", [0, 1, 2])
def test_a_rewound_group_emits_again_from_there_the_same_and_in_order(rig: Rig, to: int) -> None:
    with_history(rig)
    rig.commit(LOG, to)

    rig.life().turn_until_idle()

    keys = [b"a", b"b", b"c"]
    assert rig.emitted()[3:] == [emission(key, b"1") for key in keys[to:]]
    assert rig.committed(LOG) == 3


def test_a_group_rewound_after_a_single_quiet_record_is_noticed(rig: Rig) -> None:
    rig.publish((b"a", b"1"))
    life = rig.life()
    life.turn_until_idle()
    life.kill()
    assert rig.committed(LOG) == 1
    rig.commit(LOG, 0)

    rig.life().turn_until_idle()

    assert rig.emitted() == [emission(b"a", b"1")] * 2


def test_a_crash_in_the_middle_of_a_replay_does_not_end_the_replay(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    with_history(rig)
    rig.commit(LOG, 0)
    life = rig.life()
    monkeypatch.setattr(rig.broker, "read", _one_at_a_time(rig))
    life.loop.turn()
    life.kill()

    rig.life().turn_until_idle()

    assert rig.emitted()[3:] == [emission(key, b"1") for key in (b"a", b"b", b"c")]


def test_a_state_older_than_the_log_is_rebuilt_from_the_beginning(rig: Rig) -> None:
    with_history(rig)
    rig.publish(*((b"%d" % number, b"1") for number in range(5)), topic=LOG)
    rig.commit(LOG, 6)
    rig.broker.cut(LOG_0, NextOffset(5))

    life = rig.life()
    state = life.loop._assignment.owned[0].state
    life.turn_until_idle()

    assert state.get(b"a") is None
    assert [record.offset for record in life.stage.folded] == [5, 6, 7]
    assert rig.emitted()[3:] == [emission(b"3", b"1"), emission(b"4", b"1")]


def _cut_off(rig: Rig, end: int) -> None:
    log = rig.broker._log(LOG_0)
    del log.records[end - log.begin :]


def test_a_log_cut_off_below_the_state_quarantines_its_partition_until_an_operator_commits_less(rig: Rig) -> None:
    with_history(rig)
    _cut_off(rig, 2)
    rig.commit(LOG, 2)
    state = PartitionState(rig.folder / "state" / "0", 0)
    state._meta.committed = None
    state.persist(NextOffset(3))
    state.close()

    life = rig.life()
    life.turn_until_idle()
    assert phase(life) is Phase.QUARANTINED
    assert life.stage.folded == []
    life.kill()

    state = PartitionState(rig.folder / "state" / "0", 0)
    state.remember_committed(NextOffset(3))
    state.close()
    again = rig.life()
    again.turn_until_idle()
    assert phase(again) is Phase.LIVE
    assert [record.key for record in again.stage.folded] == [b"a", b"b"]


@pytest.mark.parametrize("is_state_kept", [True, False])
def test_a_committed_offset_beyond_the_log_quarantines_instead_of_being_silent_up_to_there(rig: Rig, is_state_kept: bool) -> None:
    with_history(rig)
    _cut_off(rig, 1)
    folder = rig.folder if is_state_kept else elsewhere(rig)

    life = rig.life(folder=folder)
    rig.publish((b"new", b"1"), topic=LOG)
    life.turn_until_idle()
    assert phase(life) is Phase.QUARANTINED
    assert life.stage.folded == []
    life.kill()

    rig.commit(LOG, 1)
    rig.life(folder=folder).turn_until_idle()
    assert emission(b"new", b"1") in rig.emitted()


def test_the_other_partitions_go_on_beside_a_quarantined_one(tmp_path: Path) -> None:
    rig = Rig(tmp_path, partitions=2)
    rig.publish((b"a", b"1"), topic=LOG, partition=0)
    rig.publish((b"b", b"1"), partition=1)

    life = rig.life()
    life.turn_until_idle()

    assert (phase(life, 0), phase(life, 1)) == (Phase.QUARANTINED, Phase.LIVE)
    assert rig.emitted() == [emission(b"b", b"1")]


def test_planted_a_restore_from_the_wrong_offset_is_seen(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    with_history(rig)
    rig.publish((b"d", b"1"), topic=LOG)
    monkeypatch.setattr(PartitionState, "applied", property(lambda state: NextOffset((state._meta.applied or -1) + 1)))

    rig.life().turn_until_idle()

    assert any("missing emission" in fault for fault in rig.faults())
