"""Breakers in a whole stage: what they hold waits at no cost, expires, goes on by itself, and uses no attempt."""

from collections import Counter
from pathlib import Path

import pytest

from enact.errors import AuthError, RateLimitError, RejectedError, TransientError
from enact.metrics import BreakerState
from enact.records import Backoff, Claimed, Parked, ParkReason, Released, SwitchMode, SwitchState
from tests.factories import make_action_type
from tests.unit.services.invocation.fakes import APPLIED
from tests.unit.services.invocation.steps import AWAY, break_down, limited, run
from tests.unit.services.invocation.world import World

OPEN_S = 5.0
TRIALS = 3


def test_a_system_that_is_away_is_left_alone_and_nobody_uses_an_attempt(world: World) -> None:
    break_down(world)
    world.publish(*(world.call(f"int-{n:02}") for n in range(20)))
    world.publish(*(world.call(f"other-{n}", tenant_id="globex") for n in range(3)))
    world.settle()

    assert Counter(call.tenant_id for call in world.connector.calls) == {"acme": 5, "globex": 3}
    parked = [event for event in world.events() if isinstance(event.data, Parked)]
    assert len({event.action_intent_id for event in parked}) == len(parked) == 25
    assert {event.data.reason for event in parked if isinstance(event.data, Parked)} == {ParkReason.BREAKER}
    assert {event.data.detail for event in parked if isinstance(event.data, Parked)} == {"breaker:crm"}
    assert world.statuses().count("HELD") == 25

    run(world, OPEN_S + 3)

    assert Counter(world.statuses()) == {"HELD": 25, "SUCCEEDED": 28}
    claims = Counter(event.action_intent_id for event in world.events() if isinstance(event.data, Claimed))
    assert {name: count for name, count in claims.items() if count > 1} == {f"first-{n}": 2 for n in range(5)}
    assert world.letters() == []


def test_what_a_breaker_holds_waits_without_a_look_and_without_an_event(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    break_down(world)
    world.publish(*(world.call(f"int-{n}") for n in range(20)))
    world.settle()
    asked: list[bytes] = []
    events = len(world.events())
    with monkeypatch.context() as patch:
        patch.setattr(world.memory().store, "get", asked.append)

        world.turn(20)

    assert asked == []
    assert len(world.events()) == events


def test_what_is_held_and_meets_a_breaker_that_opened_a_moment_ago_is_not_told_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another thread may open it between the look at the kind and the look at the call. Planted bug: each meeting is parked."""
    break_down(world)
    world.settle()
    monkeypatch.setattr(world.process.gate, "_is_held_further", lambda *_: False)

    world.turn(5)

    assert len(world.data(Parked)) == 5
    assert len(world.connector.calls) == 5


def test_it_is_tried_with_a_few_calls_and_a_failure_leaves_the_others_where_they_are(world: World) -> None:
    break_down(world)
    world.publish(*(world.call(f"int-{n:02}") for n in range(20)))
    world.settle()
    held = [world.hold_answer() for _ in range(TRIALS)]

    run(world, OPEN_S + 1)

    assert len(world.connector.calls) == 5 + TRIALS
    parked = len(world.data(Parked))
    held[0].set_exception(AWAY)
    for answer in held[1:]:
        answer.set_result(APPLIED)
    run(world, 1)
    assert len(world.connector.calls) == 5 + TRIALS, "it is open again, for twice as long"
    assert len(world.data(Parked)) <= parked + 1, "only the one that failed is parked again"
    run(world, 2 * OPEN_S + 2)
    assert world.statuses().count("SUCCEEDED") == 25


def test_a_breaker_that_opens_before_the_last_look_refuses_the_call_and_keeps_no_permit(world: World) -> None:
    """Planted bugs: the breaker is looked at only at the gate; a refusal at the last look keeps the permit."""
    break_down(world)
    world.settle()
    world.clock.advance(OPEN_S)
    world.publish(*(world.call(f"int-{n:02}") for n in range(20)))
    first = world.hold_answer()
    looked: list[str] = []

    def fail_first(call: object) -> None:
        looked.append(str(call))
        if len(looked) == 2:
            first.set_exception(AWAY)
            world.process.permits.learn(world.call(), world.connector.calls[-1].nonce, AWAY)

    world.connector.before_last_look = fail_first
    world.turn(2)
    world.calls()

    assert [released.reason for released in world.data(Released)] == ["held by breaker:crm"] * (TRIALS - 1)
    world.connector.before_last_look = lambda _: None
    run(world, 2 * OPEN_S + 2)
    assert world.statuses().count("SUCCEEDED") == 25
    attempts = Counter(call.action_intent_id for call in world.connector.calls)
    assert attempts.total() == 25 + 5 + 1


def test_a_held_execution_expires_whatever_holds_it(world: World, tmp_path: Path) -> None:
    limited(world, tmp_path, "default: {rate_per_s: 0.0001}")
    break_down(world, 1)
    world.publish(world.call("limited"), world.call("away", tenant_id="globex"))
    world.settle()
    for _ in range(5):
        world.process.permits.learn(world.call(tenant_id="globex"), "n", AWAY)
    world.publish(world.call("away-too", tenant_id="globex"))
    world.settle()
    assert {parked.reason for parked in world.data(Parked)} == {ParkReason.LIMIT, ParkReason.BREAKER}

    world.clock.advance(3_600)
    world.settle()

    assert world.statuses().count("EXPIRED") == 3
    assert world.letters() == []


@pytest.mark.parametrize("answer", [RateLimitError("Slow."), RejectedError("No."), AuthError("Who?"), TransientError("Locked.")])
def test_what_a_system_answers_never_opens_its_breaker(world: World, answer: Exception) -> None:
    world.use_tool(max_attempts=1)
    world.publish(*(world.call(f"int-{n:02}") for n in range(40)))
    world.connector.answers.extend([answer] * 40)

    world.settle()

    assert len(world.connector.calls) == 40
    assert world.data(Parked) == []


def test_a_retry_that_meets_an_open_breaker_is_held_and_then_goes_on_counting(world: World) -> None:
    world.use_tool(max_attempts=4)
    world.publish(world.call("one"), world.call("two"))
    world.connector.answers.extend([AWAY] * 5)
    world.settle(12)
    run(world, 0.5)

    assert Counter(world.statuses()) == {"HELD": 2}
    run(world, OPEN_S + 1)

    assert Counter(world.statuses()) == {"HELD": 2, "SUCCEEDED": 2}
    assert len(world.connector.calls) == 7
    assert [len(world.fold(world.call(name)).execute.used_attempts) for name in ("one", "two")] in ([4, 3], [3, 4])
    assert world.letters() == []


def test_what_an_earlier_life_held_is_begun_with_a_few_calls(world: World) -> None:
    """A restart forgets the breaker; it must not let out a window full of calls at a system that may be away still."""
    break_down(world)
    world.publish(*(world.call(f"int-{n:02}") for n in range(20)))
    world.settle()

    world.restart()
    claimed = len(world.data(Claimed))
    world.connector.answers.extend([AWAY] * 20)
    world.settle()

    assert len(world.data(Claimed)) == claimed + TRIALS
    assert len(world.connector.calls) == 5 + 1, "the first failure opens it before the others are sent"
    world.connector.answers.clear()
    run(world, 2 * OPEN_S)
    assert world.statuses().count("SUCCEEDED") == 25


def test_a_switch_that_rejects_ends_what_a_breaker_holds(world: World) -> None:
    break_down(world)
    world.settle()
    assert world.statuses() == ["HELD"] * 5

    world.switch(SwitchState.ENGAGED, mode=SwitchMode.REJECT)
    world.settle()

    assert world.statuses().count("FAILED") == 5
    assert world.letters() == []


def test_what_a_breaker_holds_is_not_told_again_when_a_switch_holds_it_too(world: World) -> None:
    break_down(world)
    world.settle()
    parked = len(world.data(Parked))

    world.switch(SwitchState.ENGAGED)
    run(world, OPEN_S + 1)
    assert len(world.data(Parked)) == parked

    world.switch(SwitchState.RELEASED)
    run(world, 2)
    assert world.statuses().count("SUCCEEDED") == 5


def test_the_metrics_say_which_connectors_are_left_alone(world: World) -> None:
    break_down(world)
    run(world, 0.6)

    assert world.process.meter.breakers == {("crm", BreakerState.OPEN): 1}


def test_attempts_are_those_of_the_pinned_version_and_a_new_version_needs_no_restart(world: World) -> None:
    old = make_action_type(max_attempts=2, backoff=Backoff(initial_ms=0))
    new = make_action_type(registry_version=2, max_attempts=4, backoff=Backoff(initial_ms=0))
    world.use(old)
    before = world.call("before", entry=old)
    world.publish(before)
    world.turn()
    world.use(old, new)
    world.publish(world.call("after", entry=new))
    world.connector.answers.extend([TransientError("Later.")] * 20)

    world.settle(20)

    assert Counter(call.action_intent_id for call in world.connector.calls) == {"before": 2, "after": 4}
    assert Counter(world.letter_codes()) == {"RETRIES_EXHAUSTED": 2}
    assert world.statuses() == ["FAILED"] * 2
