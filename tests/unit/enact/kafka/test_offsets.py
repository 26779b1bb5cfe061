"""What is committed, when, and what happens at the start and at the end."""

import threading
from collections.abc import Mapping
from pathlib import Path

import pytest

from enact.errors import FencedError, StateLostError
from enact.failpoints import Failpoint, hooked
from enact.kafka.transport import NextOffset, TopicPartition
from tests.unit.enact.kafka.loop_rig import (
    INPUT,
    LOG,
    WAVES,
    Rig,
    emission,
)


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


def test_an_orderly_end_finishes_what_arrived_commits_and_gives_the_partitions_back(rig: Rig) -> None:
    stop = threading.Event()
    rig.publish(*WAVES[0])
    life = rig.life(is_started=False)
    life.stage.before_fold = lambda record: stop.set() if record.offset == 2 else None

    life.loop.run(stop)

    assert rig.faults() == []
    assert life.reader.owned == frozenset()
    again = rig.life()
    again.turn_until_idle()
    assert again.stage.decided == []
    assert again.stage.folded == []


def test_an_error_in_on_assign_ends_the_process(rig: Rig) -> None:
    rig.publish((b"a", b"1"))
    (rig.folder / "state").write_text("a file where the states should be")
    life = rig.life(is_started=False)

    with pytest.raises(StateLostError, match="ENACT_DATA_DIR"):
        life.loop.run(threading.Event())

    assert life.stage.decided == []


def test_the_first_commit_of_an_empty_log_comes_before_the_first_append(rig: Rig) -> None:
    rig.publish((b"a", b"1"))
    life = rig.life()
    life.stage.before_decide = lambda _: seen.append(rig.committed(LOG))
    seen: list[NextOffset | None] = []

    life.loop.turn()

    assert seen == [NextOffset(0)]


def test_commits_are_at_most_one_per_second(rig: Rig) -> None:
    life = rig.life()
    passed: list[Failpoint] = []

    with hooked(passed.append):
        for number in range(20):
            rig.publish((b"%d" % number, b"1"))
            life.loop.turn()
            rig.clock.advance(0.3)

    assert 5 <= passed.count(Failpoint.BEFORE_COMMIT) <= 7


def test_a_failed_commit_on_revoke_costs_a_repeat_and_nothing_else(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.publish(*WAVES[0])
    life = rig.life()
    life.loop.turn()
    life.loop.turn()
    monkeypatch.setattr(life.reader, "commit", _refuse)

    life.reader.revoke(sorted(life.reader.owned))
    rig.life().turn_until_idle()

    assert rig.faults() == []


def _refuse(offsets: Mapping[TopicPartition, NextOffset], *, is_async: bool) -> None:
    raise FencedError


def test_nothing_is_committed_for_lost_partitions(rig: Rig) -> None:
    rig.publish(*WAVES[0])
    life = rig.life()
    life.loop.turn()
    before = dict(rig.broker.commits["toy"])

    life.reader.lose(sorted(life.reader.owned))
    rig.clock.advance(5)
    life.loop.turn()
    life.stop()

    assert rig.broker.commits["toy"] == before
    rig.life().turn_until_idle()
    assert rig.faults() == []


def test_what_is_done_is_committed_and_remembered_when_partitions_leave_in_good_order(rig: Rig) -> None:
    life = rig.life()
    life.loop.turn()
    rig.publish((b"a", b"1"))
    life.loop.turn()
    life.loop.turn()
    assert (rig.committed(INPUT), rig.committed(LOG)) == (0, 0)

    life.reader.revoke(sorted(life.reader.owned))

    assert (rig.committed(INPUT), rig.committed(LOG)) == (1, 1)
    rig.commit(LOG, 0)
    rig.life().turn_until_idle()
    assert rig.emitted() == [emission(b"a", b"1")] * 2, "the group was rewound"
