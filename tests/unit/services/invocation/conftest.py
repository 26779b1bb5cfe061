"""A world for each test, ended with it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.unit.services.invocation.world import World

MakeWorld = Callable[..., World]


@pytest.fixture
def make_world(tmp_path: Path) -> Iterator[MakeWorld]:
    worlds: list[World] = []

    def make(**options: int) -> World:
        worlds.append(World(tmp_path / str(len(worlds)), **options))
        return worlds[-1]

    yield make
    for world in worlds:
        world.kill()


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    return make_world()
