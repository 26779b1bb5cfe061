"""The events that owners and people append in the model. An id says who said what, so nobody says the same twice."""

from functools import cache

from enact.execution import FOLD_VERSION
from enact.records import (
    EVENT_TYPES,
    CancelRequested,
    Claimed,
    Effect,
    EventData,
    ExecutionEvent,
    Expired,
    Fact,
    FactSource,
    Owner,
    RedriveRequested,
    Released,
    Step,
    ToolCall,
)
from tests.unit.enact.execution_model.scenarios import Scenario
from tests.unit.enact.execution_model.world import LEASE_MS


@cache
def tool_call(generation: int, expires_s: int, max_attempts: int) -> ToolCall:
    """The full subject of a generation; a redriven one asks for something else."""
    return ToolCall(
        tenant_id="t",
        account_id="a",
        action_intent_id="i",
        generation=generation,
        step=Step.EXECUTE,
        tool_name="crm.create_task",
        request_digest=digest_of(generation),
        max_attempts=max_attempts,
        expires_at_epoch=expires_s,
    )


def digest_of(generation: int) -> str:
    """The request of a generation."""
    return f"digest-{generation}"


def claimed(scenario: Scenario, life: str, nonce: str, attempt: int, generation: int, first_ms: int | None) -> ExecutionEvent:
    """A claim by this life of an owner."""
    data = Claimed(
        attempt=attempt,
        nonce=nonce,
        owner=Owner(boot_id="boot", instance_id=life[0], incarnation_id=life),
        request_digest=digest_of(generation),
        effect_class=scenario.effect_class,
        max_attempts=scenario.max_attempts,
        lease_ms=LEASE_MS,
        fold_version=FOLD_VERSION,
    )
    return _event(scenario, life, f"claim {attempt} {nonce}", generation, first_ms, data)


def released(scenario: Scenario, life: str, nonce: str, attempt: int, generation: int, first_ms: int | None) -> ExecutionEvent:
    """The claimant's word that this claim was never sent."""
    return _event(scenario, life, f"release {nonce}", generation, first_ms, Released(attempt=attempt, nonce=nonce))


def fact(
    scenario: Scenario,
    who: str,
    nonce: str,
    attempt: int,
    effect: Effect,
    source: FactSource,
    generation: int,
    first_ms: int | None,
    number: int = 0,
    asked_ms: int | None = None,
) -> ExecutionEvent:
    """What somebody learned of an attempt."""
    data = Fact(attempt=attempt, nonce=nonce, effect=effect, source=source, started_at_ms=asked_ms)
    return _event(
        scenario, who, f"{source.value} {effect.value} {nonce} {number or ''} {asked_ms or ''}".strip(), generation, first_ms, data
    )


def expired(scenario: Scenario, who: str, generation: int, first_ms: int | None) -> ExecutionEvent:
    """The deadline has passed, says an owner."""
    return _event(scenario, who, "expired", generation, first_ms, Expired(expires_at_epoch=scenario.expires_s))


def cancelled(scenario: Scenario, first_ms: int | None) -> ExecutionEvent:
    """A cancel by somebody whose view is old: it always names generation 1."""
    return _event(scenario, "person", "cancel", 1, first_ms, CancelRequested(command_id="c", reason="stop"))


def redriven(scenario: Scenario, generation: int, first_ms: int | None) -> ExecutionEvent:
    """A request for the next generation."""
    return _event(scenario, "person", "redrive", generation, first_ms, RedriveRequested(command_id="r", reason="again"))


def _event(scenario: Scenario, who: str, what: str, generation: int, first_ms: int | None, data: EventData) -> ExecutionEvent:
    return _interned(f"{who}: {what}, generation {generation}", generation, first_ms, data, scenario.expires_s, scenario.max_attempts)


@cache
def _interned(event_id: str, generation: int, first_ms: int | None, data: EventData, expires_s: int, max_attempts: int) -> ExecutionEvent:
    is_command = isinstance(data, CancelRequested | RedriveRequested)
    subject = None if is_command else tool_call(generation, expires_s, max_attempts)
    return ModelEvent(
        tenant_id="t",
        action_intent_id="i",
        generation=generation,
        step=Step.EXECUTE,
        event_id=event_id,
        type=EVENT_TYPES[type(data)],
        at_ms=0,
        actor="model",
        first_ms=first_ms,
        subject=subject,
        data=data,
    )


class ModelEvent(ExecutionEvent, frozen=True, kw_only=True, eq=False):
    """An event that is interned: compared and hashed by identity, which is what makes the search fast."""

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other
