"""What `enact up` can be told, and the usual values."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from cli.processes import FIRST_HEALTH_PORT
from connectors.sandbox.tenants import PRACTICE_TENANTS
from topology.stages import RUNNING_STAGES

SANDBOX_PORT = 8090
DEV_PARTITIONS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformOptions:
    """What to start. `has_free_ports`: any free ports instead of the documented ones (demo, tests); a port 0 is any free one.

    `replication_factor` None: 1 on the broker that enact starts, 3 on any other cluster.
    """

    has_sandbox: bool = False
    has_api: bool = True
    has_free_ports: bool = False
    sandbox_port: int = SANDBOX_PORT
    health_port: int = FIRST_HEALTH_PORT
    partitions: int = DEV_PARTITIONS
    replication_factor: int | None = None
    instances: Mapping[str, int] = field(default_factory=dict)
    stages: tuple[str, ...] = RUNNING_STAGES
    tenants: tuple[str, ...] = PRACTICE_TENANTS
    environ: Mapping[str, str] = field(default_factory=dict)

    @property
    def started_stages(self) -> tuple[str, ...]:
        """`stages`, without the api where none is wanted."""
        return tuple(stage for stage in self.stages if self.has_api or stage != "api")
