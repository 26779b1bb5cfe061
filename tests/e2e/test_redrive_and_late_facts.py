"""A failed execution runs again, and what comes to light late is believed."""

import time
from typing import Any

import pytest

from enact.command_answers import Accepted, InDoubt, Refused, TooLate
from enact.records import ExternalRef, LedgerType, Notification, NotificationKind, SignalType, Status
from tests.e2e.checker import ledger_types, violations
from tests.e2e.intents import make_intent
from tests.e2e.test_doubt_and_stops import commands
from tests.e2e.world import World

pytestmark = pytest.mark.timeout(300)

CRM_LEASE_S = 15
FIRE_LEASE_S = 10


def test_a_failed_execution_runs_again_under_the_same_key_once_its_calls_time_is_over(world: World) -> None:
    world.sandbox.set_mode("reject", subject="again", count=1)
    intent = make_intent("again", parameters_={"subject": "again"})
    world.publish([intent])
    world.wait_for_outcomes(1, 60, {Status.FAILED})

    early = commands(world).redrive(tenant_id="acme", action_intent_id="int-again", reason="the rule was lifted")
    time.sleep(CRM_LEASE_S)
    accepted = commands(world).redrive(tenant_id="acme", action_intent_id="int-again", reason="the rule was lifted")
    outcome = world.wait_for_outcomes(1, 60, {Status.SUCCEEDED})["acme", "int-again"]
    late = commands(world).redrive(tenant_id="acme", action_intent_id="int-again", reason="once more")
    world.wait_for_quiet()

    assert isinstance(early, Refused)
    assert "could still arrive" in early.message
    assert isinstance(accepted, Accepted)
    assert isinstance(late, TooLate)
    assert (outcome.generation, outcome.attempt_count) == (2, 2)
    receipts = world.receipts()
    assert len(receipts) == 2
    assert len({receipt["idempotency_key"] for receipt in receipts}) == 1
    types = ledger_types(world)["acme", "int-again"]
    assert (types[LedgerType.REDRIVE_ACCEPTED], types[LedgerType.REDRIVE_REFUSED], types[LedgerType.EXECUTION_STARTED]) == (1, 2, 2)
    assert sorted(signal.type for signal in world.signals().values()) == [SignalType.ACTION_EXECUTED, SignalType.ACTION_FAILED]
    assert violations(world, [intent]) == []


def test_a_person_is_believed_only_after_the_calls_time_and_evidence_overrides_what_they_said(world: World) -> None:
    world.sandbox.set_mode("drop_after", tool="sandbox.fire_once", count=1)
    world.publish([make_intent("late", "SANDBOX_FIRE_ONCE")])
    world.wait_for_outcomes(1, 60, {Status.IN_DOUBT})
    who: dict[str, Any] = {"tenant_id": "acme", "action_intent_id": "int-late"}

    too_early = commands(world).resolve(**who, is_applied=False, reason="not there")
    in_doubt = commands(world).redrive(**who, reason="hurry")
    time.sleep(FIRE_LEASE_S)
    denied = commands(world).resolve(**who, is_applied=False, reason="not there")
    world.wait_for_outcomes(1, 30, {Status.FAILED})
    signals_before = {signal.type for signal in world.signals().values()}
    ref = ExternalRef(system="sandbox", object_type="Fire", object_id=world.sandbox.objects(object_type="Fire")[0]["id"])
    contradicted = commands(world).resolve(**who, is_applied=True, reason="it was there after all", refs=(ref,))
    outcome = world.wait_for_outcomes(1, 30, {Status.SUCCEEDED})["acme", "int-late"]
    world.wait_for_quiet()

    assert isinstance(too_early, InDoubt)
    assert "its lease is not over" in too_early.message
    assert isinstance(in_doubt, InDoubt)
    assert (isinstance(denied, Accepted), signals_before) == (True, {SignalType.ACTION_FAILED})
    assert isinstance(contradicted, Accepted)
    assert outcome.external_object_refs == (ref,)
    assert ledger_types(world)["acme", "int-late"][LedgerType.OUTCOME_CONTRADICTED] == 1
    told = {n.notification_id for n in world.records("notifications", Notification) if n.kind is NotificationKind.OUTCOME_CONTRADICTED}
    assert len(told) == 1
    assert {signal.type for signal in world.signals().values()} == {SignalType.ACTION_FAILED, SignalType.ACTION_EXECUTED}
    assert len(world.receipts()) == 1
