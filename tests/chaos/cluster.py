"""What a lane of runs stands on: one broker behind one proxy, and on it one enact after another, each with topics of its own.

The broker has two listeners. Stages reach it through the proxy, and it sends them back there; upstreams, operators and the
checker's dump go straight to it, so that no fault of a run blinds the run itself.
"""

import os
import signal
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from confluent_kafka.admin import AdminClient

from cli.platform import Platform
from cli.processes import ProcessSpec
from enact.broker.embedded import EmbeddedBroker
from enact.broker.ports import LOOPBACK, free_port
from enact.broker.storage import Storage
from tests.chaos.journal import now_ms
from tests.chaos.processes import all_processes
from tests.chaos.proxy.running import KafkaProxy
from tests.chaos.spawned import CLOCK_VARIABLE, ClockFile
from tests.e2e.world import World

READY_S = 180.0


class _StorageWithTwoListeners(Storage):
    """The broker's folder, with a listener for those who come through the proxy."""

    def __init__(self, data_dir: Path, *, proxied_port: int, proxy_port: int) -> None:
        super().__init__(data_dir)
        self._proxied_port, self._proxy_port = proxied_port, proxy_port

    def configure(self, *, port: int, controller_port: int) -> None:
        super().configure(port=port, controller_port=controller_port)
        own = f"PLAINTEXT://{LOOPBACK}:{port},CONTROLLER://{LOOPBACK}:{controller_port}"
        with self.properties.open("a", encoding="utf-8") as file:  # of a setting given twice Java takes the last
            file.write(f"listeners={own},PROXIED://{LOOPBACK}:{self._proxied_port}\n")
            file.write(f"advertised.listeners={own},PROXIED://{LOOPBACK}:{self._proxy_port}\n")
            file.write("listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,PROXIED:PLAINTEXT\n")


class Lane:
    """A broker and the proxy in front of it. `start` before use; one thread gives the commands."""

    def __init__(self, folder: Path, *, seed: int = 0) -> None:
        self._proxied_port = free_port(taken=[])
        self.proxy = KafkaProxy(lambda: self._proxied_port, seed=seed)
        self._folder = folder
        self.broker = EmbeddedBroker(folder, port=0, controller_port=0)

    @property
    def direct(self) -> str:
        """The broker's address for those whom no fault may reach."""
        return self.broker.bootstrap_servers

    def start(self) -> None:
        """Start the proxy, then the broker; returns when it serves."""
        self.proxy.start()
        self.broker.storage = _StorageWithTwoListeners(self._folder, proxied_port=self._proxied_port, proxy_port=self.proxy.port)
        self.broker.start()
        self.broker.wait_ready(READY_S)

    def stop(self) -> None:
        """End both."""
        self.broker.kill()
        self.proxy.stop()

    def kill_broker(self, dark_s: float) -> tuple[int, int]:
        """As a power cut of `dark_s` seconds; returns when the broker serves again: between which times there surely was none."""
        pid = self.broker.pid
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
        while self.broker.is_running:
            time.sleep(0.02)
        from_ms = now_ms()
        time.sleep(dark_s)
        to_ms = now_ms()
        self.broker.start()
        self.broker.wait_ready(READY_S)
        return from_ms, to_ms

    def freeze_broker(self, for_s: float) -> tuple[int, int]:
        """Stop its process for a while, as a long pause of its machine: between which times it surely did nothing."""
        pid = self.broker.pid
        if pid is None:
            return now_ms(), now_ms()
        os.kill(pid, signal.SIGSTOP)
        from_ms = now_ms()
        try:
            time.sleep(for_s)
        finally:
            to_ms = now_ms()
            os.kill(pid, signal.SIGCONT)
        return from_ms, to_ms

    def forget(self, prefix: str) -> None:
        """Delete the topics with this prefix: a lane's broker sees many runs."""
        admin = AdminClient({"bootstrap.servers": self.direct})
        names = [name for name in admin.list_topics(timeout=20).topics if name.startswith(f"{prefix}.")]
        for deleted in admin.delete_topics(names, operation_timeout=20).values() if names else ():
            deleted.result(30)


class _Spawning(Platform):
    """Starts every stage by `tests.chaos.spawned`: known to the proxy by its name, with a clock that can be moved."""

    def _specs(self) -> tuple[ProcessSpec, ...]:
        return tuple(spec if spec.stage == "sandbox" else self._spawned(spec) for spec in super()._specs())

    def _spawned(self, spec: ProcessSpec) -> ProcessSpec:
        *python, module = spec.command
        clock = ClockFile(self.data_dir / "clocks" / spec.name)
        return ProcessSpec(
            stage=spec.stage,
            instance=spec.instance,
            command=(*python, "tests.chaos.spawned", spec.name, module),
            environ={**spec.environ, CLOCK_VARIABLE: str(clock.path)},
            health_port=spec.health_port,
        )


class ChaosWorld(World):
    """One enact on a lane, its stages behind the proxy."""

    def __init__(
        self,
        lane: Lane,
        folder: Path,
        prefix: str,
        *,
        instances: int = 1,
        has_api: bool = True,
        stage_environ: dict[str, str] | None = None,
    ) -> None:
        told = {**(stage_environ or {}), "ENACT_KAFKA__BOOTSTRAP_SERVERS": lane.proxy.address}
        super().__init__(folder, prefix, bootstrap=lane.direct, instances=instances, stage_environ=told)
        self._lane = lane
        options = replace(self.platform.options, has_api=has_api)
        self.platform = _Spawning(self.platform.settings, options, tell=self.lines.append)

    def end(self) -> None:
        """Kill every process and forget the topics: what had to be seen has been collected."""
        self._may_tend.clear()
        if self._tending is not None:
            self._tending.join()
        for pid in all_processes(self).values():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.platform.stop()
        self._lane.forget(self.settings.topic_prefix)

    def clock(self, name: str) -> ClockFile:
        """The clock of one stage process, to be moved."""
        return ClockFile(self.data_dir / "clocks" / name)
