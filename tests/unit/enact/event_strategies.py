"""Random logs of one execution: any event in any order, with enough good claims among them to get somewhere."""

from collections.abc import Callable
from dataclasses import dataclass

from hypothesis import strategies as st

from enact.execution_state import Execution, StepState
from enact.records import Effect, EventData, ExecutionEvent, FactSource, ParkReason, Step, ToolCall
from tests.unit.enact.event_factories import (
    EXPIRES_S,
    IDEMPOTENT,
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

NONCES = ("a", "b", "c", "d", "e")
MakeData = Callable[[StepState], EventData]


@dataclass(frozen=True)
class Move:
    """One append: `make` sees the step as it is, so that a claim may carry the right number."""

    make: MakeData
    step: Step
    generation_off: int
    has_subject: bool
    delay_ms: int
    is_repeated: bool


def play(moves: list[Move], log: Log | None = None) -> Log:
    """The log that these moves make."""
    log = log or Log()
    for move in moves:
        log.add_event(_event(move, log.execution), after_ms=move.delay_ms)
    return log


def _event(move: Move, execution: Execution) -> ExecutionEvent:
    step = execution.step(move.step)
    generation = max(1, step.generation.number + move.generation_off)
    subject: ToolCall = a_tool_call(move.step, generation) if move.has_subject else a_bare_subject(step=move.step, generation=generation)
    return an_event(move.make(step), step=move.step, generation=generation, subject=subject)


@st.composite
def _claims(draw: st.DrawFn) -> MakeData:
    nonce = draw(st.sampled_from(NONCES))
    off = draw(st.sampled_from((0, 0, 0, 0, 1, -1)))
    effect_class = draw(st.sampled_from((NONE, UPSERT, IDEMPOTENT, LOOKUP)))
    max_attempts = draw(st.sampled_from((1, 2, 3)))
    digest = draw(st.sampled_from(("digest-1", "digest-1", "digest-1", "digest-2")))
    return lambda step: a_claim(step.next_number + off, nonce, digest=digest, effect_class=effect_class, max_attempts=max_attempts)


@st.composite
def _facts(draw: st.DrawFn) -> MakeData:
    effect = draw(st.sampled_from((Effect.UNKNOWN, Effect.UNKNOWN, Effect.NOT_APPLIED, Effect.NOT_APPLIED, Effect.PARTIAL, Effect.APPLIED)))
    fact = a_fact(
        effect,
        draw(st.sampled_from(NONCES)),
        draw(st.sampled_from(list(FactSource))),
        is_permanent=draw(st.sampled_from((False, False, False, True))),
        started_at_ms=draw(st.sampled_from((None, START_MS, START_MS + 100 * LIFETIME_S * 1000))),
    )
    return lambda _: fact


def _always(data: EventData) -> MakeData:
    return lambda _: data


_OTHERS = st.sampled_from(
    [
        *(_always(released(nonce)) for nonce in NONCES),
        *(_always(parked(0, reason)) for reason in ParkReason),
        _always(refused()),
        _always(cancelled()),
        _always(expired(EXPIRES_S)),
        _always(redriven()),
        _always(redriven()),
    ]
)

MOVES = st.builds(
    Move,
    make=st.one_of(_claims(), _claims(), _facts(), _facts(), _OTHERS),
    step=st.sampled_from((Step.EXECUTE, Step.EXECUTE, Step.EXECUTE, Step.COMPENSATE)),
    generation_off=st.sampled_from((0, 0, 0, 0, 1, -1)),
    has_subject=st.sampled_from((True, True, False)),
    delay_ms=st.sampled_from((0, 1, LEASE_MS, LEASE_MS + SETTLE_MS, LIFETIME_S * 1000)),
    is_repeated=st.booleans(),
)
LOGS = st.lists(MOVES, max_size=14)
