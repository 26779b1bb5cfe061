"""FOLD.md as tests: what an execution older than the log remembers keeps, and what a person's word does to it."""

from msgspec.structs import replace

from enact.execution import DAY_MS, HORIZON_MS, verdict
from enact.execution_state import AttemptState, Ending, Evidence, StepState
from enact.records import Effect, FactSource, Status, Step
from tests.unit.enact.event_factories import (
    EXPIRES_S,
    LEASE_MS,
    LOOKUP,
    START_MS,
    UPSERT,
    Log,
    a_claim,
    a_fact,
    a_ref,
    a_tool_call,
    an_error,
    an_event,
    cancelled,
    expired,
    parked,
    redriven,
    released,
)

OLD_MS = HORIZON_MS - 2 * DAY_MS


def of_a_cut_execution(effect: Effect) -> Log:
    said = replace(a_fact(effect, "lost", FactSource.HUMAN, error=an_error(), refs=(a_ref(),)), reason="I looked.")
    return Log().add(said, first_ms=START_MS - OLD_MS - 1)


def test_a_persons_word_on_a_cut_execution_is_kept_whole() -> None:
    denied, applied = of_a_cut_execution(Effect.NOT_APPLIED), of_a_cut_execution(Effect.APPLIED)

    assert denied.execute.generation.ending == Ending(status=Status.FAILED, code="RESOLVED_NOT_APPLIED", message="I looked.")
    assert denied.execute.evidence == ()
    assert applied.execute.evidence == (Evidence(state=AttemptState.APPLIED, refs=(a_ref(),), error=an_error()),)
    assert applied.execute.generation.subject == a_tool_call()


def test_a_shorter_horizon_ends_a_compensation_sooner() -> None:
    log = Log(horizon_ms=10 * DAY_MS).add(
        parked(0), step=Step.COMPENSATE, subject=a_tool_call(Step.COMPENSATE, expires_at_epoch=2 * EXPIRES_S)
    )

    log.add(expired(), step=Step.COMPENSATE, after_ms=6 * DAY_MS)

    assert verdict(log.compensate).status is Status.EXPIRED


def test_an_old_compensation_is_given_up_as_its_action_is() -> None:
    log = Log().add(a_claim()).add(a_fact(Effect.APPLIED)).add(a_claim(effect_class=LOOKUP), step=Step.COMPENSATE)

    log.add(parked(0), after_ms=OLD_MS + 1)

    assert verdict(log.compensate).status is Status.IN_DOUBT
    assert log.compensate.attempts[0].is_given_up


def test_an_old_execution_gives_up_every_attempt_that_is_not_settled_and_no_other() -> None:
    log = Log().add(a_claim(1)).add(a_fact(Effect.NOT_APPLIED))
    log.add(a_claim(2, effect_class=UPSERT)).add(a_fact(Effect.UNKNOWN, "n2")).add(a_claim(3, effect_class=UPSERT))
    log.add(a_fact(Effect.UNKNOWN, "n2", is_permanent=True))

    log.add(parked(0), after_ms=OLD_MS + 1)

    assert [(a.state, a.is_given_up) for a in log.execute.attempts] == [
        (AttemptState.NOT_APPLIED, False),
        (AttemptState.UNKNOWN, True),
        (AttemptState.UNKNOWN, True),
    ]


def test_a_persons_denial_leaves_what_was_settled_in_an_old_execution() -> None:
    log = Log().add(a_claim(1, effect_class=UPSERT)).add(a_fact(Effect.UNKNOWN, "n1"))
    log.add(a_claim(2, effect_class=UPSERT)).add(a_fact(Effect.PARTIAL, "n2"))

    log.add(a_fact(Effect.NOT_APPLIED, source=FactSource.HUMAN), after_ms=OLD_MS + 1)

    assert [a.state for a in log.execute.attempts] == [AttemptState.NOT_APPLIED, AttemptState.PARTIAL]
    assert log.status is Status.FAILED


def test_a_part_that_a_person_reports_renames_the_ending_of_an_old_execution() -> None:
    log = Log().add(cancelled()).add(a_fact(Effect.PARTIAL, source=FactSource.HUMAN), after_ms=OLD_MS + 1)

    ending = log.execute.generation.ending
    assert ending is not None
    assert ending.code == "PARTIAL_EFFECT"


def test_an_old_execution_keeps_its_own_subject_and_its_higher_generation() -> None:
    log = Log().add(a_claim()).add(a_fact(Effect.NOT_APPLIED, is_permanent=True)).add(redriven(), after_ms=LEASE_MS)
    log.add(parked(0), generation=2)

    log.add(a_fact(Effect.APPLIED, source=FactSource.HUMAN), subject=a_tool_call(tool_name="crm.other"), after_ms=OLD_MS + 1)

    assert log.execute.generation.number == 2
    assert log.execute.generation.subject == a_tool_call(generation=2)


def test_a_call_that_a_person_says_took_effect_is_no_longer_open_in_an_old_execution() -> None:
    log = Log().add(a_claim()).add(a_fact(Effect.APPLIED, source=FactSource.HUMAN), after_ms=OLD_MS + 1)

    assert log.attempt_state() is AttemptState.APPLIED
    assert log.status is Status.SUCCEEDED


def test_a_persons_word_on_a_cut_execution_without_any_subject_changes_nothing() -> None:
    log = Log().add_event(an_event(a_fact(Effect.APPLIED, source=FactSource.HUMAN), first_ms=START_MS - OLD_MS - 1))

    assert log.execution.is_merely_known
    assert log.execute == StepState()


def test_every_effect_that_a_person_reports_of_a_cut_execution_is_kept() -> None:
    log = of_a_cut_execution(Effect.PARTIAL).add(a_fact(Effect.APPLIED, "another", FactSource.HUMAN))

    assert [one.state for one in log.execute.evidence] == [AttemptState.PARTIAL, AttemptState.APPLIED]


def test_a_persons_denial_leaves_an_old_failure_as_it_was_and_ends_what_was_barred_and_open() -> None:
    failed = Log().add(a_claim()).add(a_fact(Effect.NOT_APPLIED, is_permanent=True))
    barred = Log().add(a_claim()).add(cancelled())

    for log in (failed, barred):
        log.add(a_fact(Effect.NOT_APPLIED, source=FactSource.HUMAN), after_ms=OLD_MS + 1)

    codes = [ending.code for log in (failed, barred) if (ending := log.execute.generation.ending) is not None]
    assert codes == ["TOOL_REJECTED", "RESOLVED_NOT_APPLIED"]


def test_a_persons_denial_ends_an_old_execution_whose_claim_was_released() -> None:
    log = Log().add(a_claim()).add(released()).add(a_fact(Effect.NOT_APPLIED, source=FactSource.HUMAN), after_ms=OLD_MS + 1)

    assert log.status is Status.FAILED
