"""Properties of the fold over random logs: what holds for every log, whoever wrote it."""

from itertools import pairwise

from hypothesis import given, settings

from enact.execution import apply, claim_refusal, verdict
from enact.execution_state import RANK, AttemptState, Execution
from enact.lifecycle import TERMINAL, is_legal_move
from enact.next_action import ActionKind, deadline_ms, next_action
from enact.records import Claimed, Effect, EffectKind, ExecutionEvent, Fact, FactSource, Released, Status, Step
from tests.unit.enact.event_factories import Log, a_claim, a_fact, an_event
from tests.unit.enact.event_strategies import LOGS, MOVES, Move, play

MANY = settings(max_examples=100, deadline=None)
FEW = settings(max_examples=40, deadline=None)


def states_of(log: Log) -> list[Execution]:
    """The fold after each event."""
    state, states = None, []
    for event, log_ms in log.events:
        state = apply(state, event, log_ms=log_ms)
        states.append(state)
    return states


@FEW
@given(LOGS)
def test_folding_with_repeated_events_is_folding_without(moves: list[Move]) -> None:
    log = play(moves)
    state = None

    for move, (event, log_ms) in zip(moves, log.events, strict=True):
        state = apply(state, event, log_ms=log_ms)
        if move.is_repeated:
            for repeated, _ in log.events[: log.events.index((event, log_ms)) + 1]:
                state = apply(state, repeated, log_ms=log_ms)

    assert state == log.state


@FEW
@given(LOGS)
def test_the_fold_is_a_function_of_the_log(moves: list[Move]) -> None:
    log = play(moves)

    assert states_of(log) == states_of(log)


@FEW
@given(LOGS, LOGS)
def test_an_execution_does_not_depend_on_the_others_of_its_partition(mine: list[Move], others: list[Move]) -> None:
    log, other = play(mine), play(others)
    states: dict[str, Execution | None] = {"mine": None, "other": None}

    records = [("mine", *record) for record in log.events] + [("other", *record) for record in other.events]
    for whose, event, log_ms in sorted(records, key=lambda record: record[2]):
        states[whose] = apply(states[whose], event, log_ms=log_ms)

    assert states == {"mine": log.state, "other": other.state}


@MANY
@given(LOGS)
def test_the_status_only_makes_legal_moves(moves: list[Move]) -> None:
    states = states_of(play(moves))

    for which in Step:
        for before, after in pairwise(state.step(which) for state in states):
            was, now = verdict(before).status, verdict(after).status
            assert now is not None or was is None
            assert now is None or is_legal_move(was, now), (was, now)
            if was in TERMINAL and now not in TERMINAL:
                assert now is Status.PENDING
                assert after.generation.number == before.generation.number + 1


@MANY
@given(LOGS)
def test_an_attempts_state_never_falls_and_no_attempt_disappears(moves: list[Move]) -> None:
    for before, after in pairwise(states_of(play(moves))):
        for which in Step:
            now = {attempt.nonce: attempt for attempt in after.step(which).attempts}
            for attempt in before.step(which).attempts:
                assert RANK[now[attempt.nonce].state] >= RANK[attempt.state]


@MANY
@given(LOGS, MOVES, LOGS)
def test_applied_anywhere_in_any_order_is_succeeded(before: list[Move], where: Move, after: list[Move]) -> None:
    log = play(before)

    log.add_event(an_event(a_fact(Effect.APPLIED, "any nonce", FactSource.LATE), step=where.step, generation=9))
    play(after, log)

    assert verdict(log.execution.step(where.step)).status is Status.SUCCEEDED


@MANY
@given(LOGS)
def test_an_effect_ends_its_step_at_its_own_offset_so_that_no_claim_ever_meets_one_in_an_open_generation(moves: list[Move]) -> None:
    """Why no owner, however stale, hears "something was applied": whatever attempt it names, "ended or barred" is said first.

    The question stays in `claim_refusal` all the same: it must hold even if an ending were ever forgotten.
    """
    for state in states_of(play(moves)):
        for which in Step:
            step = state.step(which)
            if step.has(AttemptState.APPLIED) or step.has(AttemptState.PARTIAL):
                assert step.generation.ending is not None
                claim = a_claim(step.next_number, "from a stale owner")
                event = an_event(claim, step=which, generation=step.generation.number)
                assert claim_refusal(state, event, claim, log_ms=0) in {"ended or barred", "older than the log remembers"}


@MANY
@given(LOGS)
def test_every_step_that_waits_has_one_next_action_and_a_deadline(moves: list[Move]) -> None:
    log = play(moves)

    for which in Step:
        step = log.execution.step(which)
        status = verdict(step).status
        is_over = step.generation.ending is not None and not step.unsettled_attempts
        has_subject = step.generation.subject is not None and step.generation.subject.is_full
        action = next_action(log.execution, which)
        deadline = deadline_ms(log.execution, which)
        if is_over or status is Status.IN_DOUBT:
            assert action is None
            assert deadline is None
        elif step.open_attempt is not None:
            assert action is not None
            assert action.kind is ActionKind.TAKE_OVER
        elif has_subject and status is not Status.SUCCEEDED and which is Step.EXECUTE:
            assert action is not None
        elif has_subject and which is Step.COMPENSATE and step.generation.ending is None and step.generation.bar is None:
            assert action is not None or deadline is not None


@MANY
@given(LOGS)
def test_the_index_never_asks_for_a_claim_that_the_fold_would_refuse(moves: list[Move]) -> None:
    log = play(moves)

    for which in Step:
        action = next_action(log.execution, which)
        if action is None or action.kind is not ActionKind.CLAIM:
            continue
        step = log.execution.step(which)
        last = step.attempts[-1].effect_class if step.attempts else a_claim().effect_class
        claim = a_claim(step.next_number, "fresh", digest=step.generation.digest or "digest-1", effect_class=last)
        event = an_event(claim, step=which, generation=step.generation.number)
        assert claim_refusal(log.execution, event, claim, log_ms=max(log.now_ms, action.not_before_ms)) is None


# Validity, said once more in the plainest way: over the raw log, without the fold's attempts.


def standing(log: Log, upto: int, claim: ExecutionEvent, claimed_ms: int) -> AttemptState:
    """The highest that the log before `upto` says of a valid claim."""
    data = claim.data
    assert isinstance(data, Claimed)
    settle_ms = (data.effect_class.settle_ms or 0) if data.effect_class.kind is EffectKind.LOOKUP else 0
    state = AttemptState.OPEN
    for event, log_ms in log.events[log.events.index((claim, claimed_ms)) + 1 : upto]:
        said = event.data
        if event.step is not claim.step or not isinstance(said, Fact | Released) or said.nonce != data.nonce:
            continue
        if isinstance(said, Released):
            heard = AttemptState.RELEASED
        elif said.effect is Effect.NOT_APPLIED and not (
            said.source in (FactSource.CALL, FactSource.LATE)
            or (said.source is FactSource.LOOKUP and min(log_ms, said.started_at_ms or 0) >= claimed_ms + data.lease_ms + settle_ms)
            or (said.source is FactSource.HUMAN and state is AttemptState.UNKNOWN and log_ms >= claimed_ms + data.lease_ms)
        ):
            continue
        else:
            heard = AttemptState(said.effect.value)
        state = heard if RANK[heard] > RANK[state] else state
    return state


def is_given_up(since: list[tuple[ExecutionEvent, int]], claim: ExecutionEvent) -> bool:
    """True if somebody has said since the claim that it is UNKNOWN for good."""
    assert isinstance(claim.data, Claimed)
    said = [e.data for e, _ in since if e.step is claim.step and isinstance(e.data, Fact) and e.data.nonce == claim.data.nonce]
    return any(fact.effect is Effect.UNKNOWN and fact.error is not None and fact.error.is_permanent for fact in said)


@MANY
@given(LOGS)
def test_a_claim_is_valid_exactly_if_every_condition_holds_in_the_log_before_it(moves: list[Move]) -> None:
    log = play(moves)
    states = [Execution(tenant_id="t", action_intent_id="i", first_ms=0), *states_of(log)]
    valid: list[tuple[ExecutionEvent, int]] = []

    for at, (event, log_ms) in enumerate(log.events):
        claim = event.data
        if not isinstance(claim, Claimed):
            continue
        step = states[at].step(event.step)
        earlier = [(e, ms, c) for e, ms in valid if e.step is event.step and isinstance(c := e.data, Claimed)]
        here = [(e, c) for e, _, c in earlier if e.generation == event.generation]
        found = {c.nonce: standing(log, at, e, ms) for e, ms, c in earlier}
        effects = [
            e for e, _ in log.events[:at]
            if e.step is event.step and isinstance(e.data, Fact) and e.data.effect in (Effect.APPLIED, Effect.PARTIAL)
        ]  # fmt: skip
        gone = {e.data.nonce for e, _ in log.events[:at] if e.step is event.step and isinstance(e.data, Released)}
        given_up = {c.nonce for e, ms, c in earlier if is_given_up(log.events[log.events.index((e, ms)) : at], e)}
        conditions = {
            "current": event.generation == step.generation.number,
            "not ended": step.generation.ending is None,
            "not barred": step.generation.bar is None,
            "next number": claim.attempt == max((c.attempt for _, _, c in earlier), default=0) + 1,
            "earlier ones are closed or may be repeated": all(
                found[c.nonce] in (AttemptState.RELEASED, AttemptState.NOT_APPLIED)
                or (
                    found[c.nonce] is AttemptState.UNKNOWN
                    and c.effect_class.kind in (EffectKind.IDEMPOTENT, EffectKind.UPSERT)
                    and c.nonce not in given_up
                    and c.request_digest == claim.request_digest
                )
                for _, _, c in earlier
            ),
            "no effect": not effects,
            "attempts left": sum(found[c.nonce] is not AttemptState.RELEASED for _, c in here)
            < (here[0][1].max_attempts if here else claim.max_attempts),
            "same digest": not here or here[0][1].request_digest == claim.request_digest,
            "nonce not burnt": claim.nonce not in gone and claim.nonce not in found,
            "action settled": event.step is Step.EXECUTE or _is_settled(states[at], log_ms),
        }
        is_valid = len(states[at + 1].step(event.step).attempts) > len(step.attempts)
        assert is_valid is all(conditions.values()), conditions
        if is_valid:
            valid.append((event, log_ms))


def _is_settled(state: Execution, log_ms: int) -> bool:
    action = state.execute
    applied = {a.digest for a in action.attempts if a.state is AttemptState.APPLIED}
    unsettled = [a for a in action.attempts if a.state in (AttemptState.OPEN, AttemptState.UNKNOWN)]
    return action.generation.ending is not None and all(a.digest in applied and log_ms >= a.settled_ms for a in unsettled)
