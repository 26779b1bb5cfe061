"""What a stage is outside Python: the name, command, ports, variables and folders of its container, wherever that runs."""

from dataclasses import dataclass
from types import MappingProxyType

from enact.settings import ApiSettings, HealthSettings, KernelSettings, variable_of
from topology.stages import RUNNING_STAGES, STAGES, Stage, hyphenated

IMAGE = "enact"
VERSION = "0.1.0"
USER_ID = 10001
DATA_DIR = "/var/lib/enact"
CREDENTIALS_DIR = "/etc/enact/credentials"
APPROVAL_DIR = "/etc/enact/approval"

HEALTH, HTTP = "health", "http"
HEALTH_PORT = HealthSettings().port
API_PORT = ApiSettings().port
LIVE, READY, STARTED = "/livez", "/readyz", "/startupz"

BOOTSTRAP_SERVERS = variable_of(("kafka", "bootstrap_servers"))
TOPIC_PREFIX = variable_of(("topic_prefix",))
PROFILE = variable_of(("profile",))
LOG_LEVEL = variable_of(("log", "level"))
EXECUTION_ENABLED = variable_of(("execution_enabled",))
APPROVAL = tuple(variable_of(("approval", name)) for name in ("keys_file", "audience", "issuers"))
CREDENTIALS = variable_of(("credentials_dir",))
OUTBOUND_ALLOW = variable_of(("outbound", "allow"))

# A stopping process drains calls in flight, then ends itself; whoever started it waits that long and a little more.
GRACE_S = round(KernelSettings.model_fields["shutdown_timeout_s"].default) + 15

READ_MODEL_KEEPERS = frozenset({"api"})
WATCHERS = frozenset({"reconciliation"})
CREDENTIAL_READERS = frozenset({"invocation"})
APPROVAL_READERS = frozenset({"validation", "invocation"})


@dataclass(frozen=True, slots=True)
class Workload:
    """One stage as a container."""

    stage: Stage

    @property
    def name(self) -> str:
        """The one word, hyphenated."""
        return hyphenated(self.stage.name)

    @property
    def command(self) -> tuple[str, ...]:
        """What the container runs."""
        return ("python", "-m", f"services.{self.stage.name}")

    @property
    def ports(self) -> MappingProxyType[str, int]:
        """Where it listens, by the port's name."""
        return MappingProxyType({HEALTH: HEALTH_PORT} | ({HTTP: API_PORT} if self.answers else {}))

    @property
    def answers(self) -> bool:
        """True for the stage that people and programs ask over HTTP."""
        return self.stage.name in READ_MODEL_KEEPERS

    @property
    def keeps_state(self) -> bool:
        """True if a new process is ready sooner when it finds the data folder of the last one. It can always be made again."""
        return self.stage.log is not None or self.stage.name in READ_MODEL_KEEPERS | WATCHERS

    @property
    def sees_credentials(self) -> bool:
        """True for the only stage that may."""
        return self.stage.name in CREDENTIAL_READERS

    @property
    def checks_approvals(self) -> bool:
        """True for the stages that verify signatures, with public keys."""
        return self.stage.name in APPROVAL_READERS


WORKLOADS: tuple[Workload, ...] = tuple(Workload(STAGES[name]) for name in RUNNING_STAGES)
