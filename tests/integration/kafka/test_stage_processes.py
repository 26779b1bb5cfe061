"""Each stage as its own process on a real broker: it becomes ready, tells what it measures, and stops when asked."""

import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from cli.processes import is_ready
from cli.topology_apply import topology_apply
from enact.broker.ports import LOOPBACK, free_port
from enact.kafka.admin import KafkaAdmin
from enact.settings import KafkaSettings, child_environment
from topology.spec import Sizing
from topology.stages import RUNNING_STAGES

PATIENCE_S = 60.0


@pytest.fixture(scope="module")
def prefix(broker_bootstrap: str) -> str:
    """Topics of this module's own."""
    made = f"stages-{uuid4().hex[:8]}"
    topology_apply(
        KafkaAdmin(KafkaSettings(bootstrap_servers=broker_bootstrap)), Sizing(prefix=made, partition_count=2, replication_factor=1)
    )
    return made


class Process:
    """One stage, started as a container would."""

    def __init__(self, stage: str, environ: dict[str, str]) -> None:
        self.health_port = free_port()
        told = {**environ, "ENACT_HEALTH__PORT": str(self.health_port), "ENACT_API__PORT": "0"}
        self._child = subprocess.Popen([sys.executable, "-m", f"services.{stage}"], env=child_environment(told), stderr=subprocess.PIPE)

    def wait_ready(self) -> bool:
        deadline_s = time.monotonic() + PATIENCE_S
        while self._child.poll() is None and time.monotonic() < deadline_s:
            if is_ready(self.health_port):
                return True
            time.sleep(0.05)
        return False

    def stop(self) -> tuple[int, str]:
        self._child.send_signal(signal.SIGTERM)
        _, said = self._child.communicate(timeout=PATIENCE_S)
        return self._child.returncode, said.decode()

    def kill(self) -> None:
        self._child.kill()
        self._child.communicate()


@pytest.fixture(params=RUNNING_STAGES)
def process(request: pytest.FixtureRequest, broker_bootstrap: str, prefix: str, tmp_path: Path) -> Iterator[Process]:
    environ = {"ENACT_KAFKA__BOOTSTRAP_SERVERS": broker_bootstrap, "ENACT_TOPIC_PREFIX": prefix, "ENACT_DATA_DIR": str(tmp_path)}
    started = Process(request.param, environ)
    yield started
    started.kill()


def test_it_becomes_ready_tells_what_it_measures_and_stops_in_order(process: Process) -> None:
    assert process.wait_ready(), process.stop()

    with urllib.request.urlopen(f"http://{LOOPBACK}:{process.health_port}/metrics") as answer:
        measured = answer.read().decode()
    code, said = process.stop()

    assert "enact_records_total{" in measured
    assert code == 0, said
    assert '"action":"stage_stopped"' in said
    assert '"level":"error"' not in said
