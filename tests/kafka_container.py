"""The same broker settings in a container, for machines where containers are the usual way (`ENACT_TEST_BROKER=docker`)."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from testcontainers.core.container import DockerContainer

from enact.broker.ports import LOOPBACK, free_port
from enact.broker.probe import ask
from enact.broker.server_config import server_properties

IMAGE = "apache/kafka-native:4.3.1"
_INSIDE, _CONTROLLER = 9092, 9093


@contextmanager
def kafka_container(*, timeout_s: float = 90.0) -> Iterator[str]:
    """`host:port` of a broker in a container, reachable from this machine only; raises if it does not serve in time."""
    port = free_port()
    text = server_properties(log_dir=Path("/tmp/kraft-combined-logs"), port=_INSIDE, controller_port=_CONTROLLER)
    settings = dict(line.split("=", 1) for line in text.splitlines())
    settings["listeners"] = f"PLAINTEXT://0.0.0.0:{_INSIDE},CONTROLLER://127.0.0.1:{_CONTROLLER}"
    settings["advertised.listeners"] = f"PLAINTEXT://{LOOPBACK}:{port},CONTROLLER://127.0.0.1:{_CONTROLLER}"
    settings["controller.quorum.voters"] = f"1@127.0.0.1:{_CONTROLLER}"  # the image formats without --standalone
    del settings["controller.quorum.bootstrap.servers"]
    container = DockerContainer(IMAGE)
    for name, value in settings.items():
        container = container.with_env("KAFKA_" + name.upper().replace(".", "_"), value)
    bindings: dict[str, Any] = container.ports  # docker takes (address, port) too: not open to the network
    bindings[f"{_INSIDE}/tcp"] = (LOOPBACK, port)
    with container:
        deadline = time.monotonic() + timeout_s
        while (answer := ask(port)) is None or answer.broker_count == 0:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{IMAGE} did not serve on {LOOPBACK}:{port} within {timeout_s:g} s: see `docker logs`.")
            time.sleep(0.1)
        yield f"{LOOPBACK}:{port}"
