"""Deadlines, and whose clock tells them."""

import pytest

from enact.kafka.transport import TopicPartition
from enact.records import Claimed, Expired, SwitchState
from enact.registry import RegistryView
from services.invocation.owner import ON_TIME
from tests.unit.services.invocation.world import CALLS, World

ENGAGED = SwitchState.ENGAGED


@pytest.mark.parametrize(("seconds", "is_called"), [(-1, True), (0, False), (1, False)])
def test_the_deadline_is_inclusive_before_the_claim(world: World, seconds: int, is_called: bool) -> None:
    call = world.call()
    world.clock.now_ms = (call.expires_at_epoch + seconds) * 1000
    world.publish(call)

    world.settle()

    assert bool(world.connector.calls) is is_called
    assert world.statuses() == (["SUCCEEDED"] if is_called else ["EXPIRED"])
    assert bool(world.data(Claimed)) is is_called
    assert bool(world.data(Expired)) is not is_called


@pytest.mark.parametrize(("seconds", "is_called"), [(-1, True), (0, False), (1, False)])
def test_the_deadline_is_inclusive_at_the_last_look(world: World, seconds: int, is_called: bool) -> None:
    call = world.call(expires_at_epoch=world.clock.now_ms // 1000 + 3)
    world.publish(call)
    world.turn(2)
    world.clock.advance(3 + seconds)
    world.prove_fresh()

    world.calls()

    assert bool(world.connector.calls) is is_called
    world.clock.advance(2)
    world.settle()
    assert world.statuses() == (["SUCCEEDED"] if is_called else ["EXPIRED"])


def test_a_held_execution_expires_at_its_deadline(world: World) -> None:
    world.switch(ENGAGED)
    world.publish(world.call())
    world.settle()

    world.clock.advance(3_600)
    world.settle()

    assert world.statuses() == ["HELD", "EXPIRED"]
    assert world.letters() == []


def test_a_deadline_by_a_clock_that_runs_ahead_of_the_broker_is_asked_for_once_a_second(world: World) -> None:
    call = world.call()
    world.registry = RegistryView()
    world.publish(call)
    ahead = type(world.clock)(world.clock.now_ms, world.clock.now_s)
    world.broker.clock = ahead
    world.clock.advance(3_600)

    world.turn(5)
    assert world.types() == ["EXPIRED"]
    world.clock.advance(1.0)
    world.turn(5)
    assert world.types() == ["EXPIRED", "EXPIRED"]

    world.broker.clock = world.clock
    world.clock.advance(1.0)
    world.settle()
    assert world.statuses() == ["EXPIRED"]
    assert not world.memory().expired_s


@pytest.mark.parametrize("seconds", [-600.0, -2.001, 2.001, 600.0])
def test_a_clock_that_is_not_the_brokers_starts_nothing_appends_nothing_and_is_told(world: World, seconds: float) -> None:
    world.move_broker(seconds)
    world.publish(world.call(), world.call("int-2", expires_at_epoch=world.clock.now_ms // 1000 + 2_000))

    world.settle()

    assert world.types() == []
    assert world.process.meter.conditions[ON_TIME] is False
    assert TopicPartition(CALLS, 0) in world.process.reader.paused
    world.move_broker(0)
    world.settle()
    assert world.statuses() == ["SUCCEEDED", "SUCCEEDED"]
    assert world.process.meter.conditions[ON_TIME] is True


def test_a_clock_that_differs_by_little_is_no_reason_to_wait(world: World) -> None:
    world.move_broker(-1.9)
    world.publish(world.call())

    world.settle()

    assert world.statuses() == ["SUCCEEDED"]


@pytest.mark.parametrize("ahead_s", [-900.0, -1.5, 1.5, 900.0])
def test_a_deadline_is_asked_for_once_and_in_the_brokers_time(world: World, ahead_s: float) -> None:
    """A machine whose clock is an hour ahead must not fill the log with endings that have no effect."""
    world.switch(ENGAGED)
    call = world.call()
    world.publish(call)
    world.settle()
    broker_clock = world.move_broker(-ahead_s)
    to_go_s = call.expires_at_epoch - broker_clock.now_ms / 1000

    for clock in (world.clock, broker_clock):
        clock.advance(to_go_s - 0.1)
    world.turn(5)
    assert world.data(Expired) == []

    for clock in (world.clock, broker_clock):
        clock.advance(0.1)
    world.settle()
    assert len(world.data(Expired)) == 1
    assert world.statuses() == ["HELD", "EXPIRED"]
