"""FOLD.md as tests: bars, how a generation ends, redrive, and what retention may have cut."""

import pytest

from enact.execution import DAY_MS, HORIZON_MS, verdict
from enact.execution_state import AttemptState, Ending
from enact.next_action import deadline_ms, next_action
from enact.records import Effect, EffectClass, FactSource, Status, Step
from tests.unit.enact.event_factories import (
    EXPIRES_S,
    LEASE_MS,
    LIFETIME_S,
    LOOKUP,
    NONE,
    SETTLE_MS,
    START_MS,
    UPSERT,
    Log,
    a_bare_subject,
    a_claim,
    a_fact,
    a_tool_call,
    an_event,
    cancelled,
    expired,
    parked,
    redriven,
    refused,
    released,
)

LIFETIME_MS = LIFETIME_S * 1000
OLD_MS = HORIZON_MS - 2 * DAY_MS


def ending_of(log: Log) -> Ending:
    ending = log.execute.generation.ending
    assert ending is not None
    return ending


# Bars


def test_a_bar_ends_a_generation_of_which_nothing_is_open_unknown_partial_or_applied() -> None:
    assert Log().add(cancelled()).status is Status.CANCELLED
    assert Log().add(refused()).status is Status.FAILED
    assert Log().add(expired(), after_ms=LIFETIME_MS).status is Status.EXPIRED


@pytest.mark.parametrize("effect", [None, Effect.UNKNOWN])
def test_a_barred_generation_waits_for_what_is_open_or_unknown_and_ends_at_its_first_settled_offset(effect: Effect | None) -> None:
    log = Log().add(a_claim())
    if effect is not None:
        log.add(a_fact(effect))
    log.add(cancelled())
    assert log.execute.generation.ending is None

    log.add(a_fact(Effect.NOT_APPLIED))

    assert log.status is Status.CANCELLED


def test_a_barred_generation_that_was_applied_succeeded() -> None:
    assert Log().add(a_claim()).add(cancelled()).add(a_fact(Effect.APPLIED)).status is Status.SUCCEEDED


def test_the_first_bar_gives_the_status() -> None:
    log = Log().add(a_claim()).add(expired(), after_ms=LIFETIME_MS).add(cancelled()).add(a_fact(Effect.NOT_APPLIED))

    assert log.status is Status.EXPIRED


@pytest.mark.parametrize("case", ["permanent", "exhausted", "human"])
def test_an_ending_by_permanent_error_exhaustion_or_a_person_at_the_same_offset_wins_over_the_bar(case: str) -> None:
    log = Log().add(a_claim(max_attempts=1 if case == "exhausted" else 3)).add(cancelled())

    if case == "human":
        log.add(a_fact(Effect.UNKNOWN)).add(a_fact(Effect.NOT_APPLIED, source=FactSource.HUMAN), after_ms=LEASE_MS)
    else:
        log.add(a_fact(Effect.NOT_APPLIED, is_permanent=case == "permanent"))

    assert log.status is Status.FAILED


def test_refused_bars_the_generation_it_names_only_if_that_is_current() -> None:
    assert Log().add(refused(), generation=2).status is None


def test_a_refusal_because_the_deadline_passed_is_expired() -> None:
    assert Log().add(refused("DEADLINE_PASSED")).status is Status.EXPIRED


def test_cancel_bars_the_generation_current_at_its_own_offset_whatever_it_names() -> None:
    assert Log().add(cancelled(), generation=7).status is Status.CANCELLED


def test_a_stop_after_the_end_changes_nothing() -> None:
    log = Log().add(a_claim()).add(a_fact(Effect.NOT_APPLIED, is_permanent=True))
    before = log.execute

    log.add(cancelled()).add(refused()).add(expired(), after_ms=LIFETIME_MS)

    assert log.execute == before


@pytest.mark.parametrize(("waited_ms", "status"), [(LIFETIME_MS - 1, Status.PENDING), (LIFETIME_MS, Status.EXPIRED)])
def test_expired_bars_only_once_log_time_has_reached_the_deadline(waited_ms: int, status: Status) -> None:
    assert Log().add(parked(0)).add(expired(), after_ms=waited_ms).status is status


def test_expired_without_effect_may_be_appended_again_later() -> None:
    log = Log().add(expired()).add(expired(), after_ms=LIFETIME_MS)

    assert log.status is Status.EXPIRED


def test_the_subjects_deadline_counts_and_not_what_expired_says() -> None:
    assert Log().add(expired(1)).status is Status.PENDING


def test_expired_by_reconciliation_brings_the_deadline_itself_when_no_subject_knows_it() -> None:
    nameless = a_bare_subject(expires_at_epoch=0)

    assert Log().add(expired(EXPIRES_S), subject=nameless).status is Status.PENDING
    assert Log().add(expired(EXPIRES_S), subject=nameless, after_ms=LIFETIME_MS).status is Status.EXPIRED
    assert Log().add(expired(0), subject=nameless, after_ms=LIFETIME_MS).status is Status.PENDING


def test_expired_of_another_generation_changes_nothing() -> None:
    assert Log().add(expired(), generation=2, after_ms=LIFETIME_MS).status is None


def test_a_compensation_expires_four_days_before_the_horizon_at_the_latest() -> None:
    far = a_tool_call(Step.COMPENSATE, expires_at_epoch=(START_MS + HORIZON_MS) // 1000)
    log = Log().add(a_claim()).add(a_fact(Effect.APPLIED)).add(parked(0), step=Step.COMPENSATE, subject=far)
    assert deadline_ms(log.execution, Step.COMPENSATE) == START_MS + HORIZON_MS - 4 * DAY_MS

    log.add(expired(), step=Step.COMPENSATE, after_ms=HORIZON_MS - 4 * DAY_MS)

    assert verdict(log.compensate).status is Status.EXPIRED


# Endings


def test_applied_ends_the_generation() -> None:
    log = Log().add(a_claim()).add(a_fact(Effect.APPLIED))

    assert ending_of(log).status is Status.SUCCEEDED


def test_partial_ends_the_generation_with_effects_on_record() -> None:
    log = Log().add(a_claim()).add(a_fact(Effect.PARTIAL))

    assert ending_of(log).code == "PARTIAL_EFFECT"
    assert verdict(log.execute).effect is Effect.PARTIAL


def test_not_applied_with_a_permanent_error_ends_the_generation_with_that_error() -> None:
    log = Log().add(a_claim()).add(a_fact(Effect.NOT_APPLIED, is_permanent=True))

    assert (ending_of(log).status, ending_of(log).code) == (Status.FAILED, "TOOL_REJECTED")


def test_a_permanent_error_beside_an_unknown_attempt_ends_the_generation_and_leaves_the_doubt() -> None:
    log = Log().add(a_claim(1, effect_class=UPSERT)).add(a_fact(Effect.UNKNOWN))

    log.add(a_claim(2, effect_class=UPSERT)).add(a_fact(Effect.NOT_APPLIED, "n2", is_permanent=True))

    assert ending_of(log).status is Status.FAILED
    assert log.status is Status.IN_DOUBT


def test_the_last_closed_unreleased_attempt_ends_the_generation() -> None:
    log = Log().add(a_claim(1, max_attempts=2)).add(released()).add(a_claim(2, max_attempts=2)).add(a_fact(Effect.NOT_APPLIED, "n2"))
    assert log.execute.generation.ending is None

    log.add(a_claim(3, max_attempts=2)).add(a_fact(Effect.NOT_APPLIED, "n3"))

    assert (ending_of(log).status, ending_of(log).code) == (Status.FAILED, "RETRIES_EXHAUSTED")


def test_exhaustion_waits_while_an_attempt_is_unknown() -> None:
    log = Log().add(a_claim(1, max_attempts=2, effect_class=UPSERT)).add(a_fact(Effect.UNKNOWN))
    log.add(a_claim(2, max_attempts=2, effect_class=UPSERT)).add(a_fact(Effect.NOT_APPLIED, "n2"))
    assert log.execute.generation.ending is None

    log.add(a_fact(Effect.NOT_APPLIED, "n1", FactSource.LATE))

    assert ending_of(log).code == "RETRIES_EXHAUSTED"


@pytest.mark.parametrize(("effect", "status"), [(Effect.APPLIED, Status.SUCCEEDED), (Effect.PARTIAL, Status.FAILED)])
def test_an_effect_of_an_older_generation_ends_the_current_one(effect: Effect, status: Status) -> None:
    log = Log().add(a_claim()).add(a_fact(Effect.NOT_APPLIED, is_permanent=True)).add(redriven(), after_ms=LEASE_MS)

    log.add(a_fact(effect, "n1", FactSource.LATE), generation=1)

    assert log.execute.generation.number == 2
    assert ending_of(log).status is status


def test_a_part_that_comes_to_light_after_a_cancel_is_a_failure_with_effects() -> None:
    log = Log().add(a_claim()).add(a_fact(Effect.NOT_APPLIED)).add(cancelled())
    assert log.status is Status.CANCELLED

    later = log.add(a_fact(Effect.PARTIAL, source=FactSource.LATE))

    assert later.status is Status.FAILED


# Redrive


def failed() -> Log:
    return Log().add(a_claim()).add(a_fact(Effect.NOT_APPLIED, is_permanent=True))


def test_a_redrive_opens_the_next_generation_and_shows_pending() -> None:
    log = failed().add(redriven(), after_ms=LEASE_MS)

    assert log.execute.generation.number == 2
    assert log.execute.generation.subject is None
    assert log.status is Status.PENDING


def test_a_redriven_refusal_that_never_made_a_claim_shows_pending_too() -> None:
    log = Log().add(refused()).add(redriven())

    assert log.execute.generation.number == 2
    assert log.status is Status.PENDING


def test_a_redrive_of_another_generation_is_refused() -> None:
    assert failed().add(redriven(), generation=2, after_ms=LEASE_MS).execute.generation.number == 1


def test_a_redrive_of_an_unended_generation_is_refused() -> None:
    assert Log().add(a_claim()).add(a_fact(Effect.NOT_APPLIED)).add(redriven(), after_ms=LEASE_MS).execute.generation.number == 1


@pytest.mark.parametrize("effect", [Effect.APPLIED, Effect.PARTIAL])
def test_a_redrive_after_an_effect_is_refused(effect: Effect) -> None:
    assert Log().add(a_claim()).add(a_fact(effect)).add(redriven(), after_ms=LEASE_MS).execute.generation.number == 1


def test_a_redrive_while_an_attempt_is_unknown_is_refused() -> None:
    log = Log().add(a_claim(1, effect_class=UPSERT)).add(a_fact(Effect.UNKNOWN))
    log.add(a_claim(2, effect_class=UPSERT)).add(a_fact(Effect.NOT_APPLIED, "n2", is_permanent=True))

    assert log.add(redriven(), after_ms=1_000_000).execute.generation.number == 1


@pytest.mark.parametrize(("effect_class", "waited_ms"), [(NONE, LEASE_MS), (LOOKUP, LEASE_MS + SETTLE_MS)])
def test_a_redrive_waits_for_every_claims_lease_and_settle(effect_class: EffectClass, waited_ms: int) -> None:
    def ended() -> Log:
        return Log().add(a_claim(effect_class=effect_class)).add(a_fact(Effect.NOT_APPLIED, is_permanent=True))

    assert ended().add(redriven(), after_ms=waited_ms - 1).execute.generation.number == 1
    assert ended().add(redriven(), after_ms=waited_ms).execute.generation.number == 2


def test_a_cancel_after_a_redrive_bars_the_new_generation() -> None:
    assert failed().add(redriven(), after_ms=LEASE_MS).add(cancelled(), generation=1).status is Status.CANCELLED


def test_a_redrive_of_one_step_leaves_the_other() -> None:
    log = failed().add(redriven(), after_ms=LEASE_MS)

    assert log.compensate.generation.number == 1


# What retention may have cut


def test_first_ms_is_the_smallest_that_any_event_carries() -> None:
    log = Log().add(parked(0)).add(parked(0), first_ms=START_MS - 5).add(parked(0), first_ms=START_MS - 1)

    assert log.execution.first_ms == START_MS - 5


def test_nothing_is_valid_for_an_execution_older_than_the_log_remembers() -> None:
    log = Log().add(a_claim(), first_ms=START_MS - OLD_MS - 1)

    assert log.execution.is_merely_known
    assert log.execute.attempts == ()
    assert log.refusal(a_claim()) == "older than the log remembers"
    assert next_action(log.execution, Step.EXECUTE) is None
    assert deadline_ms(log.execution, Step.EXECUTE) is None


def test_an_execution_at_the_edge_of_the_horizon_is_still_whole() -> None:
    assert not Log().add(a_claim(), first_ms=START_MS - OLD_MS).execution.is_merely_known


@pytest.mark.parametrize("effect", [None, Effect.UNKNOWN])
def test_an_old_open_or_unknown_attempt_is_never_shown_open_or_retried(effect: Effect | None) -> None:
    log = Log().add(a_claim(effect_class=LOOKUP))
    if effect is not None:
        log.add(a_fact(effect))

    log.add(parked(0), after_ms=OLD_MS + 1)

    assert log.status is Status.IN_DOUBT
    assert next_action(log.execution, Step.EXECUTE) is None


@pytest.mark.parametrize(("effect", "status"), [
    (Effect.APPLIED, Status.SUCCEEDED), (Effect.PARTIAL, Status.FAILED), (Effect.NOT_APPLIED, Status.FAILED), (Effect.UNKNOWN, None),
])  # fmt: skip
def test_of_a_cut_execution_only_a_persons_fact_counts_whatever_its_nonce(effect: Effect, status: Status | None) -> None:
    old_ms = START_MS - OLD_MS - 1
    log = Log().add(a_fact(effect, "lost with the prefix", FactSource.LATE), first_ms=old_ms)
    assert log.status is None

    log.add(a_fact(effect, "lost with the prefix", FactSource.HUMAN), first_ms=old_ms)

    assert log.status is status


def test_a_persons_fact_about_a_cut_execution_needs_a_full_subject() -> None:
    log = Log().add(a_fact(Effect.APPLIED, source=FactSource.HUMAN), first_ms=START_MS - OLD_MS - 1, subject=a_bare_subject())

    assert log.status is None


@pytest.mark.parametrize("effect", [Effect.APPLIED, Effect.PARTIAL])
def test_a_persons_denial_of_a_cut_execution_never_overrides_an_effect(effect: Effect) -> None:
    log = Log().add(a_fact(effect, source=FactSource.HUMAN), first_ms=START_MS - OLD_MS - 1)
    status = log.status

    log.add(a_fact(Effect.NOT_APPLIED, source=FactSource.HUMAN))

    assert log.status is status


def test_a_persons_effect_on_a_cut_execution_overrides_an_earlier_denial() -> None:
    log = Log().add(a_fact(Effect.NOT_APPLIED, source=FactSource.HUMAN), first_ms=START_MS - OLD_MS - 1)

    log.add(a_fact(Effect.APPLIED, source=FactSource.HUMAN))

    assert log.status is Status.SUCCEEDED
    assert log.execute.is_contradicted


def test_a_persons_denial_settles_what_was_left_open_in_an_old_execution() -> None:
    log = Log().add(a_claim()).add(parked(0), after_ms=OLD_MS + 1)

    log.add(a_fact(Effect.NOT_APPLIED, "whatever", FactSource.HUMAN))

    assert log.attempt_state() is AttemptState.NOT_APPLIED
    assert log.status is Status.FAILED


def test_a_persons_denial_leaves_an_old_ending_as_it_was() -> None:
    log = Log().add(cancelled()).add(a_fact(Effect.NOT_APPLIED, source=FactSource.HUMAN), after_ms=OLD_MS + 1)

    assert log.status is Status.CANCELLED


@pytest.mark.parametrize("effect", [Effect.UNKNOWN, Effect.NONE])
def test_a_person_who_does_not_know_leaves_a_cut_execution_as_it_was(effect: Effect) -> None:
    log = Log().add(cancelled()).add(parked(0), after_ms=OLD_MS + 1)
    before = log.execute

    log.add(a_fact(effect, source=FactSource.HUMAN))

    assert log.execute is before


def test_a_cut_execution_takes_the_generation_that_a_persons_fact_names() -> None:
    log = Log().add(a_fact(Effect.NOT_APPLIED, source=FactSource.HUMAN), generation=3, first_ms=START_MS - OLD_MS - 1)

    assert log.execute.generation.number == 3


def test_an_event_without_first_ms_counts_as_its_own_first() -> None:
    log = Log().add_event(an_event(cancelled()))

    assert log.execution.first_ms == START_MS
