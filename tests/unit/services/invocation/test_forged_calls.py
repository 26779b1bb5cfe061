"""A tool call that somebody wrote straight into the topic: no claim, no call, and the log says why."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from enact.errors import AmbiguousError
from enact.intent_text import intent_json
from enact.mapping import map_intent
from enact.records import Backoff, Refused, Step, SwitchState, ToolCall
from enact.records.intent import ApprovedIntent
from tests.approvals import Pair, Production
from tests.factories import make_intent, make_validated
from tests.hostile.approvals import HOSTILE_APPROVALS, HostileApproval, hostile_intent
from tests.unit.services.invocation.world import World


def call_for(world: World, intent: ApprovedIntent) -> ToolCall:
    """The call that tool mapping would make of it."""
    return map_intent(make_validated(intent, world.entries[0]), world.entries[0])


def ended_with(world: World) -> str:
    """The code of the only result there is; no call was made and none was permitted."""
    assert world.connector.calls == []
    assert world.types() == ["REFUSED"]
    (result,) = world.results()
    assert result.execute.error is not None
    return str(result.execute.error.code)


@pytest.fixture
def production(world: World, tmp_path: Path) -> Production:
    production = Production(tmp_path, world.clock)
    world.approvals = production.rules
    world.restart()
    return production


@pytest.mark.parametrize(
    "change",
    [
        {"arguments": '{"priority":"Normal","related_id":"001A","subject":"Pay Kim"}'},
        {"tool_name": "crm.delete_account"},
        {"idempotency_key": "another"},
        {"max_attempts": 99},
        {"intent": intent_json(make_intent(parameters='{"subject":"Pay Kim"}'))},
    ],
)
def test_another_call_than_its_intent_gives_is_never_claimed(world: World, change: dict[str, object]) -> None:
    world.publish(replace(call_for(world, make_intent()), **change))

    world.settle()

    assert ended_with(world) == "REQUEST_DRIFT"


@pytest.mark.parametrize("row", HOSTILE_APPROVALS[:12], ids=lambda row: row.name)
def test_a_call_with_a_hostile_approval_is_never_claimed(world: World, production: Production, row: HostileApproval) -> None:
    world.publish(call_for(world, hostile_intent(row, production.pair)))
    world.settle()

    assert ended_with(world) == "APPROVAL_INVALID"


def test_a_call_with_a_good_approval_is_made_once(world: World, production: Production) -> None:
    world.publish(call_for(world, production.pair.approve(make_intent())))
    world.settle()

    assert len(world.connector.calls) == 1


def test_an_approval_that_ends_while_its_call_is_held_permits_no_claim(world: World, production: Production) -> None:
    world.switch(SwitchState.ENGAGED)
    world.publish(call_for(world, production.pair.approve(make_intent())))
    world.settle()

    world.clock.advance(700)
    world.switch(SwitchState.RELEASED)
    world.settle()

    assert world.connector.calls == []
    assert world.types() == ["PARKED", "REFUSED"]
    assert [refused.code for refused in world.data(Refused)] == ["APPROVAL_INVALID"]


def test_a_key_that_is_withdrawn_while_its_call_is_held_permits_no_claim(world: World, production: Production) -> None:
    world.switch(SwitchState.ENGAGED)
    world.publish(call_for(world, production.pair.approve(make_intent())))
    world.settle()

    production.rotate(Pair("key-2"))
    world.clock.advance(1)
    world.switch(SwitchState.RELEASED)
    world.settle()

    assert world.connector.calls == []
    assert world.types() == ["PARKED", "REFUSED"]
    assert [refused.code for refused in world.data(Refused)] == ["APPROVAL_INVALID"]


def test_an_undoing_that_nobody_asked_for_is_never_claimed(world: World) -> None:
    world.publish(replace(call_for(world, make_intent()), step=Step.COMPENSATE, tool_name="crm.delete_account"))

    world.settle()

    assert world.connector.calls == []
    assert "CLAIMED" not in world.types()


def test_an_approval_that_ends_before_a_repeat_permits_none_and_leaves_the_doubt(world: World, production: Production) -> None:
    world.use_tool(backoff=Backoff(initial_ms=700_000, max_ms=700_000))
    world.connector.answers.append(AmbiguousError("The answer was lost."))
    world.publish(call_for(world, production.pair.approve(make_intent())))
    world.settle()

    world.clock.advance(1_500)
    world.settle()

    assert len(world.connector.calls) == 1
    assert [refused.code for refused in world.data(Refused)] == ["APPROVAL_INVALID"]
    assert world.statuses()[-1] == "IN_DOUBT"
