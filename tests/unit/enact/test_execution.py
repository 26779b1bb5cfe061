"""FOLD.md as tests, first half: repeats, PARKED, RELEASED, facts, who may deny, and the verdict. One sentence, one test."""

import pytest

from enact.execution import is_automatic_step_left, verdict
from enact.execution_state import AttemptState
from enact.records import Effect, EffectClass, FactSource, FoldVersionSet, ParkReason, Status, Step
from tests.unit.enact.event_factories import (
    IDEMPOTENT,
    LEASE_MS,
    LOOKUP,
    NONE,
    SETTLE_MS,
    START_MS,
    UPSERT,
    Log,
    a_bare_subject,
    a_claim,
    a_fact,
    a_ref,
    a_refused_call,
    a_tool_call,
    an_event,
    cancelled,
    parked,
    released,
)

SETTLED_MS = START_MS + LEASE_MS + SETTLE_MS


def test_the_first_copy_of_an_event_counts_and_repeats_change_nothing() -> None:
    event = an_event(a_fact(Effect.NOT_APPLIED))
    log = Log().add(a_claim()).add_event(event)
    before = log.execution

    log.add_event(event, after_ms=1)

    assert log.execution is before


def test_log_time_alone_never_changes_a_verdict() -> None:
    log = Log().add(a_claim())

    log.now_ms += 1_000_000

    assert log.status is Status.EXECUTING


def test_the_first_full_subject_of_the_current_generation_stays() -> None:
    log = Log().add(parked(0), subject=a_bare_subject())
    assert log.execute.generation.subject == a_bare_subject()

    log.add(parked(0), subject=a_tool_call()).add(parked(0), subject=a_tool_call(tool_name="crm.other"))

    assert log.execute.generation.subject == a_tool_call()


def test_a_refusal_counts_as_a_full_subject() -> None:
    log = Log().add(parked(0), subject=a_refused_call()).add(parked(0), subject=a_tool_call())

    assert log.execute.generation.subject == a_refused_call()


def test_a_subject_of_another_generation_is_not_kept() -> None:
    log = Log().add(parked(0), generation=2, subject=a_tool_call(generation=2))

    assert log.execute.generation.subject is None


def test_parked_sets_the_next_due_time_and_never_ends_or_starts_anything() -> None:
    log = Log().add(parked(START_MS + 500))

    assert log.execute.generation.due_ms == START_MS + 500
    assert log.execute.generation.ending is None
    assert log.execute.attempts == ()


@pytest.mark.parametrize("reason", [ParkReason.SWITCH, ParkReason.BREAKER, ParkReason.LIMIT])
def test_a_step_parked_by_a_switch_a_breaker_or_a_limit_shows_held(reason: ParkReason) -> None:
    assert Log().add(parked(0, reason)).status is Status.HELD


@pytest.mark.parametrize("reason", [ParkReason.RETRY, ParkReason.QUEUE, ParkReason.REDRIVE, ParkReason.REGISTRY])
def test_any_other_park_leaves_the_status(reason: ParkReason) -> None:
    assert Log().add(parked(0, reason)).status is Status.PENDING


def test_parked_of_an_older_generation_changes_nothing() -> None:
    log = Log().add(parked(START_MS), generation=2)

    assert log.execute.generation.due_ms == 0


def test_released_closes_the_claim_and_does_not_count_as_an_attempt() -> None:
    log = Log().add(a_claim()).add(released())

    assert log.attempt_state() is AttemptState.RELEASED
    assert log.execute.used_attempts == ()
    assert log.status is Status.PENDING


def test_released_burns_the_nonce_also_when_it_stands_before_its_claim() -> None:
    log = Log().add(released("n1"))

    log.add(a_claim(1, "n1"))

    assert log.execute.attempts == ()


def test_released_of_another_nonce_closes_nothing() -> None:
    log = Log().add(a_claim(1, "n1")).add(released("other"))

    assert log.attempt_state() is AttemptState.OPEN


def test_releases_back_off_twice_as_long_each_time_up_to_thirty_seconds() -> None:
    log = Log()
    delays = []

    for number in range(1, 12):
        log.add(a_claim(number)).add(released(f"n{number}"))
        delays.append(log.execute.generation.due_ms - log.now_ms)

    assert delays == [200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000, 30_000, 30_000]


def test_released_never_lowers_an_attempt_that_is_settled() -> None:
    log = Log().add(a_claim()).add(a_fact(Effect.NOT_APPLIED)).add(released())

    assert log.attempt_state() is AttemptState.NOT_APPLIED


def test_an_attempts_state_only_rises() -> None:
    log = Log().add(a_claim())
    seen = [log.attempt_state()]

    for effect in (Effect.UNKNOWN, Effect.NOT_APPLIED, Effect.UNKNOWN, Effect.PARTIAL, Effect.NOT_APPLIED, Effect.APPLIED, Effect.PARTIAL):
        log.add(a_fact(effect))
        seen.append(log.attempt_state())

    assert [state.value for state in seen] == [
        "OPEN", "UNKNOWN", "NOT_APPLIED", "NOT_APPLIED", "PARTIAL", "PARTIAL", "APPLIED", "APPLIED",
    ]  # fmt: skip


def test_an_applied_fact_after_released_still_counts() -> None:
    log = Log().add(a_claim()).add(released()).add(a_fact(Effect.APPLIED))

    assert log.status is Status.SUCCEEDED


@pytest.mark.parametrize(("effect", "status"), [(Effect.APPLIED, Status.SUCCEEDED), (Effect.PARTIAL, Status.FAILED)])
def test_applied_and_partial_count_whatever_the_nonce(effect: Effect, status: Status) -> None:
    log = Log().add(a_fact(effect, "a nonce nobody claimed", FactSource.LATE, refs=(a_ref(),)))

    assert log.status is status
    assert log.execute.evidence[0].refs == (a_ref(),)


@pytest.mark.parametrize("effect", [Effect.UNKNOWN, Effect.NOT_APPLIED])
def test_unknown_and_not_applied_count_only_for_the_valid_claim_with_that_nonce(effect: Effect) -> None:
    log = Log().add(a_claim(1, "n1")).add(a_fact(effect, "other"))

    assert log.attempt_state() is AttemptState.OPEN


def test_a_fact_of_effect_none_says_nothing() -> None:
    log = Log().add(a_claim()).add(a_fact(Effect.NONE)).add(a_fact(Effect.NONE, "other"))

    assert log.attempt_state() is AttemptState.OPEN
    assert log.execute.evidence == ()


def test_the_references_of_a_part_stay_when_a_later_fact_brings_none() -> None:
    log = Log().add(a_claim()).add(a_fact(Effect.PARTIAL, refs=(a_ref(),))).add(a_fact(Effect.APPLIED, source=FactSource.HUMAN))

    assert log.attempt().refs == (a_ref(),)


@pytest.mark.parametrize("source", [FactSource.CALL, FactSource.LATE])
def test_not_applied_from_the_caller_counts_at_once(source: FactSource) -> None:
    log = Log().add(a_claim()).add(a_fact(Effect.NOT_APPLIED, source=source))

    assert log.attempt_state() is AttemptState.NOT_APPLIED


@pytest.mark.parametrize(
    ("asked_ms", "landed_ms", "state"),
    [
        (SETTLED_MS, SETTLED_MS, AttemptState.NOT_APPLIED),
        (SETTLED_MS, SETTLED_MS - 1, AttemptState.UNKNOWN),
        (SETTLED_MS - 1, SETTLED_MS + 9_999, AttemptState.UNKNOWN),
        (None, SETTLED_MS, AttemptState.UNKNOWN),
    ],
)
def test_not_applied_from_a_look_up_counts_only_if_it_was_asked_and_landed_after_lease_and_settle(
    asked_ms: int | None, landed_ms: int, state: AttemptState
) -> None:
    log = Log().add(a_claim(effect_class=LOOKUP)).add(a_fact(Effect.UNKNOWN))

    log.add(a_fact(Effect.NOT_APPLIED, source=FactSource.LOOKUP, started_at_ms=asked_ms), after_ms=landed_ms - START_MS)

    assert log.attempt_state() is state


def test_a_look_up_that_came_too_early_counts_as_a_look_up_and_waits_until_it_can_count() -> None:
    log = Log().add(a_claim(effect_class=LOOKUP)).add(a_fact(Effect.UNKNOWN))

    log.add(a_fact(Effect.NOT_APPLIED, source=FactSource.LOOKUP), after_ms=1)

    assert log.attempt().look_ups == 1
    assert log.execute.generation.due_ms == START_MS + LEASE_MS + SETTLE_MS


def test_settle_is_zero_unless_the_class_is_lookup() -> None:
    odd = EffectClass(kind=UPSERT.kind, settle_ms=SETTLE_MS)

    assert Log().add(a_claim(effect_class=odd)).attempt().settled_ms == START_MS + LEASE_MS
    assert Log().add(a_claim(effect_class=LOOKUP)).attempt().settled_ms == START_MS + LEASE_MS + SETTLE_MS


@pytest.mark.parametrize("source", [FactSource.TAKE_OVER, FactSource.UNKNOWN])
def test_not_applied_from_a_take_over_never_counts(source: FactSource) -> None:
    log = Log().add(a_claim()).add(a_fact(Effect.UNKNOWN)).add(a_fact(Effect.NOT_APPLIED, source=source), after_ms=1_000_000)

    assert log.attempt_state() is AttemptState.UNKNOWN


def test_a_person_may_not_deny_an_open_attempt() -> None:
    log = Log().add(a_claim()).add(a_fact(Effect.NOT_APPLIED, source=FactSource.HUMAN), after_ms=1_000_000)

    assert log.attempt_state() is AttemptState.OPEN


@pytest.mark.parametrize(("waited_ms", "status"), [(LEASE_MS - 1, Status.IN_DOUBT), (LEASE_MS, Status.FAILED)])
def test_a_person_may_deny_an_unknown_attempt_only_after_its_lease(waited_ms: int, status: Status) -> None:
    log = Log().add(a_claim()).add(a_fact(Effect.UNKNOWN))

    log.add(a_fact(Effect.NOT_APPLIED, source=FactSource.HUMAN), after_ms=waited_ms)

    assert log.status is status


def test_a_denial_by_a_person_that_is_refused_leaves_the_very_same_state() -> None:
    log = Log().add(a_claim())
    before = log.execute

    log.add(a_fact(Effect.NOT_APPLIED, source=FactSource.HUMAN))

    assert log.execute is before


def test_a_persons_denial_ends_the_generation_although_attempts_are_left() -> None:
    log = (
        Log()
        .add(a_claim(max_attempts=9))
        .add(a_fact(Effect.UNKNOWN))
        .add(a_fact(Effect.NOT_APPLIED, source=FactSource.HUMAN), after_ms=LEASE_MS)
    )

    ending = log.execute.generation.ending
    assert ending is not None
    assert (ending.status, ending.code) == (Status.FAILED, "RESOLVED_NOT_APPLIED")


def test_a_persons_denial_of_one_attempt_leaves_another_in_doubt_until_it_is_answered_too() -> None:
    log = Log().add(a_claim(1, effect_class=UPSERT)).add(a_fact(Effect.UNKNOWN, "n1"))
    log.add(a_claim(2, effect_class=UPSERT)).add(a_fact(Effect.UNKNOWN, "n2"))

    log.add(a_fact(Effect.NOT_APPLIED, "n1", FactSource.HUMAN), after_ms=LEASE_MS)
    assert log.status is Status.IN_DOUBT
    answered = log.add(a_fact(Effect.NOT_APPLIED, "n2", FactSource.HUMAN))

    assert answered.status is Status.FAILED


def test_a_persons_denial_never_renames_an_ending_with_effects() -> None:
    log = Log().add(a_claim(1, effect_class=UPSERT)).add(a_fact(Effect.UNKNOWN, "n1"))
    log.add(a_claim(2, effect_class=UPSERT)).add(a_fact(Effect.PARTIAL, "n2"))

    log.add(a_fact(Effect.NOT_APPLIED, "n1", FactSource.HUMAN), after_ms=LEASE_MS)

    ending = log.execute.generation.ending
    assert ending is not None
    assert ending.code == "PARTIAL_EFFECT"


def test_a_fold_version_event_changes_nothing_of_an_execution() -> None:
    log = Log().add(a_claim())
    before = log.execute

    log.add(FoldVersionSet(version=2))

    assert log.execute is before


# The verdict


def test_an_execution_nobody_has_begun_has_no_status() -> None:
    assert Log().status is None


def test_any_applied_is_succeeded_although_a_claim_is_open() -> None:
    log = Log().add(a_claim()).add(a_fact(Effect.APPLIED, "other"))

    assert log.execute.open_attempt is not None
    assert log.status is Status.SUCCEEDED


def test_an_open_claim_is_executing_although_another_attempt_is_unknown_or_partial() -> None:
    log = Log().add(a_claim(1, effect_class=UPSERT)).add(a_fact(Effect.UNKNOWN, "n1")).add(a_claim(2, effect_class=UPSERT))
    assert log.status is Status.EXECUTING

    log.add(a_fact(Effect.PARTIAL, "n1"))

    assert log.status is Status.EXECUTING


@pytest.mark.parametrize(("effect_class", "status"), [
    (NONE, Status.IN_DOUBT), (LOOKUP, Status.RETRYING), (UPSERT, Status.RETRYING), (IDEMPOTENT, Status.RETRYING),
])  # fmt: skip
def test_an_unknown_attempt_is_retrying_while_an_automatic_step_is_left_and_in_doubt_when_none_is(
    effect_class: EffectClass, status: Status
) -> None:
    assert Log().add(a_claim(effect_class=effect_class)).add(a_fact(Effect.UNKNOWN)).status is status


def test_an_unknown_attempt_comes_before_a_partial_one() -> None:
    log = Log().add(a_claim(1, effect_class=UPSERT)).add(a_fact(Effect.UNKNOWN, "n1"))
    log.add(a_claim(2, effect_class=UPSERT)).add(a_fact(Effect.PARTIAL, "n2"))

    assert log.status is Status.IN_DOUBT
    assert verdict(log.execute).effect is Effect.PARTIAL


def test_no_automatic_step_is_left_when_the_attempts_are_used_up() -> None:
    log = Log().add(a_claim(effect_class=UPSERT, max_attempts=1)).add(a_fact(Effect.UNKNOWN))

    assert not is_automatic_step_left(log.execute)
    assert log.status is Status.IN_DOUBT


def test_no_repeat_is_left_when_the_generation_is_barred_but_look_ups_are() -> None:
    repeating = Log().add(a_claim(effect_class=UPSERT)).add(a_fact(Effect.UNKNOWN)).add(cancelled())
    looking = Log().add(a_claim(effect_class=LOOKUP)).add(a_fact(Effect.UNKNOWN)).add(cancelled())

    assert (repeating.status, looking.status) == (Status.IN_DOUBT, Status.RETRYING)


@pytest.mark.parametrize("effect_class", [LOOKUP, UPSERT])
def test_no_automatic_step_is_left_after_a_permanent_unknown(effect_class: EffectClass) -> None:
    log = Log().add(a_claim(effect_class=effect_class)).add(a_fact(Effect.UNKNOWN)).add(a_fact(Effect.UNKNOWN, is_permanent=True))
    assert log.status is Status.IN_DOUBT

    log.add(a_fact(Effect.UNKNOWN))

    assert log.status is Status.IN_DOUBT


def test_after_a_definite_not_applied_a_step_with_attempts_left_is_retrying() -> None:
    assert Log().add(a_claim()).add(a_fact(Effect.NOT_APPLIED)).status is Status.RETRYING


@pytest.mark.parametrize("source", list(FactSource))
def test_applied_overrides_every_denial_whenever_it_comes_and_is_a_contradiction(source: FactSource) -> None:
    log = Log().add(a_claim()).add(a_fact(Effect.UNKNOWN)).add(a_fact(Effect.NOT_APPLIED, source=FactSource.HUMAN), after_ms=LEASE_MS)
    assert log.status is Status.FAILED

    contradicted = log.add(a_fact(Effect.APPLIED, source=source))

    assert contradicted.status is Status.SUCCEEDED
    assert contradicted.execute.is_contradicted


def test_applied_for_an_attempt_that_was_denied_is_a_contradiction_also_while_the_step_goes_on() -> None:
    log = Log().add(a_claim(1)).add(a_fact(Effect.NOT_APPLIED, "n1")).add(a_claim(2)).add(a_fact(Effect.APPLIED, "n2"))
    assert not log.execute.is_contradicted

    log.add(a_fact(Effect.APPLIED, "n1", FactSource.LATE))

    assert log.execute.is_contradicted


def test_applied_after_doubt_is_no_contradiction() -> None:
    log = Log().add(a_claim()).add(a_fact(Effect.UNKNOWN)).add(a_fact(Effect.APPLIED, source=FactSource.HUMAN))

    assert log.status is Status.SUCCEEDED
    assert not log.execute.is_contradicted


def test_the_steps_of_one_execution_are_judged_apart() -> None:
    log = Log().add(a_claim()).add(a_fact(Effect.APPLIED)).add(parked(0), step=Step.COMPENSATE)

    assert log.status is Status.SUCCEEDED
    assert verdict(log.compensate).status is Status.PENDING
