"""The total due index: one next action and a deadline for every step that is not over and not in doubt."""

import pytest

from enact.execution import DAY_MS, HORIZON_MS
from enact.next_action import ActionKind, NextAction, deadline_ms, next_action
from enact.records import Effect, EffectClass, FactSource, Step
from tests.unit.enact.event_factories import (
    EXPIRES_S,
    IDEMPOTENT,
    LEASE_MS,
    LOOKUP,
    NONE,
    START_MS,
    UPSERT,
    Log,
    a_bare_subject,
    a_claim,
    a_fact,
    a_refused_call,
    a_tool_call,
    cancelled,
    expired,
    parked,
    redriven,
    released,
)


def action_of(log: Log, step: Step = Step.EXECUTE) -> NextAction | None:
    return next_action(log.execution, step)


def test_a_step_nobody_has_begun_has_no_next_action_in_the_log() -> None:
    assert action_of(Log()) is None


def test_a_parked_step_claims_when_it_is_due() -> None:
    assert action_of(Log().add(parked(START_MS + 70))) == NextAction(ActionKind.CLAIM, START_MS + 70)


def test_an_open_claim_is_taken_over_at_the_end_of_its_lease() -> None:
    assert action_of(Log().add(a_claim())) == NextAction(ActionKind.TAKE_OVER, START_MS + LEASE_MS)


def test_an_open_claim_is_taken_over_also_after_the_step_has_succeeded() -> None:
    log = Log().add(a_claim()).add(a_fact(Effect.APPLIED, "other"))

    assert action_of(log) == NextAction(ActionKind.TAKE_OVER, START_MS + LEASE_MS)


@pytest.mark.parametrize(
    ("effect_class", "kind"), [(LOOKUP, ActionKind.LOOK_UP), (UPSERT, ActionKind.CLAIM), (IDEMPOTENT, ActionKind.CLAIM)]
)
def test_an_unknown_attempt_is_looked_up_or_repeated_at_the_time_of_its_last_fact(effect_class: EffectClass, kind: ActionKind) -> None:
    log = Log().add(a_claim(effect_class=effect_class)).add(a_fact(Effect.UNKNOWN, not_before_ms=START_MS + 9))

    assert action_of(log) == NextAction(kind, START_MS + 9)


def test_without_a_time_an_unknown_attempt_is_due_now() -> None:
    log = Log().add(parked(START_MS + 9)).add(a_claim(effect_class=LOOKUP)).add(a_fact(Effect.UNKNOWN, source=FactSource.TAKE_OVER))

    assert action_of(log) == NextAction(ActionKind.LOOK_UP, 0)


def test_a_step_in_doubt_has_no_next_action_and_no_deadline() -> None:
    log = Log().add(a_claim(effect_class=NONE)).add(a_fact(Effect.UNKNOWN))

    assert action_of(log) is None
    assert deadline_ms(log.execution, Step.EXECUTE) is None


def test_look_ups_go_on_after_a_bar_and_repeats_do_not() -> None:
    looking = Log().add(a_claim(effect_class=LOOKUP)).add(a_fact(Effect.UNKNOWN)).add(cancelled())
    repeating = Log().add(a_claim(effect_class=UPSERT)).add(a_fact(Effect.UNKNOWN)).add(cancelled())

    assert action_of(looking) == NextAction(ActionKind.LOOK_UP, 0)
    assert action_of(repeating) is None


def test_a_retry_waits_for_the_time_of_its_fact() -> None:
    log = Log().add(a_claim()).add(a_fact(Effect.NOT_APPLIED, not_before_ms=START_MS + 5))

    assert action_of(log) == NextAction(ActionKind.CLAIM, START_MS + 5)


def test_a_park_after_the_fact_moves_the_time() -> None:
    log = Log().add(a_claim()).add(a_fact(Effect.NOT_APPLIED, not_before_ms=START_MS + 5)).add(parked(START_MS + 3))

    assert action_of(log) == NextAction(ActionKind.CLAIM, START_MS + 3)


def test_a_released_claim_is_made_again_after_its_backoff() -> None:
    assert action_of(Log().add(a_claim()).add(released())) == NextAction(ActionKind.CLAIM, START_MS + 200)


@pytest.mark.parametrize("effect", [Effect.APPLIED, Effect.PARTIAL])
def test_a_step_that_ended_has_no_next_action_and_no_deadline(effect: Effect) -> None:
    log = Log().add(a_claim()).add(a_fact(effect))

    assert action_of(log) is None
    assert deadline_ms(log.execution, Step.EXECUTE) is None


def test_a_generation_without_a_full_subject_starts_only_through_an_input() -> None:
    known = Log().add(parked(0), subject=a_bare_subject())
    redone = Log().add(a_claim()).add(a_fact(Effect.NOT_APPLIED, is_permanent=True)).add(redriven(), after_ms=LEASE_MS)

    assert action_of(known) is None
    assert action_of(redone) is None


def test_a_repeat_needs_a_full_subject_too() -> None:
    log = Log().add(a_claim(effect_class=UPSERT), subject=a_bare_subject()).add(a_fact(Effect.UNKNOWN), subject=a_bare_subject())

    assert action_of(log) is None


def test_a_refusal_starts_nothing() -> None:
    assert action_of(Log().add(parked(0), subject=a_refused_call())) is None


def test_compensation_has_only_its_deadline_until_the_action_is_settled() -> None:
    log = Log().add(a_claim()).add(parked(0), step=Step.COMPENSATE)

    assert action_of(log, Step.COMPENSATE) is None
    assert deadline_ms(log.execution, Step.COMPENSATE) == EXPIRES_S * 1000


def test_compensation_waits_for_the_time_of_an_unsettled_repeat() -> None:
    log = Log().add(a_claim(1, effect_class=UPSERT)).add(a_fact(Effect.UNKNOWN)).add(a_claim(2, effect_class=UPSERT), after_ms=7)
    log.add(a_fact(Effect.APPLIED, "n1", FactSource.LATE)).add(parked(0), step=Step.COMPENSATE)

    assert action_of(log, Step.COMPENSATE) == NextAction(ActionKind.CLAIM, START_MS + 7 + LEASE_MS)


def test_a_repeat_of_a_compensation_waits_as_well_when_the_action_was_redriven() -> None:
    log = Log().add(a_claim()).add(a_fact(Effect.NOT_APPLIED, is_permanent=True))
    log.add(a_claim(effect_class=UPSERT), step=Step.COMPENSATE).add(a_fact(Effect.UNKNOWN), step=Step.COMPENSATE)
    assert action_of(log, Step.COMPENSATE) == NextAction(ActionKind.CLAIM, 0)

    log.add(redriven(), after_ms=LEASE_MS)

    assert action_of(log, Step.COMPENSATE) is None


def test_every_step_that_waits_has_a_deadline_also_while_its_claim_is_open() -> None:
    for log in (Log().add(parked(0)), Log().add(a_claim()), Log().add(parked(0), subject=a_bare_subject())):
        assert deadline_ms(log.execution, Step.EXECUTE) == EXPIRES_S * 1000


def test_a_barred_step_needs_no_deadline() -> None:
    log = Log().add(a_claim()).add(expired(), after_ms=EXPIRES_S * 1000 - START_MS)

    assert deadline_ms(log.execution, Step.EXECUTE) is None


def test_a_claim_that_can_be_looked_up_is_taken_over_at_the_end_of_its_lease_and_not_of_its_settling() -> None:
    assert action_of(Log().add(a_claim(effect_class=LOOKUP))) == NextAction(ActionKind.TAKE_OVER, START_MS + LEASE_MS)


def test_nothing_is_looked_up_once_it_is_known_that_something_was_applied() -> None:
    log = Log().add(a_claim(effect_class=LOOKUP)).add(a_fact(Effect.UNKNOWN)).add(a_fact(Effect.APPLIED, "other"))

    assert action_of(log) is None


def test_a_doubt_is_looked_up_also_beside_a_part_that_was_applied() -> None:
    log = Log().add(a_claim(effect_class=LOOKUP)).add(a_fact(Effect.UNKNOWN)).add(a_fact(Effect.PARTIAL, "other"))

    assert action_of(log) == NextAction(ActionKind.LOOK_UP, 0)


def test_of_two_doubts_the_later_one_says_how_it_is_cleared() -> None:
    log = Log().add(a_claim(1, effect_class=UPSERT)).add(a_fact(Effect.UNKNOWN, "n1"))
    log.add(a_claim(2, effect_class=LOOKUP)).add(a_fact(Effect.UNKNOWN, "n2"))

    assert action_of(log) == NextAction(ActionKind.LOOK_UP, 0)


def test_a_doubt_that_clears_itself_still_has_its_deadline() -> None:
    log = Log().add(a_claim(effect_class=LOOKUP)).add(a_fact(Effect.UNKNOWN))

    assert deadline_ms(log.execution, Step.EXECUTE) == EXPIRES_S * 1000


def test_the_deadline_of_a_compensation_counts_from_the_horizon_that_is_given() -> None:
    log = Log().add(parked(0), step=Step.COMPENSATE, subject=a_tool_call(Step.COMPENSATE, expires_at_epoch=2 * EXPIRES_S))

    assert deadline_ms(log.execution, Step.COMPENSATE, horizon_ms=10 * DAY_MS) == START_MS + 6 * DAY_MS


def test_an_unknown_deadline_is_none() -> None:
    log = Log().add(parked(0), subject=a_tool_call(expires_at_epoch=0))

    assert deadline_ms(log.execution, Step.EXECUTE) is None


def test_an_execution_older_than_the_log_remembers_has_neither() -> None:
    log = Log().add(a_claim(effect_class=LOOKUP)).add(parked(0), after_ms=HORIZON_MS - 2 * DAY_MS + 1)

    assert action_of(log) is None
    assert deadline_ms(log.execution, Step.EXECUTE) is None


def test_a_parked_execution_older_than_the_log_remembers_has_neither() -> None:
    log = Log().add(parked(0)).add(parked(0), after_ms=HORIZON_MS - 2 * DAY_MS + 1)

    assert action_of(log) is None
    assert deadline_ms(log.execution, Step.EXECUTE) is None
