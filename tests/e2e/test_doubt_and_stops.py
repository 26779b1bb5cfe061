"""Answers that get lost, people who resolve, stop and cancel."""

import time
from collections import Counter

from enact.clock import SystemClock
from enact.command_answers import Accepted, TooLate
from enact.command_door import CommandDoor, CommandTopics
from enact.commands import Commands
from enact.kafka.client import KafkaWriter
from enact.kafka.log_reader import LogReader
from enact.records import EventType, LedgerType, Notification, NotificationKind, Status
from enact.switch_commands import SwitchCommands
from tests.e2e.checker import ledger_types, violations
from tests.e2e.intents import make_intent
from tests.e2e.world import World


def command_door(world: World) -> CommandDoor:
    names = {short: world.platform.topic(short) for short in ("ledger", "executions", "switches", "registry")}
    kafka = world.platform.kafka
    return CommandDoor(
        writer=KafkaWriter(kafka), open_reader=lambda: LogReader(kafka), topics=CommandTopics(**names), clock=SystemClock(), actor="kim"
    )


def commands(world: World) -> Commands:
    return Commands(command_door(world))


def switches(world: World) -> SwitchCommands:
    return SwitchCommands(command_door(world))


def test_an_answer_lost_after_an_upsert_was_applied_ends_succeeded_with_one_object(world: World) -> None:
    world.sandbox.set_mode("drop_after", subject="lost answer", count=1)
    intent = make_intent("lost", parameters_={"subject": "lost answer"})

    world.publish([intent])
    outcomes = world.wait_for_outcomes(1, 60, {Status.SUCCEEDED})

    assert outcomes["acme", "int-lost"].attempt_count == 2
    assert len(world.receipts()) == 2
    assert len(world.sandbox.objects(object_type="Task")) == 1
    assert violations(world, [intent]) == []


def test_an_answer_lost_by_a_tool_without_any_promise_is_in_doubt_called_once_and_resolved_by_a_person(world: World) -> None:
    world.sandbox.set_mode("drop_after", subject="fire", count=1)
    intent = make_intent("fire", "SANDBOX_FIRE_ONCE")

    world.publish([intent])
    outcome = world.wait_for_outcomes(1, 60, {Status.IN_DOUBT})["acme", "int-fire"]
    time.sleep(3)

    assert len(world.receipts()) == 1, "a call without any promise was made again"
    assert outcome.error_code == "OUTCOME_UNKNOWN"
    assert outcome.error_message is not None
    assert "enact resolve" in outcome.error_message
    assert world.signals() == {}
    told = [n for n in world.records("notifications", Notification) if n.kind is NotificationKind.IN_DOUBT]
    assert len({n.notification_id for n in told}) == 1

    answer = commands(world).resolve(
        tenant_id="acme", action_intent_id="int-fire", is_applied=True, reason="it stands in the sandbox", refs=()
    )
    resolved = world.wait_for_outcomes(1, 30, {Status.SUCCEEDED})

    assert isinstance(answer, Accepted)
    assert resolved["acme", "int-fire"].status is Status.SUCCEEDED
    assert len(world.receipts()) == 1
    assert len(world.signals()) == 1
    assert ledger_types(world)["acme", "int-fire"][LedgerType.DOUBT_RESOLVED] == 1


def test_a_crm_that_is_down_for_a_while_is_tried_again_and_one_that_stays_down_exhausts_the_attempts(world: World) -> None:
    world.sandbox.set_mode("fail_before", status=503, subject="comes back", count=2)
    world.sandbox.set_mode("fail_before", status=503, subject="stays down")
    back, down = make_intent("back", parameters_={"subject": "comes back"}), make_intent("down", parameters_={"subject": "stays down"})

    world.publish([back, down])
    outcomes = world.wait_for_outcomes(2, 120)

    assert outcomes["acme", "int-back"].status is Status.SUCCEEDED
    assert outcomes["acme", "int-back"].attempt_count == 3
    exhausted = outcomes["acme", "int-down"]
    assert (exhausted.status, exhausted.error_code) == (Status.FAILED, "RETRIES_EXHAUSTED")
    assert [letter.key for letter in world.dead_letters("invocation")] == [b"int-down"]
    world.wait_for_quiet()
    told = [notification for notification in world.records("notifications", Notification) if notification.action_intent_id == "int-down"]
    assert Counter(one.kind for one in told)[NotificationKind.RETRIES_EXHAUSTED] == 1
    assert violations(world, [back, down]) == []


def test_an_engaged_global_switch_holds_everything_and_its_release_lets_it_go_on(world: World) -> None:
    engaged = switches(world).engage(scope="global", reason="looking into something")
    time.sleep(1)
    intents = [make_intent(n) for n in range(20)]
    world.publish(intents)
    world.wait_until(lambda: ledger_total(world)[LedgerType.EXECUTION_HELD] == 20, 30, "20 held executions")
    events = len(world.events())
    time.sleep(3)

    assert world.receipts() == []
    assert len(world.events()) == events, "held executions keep writing events"

    switches(world).release(scope="global", engagement_id=engaged.engagement_id, reason="all is well")
    outcomes = world.wait_for_outcomes(20, 30)
    assert {o.status for o in outcomes.values()} == {Status.SUCCEEDED}
    assert {o.attempt_count for o in outcomes.values()} == {1}


def test_a_cancel_while_held_ends_cancelled_and_one_after_success_comes_too_late(world: World) -> None:
    done = make_intent("done")
    world.publish([done])
    world.wait_for_outcomes(1, 30)
    engaged = switches(world).engage(scope="global", reason="stop")
    time.sleep(1)
    held = make_intent("held")
    world.publish([held])
    world.wait_until(lambda: ledger_types(world)["acme", "int-held"][LedgerType.EXECUTION_HELD] == 1, 30, "a held execution")

    cancelled = commands(world).cancel(tenant_id="acme", action_intent_id="int-held", reason="changed my mind")
    too_late = commands(world).cancel(tenant_id="acme", action_intent_id="int-done", reason="changed my mind")
    switches(world).release(scope="global", engagement_id=engaged.engagement_id, reason="go on")
    outcomes = world.wait_for_outcomes(2, 30)
    world.wait_for_quiet()

    assert isinstance(cancelled, Accepted)
    assert isinstance(too_late, TooLate)
    assert outcomes["acme", "int-held"].status is Status.CANCELLED
    assert len(world.receipts()) == 1
    assert [e.type for e in world.events() if e.action_intent_id == "int-held"] == [EventType.PARKED, EventType.CANCEL_REQUESTED]


def ledger_total(world: World) -> Counter[LedgerType]:
    """Distinct ledger entries by type."""
    return Counter(entry.type for entry in world.ledger().values())
