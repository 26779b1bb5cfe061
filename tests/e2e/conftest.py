"""Worlds under test: each with a topic prefix and data folder of its own, on the run's one broker."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.world import World

MakeWorld = Callable[..., World]
_numbers = itertools.count(1)


@pytest.fixture
def make_world(broker_bootstrap: str, tmp_path: Path) -> Iterator[MakeWorld]:
    """Start a world; it is stopped at the end of the test."""
    worlds: list[World] = []

    def make(*, instances: int = 1, environ: dict[str, str] | None = None) -> World:
        number = next(_numbers)
        world = World(tmp_path / f"world-{number}", f"e2e-{number}", bootstrap=broker_bootstrap, instances=instances, environ=environ)
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
