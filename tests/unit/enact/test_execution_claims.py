"""FOLD.md as tests: when a claim is valid. One condition, one test; each is broken alone."""

import pytest

from enact.execution_state import AttemptState
from enact.records import Effect, EffectClass, FactSource, Step
from tests.unit.enact.event_factories import (
    IDEMPOTENT,
    LEASE_MS,
    LOOKUP,
    NONE,
    SETTLE_MS,
    UPSERT,
    Log,
    a_claim,
    a_fact,
    cancelled,
    parked,
    redriven,
    refused,
    released,
)


def test_a_claim_opens_its_attempt_if_it_is_valid() -> None:
    log = Log().add(a_claim())

    assert log.attempt_state() is AttemptState.OPEN
    assert log.attempt().claimed_ms == log.now_ms


def test_an_invalid_claim_opens_nothing() -> None:
    log = Log().add(a_claim(attempt=2))

    assert log.execute.attempts == ()


def test_a_claim_is_judged_by_the_log_before_it_and_nothing_later_unclaims_it() -> None:
    log = Log().add(a_claim()).add(cancelled())

    assert log.attempt_state() is AttemptState.OPEN


def test_a_claim_of_another_generation_is_invalid() -> None:
    assert Log().refusal(a_claim(), generation=2) == "not the current generation"


def test_a_claim_after_the_end_is_invalid() -> None:
    log = Log().add(a_claim()).add(a_fact(Effect.NOT_APPLIED, is_permanent=True))

    assert log.refusal(a_claim(2)) == "ended or barred"


def test_a_claim_after_a_bar_is_invalid_also_while_the_generation_has_not_ended() -> None:
    log = Log().add(a_claim(effect_class=UPSERT)).add(a_fact(Effect.UNKNOWN)).add(cancelled())

    assert log.execute.generation.ending is None
    assert log.refusal(a_claim(2, effect_class=UPSERT)) == "ended or barred"


@pytest.mark.parametrize("number", [1, 3])
def test_a_claim_carries_the_highest_valid_number_plus_one(number: int) -> None:
    log = Log().add(a_claim(1)).add(a_fact(Effect.NOT_APPLIED))

    assert log.refusal(a_claim(number, "fresh")) == "not the next attempt"
    assert log.refusal(a_claim(2)) is None


def test_a_released_claim_uses_up_its_number() -> None:
    log = Log().add(a_claim(1)).add(released())

    assert log.refusal(a_claim(1, "fresh")) == "not the next attempt"
    assert log.refusal(a_claim(2)) is None


def test_attempt_numbers_run_over_all_generations() -> None:
    log = Log().add(a_claim(1)).add(a_fact(Effect.NOT_APPLIED, is_permanent=True)).add(redriven(), after_ms=LEASE_MS)

    assert log.refusal(a_claim(1, "fresh"), generation=2) == "not the next attempt"
    assert log.refusal(a_claim(2), generation=2) is None


def test_no_claim_is_valid_while_one_is_open() -> None:
    log = Log().add(a_claim(effect_class=UPSERT))

    assert log.refusal(a_claim(2, effect_class=UPSERT)) == "an earlier attempt is open or unknown"


@pytest.mark.parametrize("effect_class", [NONE, LOOKUP])
def test_no_claim_is_valid_while_one_is_unknown_whose_class_allows_no_repeat(effect_class: EffectClass) -> None:
    log = Log().add(a_claim(effect_class=effect_class)).add(a_fact(Effect.UNKNOWN))

    assert log.refusal(a_claim(2, effect_class=effect_class)) == "an earlier attempt is open or unknown"


@pytest.mark.parametrize("effect_class", [IDEMPOTENT, UPSERT])
def test_a_same_key_repeat_of_an_unknown_attempt_is_valid(effect_class: EffectClass) -> None:
    log = Log().add(a_claim(effect_class=effect_class)).add(a_fact(Effect.UNKNOWN))

    assert log.refusal(a_claim(2, effect_class=effect_class)) is None


def test_a_given_up_unknown_attempt_allows_no_repeat() -> None:
    log = Log().add(a_claim(effect_class=IDEMPOTENT)).add(a_fact(Effect.UNKNOWN, is_permanent=True))

    assert log.refusal(a_claim(2, effect_class=IDEMPOTENT)) == "an earlier attempt is open or unknown"


def test_a_repeat_with_another_digest_is_invalid() -> None:
    log = Log().add(a_claim(effect_class=UPSERT)).add(a_fact(Effect.UNKNOWN))

    assert log.refusal(a_claim(2, effect_class=UPSERT, digest="digest-2")) is not None


def test_the_first_valid_claim_fixes_the_digest_of_its_generation_even_if_it_was_released() -> None:
    log = Log().add(a_claim(1)).add(released())

    assert log.refusal(a_claim(2, digest="digest-2")) == "another request than the first claim's"


def test_a_redriven_generation_may_have_another_digest() -> None:
    log = Log().add(a_claim(1)).add(a_fact(Effect.NOT_APPLIED, is_permanent=True)).add(redriven(), after_ms=LEASE_MS)

    assert log.refusal(a_claim(2, digest="digest-2"), generation=2) is None


@pytest.mark.parametrize("effect", [Effect.APPLIED, Effect.PARTIAL])
def test_nothing_is_claimed_after_an_effect_whatever_its_nonce(effect: Effect) -> None:
    log = Log().add(a_fact(effect, "other"))

    assert log.refusal(a_claim()) is not None


def test_valid_unreleased_claims_are_fewer_than_max_attempts() -> None:
    log = Log().add(a_claim(1, max_attempts=2, effect_class=UPSERT)).add(a_fact(Effect.UNKNOWN))
    log.add(a_claim(2, max_attempts=2, effect_class=UPSERT)).add(a_fact(Effect.UNKNOWN, "n2"))

    assert log.refusal(a_claim(3, max_attempts=2, effect_class=UPSERT)) == "no attempt left"


def test_the_first_valid_claim_fixes_max_attempts_of_its_generation() -> None:
    log = Log().add(a_claim(1, max_attempts=1, effect_class=UPSERT)).add(a_fact(Effect.UNKNOWN))

    assert log.refusal(a_claim(2, max_attempts=99, effect_class=UPSERT)) == "no attempt left"


def test_released_claims_do_not_count_against_max_attempts() -> None:
    log = Log().add(a_claim(1, max_attempts=1)).add(released())

    assert log.refusal(a_claim(2, max_attempts=1)) is None


def test_max_attempts_counts_per_generation() -> None:
    log = Log().add(a_claim(1, max_attempts=1)).add(a_fact(Effect.NOT_APPLIED)).add(redriven(), after_ms=LEASE_MS)

    assert log.refusal(a_claim(2, max_attempts=1), generation=2) is None


def test_a_burnt_nonce_is_never_valid() -> None:
    assert Log().add(released("n1")).refusal(a_claim(1, "n1")) == "nonce already used"


def test_a_nonce_that_was_claimed_once_is_never_valid_again() -> None:
    log = Log().add(a_claim(1, "n1")).add(a_fact(Effect.NOT_APPLIED))

    assert log.refusal(a_claim(2, "n1")) == "nonce already used"


# Compensation


def test_nothing_is_compensated_before_the_action_has_ended() -> None:
    log = Log().add(a_claim()).add(a_fact(Effect.NOT_APPLIED))

    assert log.refusal(a_claim(), step=Step.COMPENSATE) == "the action itself is not settled"


def test_an_action_that_ended_settled_may_be_compensated() -> None:
    log = Log().add(a_claim()).add(a_fact(Effect.APPLIED))

    assert log.refusal(a_claim(), step=Step.COMPENSATE) is None


def test_nothing_is_compensated_while_an_attempt_of_the_action_is_open_or_unknown() -> None:
    still_open = Log().add(a_claim(effect_class=UPSERT)).add(a_fact(Effect.APPLIED, "other"))
    unknown = Log().add(a_claim(effect_class=UPSERT)).add(a_fact(Effect.UNKNOWN)).add(a_fact(Effect.PARTIAL, "other"))

    for log in (still_open, unknown):
        assert log.refusal(a_claim(), step=Step.COMPENSATE, after_ms=1_000_000) == "the action itself is not settled"


@pytest.mark.parametrize(("waited_ms", "is_valid"), [(LEASE_MS - 1, False), (LEASE_MS, True)])
def test_an_unsettled_repeat_of_the_applied_request_holds_compensation_only_for_its_own_time(waited_ms: int, is_valid: bool) -> None:
    log = Log().add(a_claim(1, effect_class=UPSERT)).add(a_fact(Effect.UNKNOWN))
    log.add(a_claim(2, effect_class=UPSERT)).add(a_fact(Effect.APPLIED, "n1", FactSource.LATE))

    refusal = log.refusal(a_claim(), step=Step.COMPENSATE, after_ms=waited_ms)

    assert (refusal is None) is is_valid


def test_of_several_unsettled_repeats_the_last_one_s_time_counts() -> None:
    log = Log().add(a_claim(1, effect_class=UPSERT)).add(a_fact(Effect.UNKNOWN, "n1"))
    log.add(a_claim(2, effect_class=UPSERT), after_ms=5).add(a_fact(Effect.UNKNOWN, "n2"))
    log.add(a_claim(3, effect_class=UPSERT), after_ms=7).add(a_fact(Effect.APPLIED, "n1", FactSource.LATE))

    assert log.refusal(a_claim(), step=Step.COMPENSATE, after_ms=LEASE_MS - 1) == "the action itself is not settled"
    assert log.refusal(a_claim(), step=Step.COMPENSATE, after_ms=LEASE_MS) is None


def test_the_time_of_an_unsettled_repeat_includes_settle() -> None:
    settling = EffectClass(kind=LOOKUP.kind, settle_ms=SETTLE_MS)
    log = Log().add(a_claim(1, effect_class=settling)).add(a_fact(Effect.NOT_APPLIED)).add(a_claim(2, effect_class=settling))
    log.add(a_fact(Effect.APPLIED, "n1", FactSource.LATE))

    assert log.refusal(a_claim(), step=Step.COMPENSATE, after_ms=LEASE_MS + SETTLE_MS - 1) is not None
    assert log.refusal(a_claim(), step=Step.COMPENSATE, after_ms=LEASE_MS + SETTLE_MS) is None


def test_a_refused_compensation_leaves_the_action_alone() -> None:
    log = Log().add(a_claim()).add(a_fact(Effect.APPLIED)).add(parked(0), step=Step.COMPENSATE).add(refused(), step=Step.COMPENSATE)

    assert log.refusal(a_claim(), step=Step.COMPENSATE) == "ended or barred"
    assert log.execute.generation.ending is not None
    assert log.execute.generation.bar is None
