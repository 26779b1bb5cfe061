"""The fold of the execution log: what is true about an execution, and what may happen next.

Pure. Events in, state out; no clock but *log time*, the largest LogAppendTime at or before the offset, and
nothing but the log, so everybody who reads it computes the same. Read it in three parts:

1. `apply`             one event changes the state
2. `claim_refusal`     may this claim make its call?
3. `verdict`           what people see

What the owner does next with the state is `enact.next_action`.

Evidence that something happened, and stops, are never fenced. An assertion that nothing happened is a
request that the fold may refuse. `tests/unit/enact/test_execution_model.py` walks these functions through
the interleavings of two owners; every rule here prevents a failure that it can show.
"""

from typing import assert_never

from msgspec import Struct
from msgspec.structs import replace

from enact.errors import ErrorCode
from enact.execution_state import RANK, Attempt, AttemptState, Ending, Evidence, Execution, Generation, StepState
from enact.records import (
    CancelRequested,
    Claimed,
    Effect,
    EffectKind,
    ExecutionEvent,
    Expired,
    Fact,
    FactSource,
    FoldVersionSet,
    Parked,
    ParkReason,
    RedriveRequested,
    Refused,
    Released,
    Status,
    Step,
)

FOLD_VERSION = 1
LOOK_UP_BUDGET = 20
DAY_MS = 86_400_000
HORIZON_MS = 30 * DAY_MS
HELD_REASONS = frozenset({ParkReason.SWITCH, ParkReason.BREAKER, ParkReason.LIMIT})
"""Why a step waits on purpose: it shows as HELD, and still expires."""
_RELEASE_DELAY_MS = 100
_MAX_RELEASE_DELAY_MS = 30_000
_PARTIAL = "The tool did a part and did not finish: look at the recorded objects, then compensate or complete by hand."
_STATE_OF = {
    Effect.NOT_APPLIED: AttemptState.NOT_APPLIED,
    Effect.UNKNOWN: AttemptState.UNKNOWN,
    Effect.PARTIAL: AttemptState.PARTIAL,
    Effect.APPLIED: AttemptState.APPLIED,
}


# 1. One event


def apply(state: Execution | None, event: ExecutionEvent, *, log_ms: int, horizon_ms: int = HORIZON_MS) -> Execution:
    """The state after `event`, which stands in the log at log time `log_ms`; the first copy of an event counts."""
    if state is None:
        state = Execution(tenant_id=event.tenant_id, action_intent_id=event.action_intent_id, first_ms=log_ms)
    if event.event_id in state.event_ids:
        return state
    first_ms = min(state.first_ms, event.first_ms if event.first_ms is not None else log_ms)
    is_merely_known = first_ms < log_ms - (horizon_ms - 2 * DAY_MS)
    state = replace(state, first_ms=first_ms, is_merely_known=is_merely_known, event_ids=(*state.event_ids, event.event_id))
    if is_merely_known:
        state = replace(state, execute=_give_up(state.execute), compensate=_give_up(state.compensate))
    before = state.step(event.step)
    if is_merely_known:
        after = _apply_to_merely_known(before, event)
    else:
        after = _end_if_due(_apply_to_step(_keep_subject(before, event), state, event, log_ms, horizon_ms))
    if _is_contradiction(before, after):
        after = replace(after, is_contradicted=True)
    return replace(state, execute=after) if event.step is Step.EXECUTE else replace(state, compensate=after)


def _apply_to_step(step: StepState, state: Execution, event: ExecutionEvent, log_ms: int, horizon_ms: int) -> StepState:
    is_current = event.generation == step.generation.number
    match event.data:
        case Parked() as parked:
            is_waiting = is_current and step.generation.ending is None
            return _in_generation(step, due_ms=parked.not_before_ms, park=parked.reason) if is_waiting else step
        case Claimed() as claim:
            return _open(step, event.generation, claim, log_ms) if claim_refusal(state, event, claim, log_ms=log_ms) is None else step
        case Released() as released:
            return _release(step, released, log_ms)
        case Fact() as fact:
            return _learn(step, fact, log_ms)
        case Refused() as refused:
            status = Status.EXPIRED if refused.code == ErrorCode.DEADLINE_PASSED else Status.FAILED
            return _bar(step, Ending(status=status, code=refused.code, message=refused.message)) if is_current else step
        case CancelRequested() as cancel:
            return _bar(step, Ending(status=Status.CANCELLED, code=ErrorCode.CANCELLED, message=cancel.reason))
        case Expired() as expired:
            ending = Ending(status=Status.EXPIRED, code=ErrorCode.DEADLINE_PASSED, message="The deadline passed before it was done.")
            due_ms = expires_ms(step, event.step, state.first_ms, known_s=expired.expires_at_epoch, horizon_ms=horizon_ms)
            return _bar(step, ending) if is_current and due_ms is not None and log_ms >= due_ms else step
        case RedriveRequested():
            return _redrive(step) if redrive_refusal(step, event.generation, log_ms=log_ms) is None else step
        case FoldVersionSet():
            return step
        case _ as never:
            assert_never(never)


def _keep_subject(step: StepState, event: ExecutionEvent) -> StepState:
    """The first full subject of the current generation stays; until then the best that a command knew."""
    known, subject = step.generation.subject, event.subject
    if subject is None or event.generation != step.generation.number or (known is not None and (known.is_full or not subject.is_full)):
        return step
    return _in_generation(step, subject=subject)


def _open(step: StepState, generation: int, claim: Claimed, log_ms: int) -> StepState:
    attempt = Attempt(
        number=claim.attempt,
        nonce=claim.nonce,
        generation=generation,
        owner=claim.owner,
        digest=claim.request_digest,
        effect_class=claim.effect_class,
        max_attempts=claim.max_attempts,
        claimed_ms=log_ms,
        lease_ms=claim.lease_ms,
    )
    step = _in_generation(step, digest=step.generation.digest or claim.request_digest, park=None, due_ms=0)
    return replace(step, attempts=(*step.attempts, attempt))


def _release(step: StepState, released: Released, log_ms: int) -> StepState:
    """Burns the nonce, also before its claim; backs off so that a claim that cannot start does not spin."""
    step = replace(step, burnt=(*step.burnt, released.nonce))
    attempt = step.by_nonce(released.nonce)
    if attempt is None or RANK[attempt.state] >= RANK[AttemptState.RELEASED]:
        return step
    step = _with_attempt(step, replace(attempt, state=AttemptState.RELEASED))
    releases = step.generation.releases + 1
    delay_ms = min(_MAX_RELEASE_DELAY_MS, _RELEASE_DELAY_MS * 2 ** min(releases, 20))
    return _in_generation(step, releases=releases, due_ms=max(step.generation.due_ms, log_ms + delay_ms))


def _learn(step: StepState, fact: Fact, log_ms: int) -> StepState:
    """Raise the attempt with the fact's nonce; proof of an effect counts whatever the nonce."""
    attempt, learned = step.by_nonce(fact.nonce), _STATE_OF.get(fact.effect)
    if learned is None:
        return step
    if attempt is None:
        if RANK[learned] < RANK[AttemptState.PARTIAL]:
            return step
        return replace(step, evidence=(*step.evidence, Evidence(state=learned, refs=fact.refs, error=fact.error)))
    if fact.source is FactSource.LOOKUP:
        attempt = replace(attempt, look_ups=attempt.look_ups + 1)
    if learned is AttemptState.NOT_APPLIED and not _may_deny(attempt, fact, log_ms):
        step = _with_attempt(step, attempt)
        is_early_look_up = fact.source is FactSource.LOOKUP and attempt.state is AttemptState.UNKNOWN
        return _in_generation(step, due_ms=max(fact.not_before_ms or 0, attempt.settled_ms)) if is_early_look_up else step
    if learned is AttemptState.UNKNOWN and attempt.state in (AttemptState.OPEN, AttemptState.UNKNOWN):
        is_given_up = attempt.is_given_up or (fact.error is not None and fact.error.is_permanent)
        attempt = replace(attempt, state=learned, is_given_up=is_given_up, error=fact.error or attempt.error)
        return _in_generation(_with_attempt(step, attempt), due_ms=fact.not_before_ms or 0, park=None)
    if RANK[learned] <= RANK[attempt.state]:
        return _with_attempt(step, attempt)
    step = _with_attempt(step, replace(attempt, state=learned, refs=fact.refs or attempt.refs, error=fact.error))
    is_persons_denial = learned is AttemptState.NOT_APPLIED and fact.source is FactSource.HUMAN
    if is_persons_denial and attempt.generation == step.generation.number and step.generation.ending is None:
        return _end(step, Ending(status=Status.FAILED, code=ErrorCode.RESOLVED_NOT_APPLIED, message=fact.reason, error=fact.error))
    return _in_generation(step, due_ms=fact.not_before_ms or 0, park=None)


def _may_deny(attempt: Attempt, fact: Fact, log_ms: int) -> bool:
    """Whose word counts that nothing happened: the caller's at once, the world's and a person's after a time.

    A look-up must have *begun* after that time: one that asked too early says nothing, however late it lands.
    """
    match fact.source:
        case FactSource.CALL | FactSource.LATE:
            return True
        case FactSource.LOOKUP:
            return fact.started_at_ms is not None and min(log_ms, fact.started_at_ms) >= attempt.settled_ms
        case FactSource.HUMAN:
            return attempt.state is AttemptState.UNKNOWN and log_ms >= attempt.lease_end_ms
        case FactSource.TAKE_OVER | FactSource.UNKNOWN:
            return False
        case _ as never:
            assert_never(never)


def _end_if_due(step: StepState) -> StepState:
    """End the current generation at the first offset where it is over."""
    current = step.generation
    if step.has(AttemptState.APPLIED):
        is_over = current.ending is not None and current.ending.status is Status.SUCCEEDED
        return step if is_over else _end(step, Ending(status=Status.SUCCEEDED))
    if current.ending is not None:
        return step
    if step.has(AttemptState.PARTIAL):
        return _end(step, Ending(status=Status.FAILED, code=ErrorCode.PARTIAL_EFFECT, message=_PARTIAL))
    denied = [a for a in step.used_attempts if a.state is AttemptState.NOT_APPLIED]
    permanent = next((a.error for a in denied if a.error is not None and a.error.is_permanent), None)
    if permanent is not None:
        return _end(step, Ending(status=Status.FAILED, code=permanent.code, message=permanent.message, error=permanent))
    if step.unsettled_attempts:
        return step
    if denied and len(denied) >= (step.max_attempts or 0):
        message = f"Tried {len(denied)} times; nothing was applied: look at the connector's health, then redrive."
        return _end(step, Ending(status=Status.FAILED, code=ErrorCode.RETRIES_EXHAUSTED, message=message, error=denied[-1].error))
    return _end(step, current.bar) if current.bar is not None else step


def _give_up(step: StepState) -> StepState:
    """Older than the log remembers: what is open or UNKNOWN stays in doubt until a person says what happened."""
    unsettled = step.unsettled_attempts
    if all(a.is_given_up and a.state is AttemptState.UNKNOWN for a in unsettled):
        return step
    given_up = (replace(a, state=AttemptState.UNKNOWN, is_given_up=True) if a in unsettled else a for a in step.attempts)
    return replace(step, attempts=tuple(given_up))


def _apply_to_merely_known(step: StepState, event: ExecutionEvent) -> StepState:
    """Retention may have cut the beginning: only what a person says, with a full subject, still counts."""
    fact = event.data
    if not isinstance(fact, Fact) or fact.source is not FactSource.HUMAN or event.subject is None or not event.subject.is_full:
        return step
    learned = _STATE_OF.get(fact.effect, AttemptState.UNKNOWN)
    if learned is AttemptState.UNKNOWN:
        return step
    current = step.generation
    step = _in_generation(step, number=max(current.number, event.generation), subject=current.subject or event.subject)
    unsettled = step.unsettled_attempts
    step = replace(step, attempts=tuple(replace(a, state=learned) if a in unsettled else a for a in step.attempts))
    if learned is not AttemptState.NOT_APPLIED:
        step = replace(step, evidence=(*step.evidence, Evidence(state=learned, refs=fact.refs, error=fact.error)))
        return _end_if_due(_in_generation(step, ending=None))
    is_over = current.ending is not None or step.has(AttemptState.APPLIED) or step.has(AttemptState.PARTIAL)
    return step if is_over else _end(step, Ending(status=Status.FAILED, code=ErrorCode.RESOLVED_NOT_APPLIED, message=fact.reason))


# 2. Permission


def claim_refusal(state: Execution, event: ExecutionEvent, claim: Claimed, *, log_ms: int) -> str | None:
    """Why the fold before this claim does not permit it, or None if it does."""
    step = state.step(event.step)
    current = step.generation
    if state.is_merely_known:
        return "older than the log remembers"
    if event.generation != current.number:
        return "not the current generation"
    if current.ending is not None or current.bar is not None:
        return "ended or barred"
    if claim.attempt != step.next_number:
        return "not the next attempt"
    if claim.nonce in step.burnt or step.by_nonce(claim.nonce) is not None:
        return "nonce already used"
    if step.has(AttemptState.APPLIED) or step.has(AttemptState.PARTIAL):
        return "something was applied"
    if current.digest is not None and claim.request_digest != current.digest:
        return "another request than the first claim's"
    if not all(a.state is AttemptState.UNKNOWN and a.allows_repeat and a.digest == claim.request_digest for a in step.unsettled_attempts):
        return "an earlier attempt is open or unknown"
    if len(step.used_attempts) >= (step.max_attempts or claim.max_attempts):
        return "no attempt left"
    if event.step is Step.COMPENSATE and compensation_from_ms(state, log_ms) > log_ms:
        return "the action itself is not settled"
    return None


def compensation_from_ms(state: Execution, log_ms: int) -> float:
    """Log time from which compensating is allowed; infinite while the action itself may still change the world.

    An unsettled repeat of an applied call (same digest, hence same key) cannot do more than that call did,
    once its own time has passed.
    """
    step = state.execute
    if step.generation.ending is None:
        return float("inf")
    applied = {a.digest for a in step.attempts if a.state is AttemptState.APPLIED}
    if any(a.digest not in applied for a in step.unsettled_attempts):
        return float("inf")
    return max((a.settled_ms for a in step.unsettled_attempts), default=log_ms)


def redrive_refusal(step: StepState, generation: int, *, log_ms: int) -> str | None:
    """Why a redrive of this generation is not allowed, or None if it is."""
    if generation != step.generation.number:
        return "not the current generation"
    if step.generation.ending is None:
        return "not ended"
    if step.has(AttemptState.APPLIED) or step.has(AttemptState.PARTIAL):
        return "something was applied"
    if step.unsettled_attempts:
        return "an attempt is open or unknown"
    return "a claim's time is not over" if any(log_ms < a.settled_ms for a in step.attempts) else None


# 3. What people see


class Verdict(Struct, frozen=True):
    """The join over all attempts of a step; `status` None = never begun."""

    status: Status | None
    effect: Effect


def verdict(step: StepState) -> Verdict:
    """Any APPLIED wins, then open, then UNKNOWN, then PARTIAL; only then may it have ended without effect."""
    effect = _effect(step)
    current = step.generation
    if effect is Effect.APPLIED:
        return Verdict(Status.SUCCEEDED, effect)
    if step.open_attempt is not None:
        return Verdict(Status.EXECUTING, effect)
    if step.has(AttemptState.UNKNOWN):
        return Verdict(Status.RETRYING if is_automatic_step_left(step) else Status.IN_DOUBT, effect)
    if effect is Effect.PARTIAL:
        return Verdict(Status.FAILED, effect)
    if current.ending is not None:
        return Verdict(current.ending.status, effect)
    if current.park in HELD_REASONS:
        return Verdict(Status.HELD, effect)
    if step.used_attempts:
        return Verdict(Status.RETRYING, effect)
    return Verdict(Status.PENDING if step.is_begun else None, effect)


def _effect(step: StepState) -> Effect:
    if step.has(AttemptState.APPLIED):
        return Effect.APPLIED
    if step.has(AttemptState.PARTIAL):
        return Effect.PARTIAL
    if step.has(AttemptState.OPEN) or step.has(AttemptState.UNKNOWN):
        return Effect.UNKNOWN
    return Effect.NOT_APPLIED if step.attempts else Effect.NONE


def is_automatic_step_left(step: StepState) -> bool:
    """True if an UNKNOWN attempt can still be cleared without a person: a look-up, or a repeat with the same key."""
    unknown = step.unknown_attempts
    if not unknown or any(a.is_given_up for a in unknown):
        return False
    last, current = unknown[-1], step.generation
    if last.effect_class.kind is EffectKind.LOOKUP:
        return True
    is_over = current.ending is not None or current.bar is not None
    return all(a.allows_repeat for a in unknown) and not is_over and len(step.used_attempts) < (step.max_attempts or 0)


# Small moves


def _in_generation(step: StepState, **changes: object) -> StepState:
    return replace(step, generation=replace(step.generation, **changes))


def _with_attempt(step: StepState, attempt: Attempt) -> StepState:
    if step.by_nonce(attempt.nonce) == attempt:
        return step
    return replace(step, attempts=tuple(attempt if a.nonce == attempt.nonce else a for a in step.attempts))


def _bar(step: StepState, ending: Ending) -> StepState:
    """The first bar counts; a generation that has ended cannot be barred."""
    current = step.generation
    return step if current.bar is not None or current.ending is not None else _in_generation(step, bar=ending)


def _end(step: StepState, ending: Ending) -> StepState:
    return _in_generation(step, ending=ending, park=None, due_ms=0)


def _redrive(step: StepState) -> StepState:
    return replace(step, generation=Generation(number=step.generation.number + 1))


def expires_ms(step: StepState, which: Step, first_ms: int, *, known_s: int = 0, horizon_ms: int = HORIZON_MS) -> int | None:
    """The deadline of the current generation in epoch ms; `known_s` stands in for a subject that does not know it."""
    subject = step.generation.subject
    expires_s = (subject.expires_at_epoch if subject is not None else 0) or known_s
    if not expires_s:
        return None
    return expires_s * 1000 if which is Step.EXECUTE else min(expires_s * 1000, first_ms + horizon_ms - 4 * DAY_MS)


def _is_contradiction(before: StepState, after: StepState) -> bool:
    """APPLIED after an ending without it, or of an attempt that somebody had denied."""
    if not after.has(AttemptState.APPLIED):
        return False
    if verdict(before).status in (Status.FAILED, Status.EXPIRED, Status.CANCELLED):
        return True
    denied = {a.nonce for a in before.attempts if a.state in (AttemptState.NOT_APPLIED, AttemptState.RELEASED)}
    return any(a.state is AttemptState.APPLIED and a.nonce in denied for a in after.attempts)
