"""A watcher folds several topics into one state, acts only once all are read to their end, and repeats what was not acknowledged."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from enact.clock import ManualClock
from enact.errors import ErrorCode, FencedError, ValidationError
from enact.kafka.local import LocalBroker, LocalReader
from enact.kafka.loop_context import LoopContext
from enact.kafka.stage_loop import StageStoppedError
from enact.kafka.state import PartitionState
from enact.kafka.transport import InRecord, NextOffset, OutRecord, TopicPartition
from enact.kafka.watch_loop import WatchLoop
from tests.unit.enact.kafka.loop_rig import Health, Meter

ONE, TWO, OUT, DLQ, GROUP = "w.one", "w.two", "w.out", "w.dlq", "w"


class Counting:
    """Counts the records of each key in its state, a record once; sends what it was told to send, once for each life of a state."""

    name = "counting"
    inputs: Sequence[str] = (ONE, TWO)

    def __init__(self) -> None:
        self.live: list[int] = []
        self.gone: list[int] = []
        self.seen: list[tuple[str, int, int]] = []
        self.wanted: dict[bytes, bytes] = {}
        self.before_learn: Callable[[InRecord], None] = lambda _: None

    def learn(self, record: InRecord, state: PartitionState) -> None:
        self.before_learn(record)
        if record.value == b"bad":
            raise ValidationError("content says bad.", code=ErrorCode.PARAMETERS_INVALID)
        if record.value == b"bug":
            raise ZeroDivisionError
        self.seen.append((record.topic, record.partition, record.offset))
        state.put(b"%b/%d" % (record.topic.encode(), record.offset), record.value or b"")

    def due(self, state: PartitionState) -> Sequence[OutRecord]:
        left = [key for key in self.wanted if state.get(b"sent" + key) is None]
        for key in left:
            state.put(b"sent" + key, b"")
        return [OutRecord(OUT, state.partition, key, self.wanted[key]) for key in left]

    def on_live(self, partition: int) -> None:
        self.live.append(partition)

    def on_gone(self, partition: int) -> None:
        self.gone.append(partition)

    def on_rewind(self, partition: int) -> None:
        """Everything is in the state."""


class Rig:
    def __init__(self, folder: Path, partitions: int = 1) -> None:
        self.clock, self.folder = ManualClock(), folder
        self.broker = LocalBroker(self.clock)
        for topic in (ONE, TWO, OUT, DLQ):
            self.broker.create_topic(topic, partitions)
        self.meter, self.health = Meter(), Health()

    def life(self) -> tuple[WatchLoop, Counting, LocalReader]:
        stage, reader = Counting(), self.broker.reader(GROUP)
        context = LoopContext(
            reader=reader,
            writer=self.broker.writer(),
            clock=self.clock,
            meter=self.meter,
            health=self.health,
            state_folder=self.folder,
            dead_letter_topic=DLQ,
        )
        loop = WatchLoop(stage, context)
        loop.start()
        return loop, stage, reader

    def put(self, topic: str, *values: bytes, partition: int = 0) -> None:
        for value in values:
            self.broker.append(OutRecord(topic, partition, b"k", value))

    def turn(self, loop: WatchLoop, times: int = 3) -> None:
        for _ in range(times):
            loop.turn()
            self.clock.advance(2)


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


def test_nothing_is_sent_before_every_topic_is_read_to_the_end_it_had(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("enact.kafka.watch_loop.MAX_RECORDS", 2)
    rig.put(ONE, b"1", b"2", b"3")
    rig.put(TWO, b"4", b"5")
    loop, stage, _ = rig.life()
    stage.wanted = {b"a": b"now"}
    seen_when_sent: list[int] = []

    for _ in range(6):
        loop.turn()
        if rig.broker.records(OUT) and not seen_when_sent:
            seen_when_sent.append(len(stage.seen))

    assert seen_when_sent == [5]
    assert stage.live == [0]
    loop.close()


def test_a_partition_without_any_record_is_live_at_once(rig: Rig) -> None:
    loop, stage, _ = rig.life()

    rig.turn(loop, 1)

    assert stage.live == [0]
    assert rig.health.is_restored
    loop.close()


def test_a_second_life_goes_on_where_the_state_stands_not_where_the_group_does(rig: Rig) -> None:
    rig.put(ONE, b"1", b"2")
    loop, _, _ = rig.life()
    rig.turn(loop)
    loop.close()
    rig.put(ONE, b"3")
    rig.put(TWO, b"4")
    rig.broker.commits[GROUP] = {TopicPartition(ONE, 0): NextOffset(3), TopicPartition(TWO, 0): NextOffset(1)}

    loop, stage, _ = rig.life()
    rig.turn(loop)

    assert stage.seen == [(ONE, 0, 2), (TWO, 0, 0)]
    loop.close()


def test_a_rewound_group_reads_again_and_an_empty_folder_reads_everything(rig: Rig, tmp_path: Path) -> None:
    rig.put(ONE, b"1", b"2")
    loop, _, _ = rig.life()
    rig.turn(loop)
    loop.close()
    rig.broker.commits[GROUP][TopicPartition(ONE, 0)] = NextOffset(1)

    loop, stage, _ = rig.life()
    rig.turn(loop)
    loop.close()
    rig.folder = tmp_path / "another"
    loop, fresh, _ = rig.life()
    rig.turn(loop)
    loop.close()

    assert stage.seen == [(ONE, 0, 1)]
    assert fresh.seen == [(ONE, 0, 0), (ONE, 0, 1)]


def test_what_is_done_is_committed_and_what_is_not_kept_is_not(rig: Rig) -> None:
    rig.put(ONE, b"1", b"2")
    loop, stage, _ = rig.life()
    rig.turn(loop)
    rig.put(TWO, b"3")

    def die(_record: InRecord) -> None:
        raise KeyboardInterrupt

    stage.before_learn = die
    with pytest.raises(KeyboardInterrupt):
        loop.turn()

    assert rig.broker.commits[GROUP][TopicPartition(ONE, 0)] == 2
    assert rig.broker.commits[GROUP].get(TopicPartition(TWO, 0), 0) == 0
    loop.close()


def test_what_is_read_between_two_writes_is_neither_committed_nor_lost(rig: Rig) -> None:
    rig.put(ONE, b"1")
    loop, _, _ = rig.life()
    rig.turn(loop)
    loop.turn()
    rig.put(ONE, b"2")

    loop.turn()
    committed = dict(rig.broker.commits[GROUP])
    loop.close()
    again, stage, _ = rig.life()
    rig.turn(again)

    assert committed[TopicPartition(ONE, 0)] == 1
    assert stage.seen == [(ONE, 0, 1)]
    again.close()


def test_who_leaves_in_good_order_keeps_first_what_was_read(rig: Rig) -> None:
    loop, _, _ = rig.life()
    loop.turn()
    rig.put(ONE, b"1")
    loop.turn()

    loop._before_revoke(loop._partitions())
    loop.close()
    again, stage, _ = rig.life()
    rig.turn(again)

    assert rig.broker.commits[GROUP][TopicPartition(ONE, 0)] == 1
    assert stage.seen == []
    again.close()


@pytest.mark.parametrize("unkept", [1, 2])
def test_what_waits_to_be_written_is_bounded(rig: Rig, monkeypatch: pytest.MonkeyPatch, unkept: int) -> None:
    monkeypatch.setattr("enact.kafka.watch_loop._MAX_UNKEPT", 2)
    loop, _, _ = rig.life()
    loop.turn()
    rig.put(ONE, *([b"1"] * unkept))

    loop.turn()

    assert rig.broker.commits[GROUP].get(TopicPartition(ONE, 0), 0) == (2 if unkept == 2 else 0)
    loop.close()


def test_what_was_not_acknowledged_is_sent_again_and_what_was_is_not(rig: Rig) -> None:
    loop, stage, _ = rig.life()
    rig.turn(loop)
    stage.wanted = {b"a": b"now"}
    rig.broker.fail_next_deliveries(1)

    rig.turn(loop, 1)
    lost = list(rig.broker.records(OUT))
    rig.turn(loop)

    assert lost == []
    assert [record.key for record in rig.broker.records(OUT)] == [b"a"]
    assert rig.meter.rewinds == 1
    loop.close()


def test_a_record_that_is_refused_is_a_dead_letter_and_the_next_ones_go_on(rig: Rig) -> None:
    rig.put(ONE, b"1", b"bad", b"bug", b"2")
    loop, stage, _ = rig.life()

    rig.turn(loop)

    assert [record.value for record in rig.broker.records(DLQ)] == [b"bad", b"bug"]
    assert [offset for _, _, offset in stage.seen] == [0, 3]
    assert rig.meter.letters == [ErrorCode.PARAMETERS_INVALID, ErrorCode.UNEXPECTED_ERROR]
    assert rig.meter.results == {"dead_letter": 2, "ok": 2}
    loop.close()


def test_a_stage_that_fails_on_everything_stops_with_its_offsets_where_they_are(rig: Rig) -> None:
    rig.put(ONE, *[b"bug"] * 150)
    loop, _, _ = rig.life()

    with pytest.raises(StageStoppedError):
        rig.turn(loop)

    assert rig.broker.records(DLQ) == []
    assert rig.broker.commits.get(GROUP, {}) == {}
    loop.close()


def test_a_dead_letter_that_is_not_acknowledged_stops_the_stage(rig: Rig) -> None:
    rig.put(ONE, b"bad")
    loop, _, _ = rig.life()
    rig.broker.fail_next_deliveries(1)

    with pytest.raises(StageStoppedError):
        rig.turn(loop)

    assert rig.broker.commits.get(GROUP, {}) == {}
    loop.close()


def test_partitions_that_leave_in_good_order_are_committed_and_come_back_where_they_stood(tmp_path: Path) -> None:
    rig = Rig(tmp_path, partitions=2)
    rig.put(ONE, b"1", partition=1)
    loop, stage, reader = rig.life()
    rig.turn(loop, 1)
    pair = [TopicPartition(ONE, 1), TopicPartition(TWO, 1)]

    reader.revoke(pair)
    gone = list(stage.gone)
    reader.give(pair)
    rig.turn(loop)

    assert gone == [1]
    assert rig.broker.commits[GROUP][TopicPartition(ONE, 1)] == 1
    assert len(stage.seen) == 1
    assert sorted(stage.live) == [0, 1, 1]
    loop.close()


def test_topics_that_are_torn_apart_end_the_process(rig: Rig) -> None:
    loop, _, reader = rig.life()
    rig.turn(loop)

    with pytest.raises(FencedError, match="co-partitioned"):
        reader.lose([TopicPartition(TWO, 0)])
    loop.close()


def test_a_log_that_was_cut_off_behind_the_state_is_read_from_its_beginning(rig: Rig) -> None:
    rig.put(ONE, b"1", b"2")
    loop, _, _ = rig.life()
    rig.turn(loop)
    loop.close()
    other = Rig(rig.folder)
    other.put(ONE, b"9")

    loop, stage, _ = other.life()
    other.turn(loop)

    assert stage.seen == [(ONE, 0, 0)]
    loop.close()


def test_how_much_is_left_to_read_is_told(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("enact.kafka.watch_loop.MAX_RECORDS", 1)
    rig.put(ONE, b"1", b"2", b"3")
    loop, _, _ = rig.life()
    told: defaultdict[str, list[int]] = defaultdict(list)

    for _ in range(4):
        loop.turn()
        told["remaining"].append(rig.meter.remaining)

    assert told["remaining"] == [2, 1, 0, 0]
    loop.close()


def test_a_watcher_that_is_left_over_is_ready_after_a_while(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LocalReader, "give", lambda _self, _partitions: None)
    loop, _, _ = rig.life()

    rig.turn(loop, times=1)
    at_once = (rig.health.is_assigned, rig.health.is_restored)
    rig.turn(loop, times=3)

    assert at_once == (False, False)
    assert (rig.health.is_assigned, rig.health.is_restored) == (True, True)
