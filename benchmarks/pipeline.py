"""The measured pipeline: enact as `enact up` starts it, every stage a process, on a broker with the full compiler."""

import http.client
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from benchmarks.instant_crm import InstantCrm
from benchmarks.load import TENANTS
from cli.platform import Platform
from cli.platform_options import PlatformOptions
from enact.broker.embedded import EmbeddedBroker
from enact.broker.ports import LOOPBACK
from enact.kafka.admin import KafkaAdmin
from enact.kafka.transport import NextOffset, TopicPartition
from enact.settings import KafkaSettings, KernelSettings, load
from topology.stages import RUNNING_STAGES
from topology.topics import TOPICS

FLUSH: Final = "flush.messages"
NEVER: Final = str(2**63 - 1)
"""Kafka's own default: the system writes pages back when it likes."""

MEASURED_TOPICS: Final = (
    "intents.approved",
    "admissions",
    "intents.validated",
    "tool-calls",
    "executions",
    "tool-results",
    "outcomes",
    "signals",
    "ledger",
    "notifications",
)


class Safety(StrEnum):
    """What an acknowledged decision survives. P: the end of any process. D: also a power cut, `flush.messages=1` on the decision logs."""

    PROCESS = "P"
    POWER = "D"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One way to run the pipeline. Each has topics of its own, so that no column has to work off another's records."""

    name: str
    safety: Safety = Safety.PROCESS
    has_api: bool = True
    environ: dict[str, str] = field(default_factory=dict)

    @property
    def prefix(self) -> str:
        return f"bench-{self.name.lower()}"


CLASS_P: Final = Column(name="P")
CLASS_D: Final = Column(name="D", safety=Safety.POWER)
WITHOUT_API: Final = Column(name="P-no-api", has_api=False)


def choose_safety(safety: Safety, admin: KafkaAdmin, topic: Callable[[str], str]) -> None:
    """The topology gives one-copy decision logs `flush.messages=1`, class D; class P takes that back, and nothing else."""
    for declared in TOPICS.values():
        if declared.is_decision_log:
            admin.alter_config(topic(declared.short), {FLUSH: NEVER if safety is Safety.PROCESS else "1"})


def scraped(port: int) -> dict[str, float]:
    """The series of one process, summed over their labels."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=10)
    try:
        connection.request("GET", "/metrics")
        lines = connection.getresponse().read().decode().splitlines()
    finally:
        connection.close()
    found: dict[str, float] = {}
    for line in lines:
        if line.startswith("enact_"):
            name, value = line.split("{", 1)[0], float(line.rsplit(" ", 1)[1])
            found[name] = found.get(name, 0.0) + value
    return found


class Pipeline:
    """Stages of one column, running while inside `with`."""

    def __init__(
        self, column: Column, *, broker: EmbeddedBroker, tool: InstantCrm, folder: Path, partitions: int, tell: Callable[[str], None]
    ) -> None:
        self.column, self.broker, self.tool, self._tell = column, broker, tool, tell
        data_dir = folder / column.name
        credentials = data_dir / "credentials"
        tool.write_credentials(credentials, TENANTS)
        settings = load(
            KernelSettings,
            {
                "ENACT_DATA_DIR": str(data_dir),
                "ENACT_TOPIC_PREFIX": column.prefix,
                "ENACT_KAFKA__BOOTSTRAP_SERVERS": broker.bootstrap_servers,
                "ENACT_CREDENTIALS_DIR": str(credentials),
                "ENACT_OUTBOUND__ALLOW": tool.address,
            },
        )
        options = PlatformOptions(
            has_free_ports=True,
            partitions=partitions,
            replication_factor=1,
            stages=tuple(stage for stage in RUNNING_STAGES if stage != "api" or column.has_api),
            environ={"ENACT_TOPIC_PREFIX": column.prefix, "ENACT_OUTBOUND__ALLOW": tool.address, **column.environ},
        )
        self._platform = Platform(settings, options)
        self._started: dict[str, int] = {}

    def __enter__(self) -> Self:
        self._tell(f"starting the stages, column {self.column.name}")
        self._platform.start()
        choose_safety(self.column.safety, KafkaAdmin(self.kafka), self.topic)
        self._started = self.stage_pids()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._platform.stop()

    @property
    def kafka(self) -> KafkaSettings:
        return self._platform.kafka

    @property
    def partitions(self) -> int:
        return self._platform.options.partitions

    def topic(self, short: str) -> str:
        return self._platform.topic(short)

    def topic_partitions(self, short: str) -> list[TopicPartition]:
        return [TopicPartition(self.topic(short), number) for number in range(self.partitions)]

    def stage_pids(self) -> dict[str, int]:
        """Stage to pid of every running stage process."""
        supervisor = self._platform.supervisor
        assert supervisor is not None, "the pipeline does not run"
        return {child.spec.stage: child.pid for child in supervisor.children if child.pid is not None}

    def pids(self) -> dict[str, int]:
        """The stages, the broker and the tool."""
        assert self.broker.pid is not None, "the broker has ended"
        return {**self.stage_pids(), "broker": self.broker.pid, "tool": self.tool.pid}

    def require_unharmed(self) -> None:
        """Raises: RuntimeError if a stage has ended since the start: what was measured is worth nothing."""
        ended = sorted(set(self._started) - set(self.stage_pids()))
        if ended:
            logs = self._platform.data_dir / "logs"
            raise RuntimeError(f"{', '.join(ended)} ended while it was measured: see {logs}")

    def ends(self) -> dict[TopicPartition, NextOffset]:
        """The end of every measured topic now."""
        return KafkaAdmin(self.kafka).end_offsets([tp for short in MEASURED_TOPICS for tp in self.topic_partitions(short)])

    def metrics(self) -> dict[str, dict[str, float]]:
        """Stage to its series without labels of their own, sums over the labels: what `/metrics` tells now."""
        supervisor = self._platform.supervisor
        assert supervisor is not None, "the pipeline does not run"
        return {child.spec.stage: scraped(child.spec.health_port) for child in supervisor.children if child.spec.health_port is not None}
