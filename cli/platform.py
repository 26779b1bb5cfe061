"""A whole enact on this machine: broker, topics, registry, stages, practice world, under one supervisor.

`enact up`, `enact demo` and the end-to-end tests all start it here, so what is tested is what people run.
"""

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from cli.child import Change
from cli.platform_options import PlatformOptions
from cli.processes import ProcessSpec, stage_specs
from cli.supervisor import Supervisor, on_stop_signals
from cli.topology_apply import topology_apply
from cli.up_file import Running, forget_running, write_running
from connectors.catalogue import argument_schemas, promises, registry_files
from connectors.sandbox.tenants import write_sandbox_credentials
from enact.broker.embedded import EmbeddedBroker
from enact.broker.pid_file import started_mark
from enact.broker.ports import LOOPBACK, free_port, require_free
from enact.clock import SystemClock
from enact.command_door import CommandDoor, CommandTopics
from enact.kafka.admin import KafkaAdmin
from enact.kafka.client import KafkaWriter
from enact.kafka.log_reader import LogReader
from enact.kafka.value_framing import value_framing
from enact.registry_commands import RegistryCommands
from enact.registry_file import read_entries
from enact.settings import KafkaSettings, KernelSettings, load
from topology.plan import CreateTopic
from topology.spec import Sizing
from topology.subjects import subjects
from topology.topics import topic_name

STOP_SLACK_S = 5.0
READY_TIMEOUT_S = 90.0


class Platform:
    """Starts everything in order and stops everything in order.

    `tell` gets one line for each step, and for each change of a process unless `on_change` takes those.
    """

    def __init__(
        self,
        settings: KernelSettings,
        options: PlatformOptions,
        *,
        tell: Callable[[str], None] = lambda _: None,
        on_change: Callable[[Change], None] | None = None,
    ) -> None:
        self.settings, self.options, self._tell = settings, options, tell
        self._on_change = on_change or (lambda change: tell(change.line))
        self.data_dir = settings.data_dir.absolute()
        self.broker: EmbeddedBroker | None = None
        self.supervisor: Supervisor | None = None
        self.bootstrap_servers = ""
        self.api_port = 0
        self.sandbox_port: int | None = None
        self._is_supervising = False

    @property
    def api_url(self) -> str:
        """Where the status API answers; nobody does without `has_api`."""
        return f"http://{LOOPBACK}:{self.api_port}{self.settings.api.base_path}"

    @property
    def sandbox_url(self) -> str | None:
        """Where the practice world answers, if there is one."""
        return f"http://{LOOPBACK}:{self.sandbox_port}" if self.sandbox_port is not None else None

    @property
    def kafka(self) -> KafkaSettings:
        """How to reach the cluster."""
        return self.settings.kafka.model_copy(update={"bootstrap_servers": self.bootstrap_servers})

    @property
    def replication_factor(self) -> int:
        """Copies of each partition."""
        return self.options.replication_factor or (1 if self.settings.kafka.bootstrap_servers is None else 3)

    @property
    def credentials_dir(self) -> Path | None:
        """Where the connectors' credentials lie."""
        if self.settings.credentials_dir is not None or not self.options.has_sandbox:
            return self.settings.credentials_dir
        return self.data_dir / "credentials"

    def topic(self, short: str) -> str:
        """The full name of a topic."""
        return topic_name(short, self.settings.topic_prefix)

    def start(self, timeout_s: float = READY_TIMEOUT_S) -> bool:
        """Start everything and wait until it is ready; False if a stop was asked for meanwhile.

        Raises: EnactError that says what to do; whatever was started until then is stopped.
        """
        try:
            self.supervisor = Supervisor(
                (), data_dir=self.data_dir, on_change=self._on_change, grace_s=self.settings.shutdown_timeout_s + STOP_SLACK_S
            )
            self.supervisor.claim()
            self._specs()  # a port that is taken is told before anything is started
            self._start_broker()
            self._prepare_cluster()
            self.supervisor.keep(self._specs(), broker=self.broker)
            self._is_supervising = True
            self.supervisor.start()
            self._tell_others()
            is_ready = self.supervisor.wait_ready(timeout_s)
            self._tell_others()  # a process may have moved to another port
            return is_ready
        except BaseException:
            self.stop()
            raise

    def run(self) -> None:
        """Keep everything running until a stop is asked for (Ctrl-C inside `signals`)."""
        if self.supervisor is None:
            raise RuntimeError("start the platform first")
        self.supervisor.run()

    def stop(self) -> None:
        """Stop all; safe to call twice."""
        supervisor, broker = self.supervisor, self.broker
        if supervisor is not None:
            supervisor.stop()
        if broker is not None:
            broker.stop()  # nothing left to do unless the supervisor had not taken it on yet
        if self._is_supervising:
            forget_running(self.data_dir)
        self.supervisor = self.broker = None
        self._is_supervising = False

    @contextmanager
    def signals(self) -> Iterator[None]:
        """While inside, Ctrl-C, SIGTERM and SIGHUP ask for a stop and a second one hurries. Main thread only.

        Raises: KeyboardInterrupt while the broker and the topics are still being prepared.
        """

        def react() -> None:
            if not self._is_supervising or self.supervisor is None:
                raise KeyboardInterrupt
            self.supervisor.request_stop()

        with on_stop_signals(react):
            yield

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def _start_broker(self) -> None:
        given = self.settings.kafka.bootstrap_servers
        if given is not None:
            self._tell(f"Using the Kafka cluster at {given}.")
            self.bootstrap_servers = given
            return
        ports = (0, 0) if self.options.has_free_ports else (self.settings.broker.port, self.settings.broker.controller_port)
        self.broker = EmbeddedBroker(self.data_dir, port=ports[0], controller_port=ports[1], on_progress=self._tell)
        self.broker.start()
        self.broker.wait_ready()
        self.bootstrap_servers = self.broker.bootstrap_servers
        self._tell(f"Kafka is ready at {self.bootstrap_servers}.")

    def _prepare_cluster(self) -> None:
        sizing = Sizing(
            prefix=self.settings.topic_prefix, partition_count=self.options.partitions, replication_factor=self.replication_factor
        )
        applied = topology_apply(KafkaAdmin(self.kafka), sizing)
        made = sum(isinstance(action, CreateTopic) for action in applied.done)
        self._tell(f"Topics: {made} made." if made else "Topics: all there.")
        with value_framing(self.settings.schema_registry, subjects(self.settings.topic_prefix)):
            self._apply_registry()

    def _apply_registry(self) -> None:
        writer = KafkaWriter(self.kafka)
        try:
            names = {short: self.topic(short) for short in ("ledger", "executions", "switches", "registry")}
            topics, clock = CommandTopics(**names), SystemClock()
            door = CommandDoor(writer=writer, open_reader=lambda: LogReader(self.kafka), topics=topics, clock=clock, actor="enact up")
            entries = [
                entry
                for name, file in registry_files(with_sandbox=self.options.has_sandbox)
                for entry in read_entries(file.read_text(), file=name, argument_schemas=argument_schemas(), promises=promises())
            ]
            added = RegistryCommands(door).apply(entries)
        finally:
            writer.close()
        self._tell(f"Registry: {len(entries)} action types, {len(added)} new.")

    def _specs(self) -> tuple[ProcessSpec, ...]:
        if self.options.has_api:
            self.api_port = self._port(self.settings.api.port, what="the api", setting="ENACT_API__PORT")
        environ = {
            "ENACT_KAFKA__BOOTSTRAP_SERVERS": self.bootstrap_servers,
            "ENACT_DATA_DIR": str(self.data_dir),
            "ENACT_API__PORT": str(self.api_port),
        }
        specs: list[ProcessSpec] = []
        if self.options.has_sandbox:
            specs.append(self._sandbox())
            environ["ENACT_OUTBOUND__ALLOW"] = ",".join([*self.settings.outbound.allow, f"{LOOPBACK}:{self.sandbox_port}"])
        if self.credentials_dir is not None:
            environ["ENACT_CREDENTIALS_DIR"] = str(self.credentials_dir)
        environ |= self.options.environ
        specs += stage_specs(
            self.options.started_stages,
            environ=environ,
            instances=self.options.instances,
            with_free_ports=self.options.has_free_ports or not self.options.health_port,
            first_port=self.options.health_port,
        )
        return tuple(specs)

    def _sandbox(self) -> ProcessSpec:
        self.sandbox_port = self._port(self.options.sandbox_port, what="the sandbox", setting="--sandbox-port")
        if self.credentials_dir is not None:
            write_sandbox_credentials(self.credentials_dir, list(self.options.tenants), str(self.sandbox_url))
        command = (
            sys.executable,
            "-P",
            "-m",
            "connectors.sandbox",
            "--port",
            str(self.sandbox_port),
            "--data-dir",
            str(self.data_dir / "sandbox"),
            *(part for tenant in self.options.tenants for part in ("--account", tenant)),
        )
        return ProcessSpec(stage="sandbox", command=command, health_port=self.sandbox_port)

    def _port(self, wanted: int, *, what: str, setting: str) -> int:
        """Raises: PortTakenError."""
        if self.options.has_free_ports or not wanted:
            return free_port(taken=[self.api_port])
        require_free(wanted, what=what, setting=setting)
        return wanted

    def _tell_others(self) -> None:
        """Tells the other commands of this data folder where everything is."""
        children = () if self.supervisor is None else self.supervisor.children
        what = Running(
            pid=os.getpid(),
            started=started_mark(os.getpid()),
            bootstrap_servers=self.bootstrap_servers,
            api_url=self.api_url if self.options.has_api else None,
            sandbox_url=self.sandbox_url,
            topic_prefix=self.settings.topic_prefix,
            partitions=self.options.partitions,
            replication_factor=self.replication_factor,
            health_ports={child.name: child.spec.health_port for child in children if child.spec.health_port},
        )
        write_running(self.data_dir, what)


def platform_settings(environ: Mapping[str, str] | None = None) -> KernelSettings:
    """The settings that `enact up` itself reads. Raises: ConfigurationError."""
    return load(KernelSettings, environ)


__all__ = ["Platform", "PlatformOptions", "platform_settings"]
