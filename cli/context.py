"""Where a verb finds the cluster and the api: the environment first, else a running `enact up`."""

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from cli.up_file import Running, running
from enact.clock import Clock, SystemClock
from enact.errors import ConfigurationError, EnactError
from enact.ids import is_id
from enact.settings import KafkaSettings, KernelSettings, load
from topology.topics import topic_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from enact.cancel_all import CancelAll
    from enact.command_door import CommandDoor
    from enact.commands import Commands
    from enact.kafka.transport import Reader, Writer
    from enact.registry_commands import RegistryCommands
    from enact.switch_commands import SwitchCommands


def _an_id(text: str) -> str:
    if not is_id(text):
        raise typer.BadParameter("an id has letters, digits and ._:- only, 1 to 128 of them.")
    return text


def _a_reason(text: str) -> str:
    if not text.strip():
        raise typer.BadParameter("say why in a few words: it is kept in the ledger with your name.")
    return text


Tenant = Annotated[str, typer.Option("--tenant", envvar="ENACT_TENANT", help="Tenant id.", show_default=False, callback=_an_id)]
IntentId = Annotated[str, typer.Argument(help="The action_intent_id (or exec-<id>).", show_default=False, callback=_an_id)]
Account = Annotated[str, typer.Option("--account", envvar="ENACT_ACCOUNT", help="Account id.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
ApiUrl = Annotated[
    str | None, typer.Option("--api-url", envvar="ENACT_API_URL", help="Where the api answers; none = that of a running `enact up`.")
]
Reason = Annotated[
    str, typer.Option("--reason", help="Why: it is kept in the ledger with your name.", show_default=False, callback=_a_reason)
]


def api_url(given: str | None) -> str:
    """Where the api answers. Raises: ConfigurationError if the settings are wrong."""
    if given:
        return given.rstrip("/")
    settings = load(KernelSettings)
    return (running(settings.data_dir).api_url or f"http://127.0.0.1:{settings.api.port}{settings.api.base_path}").rstrip("/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """An open door to the cluster for one verb."""

    writer: "Writer"
    open_reader: "Callable[[], Reader]"
    clock: Clock
    actor: str
    prefix: str

    def topic(self, short: str) -> str:
        """The full name of a topic."""
        return topic_name(short, self.prefix)

    def partition_count(self, short: str) -> int:
        """From broker metadata. Raises: BrokerError if the topic does not exist."""
        reader = self.open_reader()
        try:
            return reader.partition_count(self.topic(short))
        finally:
            reader.close()

    @property
    def door(self) -> "CommandDoor":
        """What commands work through."""
        from enact.command_door import CommandDoor, CommandTopics

        names = {short: self.topic(short) for short in ("ledger", "executions", "switches", "registry")}
        topics = CommandTopics(**names)
        return CommandDoor(writer=self.writer, open_reader=self.open_reader, topics=topics, clock=self.clock, actor=self.actor)

    def commands(self) -> "Commands":
        """Cancel, resolve and redrive."""
        from enact.commands import Commands

        return Commands(self.door)

    def cancel_all(self) -> "CancelAll":
        """Cancel whatever of a tenant has not ended."""
        from enact.cancel_all import CancelAll

        return CancelAll(self.door)

    def switches(self) -> "SwitchCommands":
        """Engage, release, list."""
        from enact.switch_commands import SwitchCommands

        return SwitchCommands(self.door)

    def registry(self) -> "RegistryCommands":
        """Apply, list."""
        from enact.registry_commands import RegistryCommands

        return RegistryCommands(self.door)


def kafka_settings(settings: KernelSettings) -> KafkaSettings:
    """How to reach the cluster of the settings, or of a running `enact up`.

    Raises: ConfigurationError if there is neither.
    """
    if settings.kafka.bootstrap_servers is not None:
        return settings.kafka
    found = running(settings.data_dir).bootstrap_servers
    if found is None:
        raise ConfigurationError(
            "There is no cluster to talk to: start one with `enact up` in another terminal (same ENACT_DATA_DIR) and wait "
            "until it says that enact is running; or set ENACT_KAFKA__BOOTSTRAP_SERVERS to yours."
        )
    return settings.kafka.model_copy(update={"bootstrap_servers": found})


def topic_prefix(settings: KernelSettings) -> str:
    """The prefix of the settings, or that of the running `enact up` whose cluster is used."""
    told = running(settings.data_dir).topic_prefix if settings.kafka.bootstrap_servers is None else None
    return told or settings.topic_prefix


@contextmanager
def cluster() -> Iterator[Cluster]:
    """Open the cluster for one verb and close it afterwards. Raises: ConfigurationError, BrokerError."""
    from enact.kafka.client import KafkaWriter, LogReader
    from enact.kafka.value_framing import value_framing
    from topology.subjects import subjects

    settings = load(KernelSettings)
    kafka = kafka_settings(settings)
    prefix = topic_prefix(settings)
    with value_framing(settings.schema_registry, subjects(prefix)):
        writer = KafkaWriter(kafka)
        try:
            yield Cluster(
                writer=writer,
                open_reader=lambda: LogReader(kafka),
                clock=SystemClock(),
                actor=f"cli:{_user()}",
                prefix=prefix,
            )
        finally:
            writer.close()


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"


__all__ = [
    "Account",
    "ApiUrl",
    "AsJson",
    "Cluster",
    "EnactError",
    "IntentId",
    "Reason",
    "Running",
    "Tenant",
    "api_url",
    "cluster",
    "running",
    "topic_prefix",
]
