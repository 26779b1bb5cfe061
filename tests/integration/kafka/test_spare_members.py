"""More instances than partitions: the one that is left over is ready, and takes over when another dies."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.processes import is_ready
from enact.broker.ports import free_port
from enact.kafka.admin import KafkaAdmin, NewTopicShape
from enact.kafka.client import KafkaWriter, LogReader
from enact.kafka.inspection import Inspection
from enact.kafka.transport import NextOffset, OutRecord, TopicPartition
from enact.settings import KafkaSettings, child_environment
from tests.contract.brokers.reading import count, read_until

PARTITIONS = 4
TAKE_OVER_S = 6.0 + 4.0
"""The group's session of our brokers, and a machine that does other work besides."""


class Member:
    """One toy stage, as its own process."""

    def __init__(self, bootstrap: str, prefix: str, data_dir: Path) -> None:
        self.port = free_port()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.integration.kafka.loop_process", bootstrap, prefix, str(data_dir), str(self.port)],
            env=child_environment({}),
            stderr=subprocess.DEVNULL,
        )


@pytest.fixture
def prefix(admin: KafkaAdmin, topic: str) -> str:
    for name in ("in", "log", "out", "dlq"):
        shape = NewTopicShape(name=f"{topic}.{name}", partition_count=PARTITIONS, configs={"message.timestamp.type": "LogAppendTime"})
        admin.create_topic(shape)
    return topic


@pytest.fixture
def members(broker_bootstrap: str, prefix: str, tmp_path: Path) -> Iterator[list[Member]]:
    """One more than there are partitions."""
    started = [Member(broker_bootstrap, prefix, tmp_path / str(number)) for number in range(PARTITIONS + 1)]
    yield started
    for member in started:
        member.process.kill()
        member.process.wait(10)


def wait_until_ready(members: list[Member], timeout_s: float) -> None:
    deadline_s = time.monotonic() + timeout_s
    while waiting := [member for member in members if not is_ready(member.port)]:
        assert time.monotonic() < deadline_s, f"{len(waiting)} of {len(members)} are not ready after {timeout_s} s"
        time.sleep(0.1)


def answers(kafka: KafkaSettings, prefix: str, key: bytes, timeout_s: float) -> None:
    """One record in every partition of the input is answered in time."""
    writer, reader = KafkaWriter(kafka), LogReader(kafka)
    out = [TopicPartition(f"{prefix}.out", number) for number in range(PARTITIONS)]
    reader.assign({one: NextOffset(end) for one, end in reader.end_offsets(out).items()})
    for number in range(PARTITIONS):
        writer.send(OutRecord(f"{prefix}.in", number, key, b"content"))
    writer.flush(10)
    began_s = time.monotonic()
    read_until(reader, count(PARTITIONS))
    took_s = time.monotonic() - began_s
    writer.close()
    reader.close()
    assert took_s < timeout_s


def test_a_member_that_is_left_over_is_ready_and_takes_over(kafka: KafkaSettings, prefix: str, members: list[Member]) -> None:
    wait_until_ready(members, 40)
    group = f"{prefix}.toy"
    facts = Inspection(kafka).groups([group])[group]
    assert (facts.member_count, facts.assigned_count) == (PARTITIONS + 1, 2 * PARTITIONS)
    answers(kafka, prefix, b"before", 10)

    for victim in members[:2]:
        victim.process.send_signal(signal.SIGKILL)

    answers(kafka, prefix, b"after", TAKE_OVER_S)
    wait_until_ready(members[2:], 20)
