"""FOLD.md as tests: what the fold keeps and says for those who read it: codes, texts, references, subjects, due times, effects."""

import pytest
from msgspec.structs import replace

from enact.execution import DAY_MS, FOLD_VERSION, HORIZON_MS, LOOK_UP_BUDGET, redrive_refusal
from enact.execution_state import Attempt, AttemptState, Ending, Evidence
from enact.records import Effect, EventData, FactSource, ParkReason, Status, ToolCall
from tests.unit.enact.event_factories import (
    EXPIRES_S,
    LEASE_MS,
    LOOKUP,
    OWNER,
    SETTLE_MS,
    START_MS,
    UPSERT,
    Log,
    a_bare_subject,
    a_claim,
    a_fact,
    a_ref,
    a_tool_call,
    an_error,
    an_event,
    cancelled,
    expired,
    parked,
    refused,
    released,
)

LIFETIME_MS = EXPIRES_S * 1000 - START_MS
PART = "The tool did a part and did not finish: look at the recorded objects, then compensate or complete by hand."
TRIED = "Tried {} times; nothing was applied: look at the connector's health, then redrive."


# Endings


def a_fold_that_ended(case: str) -> Log:
    log = Log()
    match case:
        case "refused":
            return log.add(refused())
        case "cancelled":
            return log.add(cancelled())
        case "expired":
            return log.add(expired(), after_ms=LIFETIME_MS)
        case "partial":
            return log.add(a_claim()).add(a_fact(Effect.PARTIAL))
        case "permanent":
            return log.add(a_claim()).add(a_fact(Effect.NOT_APPLIED, is_permanent=True))
        case "exhausted":
            return log.add(a_claim(max_attempts=1)).add(a_fact(Effect.NOT_APPLIED, error=an_error("TOOL_BUSY")))
        case _:
            return log.add(a_claim()).add(a_fact(Effect.APPLIED))


@pytest.mark.parametrize(
    ("case", "ending"),
    [
        ("refused", Ending(status=Status.FAILED, code="MAPPING_FAILED", message="Refused.")),
        ("cancelled", Ending(status=Status.CANCELLED, code="CANCELLED", message="changed our minds")),
        ("expired", Ending(status=Status.EXPIRED, code="DEADLINE_PASSED", message="The deadline passed before it was done.")),
        ("partial", Ending(status=Status.FAILED, code="PARTIAL_EFFECT", message=PART)),
        (
            "permanent",
            Ending(status=Status.FAILED, code="TOOL_REJECTED", message="The tool said no.", error=an_error(is_permanent=True)),
        ),
        (
            "exhausted",
            Ending(status=Status.FAILED, code="RETRIES_EXHAUSTED", message=TRIED.format(1), error=an_error("TOOL_BUSY")),
        ),
        ("applied", Ending(status=Status.SUCCEEDED)),
    ],
)
def test_an_ending_says_its_public_code_and_what_happened(case: str, ending: Ending) -> None:
    assert a_fold_that_ended(case).execute.generation.ending == ending


def test_exhaustion_keeps_the_last_error() -> None:
    log = Log().add(a_claim(1, max_attempts=2)).add(a_fact(Effect.NOT_APPLIED, "n1", error=an_error("FIRST")))

    log.add(a_claim(2, max_attempts=2)).add(a_fact(Effect.NOT_APPLIED, "n2", error=an_error("SECOND")))

    ending = log.execute.generation.ending
    assert ending is not None
    assert (ending.message, ending.error) == (TRIED.format(2), an_error("SECOND"))


def test_the_end_clears_the_hold_and_its_time() -> None:
    log = Log().add(parked(START_MS + 9_999, ParkReason.SWITCH)).add(cancelled())

    assert (log.execute.generation.park, log.execute.generation.due_ms) == (None, 0)


# Parked, claimed, released


def test_parked_after_the_end_changes_nothing() -> None:
    log = Log().add(cancelled())
    before = log.execute

    log.add(parked(START_MS + 5, ParkReason.SWITCH))

    assert log.execute == before


def test_a_barred_step_that_is_still_in_doubt_may_be_parked() -> None:
    log = Log().add(a_claim(effect_class=LOOKUP)).add(a_fact(Effect.UNKNOWN)).add(cancelled())

    log.add(parked(START_MS + 5))

    assert log.execute.generation.due_ms == START_MS + 5


def test_a_claim_ends_the_hold_and_its_time() -> None:
    log = Log().add(parked(START_MS + 9_999, ParkReason.SWITCH)).add(a_claim())
    assert (log.execute.generation.park, log.execute.generation.due_ms) == (None, 0)

    log.add(released())

    assert (log.status, log.execute.generation.due_ms) == (Status.PENDING, START_MS + 200)


def test_every_nonce_that_was_released_stays_burnt() -> None:
    log = Log().add(released("n1")).add(released("n2"))

    assert log.refusal(a_claim(1, "n1")) == "nonce already used"
    assert log.refusal(a_claim(1, "n2")) == "nonce already used"


def test_a_release_never_brings_a_due_time_forward() -> None:
    log = Log().add(a_claim()).add(parked(START_MS + 5_000)).add(released())

    assert log.execute.generation.due_ms == START_MS + 5_000


# Facts


def test_proof_by_a_nonce_that_nobody_claimed_is_kept_whole_and_beside_what_was_there() -> None:
    log = Log().add(a_fact(Effect.PARTIAL, "one", error=an_error(), refs=(a_ref("1"),))).add(a_fact(Effect.APPLIED, "two"))

    assert log.execute.evidence == (
        Evidence(state=AttemptState.PARTIAL, refs=(a_ref("1"),), error=an_error()),
        Evidence(state=AttemptState.APPLIED),
    )


def test_an_attempt_keeps_what_its_claim_and_its_facts_say() -> None:
    log = Log().add(a_claim(effect_class=LOOKUP), after_ms=3)
    log.add(a_fact(Effect.NOT_APPLIED, error=an_error(), refs=(a_ref(),)), generation=1)

    assert log.attempt() == Attempt(
        number=1,
        nonce="n1",
        generation=1,
        owner=OWNER,
        digest="digest-1",
        effect_class=LOOKUP,
        max_attempts=3,
        claimed_ms=START_MS + 3,
        lease_ms=LEASE_MS,
        state=AttemptState.NOT_APPLIED,
        refs=(a_ref(),),
        error=an_error(),
    )


def test_a_doubt_keeps_its_error_until_another_fact_brings_one() -> None:
    log = Log().add(a_claim(effect_class=LOOKUP)).add(a_fact(Effect.UNKNOWN, error=an_error("FIRST"))).add(a_fact(Effect.UNKNOWN))
    assert log.attempt().error == an_error("FIRST")

    log.add(a_fact(Effect.UNKNOWN, error=an_error("SECOND")))

    assert log.attempt().error == an_error("SECOND")


def test_a_certain_fact_replaces_the_error_of_the_doubt() -> None:
    log = Log().add(a_claim()).add(a_fact(Effect.UNKNOWN, error=an_error())).add(a_fact(Effect.APPLIED))

    assert log.attempt().error is None


@pytest.mark.parametrize("effect", [Effect.UNKNOWN, Effect.NOT_APPLIED])
def test_what_is_learned_ends_the_hold_and_sets_its_time(effect: Effect) -> None:
    log = Log().add(a_claim(effect_class=LOOKUP)).add(parked(START_MS + 1, ParkReason.SWITCH))

    log.add(a_fact(effect, not_before_ms=START_MS + 7))
    assert (log.execute.generation.park, log.execute.generation.due_ms) == (None, START_MS + 7)

    without = Log().add(a_claim(effect_class=LOOKUP)).add(parked(START_MS + 1, ParkReason.SWITCH)).add(a_fact(effect))
    assert (without.execute.generation.park, without.execute.generation.due_ms) == (None, 0)


@pytest.mark.parametrize("effect", [Effect.UNKNOWN, Effect.APPLIED])
def test_every_look_up_is_counted_whatever_it_found(effect: Effect) -> None:
    log = Log().add(a_claim(effect_class=LOOKUP)).add(a_fact(Effect.UNKNOWN)).add(a_fact(effect, source=FactSource.LOOKUP))

    assert log.attempt().look_ups == 1


def test_only_look_ups_are_counted_as_such() -> None:
    log = Log().add(a_claim(effect_class=LOOKUP)).add(a_fact(Effect.UNKNOWN)).add(a_fact(Effect.NOT_APPLIED, source=FactSource.HUMAN))

    assert log.attempt().look_ups == 0


def test_a_look_up_of_what_is_settled_is_counted_and_moves_no_time() -> None:
    log = Log().add(a_claim(effect_class=LOOKUP)).add(a_fact(Effect.NOT_APPLIED, not_before_ms=START_MS + 7))

    log.add(a_fact(Effect.NOT_APPLIED, source=FactSource.LOOKUP, not_before_ms=START_MS + 9_999))
    log.add(a_fact(Effect.UNKNOWN, source=FactSource.LOOKUP, not_before_ms=START_MS + 9_999))

    assert log.attempt().look_ups == 2
    assert log.execute.generation.due_ms == START_MS + 7


@pytest.mark.parametrize(
    ("not_before_ms", "due_ms"), [(START_MS + 99_999, START_MS + 99_999), (START_MS + 1, START_MS + LEASE_MS + SETTLE_MS)]
)
def test_a_look_up_that_came_too_early_is_repeated_at_the_later_of_its_own_time_and_the_settling(not_before_ms: int, due_ms: int) -> None:
    log = Log().add(a_claim(effect_class=LOOKUP)).add(a_fact(Effect.UNKNOWN))

    log.add(a_fact(Effect.NOT_APPLIED, source=FactSource.LOOKUP, not_before_ms=not_before_ms))

    assert log.execute.generation.due_ms == due_ms


def test_of_two_denials_the_first_counts() -> None:
    log = Log().add(a_claim()).add(a_fact(Effect.NOT_APPLIED, error=an_error("FIRST"), not_before_ms=START_MS + 7))

    log.add(a_fact(Effect.NOT_APPLIED, source=FactSource.LATE, error=an_error("SECOND"), not_before_ms=START_MS + 9_999))

    assert log.attempt().error == an_error("FIRST")
    assert log.execute.generation.due_ms == START_MS + 7


def test_what_was_released_is_not_denied_as_well() -> None:
    log = Log().add(a_claim()).add(released()).add(a_fact(Effect.NOT_APPLIED, source=FactSource.LATE))

    assert log.attempt_state() is AttemptState.RELEASED


def test_a_denial_that_is_refused_moves_no_time_unless_it_is_an_early_look_up() -> None:
    log = Log().add(a_claim(effect_class=LOOKUP)).add(a_fact(Effect.UNKNOWN, not_before_ms=START_MS + 7))

    log.add(a_fact(Effect.NOT_APPLIED, source=FactSource.HUMAN, not_before_ms=START_MS + 9_999))

    assert log.execute.generation.due_ms == START_MS + 7


def test_a_doubt_given_up_stays_so_whatever_else_is_not_known_later() -> None:
    log = (
        Log().add(a_claim(effect_class=LOOKUP)).add(a_fact(Effect.UNKNOWN, is_permanent=True)).add(a_fact(Effect.UNKNOWN, error=an_error()))
    )

    assert log.attempt().is_given_up


def test_an_error_that_may_pass_gives_no_doubt_up() -> None:
    log = Log().add(a_claim(effect_class=LOOKUP)).add(a_fact(Effect.UNKNOWN, error=an_error()))

    assert not log.attempt().is_given_up


def test_a_persons_denial_ends_with_the_reason_that_the_person_gave() -> None:
    said = replace(a_fact(Effect.NOT_APPLIED, source=FactSource.HUMAN, error=an_error()), reason="I looked.")
    log = Log().add(a_claim()).add(a_fact(Effect.UNKNOWN)).add(said, after_ms=LEASE_MS)

    assert log.execute.generation.ending == Ending(status=Status.FAILED, code="RESOLVED_NOT_APPLIED", message="I looked.", error=an_error())


def test_a_fact_about_one_attempt_leaves_the_other() -> None:
    log = Log().add(a_claim(1, effect_class=UPSERT)).add(a_fact(Effect.UNKNOWN, "n1"))
    log.add(a_claim(2, effect_class=UPSERT)).add(a_fact(Effect.NOT_APPLIED, "n2"))

    assert (log.attempt_state("n1"), log.attempt_state("n2")) == (AttemptState.UNKNOWN, AttemptState.NOT_APPLIED)


def test_a_part_that_a_person_reports_ends_as_a_part() -> None:
    log = Log().add(a_claim()).add(a_fact(Effect.UNKNOWN)).add(a_fact(Effect.PARTIAL, source=FactSource.HUMAN))

    ending = log.execute.generation.ending
    assert ending is not None
    assert ending.code == "PARTIAL_EFFECT"


def test_a_person_may_deny_after_the_lease_also_where_a_look_up_would_have_to_wait() -> None:
    log = Log().add(a_claim(effect_class=LOOKUP)).add(a_fact(Effect.UNKNOWN))

    log.add(a_fact(Effect.NOT_APPLIED, source=FactSource.HUMAN), after_ms=LEASE_MS)

    assert log.status is Status.FAILED


def test_the_claimants_word_that_it_never_sent_ends_a_doubt() -> None:
    log = Log().add(a_claim()).add(a_fact(Effect.UNKNOWN, source=FactSource.TAKE_OVER)).add(released())

    assert log.attempt_state() is AttemptState.RELEASED


def test_an_ending_that_an_effect_contradicts_is_renamed() -> None:
    log = Log().add(cancelled()).add(a_fact(Effect.APPLIED, "other"))

    assert log.execute.generation.ending == Ending(status=Status.SUCCEEDED)


# Subjects


def test_of_two_subjects_that_are_not_full_the_first_stays() -> None:
    log = Log().add(parked(0), subject=a_bare_subject()).add(parked(0), subject=a_bare_subject(account_id="another"))

    assert log.execute.generation.subject == a_bare_subject()


@pytest.mark.parametrize("known", [a_bare_subject(), a_tool_call()])
def test_an_event_without_a_subject_leaves_the_one_that_is_known(known: ToolCall) -> None:
    log = Log().add(parked(0), subject=known)

    log.add_event(an_event(parked(0)))

    assert log.execute.generation.subject == known


# Redrive


A_PART = (a_fact(Effect.PARTIAL, "other"),)
AN_EFFECT = (a_fact(Effect.APPLIED, "other"),)
ONE_CALL = (a_claim(), a_fact(Effect.NOT_APPLIED, is_permanent=True))
A_DOUBT_BESIDE_AN_ENDING = (
    *(a_claim(1, effect_class=UPSERT), a_fact(Effect.UNKNOWN)),
    *(a_claim(2, effect_class=UPSERT), a_fact(Effect.NOT_APPLIED, "n2", is_permanent=True)),
)

AN_OPEN_CALL_BESIDE_AN_ENDING = (
    *(a_claim(1, effect_class=UPSERT), a_fact(Effect.UNKNOWN), a_claim(2, effect_class=UPSERT)),
    a_fact(Effect.NOT_APPLIED, "n1", FactSource.LATE, is_permanent=True),
)


@pytest.mark.parametrize(
    ("before", "generation", "why"),
    [
        ((cancelled(),), 2, "not the current generation"),
        ((parked(0),), 1, "not ended"),
        (A_PART, 1, "something was applied"),
        (AN_EFFECT, 1, "something was applied"),
        (A_DOUBT_BESIDE_AN_ENDING, 1, "an attempt is open or unknown"),
        (AN_OPEN_CALL_BESIDE_AN_ENDING, 1, "an attempt is open or unknown"),
        (ONE_CALL, 1, "a claim's time is not over"),
        ((cancelled(),), 1, None),
    ],
)
def test_a_redrive_that_is_refused_says_why(before: tuple[EventData, ...], generation: int, why: str | None) -> None:
    log = Log()
    for data in before:
        log.add(data)

    assert redrive_refusal(log.execute, generation, log_ms=log.now_ms) == why


# Numbers that others rely on


def test_the_version_the_budget_and_the_horizon_are_those_of_the_rules() -> None:
    assert (FOLD_VERSION, LOOK_UP_BUDGET, HORIZON_MS, DAY_MS) == (1, 20, 30 * 24 * 60 * 60 * 1000, 24 * 60 * 60 * 1000)
