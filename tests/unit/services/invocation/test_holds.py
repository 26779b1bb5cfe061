"""Switches, freshness, deadlines and the second look at what was approved: what is asked before a claim and again before the first byte."""

from collections import Counter

import pytest
from msgspec.structs import replace

from enact.kafka.transport import TopicPartition
from enact.records import ApprovalSource, Claimed, Parked, ParkReason, Refused, Released, SwitchMode, SwitchState
from enact.registry import RegistryView
from tests.factories import make_action_type, make_approval
from tests.unit.services.invocation.conftest import MakeWorld
from tests.unit.services.invocation.world import CALLS, IDEMPOTENT, LOG, STRANGER, World, a_claim, refused_call

ENGAGED, RELEASED = SwitchState.ENGAGED, SwitchState.RELEASED


def test_what_a_switch_stops_is_parked_once_and_waits_at_no_cost(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.switch(ENGAGED)
    world.publish(*(world.call(f"int-{n}") for n in range(30)))
    world.settle()
    assert [parked.reason for parked in world.data(Parked)] == [ParkReason.SWITCH] * 30
    assert world.statuses() == ["HELD"] * 30
    assert world.entries_written() == ["EXECUTION_HELD"] * 30
    asked: list[bytes] = []
    store = world.memory().store
    monkeypatch.setattr(store, "get", asked.append)

    world.turn(20)

    assert asked == []
    assert len(world.events()) == 30
    assert world.connector.calls == []


def test_what_was_held_goes_on_in_the_turn_after_the_release(world: World) -> None:
    world.switch(ENGAGED)
    world.publish(*(world.call(f"int-{n}") for n in range(30)))
    world.settle()

    world.switch(RELEASED)
    world.turn()

    assert len(world.data(Claimed)) == 30
    world.settle()
    assert len(world.connector.calls) == 30
    assert world.entries_written().count("EXECUTION_RELEASED") == 30
    released = next(entry for entry in world.ledger() if entry.type == "EXECUTION_RELEASED")
    assert released.status == "PENDING"


def test_a_switch_that_is_still_engaged_does_not_delay_what_another_one_held(world: World) -> None:
    """Both are held for one tenant and connector; the one that stays must not stand in the way of the other."""
    other = make_action_type(action_type="UPDATE_CRM_TASK")
    world.use(world.entries[0], other)
    world.switch(ENGAGED, scope="action_type:CREATE_CRM_TASK", engagement_id="stays")
    world.switch(ENGAGED, scope="global", engagement_id="goes")
    world.publish(*(world.call(f"int-{n:03}") for n in range(220)), world.call("int-999", entry=other))
    world.settle()

    world.switch(RELEASED, scope="global", engagement_id="goes")
    world.settle()

    assert [call.action_intent_id for call in world.connector.calls] == ["int-999"]


def test_a_switch_engaged_before_the_last_look_refuses_the_call(world: World) -> None:
    """Planted bug: the switch is looked at only at the gate."""
    world.publish(world.call())
    world.turn(2)

    world.switch(ENGAGED)
    world.calls()

    assert world.connector.calls == []
    assert [released.reason for released in world.data(Released)] == ["held by global:e-1"]
    world.clock.advance(1)
    world.settle()
    assert world.statuses() == ["HELD"]
    assert world.entries_written() == ["ATTEMPT_CLAIMED", "ATTEMPT_CONCLUDED", "EXECUTION_HELD"]
    world.switch(RELEASED)
    world.settle()
    assert world.statuses()[-1] == "SUCCEEDED"


def test_what_waits_is_counted_by_what_it_waits_for(world: World) -> None:
    world.switch(ENGAGED)
    world.publish(world.call("int-1"), world.call("int-2"))
    world.turn(3)
    world.clock.advance(0.5)
    world.turn()

    assert world.process.meter.waiting == {"SWITCH": 2}

    world.switch(RELEASED)
    world.settle()
    world.clock.advance(0.5)
    world.turn()

    assert +world.process.meter.waiting == Counter()


@pytest.mark.parametrize("scope", ["global", "tenant:acme", "action_type:CREATE_CRM_TASK", "connector:crm"])
def test_every_scope_of_a_call_stops_it(world: World, scope: str) -> None:
    world.switch(ENGAGED, scope=scope)
    world.publish(world.call())

    world.settle()

    assert world.statuses() == ["HELD"]


def test_a_switch_that_rejects_ends_the_execution(world: World) -> None:
    world.switch(ENGAGED, mode=SwitchMode.REJECT)
    world.publish(world.call())

    world.settle()

    assert [refused.code for refused in world.data(Refused)] == ["KILL_SWITCH_ENABLED"]
    assert world.statuses() == ["FAILED"]
    assert world.entries_written() == ["INTENT_REFUSED"]
    assert world.letters() == []


def test_a_switch_that_rejects_ends_also_what_another_one_holds(world: World) -> None:
    world.switch(ENGAGED)
    world.publish(world.call())
    world.settle()

    world.switch(ENGAGED, scope="tenant:acme", engagement_id="e-2", mode=SwitchMode.REJECT)
    world.settle()

    assert world.statuses() == ["HELD", "FAILED"]


def test_a_switch_that_rejects_at_the_last_look_releases_first(world: World) -> None:
    world.publish(world.call())
    world.turn(2)

    world.switch(ENGAGED, mode=SwitchMode.REJECT)
    world.calls()

    assert [released.reason for released in world.data(Released)] == ["KILL_SWITCH_ENABLED"]


def test_execution_that_is_switched_off_by_the_environment_holds_everything(world: World) -> None:
    world.is_enabled = False
    world.restart()
    world.publish(world.call())

    world.settle()

    assert world.data(Parked)[0].detail == "ENACT_EXECUTION_ENABLED"
    assert world.statuses() == ["HELD"]


def test_stale_switches_park_nothing_and_pause_the_inputs(world: World) -> None:
    world.switch(ENGAGED)
    world.turn()
    world.are_switches_reachable = False
    world.publish(world.call())
    world.clock.advance(2.1)

    world.turn(3)

    assert world.events() == []
    assert world.process.meter.conditions["switches are fresh"] is False
    assert TopicPartition(CALLS, 0) in world.process.reader.paused
    assert TopicPartition(LOG, 0) not in world.process.reader.paused
    world.publish(world.call("int-2"))
    world.turn(3)
    assert list(world.memory().pending) == [(b"4:acme5:int-1", world.call().step)]


def test_switches_that_can_be_read_again_let_everything_go_on(world: World) -> None:
    world.are_switches_reachable = False
    world.publish(world.call())
    world.turn(2)

    world.are_switches_reachable = True
    world.settle()

    assert world.statuses() == ["SUCCEEDED"]
    assert world.process.meter.conditions["switches are fresh"] is True
    assert world.process.reader.paused == frozenset()


@pytest.mark.parametrize(("seconds", "is_called"), [(2.0, True), (2.1, False)])
def test_no_call_starts_more_than_two_seconds_after_the_last_proof(world: World, seconds: float, is_called: bool) -> None:
    world.publish(world.call())
    world.turn(2)

    world.clock.advance(seconds)
    world.calls()

    assert bool(world.connector.calls) is is_called


def test_a_lease_that_does_not_cover_the_timeout_refuses_the_call(world: World) -> None:
    world.publish(world.call())
    world.turn(2)

    world.clock.advance(5.1)
    world.prove_fresh()
    world.calls()

    assert world.connector.calls == []
    assert [released.reason for released in world.data(Released)] == ["the lease does not cover the timeout"]


@pytest.mark.parametrize(
    "changes",
    [
        {"arguments": '{"priority":"High","subject":"Call Kim"}'},
        {"request_digest": "0" * 64},
        {"idempotency_key": "another"},
        {"tool_name": "crm.delete_everything"},
        {"account_id": "account-2"},
        {"connector": "sandbox"},
        {"effect_class": IDEMPOTENT},
        {"max_attempts": 50},
        {"timeout_ms": 60_000},
        {"expires_at_epoch": 1_790_009_000},
        {"intent": "{}"},
        {"intent": '{"half'},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_a_call_that_is_not_what_was_approved_is_refused_before_the_claim(world: World, changes: dict[str, object]) -> None:
    world.publish(replace(world.call(), **changes))

    world.settle()

    assert [refused.code for refused in world.data(Refused)] == ["REQUEST_DRIFT"]
    assert world.data(Claimed) == []
    assert world.connector.calls == []
    assert world.statuses() == ["FAILED"]
    assert world.letter_codes() == ["REQUEST_DRIFT"]


def test_a_call_without_a_valid_approval_is_refused_before_the_claim(world: World) -> None:
    world.publish(world.call(approval=make_approval(source=ApprovalSource.UNKNOWN)))

    world.settle()

    assert [refused.code for refused in world.data(Refused)] == ["APPROVAL_INVALID"]
    assert world.connector.calls == []
    assert world.letter_codes() == ["APPROVAL_INVALID"]


def test_a_registry_entry_that_was_not_read_yet_is_waited_for(world: World) -> None:
    call = world.call()
    world.registry = RegistryView()
    world.publish(call)
    world.settle()
    assert world.events() == []

    world.use(*world.entries)
    world.settle()

    assert world.statuses() == ["SUCCEEDED"]


def test_a_call_is_held_although_an_earlier_answer_is_unknown(world: World) -> None:
    """A same-key repeat is a call like any other."""
    world.publish(world.call())
    world.connector.answers.append(TimeoutError())
    world.turn(2)
    world.calls()
    world.switch(ENGAGED)
    world.settle()
    assert [parked.reason for parked in world.data(Parked)] == [ParkReason.SWITCH]
    assert len(world.connector.calls) == 1

    world.switch(RELEASED)
    world.settle()

    assert len(world.connector.calls) == 2
    assert world.statuses() == ["SUCCEEDED"]


def test_an_unread_claim_pauses_the_intake(world: World) -> None:
    world.publish(world.call())
    world.turn()
    world.process.reader.pause([TopicPartition(LOG, 0)])
    world.clock.advance(2.6)

    world.turn()
    assert TopicPartition(CALLS, 0) in world.process.reader.paused

    world.process.reader.resume([TopicPartition(LOG, 0)])
    world.turn()
    assert TopicPartition(CALLS, 0) not in world.process.reader.paused


def test_somebody_elses_claim_in_the_log_is_not_ours_to_repeat(world: World) -> None:
    call = world.call()
    world.publish(call)
    world.registry = RegistryView()
    world.turn()
    world.append(a_claim(call, owner=STRANGER), call=call)
    world.use(*world.entries)

    world.settle()

    assert world.connector.calls == []
    assert world.types().count("CLAIMED") <= 2


def test_a_refusal_from_upstream_needs_no_switch(make_world: MakeWorld) -> None:
    world = make_world()
    world.switch(ENGAGED)
    world.publish(refused_call(world.call()))

    world.settle()

    assert world.statuses() == ["FAILED"]
    assert world.entries_written() == []
    assert world.letters() == []
