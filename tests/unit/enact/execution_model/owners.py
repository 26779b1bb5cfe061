"""What an owner does, as FOLD.md says: claim what is due, read back, call once, say what it learned, take over.

An owner reads to the end of the log or not at all: reading only a part later is the same as having read
that part before the rest landed. It acts on what it has read, however old that is; a slow one is a zombie.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from enact.execution_state import Execution
from enact.next_action import ActionKind
from enact.records import Claimed, Effect, ExecutionEvent, Fact, FactSource
from tests.unit.enact.execution_model import events
from tests.unit.enact.execution_model.scenarios import Scenario
from tests.unit.enact.execution_model.world import Call, Log, Move, Owner, Truth, World


def judged_by_prefix(_log: Log, at: Log, nonce: str) -> bool:
    """The rule: a claim is valid if the fold before its offset permits it."""
    return at.is_open_claim(nonce)


@dataclass(frozen=True)
class Rules:
    """How an owner behaves; the mutants change one of these."""

    has_nonce_memory: bool = True
    reads_back: bool = True
    is_valid: Callable[[Log, Log, str], bool] = judged_by_prefix


PLAIN = Rules()


def owner_moves(world: World, owner: Owner, scenario: Scenario, rules: Rules) -> Iterator[Move]:
    """Everything this owner may do now."""
    has_room = world.log.length < scenario.max_log
    if owner.queue and has_room:
        yield _land(world, owner, rules)
    if owner.seen is not world.log:
        yield _read(world, owner, scenario, rules)
    if not has_room:
        return
    yield from _claim(world, owner, scenario)
    yield from _take_over(world, owner, scenario)
    yield from _look_up(world, owner, scenario)
    yield from _expire(world, owner, scenario)
    for call in world.calls:
        if call.life == owner.life:
            yield from _answer(world, owner, scenario, call)
    if "give_up" in world.faults:
        yield from _give_up(world, owner, scenario)


def say(owner: Owner, event: ExecutionEvent) -> Owner:
    """The owner with one more event in its producer."""
    return owner._replace(queue=(*owner.queue, event), said=owner.said | {event.event_id})


def _land(world: World, owner: Owner, rules: Rules) -> Move:
    event = owner.queue[0]
    log = world.log.append(event, world.now_ms)
    owner = owner._replace(queue=owner.queue[1:])
    started: tuple[tuple[Call, Log], ...] = ()
    claim = event.data
    if not rules.reads_back and isinstance(claim, Claimed):
        started = ((_call(event, claim, world.now_ms), log),)
        owner = owner._replace(used=owner.used | {claim.nonce})
    landed = world._replace(log=log, calls=world.calls + tuple(call for call, _ in started)).with_owner(owner)
    return Move(f"lands {event.event_id}", landed, started)


def _read(world: World, owner: Owner, scenario: Scenario, rules: Rules) -> Move:
    started: list[tuple[Call, Log]] = []
    for at in world.log.path[owner.seen.length :]:
        claim = at.event.data if at.event is not None else None
        if at.event is None or not isinstance(claim, Claimed) or claim.owner.incarnation_id != owner.life:
            continue
        owner = owner._replace(pending=owner.pending - {claim.nonce})
        is_spent = rules.has_nonce_memory and claim.nonce in owner.used
        if is_spent or not rules.is_valid(world.log, at, claim.nonce):
            continue
        owner = owner._replace(used=owner.used | {claim.nonce})
        if world.now_ms >= at.log_ms + claim.lease_ms:
            owner = say(owner, events.released(scenario, owner.life, claim.nonce, claim.attempt, at.event.generation, at.event.first_ms))
        else:
            started.append((_call(at.event, claim, at.log_ms), at))
    calls = world.calls + tuple(call for call, _ in started)
    label = f"{owner.life} reads to the end" + "".join(f" and CALLS {call.nonce}" for call, _ in started)
    return Move(label, world._replace(calls=calls).with_owner(owner._replace(seen=world.log)), tuple(started))


def _call(event: ExecutionEvent, claim: Claimed, claimed_ms: int) -> Call:
    life = claim.owner.incarnation_id
    return Call(claim.nonce, claim.attempt, event.generation, claim.request_digest, life, claimed_ms, Truth.OPEN, is_waited_for=True)


def _claim(world: World, owner: Owner, scenario: Scenario) -> Iterator[Move]:
    if owner.claims >= scenario.claims_per_owner or owner.pending:
        return
    state = owner.seen.execution
    if state is None:
        if world.is_cut:
            return
        number, generation, first_ms = 1, 1, None
    else:
        if not (_is_claim_next(owner.seen) or _is_input_due(world, state)):
            return
        number, generation, first_ms = state.execute.next_number, state.execute.generation.number, state.first_ms
    nonce = f"{owner.life}{owner.claims + 1}"
    event = events.claimed(scenario, owner.life, nonce, number, generation, first_ms)
    claiming = say(owner, event)._replace(pending=owner.pending | {nonce}, claims=owner.claims + 1)
    yield Move(f"{owner.life} claims {nonce}", world.with_owner(claiming))


def _is_claim_next(seen: Log) -> bool:
    return seen.next is not None and seen.next.kind is ActionKind.CLAIM


def _is_input_due(world: World, state: Execution) -> bool:
    """A redriven generation that the log has no subject of comes in again as an input."""
    current = state.execute.generation
    is_over = current.ending is not None or current.bar is not None
    is_known = current.subject is not None and current.subject.is_full
    return not world.is_cut and not is_over and not is_known and not state.execute.unsettled_attempts


def _take_over(world: World, owner: Owner, scenario: Scenario) -> Iterator[Move]:
    state = owner.seen.execution
    if state is None or owner.seen.next is None or owner.seen.next.kind is not ActionKind.TAKE_OVER:
        return
    attempt = state.execute.open_attempt
    if attempt is None or attempt.owner.incarnation_id == owner.life:
        return
    is_former_life = attempt.owner.instance_id == owner.name
    if world.now_ms < attempt.lease_end_ms and not is_former_life:
        return
    for effect in (Effect.UNKNOWN, Effect.NOT_APPLIED) if scenario.is_hopeful else (Effect.UNKNOWN,):
        where = (attempt.number, effect, FactSource.TAKE_OVER, attempt.generation, state.first_ms)
        event = events.fact(scenario, owner.life, attempt.nonce, *where)
        if event.event_id not in owner.said:
            yield Move(f"{owner.life} takes over {attempt.nonce}: {effect}", world.with_owner(say(owner, event)))


def _look_up(world: World, owner: Owner, scenario: Scenario) -> Iterator[Move]:
    state = owner.seen.execution
    if state is None or owner.seen.next is None or owner.seen.next.kind is not ActionKind.LOOK_UP:
        return
    if any(isinstance(event.data, Fact) and event.data.source is FactSource.LOOKUP for event in owner.queue):
        return
    attempt = state.execute.unknown_attempts[-1]
    call = next((call for call in world.calls if call.nonce == attempt.nonce), None)
    results = []
    if call is not None and call.truth is not Truth.NOT_APPLIED:
        results.append((Effect.APPLIED, world.with_call(call._replace(truth=Truth.APPLIED))))
    if call is None or call.truth is not Truth.APPLIED:
        is_settled = call is not None and world.now_ms >= attempt.settled_ms
        settled = world.with_call(call._replace(truth=Truth.NOT_APPLIED)) if call is not None and is_settled else world
        results.append((Effect.NOT_APPLIED, settled))
    for effect, after in results:
        where = (attempt.number, effect, FactSource.LOOKUP, attempt.generation, state.first_ms)
        event = events.fact(scenario, owner.life, attempt.nonce, *where, number=attempt.look_ups + 1, asked_ms=world.now_ms)
        if event.event_id not in owner.said:
            yield Move(f"{owner.life} looks up {attempt.nonce}: {effect}", after.with_owner(say(owner, event)))


def _expire(world: World, owner: Owner, scenario: Scenario) -> Iterator[Move]:
    state, due_ms = owner.seen.execution, owner.seen.deadline_ms
    if state is None or due_ms is None or world.now_ms < due_ms:
        return
    event = events.expired(scenario, owner.life, state.execute.generation.number, state.first_ms)
    if event.event_id not in owner.said:
        yield Move(f"{owner.life} says EXPIRED", world.with_owner(say(owner, event)))


def _answer(world: World, owner: Owner, scenario: Scenario, call: Call) -> Iterator[Move]:
    """The call ends with an answer or without one; the truth may reach its caller late."""
    source = FactSource.CALL if call.is_waited_for else FactSource.LATE
    if source is FactSource.LATE and not scenario.has_late_answers:
        return
    first_ms = owner.seen.execution.first_ms if owner.seen.execution else None
    for effect in scenario.answers:
        if effect is Effect.UNKNOWN:
            after = call._replace(is_waited_for=False)
        else:
            truth = Truth.NOT_APPLIED if effect is Effect.NOT_APPLIED else Truth.APPLIED
            if call.truth not in (Truth.OPEN, truth):
                continue
            after = call._replace(truth=truth, is_waited_for=False)
        if source is FactSource.LATE and effect is Effect.UNKNOWN:
            continue
        event = events.fact(scenario, owner.life, call.nonce, call.attempt, effect, source, call.generation, first_ms)
        if event.event_id not in owner.said:
            yield Move(f"{owner.life} learns of {call.nonce}: {effect} ({source})", world.with_call(after).with_owner(say(owner, event)))


def _give_up(world: World, owner: Owner, scenario: Scenario) -> Iterator[Move]:
    """The append of a claim was not acknowledged: it may reach the log yet, also after its RELEASED."""
    for nonce in sorted(owner.pending - owner.used):
        lost = tuple(event for event in owner.queue if isinstance(event.data, Claimed) and event.data.nonce == nonce)
        state = owner.seen.execution
        number = state.execute.next_number if state else 1
        generation = state.execute.generation.number if state else 1
        rest = owner._replace(
            queue=tuple(e for e in owner.queue if e not in lost), pending=owner.pending - {nonce}, used=owner.used | {nonce}
        )
        rest = say(rest, events.released(scenario, owner.life, nonce, number, generation, state.first_ms if state else None))
        faults = tuple(fault for fault in world.faults if fault != "give_up")
        yield Move(f"{owner.life} gives up {nonce}", world._replace(limbo=world.limbo + lost, faults=faults).with_owner(rest))
