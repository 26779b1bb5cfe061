"""Foreign clients, and the world they publish to: one for the whole file, as nobody here disturbs anybody else."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.foreign.guide import Stranger
from tests.e2e.foreign.kafka_tools import install_kafka_tools
from tests.e2e.world import World

NO_KCAT = (
    "kcat is not installed, and these tests publish with the real one. `make setup` installs it where it may; "
    "else: apt-get install kcat (Debian, Ubuntu), brew install kcat (macOS), then run the tests again."
)


@pytest.fixture(scope="session")
def kcat() -> str:
    """Where kcat is. Missing is a failure."""
    return find_kcat(os.environ["PATH"])


def find_kcat(path: str) -> str:
    """The kcat on this path; without one the test that asks fails, and says what to do."""
    found = shutil.which("kcat", path=path)
    if found is None:
        pytest.fail(NO_KCAT)
    return found


@pytest.fixture(scope="session")
def kafka_tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with Kafka's own scripts."""
    folder = tmp_path_factory.mktemp("kafka-tools")
    install_kafka_tools(folder)
    return folder


@pytest.fixture(scope="module")
def foreign_world(request: pytest.FixtureRequest, broker_bootstrap: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One instance of every stage, without a schema registry."""
    name = request.module.__name__.rpartition(".")[2].removeprefix("test_").replace("_", "-")
    world = World(tmp_path_factory.mktemp("foreign") / "world", f"foreign-{name}", bootstrap=broker_bootstrap)
    world.start()
    yield world
    world.stop()


@pytest.fixture(scope="module")
def stranger(foreign_world: World, kafka_tools: Path, tmp_path_factory: pytest.TempPathFactory) -> Stranger:
    """Somebody who follows the guide against this world."""
    return Stranger.settle(
        tmp_path_factory.mktemp("stranger"),
        tools=kafka_tools,
        BROKER=foreign_world.platform.bootstrap_servers,
        PREFIX=foreign_world.settings.topic_prefix,
    )
