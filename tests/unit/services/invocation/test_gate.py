"""The gate by itself: each check with its answer, in the order in which they count."""

import pytest
from msgspec.structs import replace

from enact.execution_state import Attempt, AttemptState, Evidence, Execution, StepState
from enact.records import ParkReason, Step, SwitchState, ToolCall
from services.invocation.gate import Answer, Gate, Hold, Request, Wait, deadline_ms_of
from tests.unit.services.invocation.world import ONCE, STRANGER, World


def an_attempt(world: World, **changes: object) -> Attempt:
    attempt = Attempt(
        number=1,
        nonce="n1",
        generation=1,
        owner=STRANGER,
        digest="d",
        effect_class=ONCE,
        max_attempts=3,
        claimed_ms=world.clock.now_ms,
        lease_ms=15_000,
    )
    return replace(attempt, **changes)


def an_execution(call: ToolCall, *attempts: Attempt, **changes: object) -> Execution:
    state = StepState(attempts=attempts)
    state = replace(state, generation=replace(state.generation, subject=call), **changes)
    return Execution(tenant_id=call.tenant_id, action_intent_id=call.action_intent_id, first_ms=0, execute=state)


def gate_of(world: World, **options: object) -> Gate:
    return Gate(world.process.watch, world.clock, is_enabled=True, **options)  # type: ignore[arg-type]


def test_a_stale_view_parks_nothing_whatever_it_shows(world: World) -> None:
    world.switch(SwitchState.ENGAGED)

    answer = gate_of(world).ask(world.call(), None, is_owned=True)

    assert answer == Wait("the switches cannot be read fresh")


def test_nothing_stands_against_a_call_that_is_due(world: World) -> None:
    world.prove_fresh()
    call = world.call()

    assert gate_of(world).ask(call, None, is_owned=True) is None
    assert gate_of(world).ask(call, an_execution(call, an_attempt(world)), is_owned=True, nonce="n1", lease_left_ms=10_000) is None


@pytest.mark.parametrize(
    ("attempts", "changes", "reason"),
    [
        ((), {}, "the claim is not open"),
        (({"state": AttemptState.UNKNOWN},), {}, "the claim is not open"),
        (({"nonce": "another"},), {}, "the claim is not open"),
        (({"generation": 2},), {}, "a stop was folded since"),
        (({},), {"evidence": (Evidence(state=AttemptState.APPLIED),)}, "something was applied since"),
        (({},), {"evidence": (Evidence(state=AttemptState.PARTIAL),)}, "something was applied since"),
    ],
)
def test_the_last_look_refuses_what_was_folded_against_the_claim(
    world: World, attempts: tuple[dict[str, object], ...], changes: dict[str, object], reason: str
) -> None:
    world.prove_fresh()
    call = world.call()
    execution = an_execution(call, *(an_attempt(world, **one) for one in attempts), **changes)

    assert gate_of(world).ask(call, execution, is_owned=True, nonce="n1", lease_left_ms=10_000) == Wait(reason)


def test_a_call_that_is_not_due_yet_waits(world: World) -> None:
    world.prove_fresh()
    call = world.call()
    execution = an_execution(call)
    later = replace(execution.execute.generation, due_ms=world.clock.now_ms + 1)
    execution = replace(execution, execute=replace(execution.execute, generation=later))

    assert gate_of(world).ask(call, execution, is_owned=True) == Wait("the fold asks for no claim now")
    world.clock.now_ms += 1
    assert gate_of(world).ask(call, execution, is_owned=True) is None


def test_a_partition_that_is_not_ours_starts_nothing(world: World) -> None:
    world.prove_fresh()

    assert gate_of(world).ask(world.call(), None, is_owned=False) == Wait("the partition is not ours")


def test_further_checks_have_their_place(world: World) -> None:
    world.prove_fresh()
    asked: list[Request] = []

    def breaker(request: Request) -> Answer:
        asked.append(request)
        return Hold(ParkReason.BREAKER, "crm")

    answer = gate_of(world, further=(breaker,)).ask(world.call(), None, is_owned=True)

    assert answer == Hold(ParkReason.BREAKER, "crm")
    assert len(asked) == 1


def test_a_compensation_expires_before_the_log_forgets_what_it_undoes(world: World) -> None:
    days = 86_400_000
    undo = replace(world.call(), step=Step.COMPENSATE, expires_at_epoch=world.clock.now_ms // 1000 + 90 * 86_400)
    began = Execution(tenant_id="acme", action_intent_id="int-1", first_ms=world.clock.now_ms)

    assert deadline_ms_of(undo, began) == world.clock.now_ms + 26 * days
    assert deadline_ms_of(replace(undo, step=Step.EXECUTE), began) == undo.expires_at_epoch * 1000
    assert deadline_ms_of(replace(undo, expires_at_epoch=0), None) == 0
