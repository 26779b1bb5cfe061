"""A dead letter whose cause was mended runs again, as its own execution's next generation."""

import time

import pytest
from msgspec.structs import replace

from enact.command_answers import Accepted
from enact.dead_letters import Course, DeadLetters
from enact.records import LedgerType, Status
from enact.registry_commands import RegistryCommands
from tests.e2e.checker import ledger_types, violations
from tests.e2e.intents import make_intent
from tests.e2e.test_doubt_and_stops import command_door
from tests.e2e.test_effect_classes import shipped
from tests.e2e.world import World
from topology.stages import dead_letters

pytestmark = pytest.mark.timeout(300)


def test_an_intent_of_an_unknown_action_type_runs_once_its_entry_is_there(world: World) -> None:
    intent = make_intent("early", "FIRE_LATER", parameters_={"label": "early"})
    world.publish([intent])
    world.wait_for_outcomes(1, 60, {Status.FAILED})
    letters = DeadLetters(
        command_door(world),
        stage="validation",
        topic=world.platform.topic(dead_letters("validation")),
        returned=world.platform.topic("intents.returned"),
    )
    (letter,) = letters.all()
    RegistryCommands(command_door(world)).apply([replace(shipped("SANDBOX_FIRE_ONCE"), action_type="FIRE_LATER")])
    time.sleep(2)

    plan = letters.plan(letter)
    answer = letters.redrive(letter, reason="the entry is there now")
    outcome = world.wait_for_outcomes(1, 60, {Status.SUCCEEDED})["acme", "int-early"]
    world.wait_for_quiet()

    assert (letter.code, letter.action_intent_id, plan.course) == ("UNKNOWN_ACTION_TYPE", "int-early", Course.COMMAND)
    assert isinstance(answer, Accepted)
    assert (outcome.generation, outcome.attempt_count, len(world.receipts())) == (2, 1, 1)
    assert ledger_types(world)["acme", "int-early"][LedgerType.DEAD_LETTER_DISPOSED] == 1
    assert violations(world, [intent]) == []
