"""For each bug the scenario in which it shows: which stage has it, what happens around it, which promises it breaks."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from msgspec.structs import replace

from enact.ids import idempotency_key
from enact.kafka.partitioner import partition_of
from enact.kafka.transport import OutRecord
from enact.records import Effect, EventType, Fact, FactSource, Step, SwitchState, ToolCall
from enact.records.codec import decode, decode_switch_record, encode
from tests.chaos.planted.ground import Ground

FIRE = "SANDBOX_FIRE_ONCE"


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """`breaks` names the invariants of which at least one must be found broken. `rules` are the failpoints' (ENACT_FAILPOINTS)."""

    bug: str
    play: Callable[[Ground], None]
    breaks: tuple[str, ...]
    stage: str = "invocation"
    rules: str = "watch"
    conditions: tuple[str, ...] = ()
    instances: int = 1
    environ: Mapping[str, str] = field(default_factory=dict)


def _die_before_the_effects(ground: Ground) -> None:
    ground.publish(12)
    ground.wait_for_hit("kill")


def _die_with_calls_in_memory(ground: Ground) -> None:
    ground.world.sandbox.set_mode("slow", hang_s=1.5)
    ground.publish(30)
    ground.wait_for_receipts(1)
    time.sleep(3.0)
    ground.kill("invocation.0")
    ground.world.sandbox.clear_modes()


def _publish_a_few(ground: Ground) -> None:
    ground.publish(4)


def _freeze_the_broker_under_a_claim(ground: Ground) -> None:
    ground.publish(1)
    ground.wait_for_hit("delay")
    ground.freeze_broker(2.0)


def _cancel_before_the_claim(ground: Ground) -> None:
    ground.publish(1)
    ground.wait_for_hit("delay")
    ground.beside(lambda: ground.people.cancel(ground.published[0])).join(30)


def _deny_as_somebody_else(ground: Ground) -> None:
    ground.world.sandbox.set_mode("slow", subject="fire", hang_s=4.0)
    ground.publish(1, FIRE)
    ground.wait_for_receipts(1)
    ground.append(ground.published[0], Fact(attempt=1, nonce="somebody", effect=Effect.NOT_APPLIED, source=FactSource.CALL))
    time.sleep(6.0)


def _call_slowly(ground: Ground) -> None:
    ground.world.sandbox.set_mode("slow", hang_s=3.0)
    ground.publish(1)


def _replay_everything(ground: Ground) -> None:
    ground.publish(6)
    ground.wait_for_outcomes()
    ground.world.wait_for_quiet()
    ground.world.stop()
    ground.rewind("invocation")
    ground.world.start()
    ground.publish(2)
    time.sleep(3.0)


def _lose_an_answer(ground: Ground) -> None:
    ground.world.sandbox.set_mode("drop_after", count=1)
    ground.publish(2)


def _lose_an_answer_of_none(ground: Ground) -> None:
    ground.world.sandbox.set_mode("drop_after", subject="fire", count=1)
    ground.publish(2, FIRE)


def _engage_before_the_first_byte(ground: Ground) -> None:
    ground.publish(1)
    ground.wait_for_hit("delay")
    engagement_id = ground.engage()
    time.sleep(5.0)
    ground.people.release("global", engagement_id)


def _freeze_the_broker_before_the_first_byte(ground: Ground) -> None:
    ground.publish(1)
    ground.wait_for_hit("delay")
    ground.freeze_broker(6.0)


def _repeat_an_old_release(ground: Ground) -> None:
    ground.people.release("global", ground.engage())
    newer = ground.engage()
    ground.publish(4)
    time.sleep(4.0)
    old = next(
        record
        for record in ground.world.dump("switches")
        if record.value is not None and getattr(decode_switch_record(record.value), "state", None) is SwitchState.RELEASED
    )
    ground.world.send([OutRecord(old.topic, 0, old.key, old.value, old.headers)])
    time.sleep(3.0)
    ground.people.release("global", newer)


def _take_back_what_another_had(ground: Ground) -> None:
    """The first instance has everything, gives half to the second, and gets it back when that one stands still for good."""
    ground.freeze("invocation.1", 10.0)
    time.sleep(5.0)
    engagement_id = ground.engage()
    ground.publish(24)
    ground.world.wait_until(lambda: _parked(ground) >= 24, 30, "everything is held")
    time.sleep(2.0)
    ground.freeze_for_good("invocation.1")
    time.sleep(12.0)
    ground.people.release("global", engagement_id)


def _parked(ground: Ground) -> int:
    return sum(event.type is EventType.PARKED for event in ground.world.events())


def _die_after_the_commit(ground: Ground) -> None:
    topic = ground.world.platform.topic("intents.approved")
    ground.world.send(OutRecord(topic, 0, f"int-{number}".encode(), b"{no intent") for number in range(6))
    ground.world.wait_until(lambda: ground.committed("validation", "intents.approved") >= 6, 30, "the offsets are committed")
    ground.kill("validation.0")
    ground.publish(2)


def _forge_a_tool_call(ground: Ground) -> None:
    ground.publish(1)
    ground.wait_for_outcomes()
    call = ground.world.records("tool-calls", ToolCall)[0]
    key = idempotency_key(call.tenant_id, "int-forged", Step.EXECUTE)
    forged = replace(call, action_intent_id="int-forged", idempotency_key=key)
    partition = partition_of("int-forged", ground.world.platform.options.partitions)
    ground.world.send([OutRecord(ground.world.platform.topic("tool-calls"), partition, b"int-forged", encode(forged))])
    time.sleep(4.0)
    assert decode(ToolCall, encode(forged)) == forged


ONE_VERDICT, ONCE = "every_intent_has_one_verdict", "applies_at_most_once"
RECEIPTS, APPROVED, APPLIED = "receipts_are_permitted", "calls_are_approved", "succeeded_means_applied"
STOPPED, ALONE, ACCOUNTED = "no_call_after_a_stop", "no_call_without_a_broker", "every_record_is_accounted_for"

SCENARIOS: dict[str, Scenario] = {
    scenario.bug: scenario
    for scenario in (
        Scenario(
            bug="offset_before_effect",
            play=_die_before_the_effects,
            breaks=(ONE_VERDICT,),
            stage="recording",
            rules="recording:before_append=kill",
        ),
        Scenario(
            bug="offset_before_fact", play=_die_with_calls_in_memory, breaks=(ONE_VERDICT,), environ={"ENACT_INVOCATION__WINDOW": "4"}
        ),
        Scenario(bug="no_claim", play=_publish_a_few, breaks=(RECEIPTS,)),
        Scenario(bug="no_read_back", play=_freeze_the_broker_under_a_claim, breaks=(RECEIPTS,), rules="invocation:before_claim=delay(0.9)"),
        Scenario(bug="claim_without_fold", play=_cancel_before_the_claim, breaks=(RECEIPTS,), rules="invocation:before_claim=delay(4)"),
        Scenario(bug="facts_by_attempt", play=_deny_as_somebody_else, breaks=(RECEIPTS, ONCE)),
        Scenario(bug="rewind_calls_again", play=_call_slowly, breaks=(RECEIPTS,), conditions=("rewind_after_a_start",)),
        Scenario(bug="restore_at_the_end", play=_replay_everything, breaks=(RECEIPTS,)),
        Scenario(bug="key_with_attempt", play=_lose_an_answer, breaks=(ONCE,)),
        Scenario(bug="http_sends_again", play=_lose_an_answer, breaks=(RECEIPTS,)),
        Scenario(bug="lost_answer_is_a_failure", play=_lose_an_answer_of_none, breaks=(ONCE,)),
        Scenario(
            bug="switch_only_at_the_gate",
            play=_engage_before_the_first_byte,
            breaks=(STOPPED,),
            rules="invocation:before_last_look=delay(4)",
        ),
        Scenario(
            bug="stale_switch_is_open",
            play=_freeze_the_broker_before_the_first_byte,
            breaks=(ALONE,),
            rules="invocation:before_last_look=delay(4)",
        ),
        Scenario(bug="release_ends_all", play=_repeat_an_old_release, breaks=(STOPPED,)),
        Scenario(bug="state_kept_over_a_loss", play=_take_back_what_another_had, breaks=(ONE_VERDICT,), instances=2),
        Scenario(bug="retry_of_an_unknown_result", play=_lose_an_answer_of_none, breaks=(ONCE, RECEIPTS)),
        Scenario(bug="verdict_ignores_unknown", play=_lose_an_answer_of_none, breaks=(ONE_VERDICT, APPLIED)),
        Scenario(bug="dead_letter_not_awaited", play=_die_after_the_commit, breaks=(ACCOUNTED,), stage="validation"),
        Scenario(bug="approval_not_asked_again", play=_forge_a_tool_call, breaks=(APPROVED,)),
    )
}
