"""Records that an operator's mistake loses on a real cluster: everything ends as it should, and nothing is done twice."""

from collections import Counter

from enact.records import ExecutionEvent, Expired, LedgerType, Notification, NotificationKind, ReturnedIntent, Status
from tests.e2e.checker import ledger_types, violations
from tests.e2e.conftest import MakeWorld
from tests.e2e.intents import TENANTS, make_intent
from tests.e2e.world import World

INTENTS = 12
SHORT = {
    "ENACT_RECONCILIATION__PENDING_S": "6",
    "ENACT_RECONCILIATION__OVERDUE_S": "6",
    "ENACT_RECONCILIATION__TOLD_S": "6",
    "ENACT_RECONCILIATION__EXPIRY_S": "4",
    "ENACT_RECONCILIATION__BACK_OFF_S": "1",
    "ENACT_RECONCILIATION__GRACE_S": "4",
}


def told(world: World, kind: NotificationKind) -> Counter[str | None]:
    """How often each execution was told of, repeats of one notification not counted."""
    kept = {one.notification_id: one.action_intent_id for one in world.records("notifications", Notification) if one.kind is kind}
    return Counter(kept.values())


def returned(world: World) -> Counter[tuple[str | None, int]]:
    """How often each execution was sent again by reconciliation, by generation."""
    sent = [one for one in world.records("intents.returned", ReturnedIntent) if one.cause == "RECONCILIATION"]
    return Counter((one.action_intent_id, one.generation) for one in sent)


def expired_by(world: World, actor: str) -> set[str]:
    return {event.action_intent_id for event in world.records("executions", ExecutionEvent) if _is_expired_by(event, actor)}


def _is_expired_by(event: ExecutionEvent, actor: str) -> bool:
    return isinstance(event.data, Expired) and event.actor == actor


def test_what_was_lost_between_the_stages_is_done_once_and_told(make_world: MakeWorld) -> None:
    kinds = ("CREATE_CRM_TASK", "SANDBOX_FIRE_ONCE", "CREATE_INTERNAL_NOTE")
    intents = [make_intent(n, kinds[n % 3], tenant_id=TENANTS[n % 3]) for n in range(2 * INTENTS)]
    unmapped, untold = intents[:INTENTS], intents[INTENTS:]
    world = make_world(without=("recording", "reconciliation"))
    world.publish(untold)
    world.wait_until(lambda: world.size("tool-results") >= INTENTS, 60, "results of all calls")
    world.stop()
    world.skip_to_end("recording")
    world = make_world(without=("tool_mapping", "recording", "reconciliation"), after=world)
    world.publish(unmapped)
    world.wait_until(lambda: world.size("intents.validated") >= 2 * INTENTS, 60, "admitted intents")
    world.stop()
    world.skip_to_end("tool_mapping")

    world = make_world(environ=SHORT, after=world)
    outcomes = world.wait_for_outcomes(2 * INTENTS, 90)
    world.wait_for_quiet()

    assert {outcome.status for outcome in outcomes.values()} == {Status.SUCCEEDED}
    assert violations(world, intents) == []
    assert len(world.receipts()) == sum(kind != "CREATE_INTERNAL_NOTE" for kind in kinds) * 2 * INTENTS // 3
    types = ledger_types(world)
    assert all({LedgerType.EXECUTION_STARTED, LedgerType.ACTION_EXECUTED} <= set(types[key]) for key in outcomes)
    assert set(returned(world)) == {(intent.action_intent_id, 1) for intent in intents}
    assert told(world, NotificationKind.ANOMALY) == Counter()


def test_what_no_repair_reaches_is_tried_five_times_told_once_and_expires_also_while_nobody_calls(make_world: MakeWorld) -> None:
    world = make_world(environ=SHORT, without=("tool_mapping", "invocation"))
    world.publish([make_intent("stuck"), make_intent("late", lifetime_s=15)])
    world.wait_until(lambda: told(world, NotificationKind.ANOMALY)["int-stuck"] == 1, 120, "a person is told")
    world.wait_until(lambda: expired_by(world, "enact.reconciliation") == {"int-late"}, 60, "the late one is expired")
    sent = returned(world)
    world.stop()

    world = make_world(environ=SHORT, after=world)
    outcomes = world.wait_for_outcomes(2, 90)
    world.wait_for_quiet()

    assert sent["int-stuck", 1] == 5
    assert {key[1]: outcome.status for key, outcome in outcomes.items()} == {"int-stuck": Status.SUCCEEDED, "int-late": Status.EXPIRED}
    assert len(world.receipts()) == 1
    assert told(world, NotificationKind.EXPIRED) == Counter({"int-late": 1})
    assert told(world, NotificationKind.ANOMALY) == Counter({"int-stuck": 1})
    assert LedgerType.ACTION_FAILED in ledger_types(world)["acme", "int-late"]
