"""A hundred thousand held executions: what they cost while they wait, and how they start when they may.

In one process, with the real loop, stage, owner and state on disk; the broker is in memory and the clock is moved by hand. The figures
are printed; the bounds are far above what is seen, so that only a change of kind fails.
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from enact.ids import key_of
from enact.kafka.transport import NextOffset
from enact.records import Backoff, Claimed, Parked, ParkReason, SwitchState
from tests.factories import make_action_type
from tests.unit.services.invocation.steps import AWAY, rewrite, run
from tests.unit.services.invocation.world import World

HELD = 100_000
PARTITIONS = 4
MAX_IDLE_TURN_S = 0.05
MAX_FIRST_TURN_S = 3.0
MIN_RATE = 30
SHARE = 125
"""A quarter of the window: what one tenant and connector may have under way."""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path / "world", partitions=PARTITIONS)
    yield made
    made.kill()


def fill(world: World, reason: ParkReason) -> None:
    """As if so many executions of one tenant had been parked for this reason: their folds and index entries, on disk."""
    sample = world.call("sample")
    world.append(Parked(reason=reason, not_before_ms=world.clock.now_ms, detail="test"), call=sample, subject=sample)
    world.turn(2)
    held = world.fold(sample)
    for number in range(HELD):
        call = world.call(f"int-{number:06}")
        generation = replace(held.execute.generation, subject=call)
        one = replace(held, action_intent_id=call.action_intent_id, execute=replace(held.execute, generation=generation))
        world.memory(world.home(call.action_intent_id)).store.put(key_of(call.tenant_id, call.action_intent_id), None, one)
        if number % 2_000 == 1_999:
            keep(world)
    keep(world)


def keep(world: World) -> None:
    for partition in range(PARTITIONS):
        store = world.memory(partition).store
        store._state.persist(store._state.applied or NextOffset(0))
        store.keep_batch()


def turn_s(world: World, count: int = 50) -> float:
    """Real seconds of one turn that has nothing to do."""
    began = time.perf_counter()
    world.turn(count)
    return (time.perf_counter() - began) / count


def started(world: World) -> int:
    return len(world.data(Claimed))


def drained(world: World, release: Callable[[], None], *, seconds: float) -> tuple[float, int, float]:
    """Release, then turn: real seconds of the first turn, what it started, and what started in a second of turns and answers on average."""
    release()
    began = time.perf_counter()
    world.turn()
    first_s, first = time.perf_counter() - began, started(world)
    began = time.perf_counter()
    while time.perf_counter() - began < seconds:
        world.clock.advance(0.02)
        world.turn()
        assert len(world.process.window) <= SHARE
        world.calls()
    return first_s, first, (started(world) - first) / (time.perf_counter() - began)


@pytest.mark.timeout(500)
def test_a_hundred_thousand_that_wait_for_a_switch_cost_nothing_and_start_at_once_when_it_is_released(world: World) -> None:
    world.turn(2)
    at_rest_s = turn_s(world)
    world.switch(SwitchState.ENGAGED)
    fill(world, ParkReason.SWITCH)
    events, idle_s = len(world.events()), turn_s(world)

    first_s, first, rate = drained(world, lambda: world.switch(SwitchState.RELEASED), seconds=5)

    print(f"switch: {HELD} held; a turn takes {idle_s * 1e6:.0f} µs ({at_rest_s * 1e6:.0f} µs without them)")
    print(f"first turn after the release: {first_s * 1e3:.1f} ms, {first} claimed; then {rate:.0f} a second")
    assert events == 1
    assert idle_s <= MAX_IDLE_TURN_S
    assert (first, first_s <= MAX_FIRST_TURN_S) == (SHARE, True)
    assert rate > MIN_RATE
    assert len(world.data(Parked)) == 1, "no further event about waiting"


@pytest.mark.timeout(500)
def test_a_hundred_thousand_that_wait_for_a_breaker_start_with_its_trials_and_then_all(world: World) -> None:
    world.turn(2)
    for _ in range(5):
        world.process.permits.learn(world.call(), "nonce", AWAY)
    fill(world, ParkReason.BREAKER)
    idle_s = turn_s(world)
    assert started(world) == 0

    first_s, first, rate = drained(world, lambda: world.clock.advance(5.0), seconds=5)

    print(f"breaker: a turn takes {idle_s * 1e6:.0f} µs; half-open: {first_s * 1e3:.1f} ms, {first} claimed; then {rate:.0f} a second")
    assert idle_s <= MAX_IDLE_TURN_S
    assert (first, first_s <= MAX_FIRST_TURN_S) == (3, True)
    assert rate > MIN_RATE
    assert len(world.data(Parked)) == 1


@pytest.mark.timeout(500)
def test_a_hundred_thousand_that_wait_for_a_limit_start_as_fast_as_it_allows(world: World, tmp_path: Path) -> None:
    world.limits_file = tmp_path / "limits.yaml"
    world.limits_file.write_text("tenants: {acme: {crm: {rate_per_s: 0.001}}}")
    world.restart()
    world.use(make_action_type(backoff=Backoff(initial_ms=0)))
    world.publish(world.call("first"))
    world.settle()
    fill(world, ParkReason.LIMIT)
    idle_s, before = turn_s(world), started(world)

    rewrite(world.limits_file, "tenants: {acme: {crm: {rate_per_s: 50}}}")
    began = time.perf_counter()
    run(world, 10)
    took_s = time.perf_counter() - began

    count = started(world) - before
    print(f"limit: a turn takes {idle_s * 1e6:.0f} µs; 50 a second: {count} in 10 s by the clock ({took_s / 100 * 1e3:.1f} ms a turn)")
    assert idle_s <= MAX_IDLE_TURN_S
    assert 460 <= count <= 506
    assert len(world.data(Parked)) == 1
