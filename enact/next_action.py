"""What the owner of a partition does next with an execution: a function of its fold.

Every step that has an open claim, or that has neither ended nor is in doubt, has exactly one next action
and a deadline; the due-time index is built from these two and nothing else starts a call.
"""

from enum import StrEnum

from msgspec import Struct

from enact.execution import HORIZON_MS, compensation_from_ms, expires_ms, is_automatic_step_left, verdict
from enact.execution_state import AttemptState, Execution
from enact.records import EffectKind, Status, Step

DEADLINE_FIRST = "DEADLINE_FIRST"
"""In a ledger entry about a retry: it could only come after the deadline, so it never does."""


class ActionKind(StrEnum):
    """The kinds of next action."""

    TAKE_OVER = "TAKE_OVER"
    LOOK_UP = "LOOK_UP"
    CLAIM = "CLAIM"


class NextAction(Struct, frozen=True):
    """What to do with a step, and not before which time (epoch ms; 0 = now)."""

    kind: ActionKind
    not_before_ms: int


def next_action(state: Execution, which: Step) -> NextAction | None:
    """The one next action of a step; None if it ended, is in doubt, or the log has no full subject for it.

    While the action itself is not settled, its compensation has only a deadline.
    """
    step = state.step(which)
    current = step.generation
    if state.is_merely_known:
        return None
    if (attempt := step.open_attempt) is not None:
        return NextAction(ActionKind.TAKE_OVER, attempt.lease_end_ms)
    if step.has(AttemptState.APPLIED) or current.subject is None or not current.subject.is_full or current.subject.refusal is not None:
        return None
    if unknown := step.unknown_attempts:
        if not is_automatic_step_left(step):
            return None
        if unknown[-1].effect_class.kind is EffectKind.LOOKUP:
            return NextAction(ActionKind.LOOK_UP, current.due_ms)
    elif current.ending is not None:
        return None
    if which is Step.EXECUTE:
        return NextAction(ActionKind.CLAIM, current.due_ms)
    from_ms = compensation_from_ms(state, 0)
    return NextAction(ActionKind.CLAIM, max(current.due_ms, int(from_ms))) if from_ms != float("inf") else None


def deadline_ms(state: Execution, which: Step, *, horizon_ms: int = HORIZON_MS) -> int | None:
    """When the owner appends EXPIRED; None if the step ended, is barred or in doubt, or no deadline is known."""
    step = state.step(which)
    current = step.generation
    if current.ending is not None or current.bar is not None or state.is_merely_known:
        return None
    if step.has(AttemptState.UNKNOWN) and verdict(step).status is Status.IN_DOUBT:
        return None
    return expires_ms(step, which, state.first_ms, horizon_ms=horizon_ms)
