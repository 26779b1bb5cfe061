"""A real broker whose disk forgot what it had acknowledged: the stage notices, although the log has grown past its offset again."""

import contextlib
import signal
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from enact.broker.embedded import EmbeddedBroker
from enact.broker.ports import free_port
from enact.broker.storage import Storage
from enact.errors import EnactError
from enact.kafka.admin import KafkaAdmin
from enact.kafka.transport import NextOffset, OutRecord
from enact.settings import KafkaSettings
from tests.integration.kafka.test_stage_loop import PARTITIONS, Cluster, wait_until

_BATCH_HEAD = struct.Struct(">qi")
"""Base offset, and the length of what follows: the beginning of each batch in a segment (Kafka's record format, version 2)."""


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[EmbeddedBroker]:
    own = EmbeddedBroker(tmp_path / "broker", port=free_port(), controller_port=free_port())
    own.start()
    own.wait_ready()
    yield own
    own.kill()


@pytest.fixture
def cluster(broker: EmbeddedBroker, tmp_path: Path) -> Iterator[Cluster]:
    kafka = KafkaSettings(bootstrap_servers=broker.bootstrap_servers)
    made = Cluster(kafka, KafkaAdmin(kafka), tmp_path / "toy")
    yield made
    made.writer.close()


def forget(broker: EmbeddedBroker, data_dir: Path, topic: str, kept_batches: int) -> None:
    """Kill the broker, leave only so many batches of each partition of this topic on its disk, and start it again."""
    broker.kill()
    log_dir = Storage(data_dir).log_dir
    for number in range(PARTITIONS):
        folder = log_dir / f"{topic}-{number}"
        (segment,) = folder.glob("*.log")
        content, end = segment.read_bytes(), 0
        for _ in range(kept_batches):
            _, length = _BATCH_HEAD.unpack_from(content, end)
            end += _BATCH_HEAD.size + length
        assert end < len(content), "nothing to forget"
        segment.write_bytes(content[:end])
        for beside in [*folder.glob("*.index"), *folder.glob("*.timeindex"), *folder.glob("*.snapshot")]:
            beside.unlink()
    with contextlib.suppress(FileNotFoundError):
        (log_dir / "recovery-point-offset-checkpoint").unlink()
    broker.start()
    broker.wait_ready()


def knows(cluster: Cluster) -> bool:
    """True once the broker answers for its topics again; asked by a new client, an old one stays at what it heard while it started."""
    cluster.admin = KafkaAdmin(cluster.kafka)
    try:
        return bool(cluster.admin.end_offsets(cluster.partitions["log"]))
    except EnactError:
        return False


class Life:
    """One life of the toy as a process: the next one finds its state. `said` is what it logs."""

    def __init__(self, cluster: Cluster) -> None:
        self.said: list[str] = []
        self._process = cluster.process()
        self._listening = threading.Thread(target=self._listen, daemon=True)
        self._listening.start()

    def _listen(self) -> None:
        assert self._process.stderr is not None
        self.said += self._process.stderr

    def count(self, action: str) -> int:
        return sum(f'"action":"{action}"' in line for line in list(self.said))

    def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(30)
        self._listening.join(5)
        assert self._process.stderr is not None
        self._process.stderr.close()


def test_a_log_that_grew_again_after_its_broker_forgot_quarantines_its_partitions(
    broker: EmbeddedBroker, cluster: Cluster, tmp_path: Path
) -> None:
    logs = cluster.partitions["log"]
    first = Life(cluster)
    for wave in range(3):
        cluster.publish(*((f"{wave}-{number}", b"1") for number in range(40)))
        cluster.wait_until_at_rest()
    first.stop()
    known, told = cluster.admin.end_offsets(logs), len(cluster.records("out"))

    forget(broker, tmp_path / "broker", cluster.topic("log"), kept_batches=1)
    wait_until(lambda: knows(cluster), "the broker knows its topics again")
    left = cluster.admin.end_offsets(logs)
    assert all(0 < left[one] < known[one] for one in logs), "the broker remembers"
    for one in logs:
        for number in range(known[one] - left[one] + 5):
            cluster.writer.send(OutRecord(one.topic, one.partition, b"new-%d" % number, b"1"))
    cluster.writer.flush(20)

    again = Life(cluster)
    wait_until(lambda: again.count("partition_quarantined") == PARTITIONS, "every partition is quarantined")
    again.stop()
    assert len(cluster.records("out")) == told

    cluster.admin.set_group_offsets(cluster.group, dict.fromkeys(logs, NextOffset(1)), is_overwriting=True)
    mended = Life(cluster)
    cluster.wait_until_at_rest()
    mended.stop()
    assert mended.count("partition_quarantined") == 0
    assert len(cluster.records("out")) > told
