"""An open claim whose owner is gone: after its lease the answer is unknown, and the effect class says how it goes on."""

import pytest
from msgspec.structs import replace

from enact.errors import AmbiguousError, DownstreamError, PermanentError
from enact.execution import LOOK_UP_BUDGET
from enact.kafka.transport import TopicPartition
from enact.records import Effect, EffectClass, Fact, FactSource, Owner, Released
from tests.unit.services.invocation.fakes import APPLIED
from tests.unit.services.invocation.world import (
    CALLS,
    FORMER_LIFE,
    IDEMPOTENT,
    LOG,
    LOOKUP,
    ONCE,
    STRANGER,
    UPSERT,
    World,
    a_claim,
)

LEASE_S = 15
SAME_BOOT_OTHER_DIRECTORY = Owner(boot_id="boot-1", instance_id="instance-7", incarnation_id="life-next-door-on-this-boot")
OTHER_BOOT_SAME_DIRECTORY = Owner(boot_id="boot-0", instance_id="instance-1", incarnation_id="life-before-the-reboot")


def leave_open_claim(world: World, effect_class: EffectClass = UPSERT, owner: Owner = STRANGER) -> None:
    """A claim of somebody who is gone stands in the log when the partition goes live."""
    world.use_tool(effect_class=effect_class)
    call = world.call()
    world.append(a_claim(call, owner=owner), call=call, subject=call)
    world.turn()


def facts(world: World) -> list[tuple[FactSource, Effect]]:
    return [(fact.source, fact.effect) for fact in world.data(Fact)]


@pytest.mark.parametrize("owner", [STRANGER, SAME_BOOT_OTHER_DIRECTORY, OTHER_BOOT_SAME_DIRECTORY])
def test_a_strangers_claim_is_taken_over_after_its_lease_from_our_first_sight(world: World, owner: Owner) -> None:
    leave_open_claim(world, owner=owner)

    world.clock.advance(LEASE_S - 0.1)
    world.turn(2)
    assert facts(world) == []

    world.clock.advance(0.1)
    world.turn()
    assert facts(world) == [(FactSource.TAKE_OVER, Effect.UNKNOWN)]


def test_first_sight_counts_and_not_the_time_of_the_claim(world: World) -> None:
    leave_open_claim(world)
    world.kill()
    world.clock.advance(3_600)

    world.process = world._start("instance-2")
    world.turn(3)
    assert facts(world) == []
    world.clock.advance(LEASE_S)
    world.turn()

    assert facts(world) == [(FactSource.TAKE_OVER, Effect.UNKNOWN)]


def test_a_suspended_machine_counts_its_own_boot_time(world: World) -> None:
    """The wall clock alone takes nothing over: somebody may have set it."""
    leave_open_claim(world)
    world.clock.now_ms += 1_000 * LEASE_S

    world.turn(2)

    assert facts(world) == []


def test_a_claim_of_a_former_life_of_this_instance_needs_no_lease(world: World) -> None:
    leave_open_claim(world, owner=FORMER_LIFE)

    world.turn()

    assert facts(world)[0] == (FactSource.TAKE_OVER, Effect.UNKNOWN)


def test_a_claim_of_a_former_life_counts_its_settle_time_all_the_same(world: World) -> None:
    leave_open_claim(world, LOOKUP, owner=FORMER_LIFE)
    world.settle(3)
    assert facts(world)[-1] == (FactSource.LOOKUP, Effect.UNKNOWN)

    world.clock.advance(LEASE_S + 4.9)
    world.settle(2)
    assert facts(world)[-1] == (FactSource.LOOKUP, Effect.UNKNOWN)

    world.clock.advance(0.1)
    world.settle()
    assert facts(world)[2:] == [(FactSource.LOOKUP, Effect.NOT_APPLIED), (FactSource.CALL, Effect.APPLIED)]


def test_a_question_asked_too_early_denies_nothing_however_late_its_answer_comes(world: World) -> None:
    leave_open_claim(world, LOOKUP)
    world.clock.advance(LEASE_S)
    world.turn(2)
    late = world.process.caller._loop.create_future()

    async def wait(_: object) -> None:
        await late

    world.connector.found.append(wait)
    world.calls()
    world.clock.advance(6)
    late.set_result(None)
    world.calls()

    assert facts(world)[-1] == (FactSource.LOOKUP, Effect.UNKNOWN)


def test_our_own_open_claim_is_never_taken_over(world: World) -> None:
    world.publish(world.call())
    world.turn(2)
    answer = world.hold_answer()
    world.calls()

    world.clock.advance(3_600 - 10)
    world.turn(3)
    assert world.types() == ["CLAIMED"]

    answer.set_result(APPLIED)
    world.settle()
    assert world.statuses() == ["SUCCEEDED"]


def test_our_own_claim_is_not_taken_over_after_its_partition_came_back(world: World) -> None:
    world.publish(world.call())
    world.turn(2)
    answer = world.hold_answer()
    world.calls()
    both = [TopicPartition(CALLS, 0), TopicPartition(LOG, 0)]

    world.process.reader.revoke(both)
    world.process.reader.give(both)
    world.turn(2)
    world.clock.advance(100)
    world.turn(2)
    assert world.types() == ["CLAIMED"]

    answer.set_result(APPLIED)
    world.settle()
    assert facts(world) == [(FactSource.LATE, Effect.APPLIED)]
    assert world.statuses() == ["SUCCEEDED"]


def test_a_foreign_claim_that_is_concluded_in_time_is_forgotten(world: World) -> None:
    leave_open_claim(world)
    assert world.memory().sights

    world.append(Fact(attempt=1, nonce="theirs", effect=Effect.APPLIED, source=FactSource.CALL))
    world.turn()

    assert not world.memory().sights


def test_an_upsert_is_repeated_with_the_same_key_and_the_same_bytes(world: World) -> None:
    world.use_tool(effect_class=UPSERT)
    world.publish(world.call())
    world.connector.answers.append(AmbiguousError("The connection broke."))

    world.settle()

    first, second = world.connector.calls
    assert (first.idempotency_key, first.arguments) == (second.idempotency_key, second.arguments)
    assert (first.attempt, second.attempt) == (1, 2)
    assert first.nonce != second.nonce
    assert world.statuses() == ["SUCCEEDED"]
    assert world.entries_written() == [
        "ATTEMPT_CLAIMED", "ATTEMPT_CONCLUDED", "RETRY_SCHEDULED", "ATTEMPT_CLAIMED", "ATTEMPT_CONCLUDED",
    ]  # fmt: skip


def test_a_tool_without_a_promise_is_never_called_again_and_ends_in_doubt(world: World) -> None:
    world.use_tool(effect_class=ONCE)
    world.publish(world.call())
    world.connector.answers.append(AmbiguousError("The connection broke."))

    world.settle()
    world.clock.advance(120)
    world.settle()

    assert len(world.connector.calls) == 1
    assert world.statuses() == ["IN_DOUBT"]
    assert world.entries_written() == ["ATTEMPT_CLAIMED", "ATTEMPT_CONCLUDED", "DOUBT_RAISED"]
    error = world.results()[0].execute.error
    assert error is not None
    assert "enact resolve" in error.message


def test_a_doubt_stays_a_doubt_past_its_deadline(world: World) -> None:
    """Planted bug: verdict FAILED or EXPIRED while an attempt is UNKNOWN."""
    world.use_tool(effect_class=ONCE)
    world.publish(world.call())
    world.connector.answers.append(AmbiguousError("The connection broke."))
    world.settle()

    world.clock.advance(7_200)
    world.settle()

    assert world.statuses() == ["IN_DOUBT"]
    assert world.letters() == []


def test_evidence_of_a_claimant_who_came_late_ends_the_doubt(world: World) -> None:
    leave_open_claim(world, ONCE)
    world.clock.advance(LEASE_S)
    world.turn(2)
    assert world.statuses() == ["IN_DOUBT"]

    world.append(Released(attempt=1, nonce="theirs", reason="never sent"))
    world.clock.advance(1)
    world.settle()

    assert world.statuses() == ["IN_DOUBT", "SUCCEEDED"]
    assert "DOUBT_RESOLVED" in world.entries_written()


@pytest.mark.parametrize(("age_s", "is_repeated"), [(2_980, True), (2_985, False), (3_000, False)])
def test_a_key_is_repeated_only_while_the_provider_remembers_it(world: World, age_s: int, is_repeated: bool) -> None:
    """The provider remembers 3,000 s from the first claim; a repeat may be under way for 15 s."""
    leave_open_claim(world, IDEMPOTENT)
    world.clock.advance(LEASE_S)
    world.are_switches_reachable = False
    world.turn()
    world.clock.advance(age_s - LEASE_S)
    world.are_switches_reachable = True

    world.settle()

    assert bool(world.connector.calls) is is_repeated
    assert world.statuses()[-1] == ("SUCCEEDED" if is_repeated else "IN_DOUBT")


def test_a_key_without_an_end_is_repeated_at_any_time(world: World) -> None:
    leave_open_claim(world, replace(IDEMPOTENT, key_ttl_s=None))
    world.clock.advance(3_500)
    world.settle()

    assert world.statuses()[-1] == "SUCCEEDED"


def test_a_look_up_that_finds_it_ends_it(world: World) -> None:
    leave_open_claim(world, LOOKUP)
    world.connector.found.append(APPLIED)
    world.clock.advance(LEASE_S)

    world.settle()

    assert facts(world) == [(FactSource.TAKE_OVER, Effect.UNKNOWN), (FactSource.LOOKUP, Effect.APPLIED)]
    assert world.connector.calls == []
    assert world.statuses() == ["SUCCEEDED"]
    assert world.results()[-1].tool_run_ref == "run-1"


def test_a_look_up_that_finds_a_part_says_so(world: World) -> None:
    leave_open_claim(world, LOOKUP)
    world.connector.found.append(replace(APPLIED, is_partial=True))
    world.clock.advance(LEASE_S)

    world.settle()

    assert facts(world)[-1] == (FactSource.LOOKUP, Effect.PARTIAL)
    assert world.statuses() == ["FAILED"]


def test_not_found_counts_only_after_the_settle_time_and_then_the_call_is_made(world: World) -> None:
    leave_open_claim(world, LOOKUP)
    world.clock.advance(LEASE_S)
    world.settle()
    assert facts(world)[-1] == (FactSource.LOOKUP, Effect.UNKNOWN)
    assert world.connector.calls == []

    world.clock.advance(6)
    world.settle()

    assert facts(world)[2:] == [(FactSource.LOOKUP, Effect.NOT_APPLIED), (FactSource.CALL, Effect.APPLIED)]
    assert world.statuses() == ["SUCCEEDED"]


def test_a_look_up_is_asked_once_at_a_time(world: World) -> None:
    leave_open_claim(world, LOOKUP)
    world.clock.advance(LEASE_S)
    world.turn(5)

    world.calls()

    assert len(world.connector.look_ups) == 1


def test_a_look_up_whose_answer_is_not_folded_yet_is_not_asked_again(world: World) -> None:
    leave_open_claim(world, LOOKUP)
    world.clock.advance(LEASE_S)
    world.turn(2)
    world.calls()
    world.process.reader.pause([TopicPartition(LOG, 0)])

    world.turn(3)
    world.calls()

    assert len(world.connector.look_ups) == 1


@pytest.mark.parametrize("error", [DownstreamError("Away."), ZeroDivisionError(), TimeoutError()])
def test_a_question_without_an_answer_is_asked_twenty_times(world: World, error: Exception) -> None:
    leave_open_claim(world, LOOKUP)
    world.connector.found.extend([error] * 100)

    for _ in range(LOOK_UP_BUDGET + 5):
        world.clock.advance(61)
        world.settle(3)

    assert len(world.connector.look_ups) == LOOK_UP_BUDGET
    assert world.statuses() == ["IN_DOUBT"]


def test_a_world_that_cannot_be_asked_leaves_the_doubt_to_a_person(world: World) -> None:
    leave_open_claim(world, LOOKUP)
    world.connector.found.append(PermanentError("No look-up here."))
    world.clock.advance(LEASE_S)

    world.settle()

    assert len(world.connector.look_ups) == 1
    assert world.statuses() == ["IN_DOUBT"]


def test_look_ups_go_on_past_the_deadline_and_repeats_do_not(world: World) -> None:
    leave_open_claim(world, LOOKUP)
    world.clock.advance(LEASE_S)
    world.are_switches_reachable = False
    world.turn(2)
    world.clock.advance(3_700)
    world.turn(2)
    world.are_switches_reachable = True

    world.settle()

    assert "EXPIRED" in world.types()
    assert len(world.connector.look_ups) == 1
    assert world.connector.calls == []
    assert world.statuses() == ["EXPIRED"]


def test_a_released_claim_backs_off_and_does_not_spin(world: World) -> None:
    call = world.call()
    world.append(a_claim(call), call=call, subject=call)
    world.append(Released(attempt=1, nonce="theirs"))
    world.turn(3)
    assert world.types() == ["CLAIMED", "RELEASED"]

    world.clock.advance(0.2)
    world.settle()

    assert len(world.connector.calls) == 1
    assert world.connector.calls[0].attempt == 2
