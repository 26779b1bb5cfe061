"""What must never be seen, in words that do not use the fold's own reasons."""

from collections.abc import Iterator

from enact.execution import HORIZON_MS
from enact.execution_state import AttemptState
from enact.lifecycle import TERMINAL
from enact.records import CancelRequested, Claimed, Effect, EffectKind, Expired, Fact, Released, Status
from tests.unit.enact.execution_model.scenarios import Scenario
from tests.unit.enact.execution_model.world import START_MS, Call, Log, Truth, World

DOUBLE_EFFECT = "two calls whose effects could double"
CALL_AFTER_STOP = "a call whose claim stands after a stop"
FALSE_ENDING = "ended without effects although a call may have been applied"
NEEDLESS_DOUBT = "in doubt although the log says APPLIED"
STUCK = "neither ended nor in doubt, and nothing will happen next"
RELEASED_BLOCKS = "a claim that was released is open or unknown"
CLAIM_AFTER_CUT = "a claim is valid although retention may have cut what was before it"

_WITHOUT_EFFECT = frozenset({Status.FAILED, Status.EXPIRED, Status.CANCELLED})
_SAME_KEY = (EffectKind.UPSERT, EffectKind.IDEMPOTENT)


def broken_by_call(before: World, call: Call, claim: Log, scenario: Scenario) -> Iterator[str]:
    """What is wrong with this call beginning now."""
    for earlier in before.calls:
        could_double = earlier.truth is not Truth.NOT_APPLIED and earlier.nonce not in before.denied
        is_same = scenario.effect_class.kind in _SAME_KEY and earlier.digest == call.digest
        if could_double and not is_same:
            yield DOUBLE_EFFECT
    if _stands_after_stop(claim):
        yield CALL_AFTER_STOP


def _stands_after_stop(claim: Log) -> bool:
    """True if a stop stands before this claim, and the execution has not ended and been driven again since."""
    before = claim.path[:-1]
    for at, node in enumerate(before):
        if node.event is None or not isinstance(node.event.data, CancelRequested | Expired):
            continue
        is_early = isinstance(node.event.data, Expired) and node.log_ms < node.event.data.expires_at_epoch * 1000
        had_ended = at > 0 and before[at - 1].status in TERMINAL
        has_ended_since = any(later.status in TERMINAL for later in before[at:])
        if not is_early and not had_ended and not (has_ended_since and _generation(claim) > _generation(node)):
            return True
    return False


def _generation(log: Log) -> int:
    return log.execution.execute.generation.number if log.execution else 1


def broken_in(world: World) -> Iterator[str]:
    """What is wrong with the world as it stands."""
    is_over = world.log.status in _WITHOUT_EFFECT and not world.is_cut and not _has_effect(world.log)
    if is_over and any(call.truth is not Truth.NOT_APPLIED and call.nonce not in world.denied for call in world.calls):
        yield FALSE_ENDING


def _has_effect(log: Log) -> bool:
    return any(isinstance(n.event.data, Fact) and n.event.data.effect is Effect.PARTIAL for n in log.path if n.event is not None)


def broken_by_log(log: Log) -> Iterator[str]:
    """What is wrong with a log, whoever wrote it: asked once for each."""
    state, event = log.execution, log.event
    if state is None or event is None:
        return
    said = [node.event.data for node in log.path if node.event is not None]
    if (
        log.status is Status.IN_DOUBT
        and any(isinstance(d, Fact) and d.effect is Effect.APPLIED for d in said)
        and not state.is_merely_known
    ):
        yield NEEDLESS_DOUBT
    current = state.execute.generation
    has_subject = current.subject is not None and current.subject.is_full
    is_open = log.status not in TERMINAL and log.status is not Status.IN_DOUBT
    if is_open and log.next is None and has_subject and not state.is_merely_known:
        yield STUCK
    gone = {d.nonce for d in said if isinstance(d, Released)}
    if any(a.nonce in gone and a.state in (AttemptState.OPEN, AttemptState.UNKNOWN) for a in state.execute.attempts):
        yield RELEASED_BLOCKS
    if isinstance(event.data, Claimed) and log.log_ms > START_MS + HORIZON_MS and log.is_open_claim(event.data.nonce):
        yield CLAIM_AFTER_CUT
