"""How long things wait, and how long a way was: what the gauges and the end-to-end histogram are made of."""

from enact.intent_records import approved_at
from enact.records import SwitchState
from tests.unit.services.invocation.world import LOG, RESULTS, World

ENGAGED, RELEASED = SwitchState.ENGAGED, SwitchState.RELEASED


def test_the_age_of_the_oldest_that_waits_is_told_once_a_second(world: World) -> None:
    world.switch(ENGAGED)
    world.publish(world.call("int-1"))
    world.turn(3)
    world.clock.advance(30)
    world.publish(world.call("int-2"))
    world.turn(3)

    assert {word: round(age_s) for word, age_s in world.process.meter.ages.items()} == {"SWITCH": 30}

    world.switch(RELEASED)
    world.settle()
    world.clock.advance(1)
    world.turn()

    assert world.process.meter.ages == {}


def test_what_waited_on_disk_began_with_its_first_event(world: World) -> None:
    world.switch(ENGAGED)
    world.publish(world.call("int-1"))
    world.turn(3)
    world.clock.advance(30)
    world.switch(RELEASED)
    world.settle()

    first_ms = world.broker.records(LOG)[0].timestamp_ms
    assert [approved_at(result.headers) for result in world.broker.records(RESULTS)] == [first_ms, first_ms]
