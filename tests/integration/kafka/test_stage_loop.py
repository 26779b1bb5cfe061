"""The stage loop on a real broker: members come, go, are killed and frozen; groups are rewound; states are deleted."""

import contextlib
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from enact.clock import SystemClock
from enact.errors import EnactError
from enact.health import HealthState
from enact.kafka.admin import KafkaAdmin, NewTopicShape
from enact.kafka.client import KafkaWriter, LogReader
from enact.kafka.transport import InRecord, NextOffset, OutRecord, TopicPartition
from enact.log import get_logger
from enact.metrics import Metrics
from enact.settings import KafkaSettings
from enact.stage_process import ExitCode, ProcessContext
from tests.integration.kafka.loop_process import Toy, settings
from tests.unit.enact.kafka.loop_rig import BAD, faults_of

PARTITIONS = 4
TOPICS = ("in", "log", "out", "dlq")
PATIENCE_S = 30.0


class Cluster:
    """The topics of one toy on the real broker."""

    def __init__(self, kafka: KafkaSettings, admin: KafkaAdmin, data_dir: Path) -> None:
        self.kafka, self.admin, self.data_dir = kafka, admin, data_dir
        self.prefix = f"toy-{uuid.uuid4().hex[:10]}"
        self.group = f"{self.prefix}.toy"
        for name in TOPICS:
            config = {"message.timestamp.type": "LogAppendTime"}
            admin.create_topic(NewTopicShape(name=self.topic(name), partition_count=PARTITIONS, configs=config))
        self.partitions = {name: [TopicPartition(self.topic(name), number) for number in range(PARTITIONS)] for name in TOPICS}
        wait_until(self._is_log_started, "a new broker takes the first committed offsets")
        self.writer = KafkaWriter(kafka)

    def _is_log_started(self) -> bool:
        """A broker that is seconds old first makes its own topic of offsets, and learns of new topics one after the other."""
        try:
            self.admin.set_group_offsets(self.group, dict.fromkeys(self.partitions["log"], NextOffset(0)), is_overwriting=True)
        except EnactError:
            return False
        return True

    def topic(self, name: str) -> str:
        return f"{self.prefix}.{name}"

    def publish(self, *inputs: tuple[str, bytes]) -> None:
        for key, content in inputs:
            self.writer.send(OutRecord(self.topic("in"), sum(key.encode()) % PARTITIONS, key.encode(), content))
        self.writer.flush(10)

    def records(self, name: str) -> list[InRecord]:
        ends = self.admin.end_offsets(self.partitions[name])
        reader = LogReader(self.kafka)
        reader.assign(dict.fromkeys(self.partitions[name], NextOffset(0)))
        found: list[InRecord] = []
        while len(found) < sum(ends.values()):
            found += reader.take(500, 0.2).records
        reader.close()
        return found

    def values(self, name: str) -> list[bytes]:
        return [record.value or b"" for record in self.records(name)]

    def faults(self) -> list[str]:
        return faults_of(*(self.records(name) for name in TOPICS))

    def is_at_rest(self) -> bool:
        """True once inputs and log are committed to their ends."""
        committed = self.admin.committed_offsets(self.group)
        ends = self.admin.end_offsets([*self.partitions["in"], *self.partitions["log"]])
        return all(committed.get(tp, 0) == end for tp, end in ends.items())

    def wait_until_at_rest(self) -> None:
        wait_until(self.is_at_rest, "everything is committed to its end")

    def process(self) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "tests.integration.kafka.loop_process", str(self.kafka.bootstrap_servers), self.prefix]
        return subprocess.Popen([*command, str(self.data_dir)], stderr=subprocess.PIPE, text=True)


def wait_until(is_true: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not is_true():
        assert time.monotonic() < deadline, f"not in {PATIENCE_S:g} s: {what}"
        time.sleep(0.1)


@pytest.fixture
def cluster(kafka: KafkaSettings, admin: KafkaAdmin, tmp_path: Path) -> Iterator[Cluster]:
    made = Cluster(kafka, admin, tmp_path)
    yield made
    made.writer.close()


class Member:
    """The toy on a thread of this process, wired as a real stage."""

    def __init__(self, cluster: Cluster, data_dir: Path | None = None) -> None:
        clock = SystemClock()
        self.health, self.metrics = HealthState(clock), Metrics("toy")
        context = ProcessContext(
            name="toy",
            settings=settings(cluster.kafka, cluster.prefix, data_dir or cluster.data_dir),
            metrics=self.metrics,
            health=self.health,
            log=get_logger("toy"),
            clock=clock,
        )
        self.toy = Toy(context)
        self.loop = self.toy._loop
        self.failure: BaseException | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.toy.run(self._stop)
        except BaseException as error:  # noqa: BLE001 - shown by the test
            self.failure = error

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(20)
        assert not self._thread.is_alive()
        assert self.failure is None, self.failure

    @property
    def owned(self) -> set[int]:
        return set(self.loop._assignment.owned)


@contextlib.contextmanager
def member(cluster: Cluster, data_dir: Path | None = None) -> Iterator[Member]:
    running = Member(cluster, data_dir)
    try:
        yield running
    finally:
        running.stop()


def test_members_that_come_and_go_answer_every_input_and_send_nothing_else(cluster: Cluster) -> None:
    moves = 0
    members = [Member(cluster)]
    for step in range(60):
        cluster.publish(*((f"k{number % 400}", b"%d" % (number % 3)) for number in range(step * 20, step * 20 + 20)))
        cluster.publish((f"bad{step}", BAD))
        if step in {10, 25}:
            members.append(Member(cluster))
            moves += 1
        if step in {35, 50}:
            members.pop(0).stop()
            moves += 1
        time.sleep(0.08)
    cluster.wait_until_at_rest()

    assert moves == 4
    wait_until(lambda: members[0].owned == set(range(PARTITIONS)), "the last member owns everything")
    assert members[0].health.missing_to_be_ready() == []
    members[0].stop()
    assert cluster.faults() == []


def test_a_killed_and_a_frozen_process_lose_nothing_and_send_nothing_wrong(cluster: Cluster) -> None:
    victim, frozen = cluster.process(), cluster.process()
    survivor = Member(cluster)
    try:
        cluster.publish(*((f"a{number}", b"1") for number in range(200)))
        wait_until(lambda: len(cluster.admin.committed_offsets(cluster.group)) == 2 * PARTITIONS, "the group works")
        wait_until(lambda: len(survivor.owned) in {1, 2}, "three members share the partitions")

        frozen.send_signal(signal.SIGSTOP)
        cluster.publish(*((f"b{number}", b"1") for number in range(200)))
        victim.kill()
        cluster.publish(*((f"c{number}", b"1") for number in range(200)))
        wait_until(lambda: survivor.owned == set(range(PARTITIONS)), "the survivor took everything over")
        cluster.publish(*((f"{name}{number}", b"2") for name in "abc" for number in range(0, 200, 7)))
        cluster.wait_until_at_rest()

        frozen.send_signal(signal.SIGCONT)
        wait_until(lambda: frozen.poll() is not None or len(survivor.owned) < PARTITIONS, "the frozen process joins again or ends")
        cluster.publish(*((f"d{number}", b"1") for number in range(100)))
        cluster.wait_until_at_rest()
        frozen.send_signal(signal.SIGTERM)
        assert frozen.wait(20) in {ExitCode.STOPPED, ExitCode.TRY_AGAIN}
    finally:
        for process in (victim, frozen):
            process.kill()
            process.communicate()
        survivor.stop()

    assert cluster.faults() == []
    assert survivor.metrics.rewinds._value.get() == 0


def test_a_rewound_group_sends_everything_again_the_same_and_decides_nothing_again(cluster: Cluster) -> None:
    with member(cluster):
        cluster.publish(*((f"k{number}", b"1") for number in range(100)))
        cluster.wait_until_at_rest()
    log, first = cluster.values("log"), Counter(cluster.values("out"))
    assert set(first.values()) == {1}
    cluster.admin.set_group_offsets(cluster.group, dict.fromkeys(cluster.partitions["log"], NextOffset(0)), is_overwriting=True)

    with member(cluster):
        wait_until(lambda: len(cluster.values("out")) >= 200, "everything is sent again")
        cluster.wait_until_at_rest()

    assert Counter(cluster.values("out")) == Counter(dict.fromkeys(first, 2))
    assert cluster.values("log") == log
    assert cluster.faults() == []


def test_a_deleted_state_is_rebuilt_before_anything_is_decided_and_nothing_is_sent_twice(cluster: Cluster) -> None:
    with member(cluster):
        cluster.publish(*((f"k{number}", b"1") for number in range(100)))
        cluster.wait_until_at_rest()
    log, first = cluster.values("log"), Counter(cluster.values("out"))

    with member(cluster, cluster.data_dir / "elsewhere") as rebuilt:
        cluster.publish(*((f"k{number}", b"2") for number in range(100)))
        wait_until(lambda: len(cluster.values("out")) >= 200, "the known inputs are answered")
        cluster.wait_until_at_rest()
        silent = rebuilt.metrics.exposition().decode()

    assert 'enact_records_total{result="silent",stage="toy"} 100.0' in silent
    assert cluster.values("log") == log, "an input was decided against a state that did not know it"
    assert Counter(cluster.values("out")) == Counter(dict.fromkeys(first, 2))
    assert cluster.faults() == []


def test_an_undecodable_record_of_the_log_stops_its_partition_and_no_other(cluster: Cluster) -> None:
    broken = cluster.partitions["log"][2]
    with member(cluster) as running:
        wait_until(lambda: running.owned == set(range(PARTITIONS)), "everything is owned")
        cluster.writer.send(OutRecord(*broken, b"k", BAD))
        cluster.writer.flush(10)
        wait_until(lambda: running.loop._assignment.quarantined == [2], "the partition is quarantined")
        cluster.publish(*((f"k{number}", b"1") for number in range(100)))
        others = [tp for tp in cluster.partitions["in"] if tp.partition != 2]
        ends = cluster.admin.end_offsets(others)
        wait_until(lambda: cluster.admin.committed_offsets(cluster.group).items() >= ends.items(), "the others go on")
        assert running.health.missing_to_be_ready() == ["not met: no partition is quarantined"]
        assert running.health.missing_to_start() == []

    committed = cluster.admin.committed_offsets(cluster.group)
    assert committed[broken] == 0
    assert committed.get(TopicPartition(cluster.topic("in"), 2), 0) == 0
