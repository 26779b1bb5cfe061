"""What the loop owes to a stage that also acts on time: when it is told, and that its inputs wait for it."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from enact.errors import DeliveryError
from enact.kafka.state import PartitionState
from enact.kafka.transport import InRecord, NextOffset, TopicPartition
from tests.unit.enact.kafka.loop_rig import BUG, INPUT, LOG, Rig, raise_once

INPUT_0, LOG_0 = TopicPartition(INPUT, 0), TopicPartition(LOG, 0)


class Acting:
    """Notes what it is told; answers as it is set."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.low: NextOffset | None = None
        self.wants_paused: list[TopicPartition] = []
        self.turns_in_flight = 0
        self.fails_in_flush: Exception | None = None
        self.states: dict[int, PartitionState] = {}

    def on_live(self, partition: int, state: PartitionState) -> None:
        self.told.append(f"live {partition}")
        self.states[partition] = state

    def on_gone(self, partitions: Sequence[int]) -> None:
        self.told.append(f"gone {list(partitions)}")

    def before_flush(self) -> None:
        self.told.append("before flush")
        if self.fails_in_flush is not None:
            error, self.fails_in_flush = self.fails_in_flush, None
            raise error

    def after_persist(self) -> None:
        self.told.append("after persist")
        assert all(not state._dirty for state in self.states.values())

    def on_rewind(self) -> None:
        self.told.append("rewind")

    def gave_up(self, record: InRecord) -> None:
        self.told.append(f"gave up {record.offset}")

    def done(self, partition: TopicPartition, position: NextOffset) -> NextOffset:
        return position if self.low is None else min(position, self.low)

    def paused(self) -> Iterable[TopicPartition]:
        return self.wants_paused

    def wait_s(self) -> float:
        return 0.0

    def stop(self) -> bool:
        self.turns_in_flight -= 1
        return self.turns_in_flight < 0


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


def test_it_is_told_before_the_flush_and_after_the_state_is_kept_also_when_nothing_arrives(rig: Rig) -> None:
    acting = Acting()
    life = rig.life(active=acting)
    life.loop.turn()
    rig.publish((b"a", b"1"))

    life.loop.turn()

    assert acting.told == ["live 0", "before flush", "after persist", "before flush", "after persist"]


def test_it_acts_for_a_partition_only_once_that_is_folded_to_its_end(rig: Rig) -> None:
    rig.publish((b"a", b"1"), topic=LOG)
    rig.commit(LOG, 0)
    acting = Acting()

    life = rig.life(active=acting)
    assert acting.told == []
    life.loop.turn()

    assert acting.told == ["before flush", "live 0", "after persist"]


def test_it_is_told_when_a_batch_is_taken_again_and_then_nothing_is_kept(rig: Rig) -> None:
    acting = Acting()
    life = rig.life(active=acting)
    rig.publish((b"a", b"1"))
    acting.fails_in_flush = DeliveryError()

    life.loop.turn()

    assert acting.told == ["live 0", "before flush", "rewind"]
    life.turn_until_idle()
    assert rig.faults() == []


def test_an_input_moves_only_as_far_as_it_says(rig: Rig) -> None:
    acting = Acting()
    acting.low = NextOffset(1)
    life = rig.life(active=acting)
    rig.publish((b"a", b"1"), (b"b", b"1"), (b"c", b"1"))

    life.turn_until_idle()
    assert (rig.committed(INPUT), rig.committed(LOG)) == (1, 3)
    acting.low = None
    life.turn_until_idle()

    assert rig.committed(INPUT) == 3


def test_a_quarantined_partition_is_gone_for_it_and_the_inputs_it_held_do_not_move(rig: Rig) -> None:
    acting = Acting()
    life = rig.life(active=acting)
    acting.low = NextOffset(0)
    rig.publish((b"a", b"1"))
    life.turn_until_idle()
    rig.publish((b"y", BUG), topic=LOG)
    life.turn_until_idle()

    assert acting.told.count("gone [0]") == 1
    acting.low = None
    life.turn_until_idle()
    life.stop()

    assert rig.committed(INPUT) == 0, "what it had not done must be read again"


def test_it_is_told_of_what_leaves_in_good_order_and_of_what_is_lost(rig: Rig) -> None:
    acting = Acting()
    life = rig.life(active=acting)

    life.reader.revoke([INPUT_0])
    life.reader.give([INPUT_0])
    life.reader.lose([INPUT_0, LOG_0])

    assert acting.told == ["live 0", "gone [0]"]


def test_its_pauses_are_applied_and_lifted_and_survive_a_rebalance(rig: Rig) -> None:
    acting = Acting()
    life = rig.life(active=acting)
    acting.wants_paused = [INPUT_0, TopicPartition(INPUT, 9)]
    life.loop.turn()
    rig.publish((b"a", b"1"))
    life.turn_until_idle()
    assert life.reader.paused == {INPUT_0}
    assert life.stage.decided == []

    life.reader.revoke([INPUT_0, LOG_0])
    life.reader.give([INPUT_0, LOG_0])
    life.loop.turn()
    assert life.reader.paused == {INPUT_0}
    acting.wants_paused = []
    life.turn_until_idle()

    assert life.reader.paused == set()
    assert rig.faults() == []


def test_its_pauses_never_open_a_quarantined_partition(rig: Rig) -> None:
    acting = Acting()
    life = rig.life(active=acting)
    acting.wants_paused = [INPUT_0]
    life.loop.turn()
    rig.publish((b"y", BUG), topic=LOG)
    rig.publish((b"a", b"1"))
    life.turn_until_idle()

    acting.wants_paused = []
    life.turn_until_idle()

    assert life.reader.paused == {INPUT_0, LOG_0}
    assert life.stage.decided == []


def test_an_end_waits_for_what_is_in_flight_and_takes_a_last_turn_before_the_commit(rig: Rig) -> None:
    acting = Acting()
    life = rig.life(active=acting)
    life.turn_until_idle()
    acting.told.clear()
    acting.turns_in_flight = 2
    acting.low = NextOffset(0)
    rig.publish((b"a", b"1"))
    life.stage.before_fold = lambda _: setattr(acting, "low", None)

    life.stop()

    assert acting.told == ["before flush", "after persist"] * 3 + ["gone [0]"] * 2
    assert rig.faults() == []


def test_an_effect_that_is_too_large_leaves_it_in_step(rig: Rig) -> None:
    acting = Acting()
    life = rig.life(active=acting)
    life.stage.before_decide = raise_once(DeliveryError())
    rig.publish((b"a", b"1"), (b"large", bytes(1_048_577)))

    life.turn_until_idle()

    assert acting.told.count("rewind") == 2
    assert acting.told[-2:] == ["before flush", "after persist"]
    assert rig.committed(INPUT) == 2


def test_it_is_told_of_an_input_that_became_a_dead_letter_after_it_was_decided(rig: Rig) -> None:
    acting = Acting()
    life = rig.life(active=acting)
    rig.publish((b"a", b"1"), (b"b", bytes(1_500_000)), (b"c", BUG))

    life.turn_until_idle()

    assert {told for told in acting.told if told.startswith("gave up")} == {"gave up 1", "gave up 2"}
    assert rig.committed(INPUT) == 3
