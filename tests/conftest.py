"""What every tier may ask for. The real broker is started once per run, only if a test asks; if it cannot start, the run fails."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from enact.broker.embedded import EmbeddedBroker


@pytest.fixture(scope="session")
def broker() -> Iterator[EmbeddedBroker]:
    """The embedded Apache Kafka of this run, on free ports, with a data folder of its own."""
    with tempfile.TemporaryDirectory(prefix="enact-tests-", ignore_cleanup_errors=True) as folder:
        started = EmbeddedBroker(Path(folder), port=0, controller_port=0, on_progress=lambda line: print(line, flush=True))
        started.start()
        try:
            started.wait_ready()
            yield started
        finally:
            started.stop()


@pytest.fixture(scope="session")
def broker_bootstrap(request: pytest.FixtureRequest) -> Iterator[str]:
    """`host:port` of a real broker: embedded, or in a container with `ENACT_TEST_BROKER=docker`."""
    kind = os.environ.get("ENACT_TEST_BROKER", "embedded")
    if kind == "embedded":
        embedded: EmbeddedBroker = request.getfixturevalue("broker")
        yield embedded.bootstrap_servers
    elif kind == "docker":
        from tests.kafka_container import kafka_container  # noqa: PLC0415 - only this choice needs a container client

        with kafka_container() as address:
            yield address
    else:
        pytest.fail(f"ENACT_TEST_BROKER={kind}: use embedded (default) or docker.")
