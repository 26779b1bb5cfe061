"""Limits in a whole stage: what they hold waits at no cost and starts in its turn, as fast as the limit allows and no faster."""

from collections import Counter
from pathlib import Path

import pytest

from enact.execution_state import Execution
from enact.kafka.transport import TopicPartition
from enact.records import Backoff, Claimed, Parked, ParkReason, Released
from tests.factories import make_action_type
from tests.unit.services.invocation.conftest import MakeWorld
from tests.unit.services.invocation.fakes import APPLIED
from tests.unit.services.invocation.steps import limited, rewrite, run
from tests.unit.services.invocation.world import CALLS, World


def test_a_rate_lets_out_what_it_allows_and_parks_the_rest_once(world: World, tmp_path: Path) -> None:
    limited(world, tmp_path, "tenants: {acme: {crm: {rate_per_s: 5}}}")
    world.publish(*(world.call(f"int-{n:02}") for n in range(30)))
    world.publish(*(world.call(f"other-{n}", tenant_id="globex") for n in range(20)))
    at_s: list[float] = []
    world.connector.before_last_look = lambda call: at_s.append(world.clock.boot_s()) if call.tenant_id == "acme" else None

    run(world, 6.5)

    assert world.statuses().count("SUCCEEDED") == 50
    assert max(sum(1 for other in at_s if first <= other < first + 0.999) for first in at_s) <= 6
    assert at_s[-1] - at_s[0] <= 6
    parked = world.data(Parked)
    assert {event.reason for event in parked} == {ParkReason.LIMIT}
    assert len(parked) == 29
    assert world.types().count("CLAIMED") == 50
    assert world.data(Released) == []


def test_a_limit_that_has_no_room_costs_no_look(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limited(world, tmp_path, "default: {rate_per_s: 0.01}")
    world.publish(*(world.call(f"int-{n:02}") for n in range(30)))
    world.settle()
    asked: list[bytes] = []
    monkeypatch.setattr(world.memory().store, "get", asked.append)

    world.turn(20)

    assert asked == []


def test_a_permit_looks_at_no_more_than_it_starts(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limited(world, tmp_path, "default: {rate_per_s: 10, burst: 1}")
    world.publish(*(world.call(f"int-{n:02}") for n in range(60)))
    world.settle()
    claimed = len(world.data(Claimed))
    store = world.memory().store
    asked: list[bytes] = []
    get = store.get

    def noted(key: bytes) -> Execution | None:
        asked.append(key)
        return get(key)

    monkeypatch.setattr(store, "get", noted)
    world.clock.advance(0.1)

    world.turn()

    assert len(world.data(Claimed)) == claimed + 1
    assert len(asked) <= 3


def test_a_concurrency_limit_counts_until_the_fact_is_in_the_log(world: World, tmp_path: Path) -> None:
    limited(world, tmp_path, "default: {concurrency: 2}")
    world.publish(*(world.call(f"int-{n}") for n in range(5)))
    held = [world.hold_answer() for _ in range(5)]
    world.settle()
    assert len(world.connector.calls) == 2

    held[0].set_result(APPLIED)
    world.calls()
    world.settle()

    assert len(world.connector.calls) == 3
    for answer in held[1:]:
        answer.set_result(APPLIED)
        world.settle()
    assert world.statuses().count("SUCCEEDED") == 5
    assert world.process.permits._limits._reserved == {}


def test_a_claim_that_was_never_acknowledged_keeps_no_place(world: World, tmp_path: Path) -> None:
    limited(world, tmp_path, "default: {concurrency: 1}")
    world.publish(world.call("int-1"))
    world.broker.fail_next_deliveries(1)
    world.settle()
    run(world, 2)

    assert world.statuses() == ["SUCCEEDED"]
    assert world.process.permits._limits._reserved == {}


def test_a_partition_that_leaves_keeps_no_place(world: World, tmp_path: Path) -> None:
    limited(world, tmp_path, "default: {concurrency: 1}")
    world.publish(world.call("int-1"))
    world.turn()
    assert len(world.process.permits._limits._reserved) == 1

    world.process.owner.on_gone([0])
    world.calls()

    assert world.process.permits._limits._reserved == {}


def test_a_changed_limits_file_holds_without_a_restart_and_a_broken_one_does_not(world: World, tmp_path: Path) -> None:
    path = limited(world, tmp_path, "default: {rate_per_s: 1}")
    world.publish(*(world.call(f"int-{n:03}") for n in range(200)))
    run(world, 3)
    assert 2 <= len(world.connector.calls) <= 5

    rewrite(path, "default: {rate_per_s: fast}")
    run(world, 1)
    assert world.process.meter.is_limits_file_refused
    assert len(world.connector.calls) <= 6
    rewrite(path, "default: {rate_per_s: 50}")
    run(world, 5)

    assert not world.process.meter.is_limits_file_refused
    assert world.statuses().count("SUCCEEDED") == 200


def test_who_comes_later_does_not_overtake_who_waits(world: World, tmp_path: Path) -> None:
    limited(world, tmp_path, "default: {rate_per_s: 10, burst: 1}")
    for n in range(40):
        world.publish(world.call(f"int-{n:03}"))
        run(world, 0.05, step_s=0.05)
    run(world, 5)

    assert [call.action_intent_id for call in world.connector.calls] == [f"int-{n:03}" for n in range(40)]


def test_kinds_of_action_that_share_a_limit_take_turns(world: World, tmp_path: Path) -> None:
    """Planted bug: the first group of the index has every permit."""
    limited(world, tmp_path, "default: {rate_per_s: 10, burst: 1}")
    other = make_action_type(action_type="UPDATE_CRM_TASK", backoff=Backoff(initial_ms=0))
    world.use(world.entries[0], other)
    world.publish(*(world.call(f"one-{n:02}") for n in range(30)), *(world.call(f"two-{n:02}", entry=other) for n in range(30)))

    run(world, 3)

    counts = Counter(call.action_intent_id[:3] for call in world.connector.calls)
    assert min(counts["one"], counts["two"]) >= 10


def test_partitions_that_share_a_limit_take_turns(make_world: MakeWorld, tmp_path: Path) -> None:
    """Planted bug: the first partition has every permit."""
    world = make_world(partitions=3)
    limited(world, tmp_path, "default: {rate_per_s: 10, burst: 1}")
    world.publish(*(world.call(f"int-{n:03}") for n in range(120)))

    run(world, 4)

    counts = Counter(world.home(call.action_intent_id) for call in world.connector.calls)
    assert min(counts[p] for p in range(3)) >= 8


def test_an_instance_takes_the_part_of_a_limit_that_its_partitions_are(make_world: MakeWorld, tmp_path: Path) -> None:
    world = make_world(partitions=4)
    limited(world, tmp_path, "default: {rate_per_s: 40}")
    world.turn()
    for partition in (1, 2, 3):
        world.process.owner.on_gone([partition])
    run(world, 0.6)

    assert world.process.permits._limits._share == 0.25


def test_what_waits_for_a_limit_stops_nobody_s_input(world: World, tmp_path: Path) -> None:
    limited(world, tmp_path, "default: {rate_per_s: 0.01}")
    world.publish(*(world.call(f"int-{n:03}") for n in range(900)))

    world.settle()

    assert TopicPartition(CALLS, 0) not in world.process.reader.paused
    assert world.memory().pending == {}
    assert len(world.data(Parked)) == 899
    assert world.committed(CALLS) == 900
