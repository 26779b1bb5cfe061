"""The toy stage in a process of its own, wired as a real one.

`python -m tests.integration.kafka.loop_process BOOTSTRAP_SERVERS PREFIX DATA_DIR [HEALTH_PORT]`
"""

import sys
import threading
from pathlib import Path

from enact.kafka.wiring import stage_loop
from enact.settings import KafkaSettings, KernelSettings
from enact.stage_process import ProcessContext, run_stage
from tests.unit.enact.kafka.loop_rig import ToyStage


class Toy:
    """The wired toy."""

    def __init__(self, context: ProcessContext[KernelSettings]) -> None:
        prefix = context.settings.topic_prefix
        self._loop = stage_loop(context, ToyStage(prefix), group=f"{prefix}.toy", dead_letter_topic=f"{prefix}.dlq")

    def run(self, stop: threading.Event) -> None:
        self._loop.run(stop)


def environ(bootstrap_servers: str, prefix: str, data_dir: Path, health_port: str = "0") -> dict[str, str]:
    return {
        "ENACT_KAFKA__BOOTSTRAP_SERVERS": bootstrap_servers,
        "ENACT_TOPIC_PREFIX": prefix,
        "ENACT_DATA_DIR": str(data_dir),
        "ENACT_HEALTH__PORT": health_port,
    }


def settings(kafka: KafkaSettings, prefix: str, data_dir: Path) -> KernelSettings:
    return KernelSettings(kafka=kafka, topic_prefix=prefix, data_dir=data_dir)


if __name__ == "__main__":
    sys.exit(run_stage("toy", Toy, KernelSettings, environ=environ(sys.argv[1], sys.argv[2], Path(sys.argv[3]), *sys.argv[4:])))
