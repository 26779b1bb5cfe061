"""Breadth first through every order of moves; the first way to each broken property is kept as a story."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from tests.unit.enact.execution_model.owners import PLAIN, Rules, owner_moves
from tests.unit.enact.execution_model.properties import broken_by_call, broken_by_log, broken_in
from tests.unit.enact.execution_model.scenarios import Scenario
from tests.unit.enact.execution_model.surroundings import surrounding_moves
from tests.unit.enact.execution_model.world import START_MS, Log, Move, Owner, World


@dataclass(frozen=True)
class Found:
    """What a search saw: how many worlds and logs, and a story for each broken property."""

    worlds: int
    logs: int
    broken: dict[str, list[str]]


def search(scenario: Scenario, rules: Rules = PLAIN, *, stop_at: str | None = None) -> Found:
    """Visit every world within the bounds of `scenario`, or until the property `stop_at` is broken."""
    start = _start(scenario, rules)
    came_from: dict[World, tuple[World, str] | None] = {start: None}
    queue, judged, broken = deque([start]), set[Log](), dict[str, list[str]]()
    while queue and stop_at not in broken:
        world = queue.popleft()
        for move in moves(world, scenario, rules):
            after = move.world
            for name in _broken_by(world, move, scenario, judged):
                broken.setdefault(name, [*scenario.opening, *_story(came_from, world), move.label])
            if after not in came_from:
                came_from[after] = (world, move.label)
                queue.append(after)
                for name in broken_in(after):
                    broken.setdefault(name, [*scenario.opening, *_story(came_from, after)])
    return Found(len(came_from), len(judged), broken)


def moves(world: World, scenario: Scenario, rules: Rules) -> Iterator[Move]:
    """Every move from a world."""
    for owner in world.owners:
        yield from owner_moves(world, owner, scenario, rules)
    yield from surrounding_moves(world, scenario)


def _broken_by(before: World, move: Move, scenario: Scenario, judged: set[Log]) -> Iterator[str]:
    world = before
    for call, claim in move.started:
        yield from broken_by_call(world, call, claim, scenario)
        world = world._replace(calls=(*world.calls, call))
    if move.world.log not in judged:
        judged.add(move.world.log)
        yield from broken_by_log(move.world.log)


def _start(scenario: Scenario, rules: Rules) -> World:
    """The world after the opening moves of a scenario, each found by how its label begins."""
    empty = Log(None, None, START_MS)
    owners = tuple(Owner(name=name, life=name, seen=empty) for name in "AB"[: scenario.owners])
    world = World(log=empty, now_ms=START_MS, owners=owners, faults=scenario.faults, people=scenario.people, ticks=scenario.ticks)
    for label in scenario.opening:
        world = next(move.world for move in moves(world, scenario, rules) if move.label.startswith(label))
    return world


def _story(came_from: dict[World, tuple[World, str] | None], world: World) -> list[str]:
    labels = []
    while (step := came_from[world]) is not None:
        world, label = step
        labels.append(label)
    return labels[::-1]
