"""What is done when something is due: take over, expire, look up, claim."""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice

from enact.error_catalogue import error_info
from enact.errors import ErrorCode
from enact.execution_state import Attempt, Execution, StepState
from enact.failpoints import Failpoint, hit
from enact.kafka.due_index import DueEntry
from enact.records import Effect, Expired, Fact, FactSource, ToolCall
from services.invocation.claims import Candidate, Claims, Desk
from services.invocation.events import START_SLACK_MS
from services.invocation.execution_store import (
    CLAIM,
    DEADLINE,
    HELD_CLAIM,
    LOOK_UP,
    QUEUED_CLAIM,
    TAKE_OVER,
    Subject,
    held_scope,
    subject_of_entry,
)
from services.invocation.gate import deadline_ms_of
from services.invocation.jobs import Jobs, look_up_slot
from services.invocation.memory import NEVER_MS, PartitionMemory, earliest_deadline_ms
from services.invocation.window import Act, Slot, group_of

_MAX_FIRED = 200
_MAX_GROUPS = 64
_EXPIRE_AGAIN_S = 1.0
_BEFORE_THIS_LIFE = float("-inf")

Fire = Callable[[PartitionMemory, Subject, Execution], bool]


class DueWork:
    """One per process; every method on the loop's thread."""

    def __init__(self, desk: Desk, claims: Claims, jobs: Jobs) -> None:
        self._desk, self._claims, self._jobs, self._clock = desk, claims, jobs, desk.clock

    def saw(self, memory: PartitionMemory, subject: Subject, attempt: Attempt) -> None:
        """First sight of an open claim; one of a former life of this instance on this boot needs no waiting."""
        owner, own = attempt.owner, self._desk.events.owner
        if owner.incarnation_id == own.incarnation_id or memory.sights.get(subject, ("", 0.0))[0] == attempt.nonce:
            return
        is_former_self = (owner.boot_id, owner.instance_id) == (own.boot_id, own.instance_id)
        memory.sights[subject] = (attempt.nonce, _BEFORE_THIS_LIFE if is_former_self else self._clock.boot_s())

    def see_open_claims(self, memory: PartitionMemory) -> None:
        """First sight of everything that is open when the partition arrives."""
        for entry in memory.store.index.entries(TAKE_OVER):
            key, step = subject = subject_of_entry(entry)
            execution = memory.store.get(key)
            attempt = execution.step(step).open_attempt if execution else None
            if attempt is not None:
                self.saw(memory, subject, attempt)

    def fire_times(self, memory: PartitionMemory) -> None:
        """Take-overs and deadlines: appends that need no slot."""
        for subject in [subject for subject, (_, since_s) in memory.sights.items() if since_s == _BEFORE_THIS_LIFE]:
            execution = memory.store.get(subject[0])
            if execution is not None and subject not in memory.appending:
                self._take_over(memory, subject, execution)
        now_ms = self._desk.gate.broker_ms  # leases and deadlines are judged in log time
        for kind, fire in ((TAKE_OVER, self._take_over), (DEADLINE, self._expire)):
            acts = self._acts(memory, memory.store.index.due(kind, now_ms), fire)
            for _ in islice(filter(_call, acts), _MAX_FIRED):
                pass
        if now_ms >= memory.pending_expire_ms:
            self._expire_pending(memory, now_ms)

    def _expire_pending(self, memory: PartitionMemory, now_ms: int) -> None:
        """Deadlines of calls that the log does not know yet."""
        for subject, pending in memory.pending.items():
            execution = memory.store.get(subject[0])
            if subject not in memory.appending and now_ms >= deadline_ms_of(pending.call, execution):
                self._append_expired(memory, subject, pending.call, execution)
        memory.pending_expire_ms = min((earliest_deadline_ms(pending.call) for pending in memory.pending.values()), default=NEVER_MS)

    def offers(self, memory: PartitionMemory) -> Iterator[tuple[str, Iterator[Act]]]:
        """What could start in this partition now, by group; what waited longer first."""
        first = partial(self._first, memory, self._clock.wall_ms())
        for group in self._groups(memory, LOOK_UP):
            yield group, first(LOOK_UP, group, self._look_up)
        for group in self._in_turn(memory, self._groups(memory, HELD_CLAIM)):
            tenant_id, connector, action_type = held_scope(group)
            is_held = partial(self._desk.gate.is_held, tenant_id, action_type, connector)
            yield group_of(tenant_id, connector), _until(is_held, first(HELD_CLAIM, group, self._claim))
        for group in self._groups(memory, CLAIM):
            yield group, first(CLAIM, group, self._claim)
        yield from self.pending_offers(memory)
        for group in self._groups(memory, QUEUED_CLAIM):
            yield group, first(QUEUED_CLAIM, group, self._claim)

    def pending_offers(self, memory: PartitionMemory) -> Iterator[tuple[str, Iterator[Act]]]:
        """Calls that the log does not know yet, by group, oldest first."""
        for group, waiting in memory.pending_by_group.items():
            yield group, (partial(self._claim_pending, memory, subject) for subject in waiting if subject not in memory.appending)

    def _groups(self, memory: PartitionMemory, kind: bytes) -> list[str]:
        """The next groups of a kind; the next turn goes on behind them."""
        groups = memory.store.index.groups(kind, memory.cursors.get(kind, ""), _MAX_GROUPS)
        memory.cursors[kind] = groups[-1] if len(groups) == _MAX_GROUPS else ""
        return groups

    @staticmethod
    def _in_turn(memory: PartitionMemory, groups: list[str]) -> list[str]:
        """Another one first each time: those that wait for the same permits must not stand behind one that never ends."""
        memory.turns += 1
        first = memory.turns % len(groups) if groups else 0
        return groups[first:] + groups[:first]

    def _first(self, memory: PartitionMemory, now_ms: int, kind: bytes, group: str, fire: Fire) -> Iterator[Act]:
        """The next that are due. When all of them were tried, the next turn goes on behind them: those that wait hold up nobody."""
        passed, tried = memory.passed.pop((kind, group), 0), 0
        entries = islice(memory.store.index.due(kind, now_ms, group), passed, None)
        for act in islice(self._acts(memory, entries, fire), _MAX_FIRED):
            yield act
            tried += 1
        if tried == _MAX_FIRED:
            memory.passed[kind, group] = passed + tried

    @staticmethod
    def _acts(memory: PartitionMemory, entries: Iterator[DueEntry], fire: Fire) -> Iterator[Act]:
        for entry in entries:
            subject = subject_of_entry(entry)
            execution = memory.store.get(subject[0])
            if execution is not None and subject not in memory.appending:
                yield partial(fire, memory, subject, execution)

    def _claim_pending(self, memory: PartitionMemory, subject: Subject) -> bool:
        pending = memory.pending[subject]
        return self._claims.claim(Candidate(memory, subject, pending.call, memory.store.get(subject[0]), pending.headers))

    def _claim(self, memory: PartitionMemory, subject: Subject, execution: Execution) -> bool:
        state = execution.step(subject[1])
        call = state.generation.subject
        if call is None:
            return False
        if not self._is_key_forgotten(state, call):
            return self._claims.claim(Candidate(memory, subject, call, execution))
        unknown = state.unknown_attempts[-1]
        message = "The provider no longer remembers the idempotency key, so the call cannot be repeated safely."
        error = error_info(ErrorCode.OUTCOME_UNKNOWN, message, is_permanent=True)
        fact = Fact(attempt=unknown.number, nonce=unknown.nonce, effect=Effect.UNKNOWN, source=FactSource.TAKE_OVER, error=error)
        self._claims.append(Candidate(memory, subject, call, execution), fact)
        return False

    def _is_key_forgotten(self, state: StepState, call: ToolCall) -> bool:
        """True if a repeat might arrive after the provider's memory of the key, which counts from the first claim."""
        ttl_s = call.effect_class.key_ttl_s
        if not state.unknown_attempts or ttl_s is None:
            return False
        latest_ms = self._clock.wall_ms() + call.timeout_ms + START_SLACK_MS
        return latest_ms >= state.attempts[0].claimed_ms + ttl_s * 1000

    def _look_up(self, memory: PartitionMemory, subject: Subject, execution: Execution) -> bool:
        """Ask the world. Until the answer is folded nothing else is done with this step."""
        state = execution.step(subject[1])
        call, attempt = state.generation.subject, state.unknown_attempts[-1]
        if call is None:
            return False
        event_id = memory.appending[subject] = self._desk.events.new_id()
        self._desk.window.take(look_up_slot(attempt), Slot(group_of(call.tenant_id, call.connector), subject[0]))
        self._desk.caller.submit(self._jobs.look_up(memory, execution, attempt, call, event_id))
        return True

    def _take_over(self, memory: PartitionMemory, subject: Subject, execution: Execution) -> bool:
        """An open claim whose owner is gone: after its lease, by our own clock, its answer is unknown."""
        state = execution.step(subject[1])
        attempt, call = state.open_attempt, state.generation.subject
        if attempt is None or call is None or attempt.owner.incarnation_id == self._desk.events.owner.incarnation_id:
            return False
        self.saw(memory, subject, attempt)
        if self._clock.boot_s() - memory.sights[subject][1] < attempt.lease_ms / 1000:
            return False
        fact = Fact(attempt=attempt.number, nonce=attempt.nonce, effect=Effect.UNKNOWN, source=FactSource.TAKE_OVER)
        hit(Failpoint.BEFORE_TAKE_OVER)
        self._claims.append(Candidate(memory, subject, call, execution), fact)
        hit(Failpoint.AFTER_TAKE_OVER)
        return True

    def _expire(self, memory: PartitionMemory, subject: Subject, execution: Execution) -> bool:
        call = execution.step(subject[1]).generation.subject
        return call is not None and self._append_expired(memory, subject, call, execution)

    def _append_expired(self, memory: PartitionMemory, subject: Subject, call: ToolCall, execution: Execution | None) -> bool:
        """Not more than once a second: if the broker's clock is behind ours, it has no effect yet."""
        now_s = self._clock.boot_s()
        if now_s - memory.expired_s.get(subject, float("-inf")) < _EXPIRE_AGAIN_S:
            return False
        memory.expired_s[subject] = now_s
        headers = memory.pending[subject].headers if subject in memory.pending else ()
        hit(Failpoint.BEFORE_EXPIRE)
        self._claims.append(Candidate(memory, subject, call, execution, headers), Expired(expires_at_epoch=call.expires_at_epoch))
        hit(Failpoint.AFTER_EXPIRE)
        return True


def _until(is_over: Callable[[], bool], acts: Iterator[Act]) -> Iterator[Act]:
    """Acts while there is a permit for the next one: what may not start is not even looked at."""
    while not is_over():
        act = next(acts, None)
        if act is None:
            return
        yield act


def _call(act: Act) -> bool:
    return act()
