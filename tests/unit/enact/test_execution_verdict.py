"""FOLD.md as tests: the effect of a step, contradictions, and when a doubt still clears itself."""

import pytest

from enact.execution import HORIZON_MS, is_automatic_step_left, verdict
from enact.execution_state import StepState
from enact.next_action import deadline_ms
from enact.records import Effect, EventData, FactSource, Status, Step
from tests.unit.enact.event_factories import (
    EXPIRES_S,
    LEASE_MS,
    LOOKUP,
    NONE,
    START_MS,
    UPSERT,
    Log,
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

LIFETIME_MS = EXPIRES_S * 1000 - START_MS


def test_the_effect_of_a_step_is_the_strongest_that_is_known() -> None:
    calls: tuple[EventData, ...] = (a_claim(1, effect_class=UPSERT), a_fact(Effect.UNKNOWN), a_claim(2, effect_class=UPSERT))
    denials = (a_fact(Effect.NOT_APPLIED, "n1"), a_fact(Effect.NOT_APPLIED, "n2"))
    log = Log()

    effects = [
        verdict(log.add(data).execute).effect.value
        for data in (parked(0), *calls, *denials, a_fact(Effect.PARTIAL, "n2"), a_fact(Effect.APPLIED, "n1"))
    ]

    assert effects == ["NONE", "UNKNOWN", "UNKNOWN", "UNKNOWN", "UNKNOWN", "NOT_APPLIED", "PARTIAL", "APPLIED"]


@pytest.mark.parametrize("stop", [cancelled(), refused(), expired()])
def test_an_effect_after_any_ending_without_one_is_a_contradiction(stop: EventData) -> None:
    log = Log().add(stop, after_ms=LIFETIME_MS)
    assert log.execute.generation.ending is not None

    log.add(a_fact(Effect.APPLIED, "other"))

    assert log.execute.is_contradicted


def test_an_effect_of_a_call_that_was_said_never_to_have_been_sent_is_a_contradiction() -> None:
    assert Log().add(a_claim()).add(released()).add(a_fact(Effect.APPLIED)).execute.is_contradicted


def test_what_is_told_after_an_effect_makes_no_contradiction_of_it() -> None:
    log = Log().add(a_claim()).add(a_fact(Effect.APPLIED)).add(a_fact(Effect.APPLIED, source=FactSource.LATE)).add(parked(0))

    assert not log.execute.is_contradicted


def test_an_effect_of_an_attempt_that_was_denied_while_the_step_goes_on_is_a_contradiction() -> None:
    assert Log().add(a_claim()).add(a_fact(Effect.NOT_APPLIED)).add(a_fact(Effect.APPLIED)).execute.is_contradicted


def test_where_nothing_is_unknown_no_doubt_clears_itself() -> None:
    for step in (StepState(), Log().add(a_claim(effect_class=LOOKUP)).execute):
        assert is_automatic_step_left(step) is False


def test_one_attempt_that_was_given_up_leaves_the_doubt_to_a_person() -> None:
    log = Log().add(a_claim(1, effect_class=UPSERT)).add(a_fact(Effect.UNKNOWN, "n1"))
    log.add(a_claim(2, effect_class=LOOKUP)).add(a_fact(Effect.UNKNOWN, "n2"))
    before = log.status

    log.add(a_fact(Effect.UNKNOWN, "n1", is_permanent=True))

    assert (before, log.status) == (Status.RETRYING, Status.IN_DOUBT)


def test_a_repeat_needs_every_unknown_attempt_to_allow_it() -> None:
    log = Log().add(a_claim(1, effect_class=UPSERT)).add(a_fact(Effect.UNKNOWN, "n1"))

    log.add(a_claim(2, effect_class=NONE)).add(a_fact(Effect.UNKNOWN, "n2"))

    assert log.status is Status.IN_DOUBT


def test_attempts_of_an_older_generation_use_up_no_repeat() -> None:
    log = Log().add(a_claim(1, max_attempts=2)).add(a_fact(Effect.NOT_APPLIED, "n1"))
    log.add(a_claim(2, max_attempts=2)).add(a_fact(Effect.NOT_APPLIED, "n2")).add(redriven(), after_ms=LEASE_MS)

    log.add(a_claim(3, max_attempts=2, effect_class=UPSERT), generation=2).add(a_fact(Effect.UNKNOWN, "n3"), generation=2)

    assert log.status is Status.RETRYING


def test_a_step_of_which_no_subject_is_known_has_no_deadline() -> None:
    assert deadline_ms(Log().add_event(an_event(parked(0))).execution, Step.EXECUTE) is None


def test_only_a_compensation_is_held_to_the_horizon() -> None:
    far_s = (START_MS + HORIZON_MS) // 1000
    log = Log().add(parked(0), subject=a_tool_call(expires_at_epoch=far_s))

    assert deadline_ms(log.execution, Step.EXECUTE) == far_s * 1000
