"""An answer is lost, by every class of promise: what is called again, what is asked, and what waits for a person."""

import time

import pytest
from msgspec.structs import replace

from connectors.catalogue import argument_schemas, registry_files
from enact.command_answers import Accepted
from enact.records import ActionType, EffectClass, EffectKind, ExternalRef, Fact, FactSource, LedgerType, Status
from enact.registry_commands import RegistryCommands
from enact.registry_file import read_entries
from tests.e2e.checker import ledger_types, violations
from tests.e2e.intents import make_intent
from tests.e2e.test_doubt_and_stops import command_door, commands
from tests.e2e.world import World

pytestmark = pytest.mark.timeout(300)

LEASE_S = 7.0
SETTLE_S = 3.0


def shipped(action_type: str) -> ActionType:
    """A registry entry as it ships."""
    schemas = argument_schemas()
    entries = [
        entry
        for name, file in registry_files(with_sandbox=True)
        for entry in read_entries(file.read_text(encoding="utf-8"), file=name, argument_schemas=schemas)
    ]
    return next(entry for entry in entries if entry.action_type == action_type)


def facts_of(world: World, action_intent_id: str) -> list[tuple[str, str]]:
    """(source, effect) of its facts, in the order of the log."""
    facts = [event.data for event in world.events() if event.action_intent_id == action_intent_id and isinstance(event.data, Fact)]
    return [(fact.source.value, fact.effect.value) for fact in facts]


def test_a_tool_that_remembers_keys_is_called_again_under_the_same_key_and_fires_once(world: World) -> None:
    world.sandbox.set_mode("drop_after", tool="sandbox.fire_keyed", count=1)
    intent = make_intent("keyed", "SANDBOX_FIRE_KEYED")

    world.publish([intent])
    outcome = world.wait_for_outcomes(1, 60, {Status.SUCCEEDED})["acme", "int-keyed"]

    receipts = world.receipts()
    assert outcome.attempt_count == len(receipts) == 2
    assert len({receipt["idempotency_key"] for receipt in receipts}) == 1
    assert len({receipt["attempt"] for receipt in receipts}) == 2
    assert [fire["id"] for fire in world.sandbox.objects(object_type="Fire")] == [outcome.external_object_refs[0].object_id]
    assert violations(world, [intent]) == []


def test_a_key_that_may_be_forgotten_is_not_used_again_and_the_execution_is_in_doubt(world: World) -> None:
    short = replace(
        shipped("SANDBOX_FIRE_KEYED"), registry_version=2, effect_class=EffectClass(kind=EffectKind.IDEMPOTENT, key_ttl_s=6), created_at=1
    )
    RegistryCommands(command_door(world)).apply([short])
    time.sleep(2)
    world.sandbox.set_mode("drop_after", tool="sandbox.fire_keyed", count=1)
    intent = make_intent("forgotten", "SANDBOX_FIRE_KEYED", registry_version=2)

    world.publish([intent])
    outcome = world.wait_for_outcomes(1, 60)["acme", "int-forgotten"]
    world.wait_for_quiet()

    assert (outcome.status, outcome.error_code) == (Status.IN_DOUBT, "OUTCOME_UNKNOWN")
    assert len(world.receipts()) == 1
    assert facts_of(world, "int-forgotten") == [("CALL", "UNKNOWN"), ("TAKE_OVER", "UNKNOWN")]
    assert ledger_types(world)["acme", "int-forgotten"][LedgerType.DOUBT_RAISED] == 1


def test_a_tool_that_can_be_asked_is_asked_and_what_it_has_counts_without_a_second_call(world: World) -> None:
    world.sandbox.set_mode("drop_after", tool="sandbox.fire_named", count=1)
    intent = make_intent("named", "SANDBOX_FIRE_NAMED")

    world.publish([intent])
    outcome = world.wait_for_outcomes(1, 60, {Status.SUCCEEDED})["acme", "int-named"]

    assert outcome.attempt_count == len(world.receipts()) == 1
    assert len(world.sandbox.receipts(kind="read")) >= 1
    assert [ref.object_id for ref in outcome.external_object_refs] == [fire["id"] for fire in world.sandbox.objects(object_type="Fire")]
    assert facts_of(world, "int-named") == [("CALL", "UNKNOWN"), ("LOOKUP", "APPLIED")]
    assert violations(world, [intent]) == []


def test_what_is_not_found_counts_only_after_the_settle_time_and_then_it_is_called_again(world: World) -> None:
    world.sandbox.set_mode("drop_before", tool="sandbox.fire_named", count=1)
    intent = make_intent("absent", "SANDBOX_FIRE_NAMED")

    world.publish([intent])
    outcome = world.wait_for_outcomes(1, 90, {Status.SUCCEEDED})["acme", "int-absent"]

    first, second = world.receipts()
    assert outcome.attempt_count == 2
    assert second["at_ms"] - first["at_ms"] >= 1000 * (LEASE_S + SETTLE_S) - 500
    assert len(world.sandbox.objects(object_type="Fire")) == 1
    assert facts_of(world, "int-absent")[-2:] == [("LOOKUP", "NOT_APPLIED"), ("CALL", "APPLIED")]
    assert violations(world, [intent]) == []


def test_what_appears_only_after_the_first_look_up_is_found_by_a_later_one(world: World) -> None:
    world.sandbox.set_mode("slow", tool="sandbox.fire_named", hang_s=6, count=1)
    intent = make_intent("late", "SANDBOX_FIRE_NAMED")

    world.publish([intent])
    outcome = world.wait_for_outcomes(1, 90, {Status.SUCCEEDED})["acme", "int-late"]

    assert outcome.attempt_count == len(world.receipts()) == 1
    assert len(world.sandbox.objects(object_type="Fire")) == 1
    assert facts_of(world, "int-late")[-1] == ("LOOKUP", "APPLIED")
    assert ("LOOKUP", "NOT_APPLIED") not in facts_of(world, "int-late")


def test_a_tool_that_refuses_to_be_asked_leaves_it_in_doubt_and_a_person_ends_that(world: World) -> None:
    world.sandbox.set_mode("drop_after", tool="sandbox.fire_named", count=1)
    world.sandbox.set_mode("reject", on="read")
    intent = make_intent("deaf", "SANDBOX_FIRE_NAMED")

    world.publish([intent])
    world.wait_for_outcomes(1, 60, {Status.IN_DOUBT})
    found = world.sandbox.objects(object_type="Fire")[0]["id"]
    told = [entry for entry in world.ledger().values() if entry.type is LedgerType.DOUBT_RAISED]
    ref = ExternalRef(system="sandbox", object_type="Fire", object_id=found)
    answer = commands(world).resolve(tenant_id="acme", action_intent_id="int-deaf", is_applied=True, reason="it is there", refs=(ref,))
    outcome = world.wait_for_outcomes(1, 30, {Status.SUCCEEDED})["acme", "int-deaf"]

    assert (told[0].details["natural_key"], told[0].details["look_ups"]) == ("reference", "1")
    assert isinstance(answer, Accepted)
    assert outcome.external_object_refs == (ref,)
    assert len(world.receipts()) == 1
    resolved = [entry for entry in world.ledger().values() if entry.type is LedgerType.DOUBT_RESOLVED]
    assert [(entry.details["reason"], entry.details["by"], entry.actor) for entry in resolved] == [
        ("it is there", FactSource.HUMAN.value, "kim")
    ]
