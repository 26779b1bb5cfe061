"""Worlds under test: each with a topic prefix and data folder of its own, on the run's one broker."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from tests.e2e.world import World

MakeWorld = Callable[..., World]
_numbers = itertools.count(1)


@pytest.fixture
def make_world(broker_bootstrap: str, tmp_path: Path) -> Iterator[MakeWorld]:
    """Start a world; it is stopped at the end of the test."""
    worlds: list[World] = []

    def make(
        *, instances: int = 1, environ: dict[str, str] | None = None, without: Sequence[str] = (), after: World | None = None
    ) -> World:
        """`after`: a stopped world that goes on as this one, with the same topics and data."""
        number = next(_numbers)
        prefix = after.settings.topic_prefix if after else f"e2e-{number}"
        folder = after.folder if after else tmp_path / f"world-{number}"
        world = World(folder, prefix, bootstrap=broker_bootstrap, instances=instances, environ=environ, without=without)
        worlds.append(world)
        world.start()
        return world

    yield make
    for world in worlds:
        world.stop()


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    """One instance of every stage."""
    return make_world()
