"""Stopping starts nothing, lets what was sent come back, and writes what was learned."""

import threading
from collections.abc import Callable

import pytest

from enact.records import Fact, Released
from services.invocation import caller
from tests.unit.services.invocation.fakes import APPLIED
from tests.unit.services.invocation.world import STRANGER, World, a_claim


def test_a_stage_with_nothing_in_flight_stops_at_once(world: World) -> None:
    world.turn()

    assert world.process.owner.stop()


def test_a_claim_that_is_read_back_while_stopping_is_released(world: World) -> None:
    world.publish(world.call())
    world.turn()

    assert not world.process.owner.stop()
    world.turn()
    world.calls()

    assert world.connector.calls == []
    assert [released.reason for released in world.data(Released)] == ["not ours to start any more"]
    assert world.process.owner.stop()


def test_a_call_that_was_not_sent_when_the_stop_came_is_released(world: World) -> None:
    world.publish(world.call())
    world.turn(2)

    world.process.owner.stop()
    world.calls()

    assert world.connector.calls == []
    assert len(world.data(Released)) == 1
    assert world.process.owner.stop()


def test_a_call_in_flight_is_waited_for_and_its_fact_is_written(world: World) -> None:
    world.publish(world.call())
    world.turn(2)
    answer = world.hold_answer()
    world.calls()

    assert not world.process.owner.stop()
    world.turn()
    answer.set_result(APPLIED)
    world.calls()

    assert len(world.data(Fact)) == 1
    assert world.process.owner.stop()


def test_stopping_claims_fires_and_reads_nothing_new(world: World) -> None:
    call = world.call("int-2")
    world.append(a_claim(call, owner=STRANGER), call=call, subject=call)
    world.turn()
    world.process.owner.stop()
    world.publish(world.call())
    world.turn()
    world.clock.advance(60)
    world.turn(3)

    assert world.types() == ["CLAIMED"]
    assert world.process.reader.paused


def test_the_whole_loop_drains_and_commits(world: World) -> None:
    world.publish(world.call())
    world.turn(2)
    answer = world.hold_answer()
    world.calls()
    stop = threading.Event()
    stop.set()
    turn: Callable[[], int] = world.process.loop.turn

    def with_an_answer() -> int:
        if not answer.done():
            answer.set_result(APPLIED)
        world.calls()
        return turn()

    world.process.loop.turn = with_an_answer  # type: ignore[method-assign]
    world.process.loop.run(stop)

    assert world.types() == ["CLAIMED", "FACT"]


def test_a_fact_is_appended_with_the_same_event_id_until_it_is_acknowledged(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caller, "_REAPPEND_AFTER_S", 0)
    world.publish(world.call())
    world.turn(2)
    world.broker.fail_next_deliveries(3, is_stored=True)

    for _ in range(5):
        world.calls()

    facts = [event for event in world.events() if event.type == "FACT"]
    assert len(facts) == 4
    assert len({event.event_id for event in facts}) == 1
    assert len(world.connector.calls) == 1
    assert len(world.process.window) == 0
    world.settle()
    assert world.statuses() == ["SUCCEEDED"]
    assert world.entries_written() == ["ATTEMPT_CLAIMED", "ATTEMPT_CONCLUDED"]


def test_the_place_in_the_window_is_kept_until_the_fact_is_acknowledged(world: World) -> None:
    world.publish(world.call())
    world.turn(2)
    world.broker.fail_next_deliveries(1)

    world.calls()

    assert len(world.process.window) == 1
    assert not world.process.owner.stop()
