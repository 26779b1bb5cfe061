"""Bugs to plant: each is a tempting reading of one sentence, and what it breaks is named."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from msgspec.structs import replace

from enact import execution, next_action
from enact.execution_state import RANK, Attempt, AttemptState, Execution, StepState
from enact.records import CancelRequested, Claimed, ExecutionEvent, Fact, FactSource, Released, Step
from tests.unit.enact.execution_model import properties, scenarios
from tests.unit.enact.execution_model.owners import PLAIN, Rules
from tests.unit.enact.execution_model.scenarios import Scenario
from tests.unit.enact.execution_model.world import Log

Plant = Callable[[pytest.MonkeyPatch], None]


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """A bug, where to look for it, and the property that it breaks."""

    name: str
    scenario: Scenario
    breaks: str
    plant: Plant | None = None
    rules: Rules = PLAIN


def _first_claim_wins(log: Log, _at: Log, nonce: str) -> bool:
    """Claims judged by the whole log: the first one wins, and a settled one is removed from the list."""
    standing: list[str] = []
    for node in log.path:
        data = node.event.data if node.event is not None else None
        if isinstance(data, Claimed):
            standing.append(data.nonce)
        elif isinstance(data, Fact | Released) and data.nonce in standing:
            standing.remove(data.nonce)
    return standing[:1] == [nonce]


def _match_by_attempt(patch: pytest.MonkeyPatch) -> None:
    learn, release = execution._learn, execution._release

    def nonce_of(step: StepState, number: int, nonce: str) -> str:
        return next((a.nonce for a in step.attempts if a.number == number), nonce)

    def learn_by_attempt(step: StepState, fact: Fact, log_ms: int) -> StepState:
        return learn(step, replace(fact, nonce=nonce_of(step, fact.attempt, fact.nonce)), log_ms)

    def release_by_attempt(step: StepState, data: Released, log_ms: int) -> StepState:
        return release(step, replace(data, nonce=nonce_of(step, data.attempt, data.nonce)), log_ms)

    patch.setattr(execution, "_learn", learn_by_attempt)
    patch.setattr(execution, "_release", release_by_attempt)


def _forget_the_unknown(patch: pytest.MonkeyPatch) -> None:
    has = StepState.has
    patch.setattr(StepState, "has", lambda step, state: state is not AttemptState.UNKNOWN and has(step, state))
    patch.setattr(StepState, "unknown_attempts", property(lambda _: ()))
    patch.setattr(StepState, "unsettled_attempts", property(lambda step: tuple(a for a in step.attempts if a.state is AttemptState.OPEN)))


def _burn_only_what_is_claimed(patch: pytest.MonkeyPatch) -> None:
    release = execution._release

    def release_known(step: StepState, data: Released, log_ms: int) -> StepState:
        return step if step.by_nonce(data.nonce) is None else release(step, data, log_ms)

    patch.setattr(execution, "_release", release_known)


def _let_the_last_fact_win(patch: pytest.MonkeyPatch) -> None:
    learn = execution._learn

    def learn_last(step: StepState, fact: Fact, log_ms: int) -> StepState:
        step = learn(step, fact, log_ms)
        said = AttemptState(fact.effect.value)
        lowered = (replace(a, state=said) if a.nonce == fact.nonce and RANK[said] < RANK[a.state] else a for a in step.attempts)
        return replace(step, attempts=tuple(lowered))

    patch.setattr(execution, "_learn", learn_last)


def _let_deny(source: FactSource) -> Plant:
    """This source's denial counts at once."""

    def plant(patch: pytest.MonkeyPatch) -> None:
        may_deny = execution._may_deny

        def may_deny_sooner(attempt: Attempt, fact: Fact, log_ms: int) -> bool:
            return fact.source is source or may_deny(attempt, fact, log_ms)

        patch.setattr(execution, "_may_deny", may_deny_sooner)

    return plant


def _judge_look_ups_by_their_landing(patch: pytest.MonkeyPatch) -> None:
    may_deny = execution._may_deny

    def may_deny_when_it_lands(attempt: Attempt, fact: Fact, log_ms: int) -> bool:
        return may_deny(attempt, replace(fact, started_at_ms=log_ms), log_ms)

    patch.setattr(execution, "_may_deny", may_deny_when_it_lands)


def _cancel_only_what_is_named(patch: pytest.MonkeyPatch) -> None:
    fold = execution._apply_to_step

    def fold_named(step: StepState, state: Execution, event: ExecutionEvent, log_ms: int, horizon_ms: int) -> StepState:
        if isinstance(event.data, CancelRequested) and event.generation != step.generation.number:
            return step
        return fold(step, state, event, log_ms, horizon_ms)

    patch.setattr(execution, "_apply_to_step", fold_named)


def _redrive_what_has_not_ended(patch: pytest.MonkeyPatch) -> None:
    def refuse_only_another_generation(step: StepState, generation: int, *, log_ms: int) -> str | None:
        del log_ms
        return None if generation == step.generation.number else "not the current generation"

    patch.setattr(execution, "redrive_refusal", refuse_only_another_generation)


def _repeat_whatever_is_unknown(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Attempt, "allows_repeat", property(lambda attempt: attempt.state is AttemptState.UNKNOWN))


def _end_although_a_claim_is_open(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(StepState, "unsettled_attempts", property(lambda _: ()))
    patch.setattr(StepState, "open_attempt", property(lambda _: None))


def _forget_the_first_ms(patch: pytest.MonkeyPatch) -> None:
    fold = execution.apply

    def fold_what_is_left(state: Execution | None, event: ExecutionEvent, *, log_ms: int) -> Execution:
        return fold(state, replace(event, first_ms=None), log_ms=log_ms)

    patch.setattr(execution, "apply", fold_what_is_left)


def _forget_what_was_released(patch: pytest.MonkeyPatch) -> None:
    act = next_action.next_action

    def act_unless_released(state: Execution, which: Step) -> next_action.NextAction | None:
        return None if state.step(which).generation.releases else act(state, which)

    patch.setattr(next_action, "next_action", act_unless_released)


MUTANTS = (
    Mutant(
        name="the first claim in the log wins and a settled one makes room",
        scenario=scenarios.TWO_OWNERS,
        breaks=properties.DOUBLE_EFFECT,
        rules=Rules(is_valid=_first_claim_wins),
    ),
    Mutant(
        name="an owner calls after its append without reading it back",
        scenario=scenarios.TWO_OWNERS,
        breaks=properties.DOUBLE_EFFECT,
        rules=Rules(reads_back=False),
    ),
    Mutant(
        name="a claim that is read twice starts its call twice",
        scenario=scenarios.READ_TWICE,
        breaks=properties.DOUBLE_EFFECT,
        rules=Rules(has_nonce_memory=False),
    ),
    Mutant(
        name="facts and releases are matched by attempt and not by nonce",
        scenario=scenarios.TWO_CLAIMS,
        breaks=properties.DOUBLE_EFFECT,
        plant=_match_by_attempt,
    ),
    Mutant(
        name="a generation ends although an attempt is unknown",
        scenario=scenarios.LATE,
        breaks=properties.FALSE_ENDING,
        plant=_forget_the_unknown,
    ),
    Mutant(
        name="a generation ends although a claim is open",
        scenario=scenarios.TWO_OWNERS,
        breaks=properties.FALSE_ENDING,
        plant=_end_although_a_claim_is_open,
    ),
    Mutant(
        name="a release that stands before its claim does not burn it",
        scenario=scenarios.TWO_OWNERS,
        breaks=properties.RELEASED_BLOCKS,
        plant=_burn_only_what_is_claimed,
    ),
    Mutant(
        name="the index forgets a step whose claim was released",
        scenario=scenarios.TWO_OWNERS,
        breaks=properties.STUCK,
        plant=_forget_what_was_released,
    ),
    Mutant(
        name="the last fact wins",
        scenario=scenarios.HOPEFUL,
        breaks=properties.NEEDLESS_DOUBT,
        plant=_let_the_last_fact_win,
    ),
    Mutant(
        name="a person may deny an open attempt",
        scenario=scenarios.DENIED,
        breaks=properties.FALSE_ENDING,
        plant=_let_deny(FactSource.HUMAN),
    ),
    Mutant(
        name="a cancel stops only the generation it names",
        scenario=scenarios.REDRIVEN,
        breaks=properties.CALL_AFTER_STOP,
        plant=_cancel_only_what_is_named,
    ),
    Mutant(
        name="a generation that has not ended is driven again",
        scenario=scenarios.REDRIVEN,
        breaks=properties.CALL_AFTER_STOP,
        plant=_redrive_what_has_not_ended,
    ),
    Mutant(
        name="a take-over may deny",
        scenario=scenarios.HOPEFUL,
        breaks=properties.DOUBLE_EFFECT,
        plant=_let_deny(FactSource.TAKE_OVER),
    ),
    Mutant(
        name="a look-up that finds nothing counts before settle",
        scenario=scenarios.LOOKED_UP,
        breaks=properties.DOUBLE_EFFECT,
        plant=_let_deny(FactSource.LOOKUP),
    ),
    Mutant(
        name="a look-up counts by when it lands and not by when it was asked",
        scenario=scenarios.LOOKED_UP,
        breaks=properties.DOUBLE_EFFECT,
        plant=_judge_look_ups_by_their_landing,
    ),
    Mutant(
        name="an unknown attempt is repeated whatever its class",
        scenario=scenarios.LATE,
        breaks=properties.DOUBLE_EFFECT,
        plant=_repeat_whatever_is_unknown,
    ),
    Mutant(
        name="the first time is not carried past retention",
        scenario=scenarios.RETENTION,
        breaks=properties.CLAIM_AFTER_CUT,
        plant=_forget_the_first_ms,
    ),
)
