"""What is stopped, or runs out of time, while invocation is away makes no call when it comes back."""

import time

import pytest

from enact.command_answers import Recorded
from enact.records import LedgerType, Notification, NotificationKind, SignalType, Status
from tests.e2e.checker import ledger_types
from tests.e2e.intents import make_intent
from tests.e2e.test_doubt_and_stops import commands, switches
from tests.e2e.world import World

pytestmark = pytest.mark.timeout(300)


def has_entry(world: World, action_intent_id: str, type_: LedgerType) -> bool:
    return ledger_types(world)["acme", action_intent_id][type_] > 0


def test_a_cancel_acknowledged_while_invocation_is_down_leaves_no_later_receipt(world: World) -> None:
    switch = switches(world).engage("action_type:CREATE_OPPORTUNITY", reason="look first")
    world.sandbox.set_mode("throttle", subject="retrying", retry_after_s=15)
    world.sandbox.set_mode("hang_before", subject="called", hang_s=30, count=1)
    held = make_intent("held", "CREATE_OPPORTUNITY", parameters_={"name": "held", "stage_name": "Prospecting", "close_date": "2027-01-01"})
    retrying, called = (make_intent(name, parameters_={"subject": name}) for name in ("retrying", "called"))
    world.publish([held, retrying, called])
    world.wait_until(lambda: has_entry(world, "int-held", LedgerType.EXECUTION_HELD), 60, "a held execution")
    world.wait_until(lambda: has_entry(world, "int-retrying", LedgerType.RETRY_SCHEDULED), 60, "a retrying execution")
    world.wait_until(lambda: len(world.receipts()) == 2, 60, "a call under way")
    ids = ("int-held", "int-retrying", "int-called", "int-unread")

    with world.without("invocation"):
        world.publish([make_intent("unread")])
        world.wait_until(lambda: has_entry(world, "int-unread", LedgerType.TOOL_CALL_MAPPED), 60, "a call that nobody has read")
        answers = [commands(world).cancel(tenant_id="acme", action_intent_id=one, reason="stop", timeout_s=1.0) for one in ids]
        switches(world).release("action_type:CREATE_OPPORTUNITY", reason="all is well", engagement_id=switch.engagement_id)
        world.sandbox.clear_modes()
        receipts = len(world.receipts())
    outcomes = world.wait_for_outcomes(4, 120)
    time.sleep(16)
    world.wait_for_quiet()

    assert [type(answer) for answer in answers] == [Recorded] * 4
    assert len(world.receipts()) == receipts == 2
    assert {key[1]: outcome.status for key, outcome in outcomes.items()} == {
        "int-held": Status.CANCELLED,
        "int-retrying": Status.CANCELLED,
        "int-unread": Status.CANCELLED,
        "int-called": Status.IN_DOUBT,
    }
    assert all(has_entry(world, one, LedgerType.CANCEL_ACCEPTED) for one in ids)


def test_what_runs_out_of_time_is_expired_and_told_although_nothing_else_ever_comes(world: World) -> None:
    switches(world).engage("action_type:CREATE_OPPORTUNITY", reason="look first")
    world.sandbox.set_mode("throttle", subject="retrying", retry_after_s=600)
    opportunity = {"stage_name": "Prospecting", "close_date": "2027-01-01"}
    held = make_intent("held", "CREATE_OPPORTUNITY", lifetime_s=12, parameters_={"name": "held", **opportunity})
    retrying = make_intent("retrying", lifetime_s=12, parameters_={"subject": "retrying"})
    away = make_intent("away", "CREATE_OPPORTUNITY", lifetime_s=25, parameters_={"name": "away", **opportunity})
    world.publish([held, retrying, away])

    world.wait_for_outcomes(2, 60, {Status.EXPIRED})
    over_s = time.time()
    world.wait_until(lambda: has_entry(world, "int-away", LedgerType.EXECUTION_HELD), 30, "a held execution")
    with world.without("invocation"):
        world.publish([make_intent("unread", lifetime_s=10)])
        time.sleep(max(12.0, away.expires_at_epoch + 1 - time.time()))
    outcomes = world.wait_for_outcomes(4, 60, {Status.EXPIRED})
    world.wait_for_quiet()

    assert over_s - held.expires_at_epoch < 10
    assert {key[1] for key in outcomes} == {"int-held", "int-retrying", "int-away", "int-unread"}
    assert {outcome.error_code for outcome in outcomes.values()} == {"DEADLINE_PASSED"}
    told = {n.action_intent_id for n in world.records("notifications", Notification) if n.kind is NotificationKind.EXPIRED}
    assert told == {key[1] for key in outcomes}
    assert all(ledger_types(world)[key][LedgerType.ACTION_FAILED] == 1 for key in outcomes)
    assert {signal.type for signal in world.signals().values()} == {SignalType.ACTION_FAILED}
    assert len(world.receipts()) == 1
