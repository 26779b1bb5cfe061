"""A record that keeps ending its process is found, alone; no other record pays for it."""

import threading
from pathlib import Path

import pytest

from enact.errors import BrokerError
from enact.failpoints import Failpoint, hooked
from enact.kafka.stage_loop import StageStoppedError
from tests.unit.enact.kafka.loop_rig import (
    BAD,
    BUG,
    DLQ,
    INPUT,
    LOG,
    Killed,
    Rig,
    dies_of,
    distinct,
    emission,
    kill_at,
    raise_once,
)


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


def test_a_record_that_ends_the_process_three_times_is_dead_lettered_and_the_others_pass(rig: Rig) -> None:
    rig.publish((b"a", b"1"), (b"poison", b"1"), (b"b", b"1"))
    crashes = 0

    while True:
        life = rig.life()
        life.stage.before_decide = dies_of(b"poison")
        try:
            life.turn_until_idle()
            break
        except Killed:
            crashes += 1
            life.kill()

    assert crashes == 3
    letters = rig.broker.records(DLQ)
    assert [record.key for record in letters] == [b"poison"]
    assert (b"enact-error-code", b"UNEXPECTED_ERROR") in {(name.encode(), value) for name, value in letters[0].headers}
    assert distinct(rig.emitted()) == distinct([emission(b"a", b"1"), emission(b"b", b"1")])
    assert rig.committed(INPUT) == 3
    assert not life.loop._singly.is_on


def test_a_log_record_that_ends_the_process_three_times_quarantines_its_partition(rig: Rig) -> None:
    rig.publish((b"a", b"1"), (b"poison", b"1"), (b"b", b"1"))
    rig.life().turn_until_idle()
    rig.publish((b"more", b"1"))
    rig.commit(LOG, 0)

    for _ in range(3):
        life = rig.life(folder=rig.folder / "other")
        life.stage.before_fold = dies_of(b"poison")
        with pytest.raises(Killed):
            life.turn_until_idle()
        life.kill()
    life = rig.life(folder=rig.folder / "other")
    life.stage.before_fold = dies_of(b"poison")
    life.turn_until_idle()

    assert life.loop._assignment.quarantined == [0]
    assert rig.broker.records(DLQ) == []
    assert (rig.committed(LOG) or 0) <= 1


def test_crashes_while_waiting_for_the_broker_are_no_records_fault(rig: Rig) -> None:
    rig.publish((b"a", b"1"))

    for failpoint in (Failpoint.BEFORE_EMISSION_FLUSH, Failpoint.AFTER_EMISSION_FLUSH, Failpoint.BEFORE_STATE_WRITE) * 2:
        life = rig.life()
        with hooked(kill_at(failpoint)), pytest.raises(Killed):
            life.turn_until_idle()
        life.kill()
    life = rig.life()
    life.turn_until_idle()

    assert rig.broker.records(DLQ) == []
    assert rig.faults() == []


def test_a_stage_that_ends_by_an_error_of_its_surroundings_blames_no_record(rig: Rig) -> None:
    rig.publish((b"a", b"1"))

    for _ in range(4):
        life = rig.life(is_started=False)
        life.stage.before_decide = raise_once(BrokerError())
        with pytest.raises(BrokerError):
            life.loop.run(threading.Event())
    rig.life().turn_until_idle()

    assert rig.broker.records(DLQ) == []
    assert rig.faults() == []


def test_one_hundred_unexpected_errors_in_a_row_stop_the_stage_before_any_is_dead_lettered(rig: Rig) -> None:
    rig.publish(*((b"%d" % number, BUG) for number in range(300)))
    life = rig.life()

    with pytest.raises(StageStoppedError, match="fail unexpectedly"):
        life.turn_until_idle()

    assert len(life.stage.decided) == 100
    assert rig.broker.records(DLQ) == []
    assert not rig.committed(INPUT)


def test_refusals_never_stop_the_stage(rig: Rig) -> None:
    rig.publish(*((b"%d" % number, BAD) for number in range(600)))
    life = rig.life()

    life.turn_until_idle()

    assert len(rig.broker.records(DLQ)) == 600
    assert life.meter.results == {"dead_letter": 600}


def test_while_one_partition_is_read_singly_the_records_of_the_others_are_put_back_not_lost(tmp_path: Path) -> None:
    rig = Rig(tmp_path, partitions=3)
    rig.publish((b"b", b"1"), partition=0)
    rig.publish((b"a", b"1"), (b"poison", b"1"), (b"c", b"1"), partition=1)
    rig.publish((b"d", b"1"), (b"e", b"1"), partition=2)

    for _ in range(3):
        life = rig.life()
        life.stage.before_decide = dies_of(b"poison")
        with pytest.raises(Killed):
            life.turn_until_idle()
        life.kill()
    life = rig.life()
    life.stage.before_decide = dies_of(b"poison")
    life.turn_until_idle()

    assert [record.key for record in rig.broker.records(DLQ)] == [b"poison"]
    assert distinct(rig.emitted()) == distinct(emission(key, b"1") for key in (b"a", b"b", b"c", b"d", b"e"))
    assert [rig.committed(INPUT, partition) for partition in range(3)] == [1, 3, 2]
    assert not life.loop._singly.is_on
