"""When the group counts as having answered a member that gets no partitions."""

from pathlib import Path

import pytest

from enact.clock import ManualClock
from enact.kafka.local import LocalBroker
from enact.kafka.local_reader import LocalReader
from enact.kafka.loop_context import LoopContext
from enact.kafka.membership import SPARE_AFTER_S
from enact.kafka.stage_loop import StageLoop
from enact.kafka.transport import AssignmentListener, NextOffset, OutRecord, TopicPartition
from tests.unit.enact.kafka.loop_rig import DLQ, GROUP, INPUT, LOG, OUT, Health, Meter, ToyStage


class LeftOver(LocalReader):
    """A member of a full group: taken in when the test says so, and given nothing."""

    is_taken_in = False

    @property
    def is_member(self) -> bool:
        return self.is_taken_in

    def subscribe(self, topics: object, listener: AssignmentListener) -> None:
        self._listener = listener


class Spare:
    def __init__(self, folder: Path) -> None:
        self.clock = ManualClock()
        self.broker = LocalBroker(self.clock)
        for topic in (INPUT, LOG, OUT, DLQ):
            self.broker.create_topic(topic, 1)
        self.reader, self.health = LeftOver(self.broker, GROUP), Health()
        context = LoopContext(
            reader=self.reader,
            writer=self.broker.writer(),
            clock=self.clock,
            meter=Meter(),
            health=self.health,
            state_folder=folder,
            dead_letter_topic=DLQ,
        )
        self.loop = StageLoop(ToyStage(), context)
        self.loop.start()

    def after(self, seconds: float) -> tuple[bool, bool]:
        self.clock.advance(seconds)
        self.loop.turn()
        return self.health.is_assigned, self.health.is_restored


@pytest.fixture
def spare(tmp_path: Path) -> Spare:
    return Spare(tmp_path)


def test_who_is_not_in_the_group_is_not_ready_however_long_it_waits(spare: Spare) -> None:
    assert [spare.after(60) for _ in range(3)] == [(False, False)] * 3


def test_a_member_without_partitions_is_ready_after_a_while_and_not_before(spare: Spare) -> None:
    spare.reader.is_taken_in = True

    assert spare.after(0) == (False, False)
    assert spare.after(SPARE_AFTER_S - 0.1) == (False, False)
    assert spare.after(0.2) == (True, True)


def test_a_member_that_drops_out_before_waits_again_from_the_beginning(spare: Spare) -> None:
    spare.reader.is_taken_in = True
    spare.after(0)
    spare.reader.is_taken_in = False
    spare.after(SPARE_AFTER_S)
    spare.reader.is_taken_in = True

    assert spare.after(1) == (False, False)
    assert spare.after(SPARE_AFTER_S) == (True, True)


def test_a_spare_that_gets_partitions_is_restored_before_it_is_ready_again(spare: Spare) -> None:
    spare.reader.is_taken_in = True
    spare.after(0)
    spare.after(SPARE_AFTER_S)
    writer = spare.broker.writer()
    for number in range(3):
        writer.send(OutRecord(LOG, 0, str(number).encode(), b"content"))
    spare.broker.commits[GROUP] = {TopicPartition(LOG, 0): NextOffset(3)}

    spare.reader.give([TopicPartition(INPUT, 0), TopicPartition(LOG, 0)])
    spare.loop._report()

    assert (spare.health.is_assigned, spare.health.is_restored) == (True, False)
    assert spare.after(1) == (True, True)
