"""What happens around the owners: time, crashes, batches read again, late appends, people, retention."""

from collections.abc import Iterator

from enact.execution import DAY_MS, HORIZON_MS
from enact.records import Effect, FactSource
from tests.unit.enact.execution_model import events
from tests.unit.enact.execution_model.scenarios import Scenario
from tests.unit.enact.execution_model.world import LEASE_MS, TICK_MS, Log, Move, World

WEEKS_MS = 20 * DAY_MS


def surrounding_moves(world: World, scenario: Scenario) -> Iterator[Move]:
    """Everything that may happen without an owner's doing."""
    if world.ticks:
        yield from _tick(world)
    has_room = world.log.length < scenario.max_log
    if has_room:
        for event in world.limbo:
            rest = tuple(other for other in world.limbo if other is not event)
            yield Move(f"lands late {event.event_id}", world._replace(log=world.log.append(event, world.now_ms), limbo=rest))
        for act in world.people:
            yield from _act(world, scenario, act)
    if "crash" in world.faults:
        yield from _crash(world)
    if "rewind" in world.faults:
        yield from _rewind(world)
    if "retention" in world.faults and not any(call.is_waited_for for call in world.calls):
        if "weeks" in world.faults:
            yield Move("weeks pass", world._replace(now_ms=world.now_ms + WEEKS_MS, faults=_without(world.faults, "weeks")))
        else:
            yield from _cut(world)


def _tick(world: World) -> Iterator[Move]:
    """A lease passes. A call cannot outlive its lease: its timeout is shorter."""
    now_ms = world.now_ms + TICK_MS
    if not any(call.is_waited_for and call.claimed_ms + LEASE_MS <= now_ms for call in world.calls):
        yield Move("time passes", world._replace(now_ms=now_ms, ticks=world.ticks - 1))


def _crash(world: World) -> Iterator[Move]:
    """The first owner loses its memory; what was in its producer may reach the log yet. It starts at the log's end."""
    owner = world.owners[0]
    life = owner.life[0] + "'"
    calls = tuple(call._replace(is_waited_for=False) if call.life == owner.life else call for call in world.calls)
    reborn = owner._replace(life=life, seen=world.log, queue=(), pending=frozenset(), used=frozenset(), said=frozenset(), claims=0)
    crashed = world._replace(calls=calls, limbo=world.limbo + owner.queue, faults=_without(world.faults, "crash"))
    yield Move(f"{owner.life} crashes", crashed.with_owner(reborn))


def _rewind(world: World) -> Iterator[Move]:
    for owner in world.owners:
        for seen in owner.seen.path[:-1]:
            rewound = world._replace(faults=_without(world.faults, "rewind"))
            yield Move(f"{owner.life} takes its batch again", rewound.with_owner(owner._replace(seen=seen)))


def _cut(world: World) -> Iterator[Move]:
    """More weeks, and retention has deleted some of what is older than the horizon; new owners read what is left."""
    now_ms = world.now_ms + HORIZON_MS + DAY_MS - WEEKS_MS
    faults = _without(world.faults, "retention")
    young = sum(at.log_ms > now_ms - HORIZON_MS for at in world.log.path)
    for kept in range(young, world.log.length + 1):
        log = root_of(world.log)
        for at in world.log.path[world.log.length - kept :]:
            if at.event is not None:
                log = log.append(at.event, at.log_ms)
        owners = tuple(
            owner._replace(life=owner.life[0] + "*", seen=log, queue=(), pending=frozenset(), used=frozenset(), said=frozenset(), claims=0)
            for owner in world.owners
        )
        after = world._replace(log=log, now_ms=now_ms, owners=owners, limbo=(), faults=faults, is_cut=True)
        yield Move(f"retention leaves {kept} events", after)


def _act(world: World, scenario: Scenario, act: str) -> Iterator[Move]:
    state = world.log.execution
    if state is None:
        return
    people = _without(world.people, act)
    step, first_ms = state.execute, state.first_ms
    if act == "cancel":
        event = events.cancelled(scenario, first_ms)
        yield Move("a person cancels", world._replace(log=world.log.append(event, world.now_ms), people=people))
    elif act == "redrive":
        event = events.redriven(scenario, step.generation.number, first_ms)
        yield Move("a person redrives", world._replace(log=world.log.append(event, world.now_ms), people=people))
    else:
        effect = Effect.NOT_APPLIED if act == "deny" else Effect.APPLIED
        for attempt in step.unsettled_attempts:
            event = events.fact(scenario, "person", attempt.nonce, attempt.number, effect, FactSource.HUMAN, attempt.generation, first_ms)
            is_in_time = act == "deny" and world.now_ms >= attempt.lease_end_ms
            denied = world.denied | {attempt.nonce} if is_in_time else world.denied
            after = world._replace(log=world.log.append(event, world.now_ms), people=people, denied=denied)
            yield Move(f"a person says {effect} of {attempt.nonce}", after)


def root_of(log: Log) -> Log:
    """The empty log that this one grew from."""
    root = log.path[0].parent if log.path else log
    return root if root is not None else log


def _without(names: tuple[str, ...], name: str) -> tuple[str, ...]:
    return tuple(other for other in names if other != name)
