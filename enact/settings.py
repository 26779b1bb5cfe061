"""What a process is told from outside: one frozen object, read once, every problem reported together.

Variables start with `ENACT_`, groups are joined by `__`: `ENACT_KAFKA__BOOTSTRAP_SERVERS`. A stage's own settings
extend `KernelSettings`. Nothing else in enact reads the environment.
"""

import os
import sys
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from enact.errors import ConfigurationError

PREFIX = "ENACT_"
NESTED = "__"
BOOTSTRAP = "ENACT_KAFKA__BOOTSTRAP_SERVERS"
BOOTSTRAP_ALIAS = "KAFKA_BOOTSTRAP_SERVERS"
CACHE_DIR = "ENACT_CACHE_DIR"
WHERE = "Set it in this process's environment (`enact up` hands its own on; compose: `environment`; Kubernetes: the stage's ConfigMap)."
HOST_PORT = r"^(\[[0-9A-Fa-f:]+\]|[A-Za-z0-9._-]+):\d{1,5}$"

Port = Annotated[int, Field(ge=0, le=65535)]


class Profile(StrEnum):
    """What is demanded of approval evidence and tokens."""

    DEVELOPMENT = "development"
    PRODUCTION = "production"


class LogLevel(StrEnum):
    """debug = per record, info = life cycle, warning = heals itself, error = a person must look, critical = the process stops."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"


class SecurityProtocol(StrEnum):
    """How the broker is spoken to."""

    PLAINTEXT = "PLAINTEXT"
    SSL = "SSL"
    SASL_PLAINTEXT = "SASL_PLAINTEXT"
    SASL_SSL = "SASL_SSL"


class Group(BaseModel):
    """A group of settings: frozen, closed (a misspelled member is reported)."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class KafkaSettings(Group):
    """Where the cluster is and how to reach it."""

    bootstrap_servers: str | None = Field(
        default=None, min_length=1, description="host:port list of the cluster; none = `enact up` starts a broker"
    )
    security_protocol: SecurityProtocol = Field(default=SecurityProtocol.PLAINTEXT, description="how the brokers are spoken to")
    sasl_mechanism: str | None = Field(default=None, description="for SASL: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512")
    sasl_username: str | None = Field(default=None, description="for SASL: the principal of this process")
    sasl_password: SecretStr | None = Field(default=None, description="for SASL: its password")
    ssl_ca_location: Path | None = Field(default=None, description="for SSL: file with the certificate authorities to trust")
    delivery_timeout_s: float = Field(
        default=30.0, gt=0, le=600, description="seconds after which an unacknowledged record counts as unknown"
    )
    request_timeout_s: float = Field(
        default=10.0, gt=0, le=300, description="seconds to wait for one answer of the cluster (offsets, metadata)"
    )

    def require_bootstrap_servers(self) -> str:
        """The address list. Raises: ConfigurationError if there is none."""
        if self.bootstrap_servers is None:
            raise ConfigurationError(f"{BOOTSTRAP} (or {BOOTSTRAP_ALIAS}) is not set: this process needs a Kafka cluster. {WHERE}")
        return self.bootstrap_servers


class SchemaRegistrySettings(Group):
    """The schema registry, if the organisation has one: values then have the Confluent framing."""

    url: str | None = Field(
        default=None,
        pattern=r"^https?://[^\s/@,]+(/[^\s@,]*)?$",  # user and password have settings of their own, which are never printed
        description="address of a Confluent-compatible schema registry; none = values are Avro single-object encoding",
    )
    username: str | None = Field(default=None, min_length=1, description="user of the schema registry, if it asks for one")
    password: SecretStr | None = Field(default=None, description="password of that user")
    ca_location: Path | None = Field(default=None, description="file with the certificate authorities to trust for the schema registry")
    registers: bool = Field(
        default=True, description="true = schemas that are missing there are registered at start; false = they must be there"
    )

    @model_validator(mode="after")
    def _user_has_a_password(self) -> Self:
        if (self.username is None) != (self.password is None):
            raise ValueError("username and password must both be set, or neither")
        return self


class HealthSettings(Group):
    """Where /livez, /readyz, /startupz and /metrics are served."""

    host: str = Field(default="127.0.0.1", min_length=1, description="address to listen on; containers set 0.0.0.0")
    port: Port = Field(default=9400, description="port to listen on; 0 = any free one")


class LogSettings(Group):
    """What is written to the log."""

    level: LogLevel = Field(default=LogLevel.INFO, description="lowest level written")


class ApiSettings(Group):
    """Where the read side answers."""

    host: str = Field(default="127.0.0.1", min_length=1, description="address the api listens on; containers set 0.0.0.0")
    port: Port = Field(default=8080, description="port of the api; 0 = any free one; `enact up` adds k for instance k")
    base_path: str = Field(
        default="", pattern=r"^(/[A-Za-z0-9._~-]+)*$", description="what stands in front of every route of the api, such as /enact"
    )


class BrokerSettings(Group):
    """Where the broker that `enact up` starts listens."""

    port: Port | None = Field(default=None, description="port of the started broker; none = the last run's, else 9092, else a free one")
    controller_port: Port | None = Field(default=None, description="port of its controller; none = as above, from 9093")


def _split_list(value: Any) -> Any:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


class ApprovalSettings(Group):
    """Whose signed approvals count. Read by validation and invocation."""

    keys_file: Path | None = Field(
        default=None, description="JWKS file with the Ed25519 public keys that sign approvals, read again when it changes"
    )
    audience: str | None = Field(default=None, min_length=1, description="this environment: the aud claim of an approval that counts here")
    issuers: tuple[Annotated[str, Field(min_length=1)], ...] = Field(
        default=(), description="comma list of the iss claims of approvals that count here"
    )
    leeway_s: int = Field(default=5, ge=0, le=120, description="seconds by which the clocks of approvers and this machine may differ")

    @field_validator("issuers", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return _split_list(value)


class OutboundSettings(Group):
    """Which private addresses calls may reach."""

    allow: tuple[Annotated[str, Field(pattern=HOST_PORT)], ...] = Field(
        default=(), description="comma list of host:port that may be called although loopback or private"
    )

    @field_validator("allow", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return _split_list(value)


class KernelSettings(BaseSettings):
    """What every process of enact is told. Made by `load`; constructing it reads no environment."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter=NESTED, frozen=True, extra="ignore", enable_decoding=False, hide_input_in_errors=True
    )

    kafka: KafkaSettings = KafkaSettings()
    schema_registry: SchemaRegistrySettings = SchemaRegistrySettings()
    topic_prefix: str = Field(
        default="enact", pattern=r"^[a-z0-9][a-z0-9-]{0,62}$", description="first word of every topic, group and principal"
    )
    data_dir: Path = Field(default=Path(".enact"), description="folder of local state, logs and the embedded broker")
    cache_dir: Path | None = Field(
        default=None, description="folder of the downloaded broker and its start cache; none = `enact` in the user's cache folder"
    )
    profile: Profile = Field(default=Profile.DEVELOPMENT, description="production demands signed approvals and verified tokens")
    approval: ApprovalSettings = ApprovalSettings()
    health: HealthSettings = HealthSettings()
    execution_enabled: bool = Field(default=True, description="false = this process starts no external call; true starts nothing by itself")
    credentials_dir: Path | None = Field(default=None, description="folder with <tenant>/<connector>.json")
    outbound: OutboundSettings = OutboundSettings()
    log: LogSettings = LogSettings()
    api: ApiSettings = ApiSettings()
    broker: BrokerSettings = BrokerSettings()
    shutdown_timeout_s: float = Field(
        default=60.0, gt=0, description="seconds a stopping process may drain before it ends itself; above the longest tool timeout"
    )

    failpoints: str | None = Field(
        default=None, min_length=1, description="for tests of faults: where this process dies or hangs (see enact.failpoint_rules)"
    )
    supervisor_fd: int | None = Field(default=None, ge=3, description="set by `enact up`: the process ends when this pipe closes")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what `load` hands in."""
        del settings_cls, env_settings, dotenv_settings, file_secret_settings
        return (init_settings,)


class _MappingSource(EnvSettingsSource):
    """pydantic-settings' reading of an environment, on the mapping it is given."""

    def __init__(self, settings_class: type[BaseSettings], environ: Mapping[str, str]) -> None:
        self._given = {name.lower(): value for name, value in environ.items()}
        super().__init__(settings_class)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return self._given


S = TypeVar("S", bound=KernelSettings)


def load(settings_class: type[S], environ: Mapping[str, str] | None = None) -> S:
    """Read settings from the environment (or from `environ`).

    Raises: ConfigurationError that names every variable with a problem and says where to set it.
    """
    given = dict(os.environ if environ is None else environ)
    problems: list[str] = []
    alias = given.pop(BOOTSTRAP_ALIAS, None)
    if alias is not None and given.setdefault(BOOTSTRAP, alias) != alias:
        problems.append(f"{BOOTSTRAP} and {BOOTSTRAP_ALIAS} name different clusters: unset one of them.")
    try:
        settings = settings_class(**_MappingSource(settings_class, given)())
    except ValidationError as error:
        problems += [_sentence(dict(problem)) for problem in error.errors(include_url=False, include_context=False, include_input=False)]
    else:
        if not problems:
            return settings
    raise ConfigurationError("\n".join([*problems, WHERE]))


def cache_folder(environ: Mapping[str, str] | None = None) -> Path:
    """`cache_dir`, for those who have no settings yet: one folder per user, outside every project tree. Not created here."""
    given = os.environ if environ is None else environ
    chosen = given.get(CACHE_DIR, "")
    if chosen:
        return Path(chosen).expanduser().absolute()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "enact"
    root = given.get("XDG_CACHE_HOME", "")
    return (Path(root) if root else Path.home() / ".cache") / "enact"


def forget_environment() -> None:
    """Leave out what is set for enact, in this process and its children from now on: for what must be the same in every shell.

    Where the broker's jars are kept stays.
    """
    for name in [name for name in os.environ if (name.startswith(PREFIX) and name != CACHE_DIR) or name == BOOTSTRAP_ALIAS]:
        del os.environ[name]


def child_environment(added: Mapping[str, str]) -> dict[str, str]:
    """What a process started by this one is told: this one's whole environment, and what is added to it."""
    return {**os.environ, **added}


def given_variables(environ: Mapping[str, str] | None = None) -> list[str]:
    """Names in the environment that are meant for enact, whether anything reads them or not; never their values."""
    return sorted(name for name in (os.environ if environ is None else environ) if name.startswith(PREFIX))


def variable_of(location: tuple[str | int, ...]) -> str:
    """The environment variable of a field: ("kafka", "bootstrap_servers") → ENACT_KAFKA__BOOTSTRAP_SERVERS."""
    return PREFIX + NESTED.join(part.upper() for part in location if isinstance(part, str))


def _sentence(problem: Mapping[str, Any]) -> str:
    location: tuple[str | int, ...] = problem["loc"]
    text = {
        "extra_forbidden": "is not a setting: look for a misspelling in the table of settings (docs/settings.md)",
        "missing": "is not set and has no default",
    }.get(problem["type"], str(problem["msg"]))
    return f"{variable_of(location)}: {text}."
