"""The window is bounded and shared: a quarter for one tenant and connector, turns for all, and a queue on disk for the rest."""

from collections import Counter
from functools import partial

import pytest

from enact.kafka.transport import TopicPartition
from enact.records import Backoff, Claimed, Parked, ParkReason
from services.invocation import due_work, owner, stage
from services.invocation import window as window_module
from services.invocation.window import Slot, Turns, Window, group_of
from tests.factories import make_action_type
from tests.unit.services.invocation.conftest import MakeWorld
from tests.unit.services.invocation.fakes import APPLIED
from tests.unit.services.invocation.world import CALLS, World


def in_flight(world: World) -> Counter[str]:
    return world.process.window.shares()


def flood(world: World, tenant: str, count: int, *, start: int = 0) -> None:
    world.publish(*(world.call(f"{tenant}-{n:05}", tenant_id=tenant) for n in range(start, start + count)))


def test_one_tenant_and_connector_hold_at_most_a_quarter_of_the_window(make_world: MakeWorld) -> None:
    world = make_world(window=40)
    flood(world, "slow", 100)

    world.turn(6)

    assert in_flight(world) == {"slow|crm": 10}


def test_a_slow_tenant_with_thousands_of_intents_starves_nobody(make_world: MakeWorld) -> None:
    world = make_world(window=8)
    flood(world, "slow", 1_500)
    world.turn(8)
    held = [world.hold_answer() for _ in range(2)]
    world.calls()
    assert in_flight(world) == {"slow|crm": 2}

    flood(world, "quick", 5)
    world.clock.advance(owner.PATIENCE_S)
    world.settle(12)

    assert [call.tenant_id for call in world.connector.calls].count("quick") == 5
    assert in_flight(world) == {"slow|crm": 2}
    assert len(held) == 2


def test_a_full_window_of_four_slow_tenants_lets_the_fifth_have_its_turn(make_world: MakeWorld) -> None:
    world = make_world(window=8)
    for tenant in ("a", "b", "c", "d"):
        flood(world, tenant, 50)
    world.turn(3)
    answers = [world.hold_answer() for _ in range(8)]
    world.calls()
    assert in_flight(world) == {"a|crm": 2, "b|crm": 2, "c|crm": 2, "d|crm": 2}
    flood(world, "late", 3)
    world.turn()

    answers[0].set_result(APPLIED)
    world.calls()
    world.turn()

    assert in_flight(world)["late|crm"] == 1


def test_what_waits_on_disk_has_its_turn_beside_what_waits_in_memory(make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """The queue of one tenant is served although others have calls in memory for every free slot."""
    world = make_world(window=4)
    with monkeypatch.context() as patch:
        patch.setattr(stage, "MAX_PENDING_PER_GROUP", 1)
        flood(world, "queued", 30)
        world.turn(2)
    for tenant in ("b", "c", "d", "e", "f"):
        flood(world, tenant, 40)

    world.settle(60)

    counts = Counter(call.tenant_id for call in world.connector.calls)
    assert sum(counts.values()) >= 60
    assert min(counts[tenant] for tenant in ("queued", "b", "c", "d", "e", "f")) >= 8


def test_overflow_is_parked_without_a_word_and_runs_in_order(make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage, "MAX_PENDING_PER_GROUP", 3)
    world = make_world(window=4)
    for n in range(8):
        flood(world, "acme", 1, start=n)
        world.clock.now_ms += 1

    world.turn()
    assert [parked.reason for parked in world.data(Parked)] == [ParkReason.QUEUE] * 5
    world.settle(40)

    assert [call.action_intent_id for call in world.connector.calls] == [f"acme-{n:05}" for n in range(8)]
    assert world.statuses() == ["SUCCEEDED"] * 8
    assert set(world.entries_written()) == {"ATTEMPT_CLAIMED", "ATTEMPT_CONCLUDED"}
    assert world.memory().queue_length == 0


def test_nobody_overtakes_the_queue_of_its_own_tenant(make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage, "MAX_PENDING_PER_GROUP", 1)
    world = make_world(window=4)
    flood(world, "acme", 3)
    world.turn(2)
    held = world.hold_answer()
    world.calls()

    world.clock.now_ms += 1
    flood(world, "acme", 1, start=3)
    flood(world, "other", 1)
    world.turn()

    assert len(world.data(Parked)) == 3
    assert list(world.memory().pending) == [(b"5:other11:other-00000", world.call().step)] or len(world.data(Claimed)) == 2
    held.set_result(APPLIED)
    world.settle(20)
    assert [call.action_intent_id for call in world.connector.calls if call.tenant_id == "acme"][-1] == "acme-00003"


def test_many_tenants_together_do_not_fill_the_memory(make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage, "MAX_PENDING", 5)
    world = make_world()
    world.are_switches_reachable = False
    world.publish(*(world.call(f"int-{n}", tenant_id=f"t{n}") for n in range(9)))

    world.turn(2)

    assert world.process.memories.backlog.total() == 5
    assert len(world.data(Parked)) == 4


def test_a_full_queue_pauses_the_intake_of_its_partition_until_half_of_it_is_gone(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage, "MAX_PENDING_PER_GROUP", 1)
    monkeypatch.setattr(stage, "MAX_QUEUED", 6)
    monkeypatch.setattr(owner, "MAX_QUEUED", 6)
    world = make_world(window=4)
    flood(world, "acme", 8)
    world.turn(2)
    assert len(world.data(Parked)) == 6
    assert world.process.reader.paused == {TopicPartition(CALLS, 0)}
    assert world.memory().queue_length == 6

    for _ in range(40):
        if world.process.reader.paused:
            world.calls()
            world.turn()

    assert 0 < world.memory().queue_length < 3
    world.settle(30)
    assert len(world.connector.calls) == 8


def test_too_much_in_memory_pauses_every_intake(make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage, "MAX_QUEUED", 0)
    monkeypatch.setattr(owner, "MAX_QUEUED", 1)
    monkeypatch.setattr(owner, "MAX_PENDING", 2)
    world = make_world(window=4)
    flood(world, "acme", 6)
    world.turn()
    assert world.process.reader.paused == {TopicPartition(CALLS, 0)}

    world.settle(20)

    assert world.process.reader.paused == frozenset()
    assert len(world.connector.calls) == 6


def test_a_queue_is_counted_again_when_its_partition_comes_back(make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage, "MAX_PENDING_PER_GROUP", 1)
    world = make_world(window=4)
    flood(world, "acme", 6)
    world.turn(2)
    assert world.memory().queue_length == 5

    world.restart()
    world.turn(2)

    assert world.memory().queue_length >= 4
    assert world.memory().has_queue(group_of("acme", "crm"))


def test_an_input_that_overflows_in_a_failed_batch_is_parked_once(make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage, "MAX_PENDING_PER_GROUP", 1)
    world = make_world(window=4)
    flood(world, "acme", 3)
    world.broker.fail_next_deliveries(1, is_stored=True)

    world.turn()
    world.settle(20)

    assert world.process.meter.rewinds == 1
    parked = [event.event_id for event in world.events() if event.type == "PARKED"]
    assert len(set(parked)) == 2
    assert len(world.connector.calls) == 3


def test_groups_beyond_one_page_have_their_turn_too(make_world: MakeWorld) -> None:
    world = make_world(window=4)
    world.are_switches_reachable = False
    world.publish(*(world.call(f"int-{n:03}", tenant_id=f"tenant-{n:03}") for n in range(70)))
    world.turn()
    world.are_switches_reachable = True
    world.connector.answers.extend([TimeoutError()] * 70)
    world.settle(90)

    assert len({call.action_intent_id for call in world.connector.calls}) == 70
    assert world.statuses().count("SUCCEEDED") == 70


def test_the_next_slot_goes_to_whoever_was_served_longest_ago() -> None:
    window = Window(4)
    turns = Turns(window)
    order: list[str] = []

    def act(group: str) -> bool:
        order.append(group)
        window.take(f"{group}-{len(order)}", Slot(group, b""))
        return True

    for freed in range(1, 8):
        assert turns.serve({group: iter([partial(act, group)] * 9) for group in ("a", "b", "c", "d", "e")})
        window.give_back(f"{order[freed - 1]}-{freed}")

    assert order == ["a", "b", "c", "d", "e", "a", "b", "c", "d", "e"]


def test_a_turn_that_starts_nothing_takes_no_slot() -> None:
    window = Window(4)
    turns = Turns(window)

    is_contended = turns.serve({"a": iter([lambda: False] * 3), "b": iter(())})

    assert not is_contended
    assert window.room == 4


def test_who_has_its_share_waits_for_its_own() -> None:
    window = Window(8)
    window.take("1", Slot("a", b"k1"))
    window.take("2", Slot("a", b"k2"))

    assert Turns(window).serve({"a": iter([lambda: True])})
    assert window.keys() == {b"k1", b"k2"}
    assert window.has("1")


def test_the_memory_of_turns_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(window_module, "_MAX_REMEMBERED", 2)
    window = Window(100)
    turns = Turns(window)

    for n in range(5):
        turns.serve({f"g{n}": iter([lambda: True])})

    assert len(turns._served) <= 2


def test_while_calls_end_as_fast_as_they_come_inputs_wait_and_nothing_is_parked(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owner, "CROWDED_GROUP", 10)
    world = make_world(window=8)
    flood(world, "acme", 12)
    world.turn()
    assert world.process.owner.paused() == [TopicPartition(CALLS, 0)]

    flood(world, "acme", 5, start=12)
    world.settle(20)

    assert len(world.connector.calls) == 17
    assert world.data(Parked) == []
    assert world.process.owner.paused() == []


def test_if_it_stays_crowded_inputs_flow_again_after_a_second(make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owner, "CROWDED_GROUP", 10)
    world = make_world(window=8)
    flood(world, "slow", 12)
    world.turn()
    assert world.process.owner.paused() == [TopicPartition(CALLS, 0)]

    world.clock.advance(owner.PATIENCE_S)

    assert world.process.owner.paused() == []


def test_calls_that_wait_for_a_registry_entry_hold_up_nobody_behind_them(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(due_work, "_MAX_FIRED", 3)
    monkeypatch.setattr(stage, "MAX_PENDING_PER_GROUP", 0)
    known, missing = world.entries[0], make_action_type(action_type="NOT_READ_YET", backoff=Backoff(initial_ms=0))
    world.publish(*(world.call(f"int-{number}", entry=missing) for number in range(7)))
    world.publish(*(world.call(f"later-{number}", entry=known) for number in range(2)))

    world.settle(20)
    called_first = len(world.connector.calls)
    world.use(known, missing)
    world.settle(20)

    assert called_first == 2, "they stand behind what waits for ever"
    assert len(world.connector.calls) == 9
