"""What only a real group can show: rebalances, failing listeners, co-partitioned topics."""

import threading
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence

import pytest

from enact.errors import StateLostError
from enact.kafka.admin import KafkaAdmin, NewTopicShape
from enact.kafka.client import GroupReader, KafkaWriter
from enact.kafka.transport import NextOffset, OutRecord, TopicPartition
from enact.settings import KafkaSettings
from tests.contract.brokers.reading import Listening, append, read_until


class Member(threading.Thread):
    """Reads as a stage loop does: batch, then commit; on revoke what is done is committed. Notes each run of offsets."""

    def __init__(self, kafka: KafkaSettings, topics: list[str]) -> None:
        super().__init__(daemon=True)
        self.reader = GroupReader(kafka, f"g-{topics[0]}")
        self.topics = topics
        self.done: dict[TopicPartition, NextOffset] = {}
        self.runs: dict[TopicPartition, list[list[int]]] = defaultdict(list)
        self.failure: BaseException | None = None
        self.quit = threading.Event()

    def on_assign(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, NextOffset]:
        for one in partitions:
            self.runs[one].append([])
        return {}

    def on_revoke(self, partitions: Sequence[TopicPartition]) -> None:
        self.reader.commit({one: self.done[one] for one in partitions if one in self.done}, is_async=False)
        for one in partitions:
            self.done.pop(one, None)

    def on_lost(self, partitions: Sequence[TopicPartition]) -> None:
        for one in partitions:
            self.done.pop(one, None)

    def run(self) -> None:
        try:
            self.reader.subscribe(self.topics, self)
            while not self.quit.is_set():
                for record in self.reader.take(50, 0.05).records:
                    one = TopicPartition(record.topic, record.partition)
                    self.runs[one][-1].append(record.offset)
                    self.done[one] = NextOffset(record.offset + 1)
            self.reader.close()
        except BaseException as error:  # noqa: BLE001 - shown by the test
            self.failure = error


def test_members_that_come_and_go_lose_nothing_and_read_each_partition_in_order(kafka: KafkaSettings, topic: str) -> None:
    writer = KafkaWriter(kafka)
    sent: dict[int, int] = defaultdict(int)
    members = [Member(kafka, [topic])]
    members[0].start()
    deadline = time.monotonic() + 9

    joins = iter([1.0, 2.0, 4.0])
    next_join, started_s = next(joins), time.monotonic()
    while time.monotonic() < deadline:
        for partition in range(4):
            for _ in range(20):
                writer.send(OutRecord(topic, partition, b"k", b"v" * 200))
                sent[partition] += 1
        writer.flush(10)
        if time.monotonic() - started_s > next_join:
            members.append(Member(kafka, [topic]))
            members[-1].start()
            next_join = next(joins, 99.0)
            if next_join == 99.0:
                members[0].quit.set()
        time.sleep(0.01)
    read = _wait_until_all_read(members, topic, sent)
    for member in members:
        member.quit.set()
    for member in members:
        member.join(20)

    assert [member.failure for member in members] == [None] * 4
    assert read == {partition: set(range(number)) for partition, number in sent.items()}
    runs = [run for member in members for found in member.runs.values() for run in found if run]
    assert len(runs) > 4, "no partition ever moved: the test showed nothing"
    for run in runs:
        assert run == list(range(run[0], run[0] + len(run))), "a run has a gap, a repeat or a step back"


def _wait_until_all_read(members: list[Member], topic: str, sent: Mapping[int, int]) -> dict[int, set[int]]:
    deadline = time.monotonic() + 20
    while True:
        read: dict[int, set[int]] = {partition: set() for partition in sent}
        for member in members:
            for one, runs in list(member.runs.items()):
                for run in list(runs):
                    read[one.partition].update(run)
        if all(len(read[partition]) >= number for partition, number in sent.items()) or time.monotonic() > deadline:
            return read
        time.sleep(0.1)


def test_co_partitioned_topics_stay_together(kafka: KafkaSettings, admin: KafkaAdmin, topic: str) -> None:
    log = f"{topic}-log"
    admin.create_topic(NewTopicShape(name=log, partition_count=4))
    members = [Member(kafka, [topic, log]) for _ in range(2)]
    for member in members:
        member.start()

    deadline = time.monotonic() + 20
    while not all(len(member.reader.owned) == 4 for member in members) and time.monotonic() < deadline:
        time.sleep(0.1)
    owned = [member.reader.owned for member in members]
    for member in members:
        member.quit.set()
        member.join(20)

    assert [len(one) for one in owned] == [4, 4]
    for one in owned:
        assert {tp.partition for tp in one if tp.topic == topic} == {tp.partition for tp in one if tp.topic == log}


def test_what_the_listener_raises_reaches_the_caller_of_take_and_stays(kafka: KafkaSettings, topic: str) -> None:
    class Failing(Listening):
        def on_assign(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, NextOffset]:
            raise StateLostError("the state is broken")

    append(KafkaWriter(kafka), topic, [b"must not be seen"])
    reader = GroupReader(kafka, f"g-{topic}")
    reader.subscribe([topic], Failing())

    with pytest.raises(StateLostError, match="the state is broken"):
        read_until(reader, lambda seen: bool(seen.records))
    for _ in range(3):
        with pytest.raises(StateLostError, match="the state is broken"):
            reader.take(10, 0.2)
    with pytest.raises(StateLostError):
        reader.close()


def test_statistics_arrive_on_the_thread_that_takes(kafka: KafkaSettings, topic: str) -> None:
    seen: list[tuple[str, str]] = []
    reader = GroupReader(kafka, f"g-{topic}", on_statistics=lambda text: seen.append((threading.current_thread().name, text)))
    reader.subscribe([topic], Listening())

    read_until(reader, lambda _: bool(seen))
    reader.close()

    assert seen[0][0] == threading.current_thread().name
    assert '"topics"' in seen[0][1]
