"""Acts for the partitions this process owns: claims what is due, starts what was read back, takes over what was left.

Implements `enact.kafka.loop_context.ActiveStage`; every method on the loop's thread. Only here is a claim
made or a call started, and each start is asked of the nonce memory, so nothing can start twice.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from enact.clock import Clock
from enact.errors import CallRefusedError, EnactError, ErrorCode, StateLostError
from enact.error_catalogue import error_info
from enact.execution import FOLD_VERSION
from enact.execution_state import Attempt, Execution
from enact.failpoints import Failpoint, hit
from enact.kafka.due_index import DueEntry
from enact.kafka.stage import StateView
from enact.kafka.state import PartitionState
from enact.kafka.transport import Headers, NextOffset, OutRecord, TopicPartition, Writer
from enact.log import get_logger
from enact.records import Claimed, Effect, EventData, Expired, Fact, FactSource, Parked, Refused, Released, Step, ToolCall
from services.invocation.caller import Caller, Job
from services.invocation.events import EventWriter
from services.invocation.execution_store import CLAIM, DEADLINE, HELD_CLAIM, LOOK_UP, TAKE_OVER, ExecutionStore, step_and_key
from services.invocation.gate import End, Gate, Hold, Wait
from services.invocation.memory import PartitionMemory, Subject
from services.invocation.nonces import NonceMemory
from services.invocation.request_check import RequestCheck
from services.invocation.stage import InvocationStage, ReadBack, fold_version_of
from services.invocation.window import Slot, Window

MAX_CLOCK_SKEW_MS = 2_000
MAX_PENDING = 2_000
_MAX_FIRED = 200
_TURN_S = 0.1


class PartitionMemories:
    """The memories of the partitions whose state is open, made on first use."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self.by_partition: dict[int, PartitionMemory] = {}
        self._states: dict[int, PartitionState] = {}

    def of(self, state: StateView) -> PartitionMemory:
        """The memory that belongs to this state. Raises: StateLostError if it is not a partition's own state."""
        if not isinstance(state, PartitionState):
            raise StateLostError("Invocation folds only into a partition's own state on disk.")
        if self._states.get(state.partition) is not state:
            self._states[state.partition] = state
            memory = PartitionMemory(state.partition, ExecutionStore(state, self._window.holds), fold_version=fold_version_of(state))
            self.by_partition[state.partition] = memory
        return self.by_partition[state.partition]

    def drop(self, partition: int) -> PartitionMemory | None:
        """Forget a partition that left."""
        self._states.pop(partition, None)
        return self.by_partition.pop(partition, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnerParts:
    """What the owner is wired with."""

    stage: InvocationStage
    memories: PartitionMemories
    events: EventWriter
    nonces: NonceMemory
    window: Window
    gate: Gate
    caller: Caller
    request_check: RequestCheck
    writer: Writer
    clock: Clock


class Owner:
    """One per process."""

    def __init__(self, parts: OwnerParts) -> None:
        self._p = parts
        self._stage, self._window, self._nonces, self._clock = parts.stage, parts.window, parts.nonces, parts.clock
        self._memories = parts.memories.by_partition
        self._seen_s: dict[str, float] = {}
        self._unmet: dict[str, tuple[ToolCall, Execution | None, int]] = {}
        self._is_stopping = False
        self._paused = False
        self._cursor = ""
        self._log = get_logger("invocation")

    def on_live(self, partition: int, state: PartitionState) -> None:
        """First sight of every open claim; those of a former life of this very instance are over at once."""
        memory = self._p.memories.of(state)
        memory.is_live = True
        for entry in memory.store.index.entries(TAKE_OVER):
            step, key = step_and_key(entry)
            execution = memory.store.get(key)
            attempt = execution.step(step).open_attempt if execution else None
            if attempt is not None:
                self._saw(attempt)
        memory.queued = sum(1 for _ in memory.store.index.entries(CLAIM))

    def on_gone(self, partitions: Sequence[int]) -> None:
        """Start nothing more there; claims not met yet are released, calls in flight finish."""
        for partition in partitions:
            memory = self._p.memories.drop(partition)
            if memory is not None:
                memory.is_live = False
            for nonce in self._nonces.waiting_in(partition):
                self._give_up(nonce, partition, "the partition left before the claim was read back")

    def on_rewind(self) -> None:
        """The batch comes again; started calls stay started."""
        self._stage.read_back.clear()
        self._stage.seen_claims.clear()
        self._stage.unsuccessful.clear()
        for memory in self._memories.values():
            memory.forget_inputs()

    def before_flush(self) -> None:
        """Start what was read back, then claim what is due in memory."""
        for attempt in self._stage.seen_claims:
            self._saw(attempt)
        self._stage.seen_claims.clear()
        for nonce in self._stage.unsuccessful:
            if self._nonces.give_up(nonce):
                self._unmet.pop(nonce, None)
                self._window.give_back(nonce)
        self._stage.unsuccessful.clear()
        for met in self._stage.read_back:
            self._start(met)
        self._stage.read_back.clear()
        if not self._is_stopping:
            for memory in self._memories.values():
                if memory.pending and memory.is_live:
                    self._claim_pending(memory)

    def after_persist(self) -> None:
        """Fire what is due in the index: take-overs and deadlines first, then look-ups, then claims, groups in turn."""
        now_ms = self._clock.wall_ms()
        for memory in self._memories.values():
            if not memory.is_live:
                continue
            self._each(memory, memory.store.index.due(TAKE_OVER, now_ms), self._take_over)
            self._each(memory, memory.store.index.due(DEADLINE, now_ms), self._expire)
            if self._is_stopping or not self._p.gate.is_fresh:
                continue
            for kind, act in ((LOOK_UP, self._look_up), (HELD_CLAIM, self._claim_held), (CLAIM, self._claim_due)):
                self._in_turns(memory, kind, now_ms, act)

    def done(self, partition: TopicPartition, position: NextOffset) -> NextOffset:
        """Inputs move once the log knows what they asked for."""
        memory = self._memories.get(partition.partition)
        return memory.low_watermark(partition, position) if memory else position

    def paused(self) -> Iterable[TopicPartition]:
        """All inputs while stale, stopping or too far behind; wide hysteresis, a pause throws the prefetch away."""
        pending = sum(len(m.pending) for m in self._memories.values())
        limit = MAX_PENDING // 2 if self._paused else MAX_PENDING
        self._paused = self._is_stopping or not self._p.gate.is_fresh or pending >= limit
        return [TopicPartition(topic, p) for topic in self._stage.inputs for p in self._memories] if self._paused else []

    def wait_s(self) -> float:
        """Due times are met to a tenth of a second; everything else wakes the reader."""
        return _TURN_S

    def stop(self) -> bool:
        """Start nothing; True once no claim and no call is under way."""
        self._is_stopping = True
        return len(self._window) == 0

    def _each(self, memory: PartitionMemory, entries: Iterable[DueEntry], act: Callable[..., bool]) -> None:
        fired = 0
        for entry in entries:
            step, key = step_and_key(entry)
            execution = memory.store.get(key)
            if execution is None or (key, step) in memory.appending:
                continue
            fired += act(memory, key, step, execution)
            if fired >= _MAX_FIRED:
                return

    def _in_turns(self, memory: PartitionMemory, kind: bytes, now_ms: int, act: Callable[..., bool]) -> None:
        groups = memory.store.index.groups(kind, self._cursor) or memory.store.index.groups(kind)
        if not groups or not self._window.room:
            return
        shares = self._window.shares()
        per_group = max(1, self._window.room // len(groups))
        for group in groups:
            free = min(per_group, self._window.share - shares.get(group, 0), self._window.room)
            tried = 0
            for entry in memory.store.index.due(kind, now_ms, group):
                if free <= 0 or tried >= _MAX_FIRED:
                    break
                step, key = step_and_key(entry)
                execution = memory.store.get(key)
                if execution is None or (key, step) in memory.appending:
                    continue
                tried += 1
                free -= act(memory, key, step, execution)
            self._cursor = group
        self._cursor = "" if len(groups) < 64 else self._cursor  # noqa: PLR2004  a short list was all of them

    def _claim_pending(self, memory: PartitionMemory) -> None:
        shares = self._window.shares()
        for subject, pending in list(memory.pending.items()):
            if not self._window.room:
                return
            group = _group(pending.call)
            if subject in memory.appending or shares.get(group, 0) >= self._window.share:
                continue
            if self._clock.wall_ms() >= pending.call.expires_at_epoch * 1000:
                self._append_expired(memory, subject, pending.call, memory.store.get(subject[0]), pending.headers)
            elif self._claim(memory, subject, pending.call, memory.store.get(subject[0]), pending.headers):
                shares[group] = shares.get(group, 0) + 1

    def _claim_held(self, memory: PartitionMemory, key: bytes, step: Step, execution: Execution) -> bool:
        call = execution.step(step).generation.subject
        if call is None or self._p.gate.is_held(call.tenant_id, call.action_type, call.connector):
            return False
        return self._claim(memory, (key, step), call, execution, ())

    def _claim_due(self, memory: PartitionMemory, key: bytes, step: Step, execution: Execution) -> bool:
        call = execution.step(step).generation.subject
        if call is None:
            return False
        if self._is_key_forgotten(execution, step, call):
            unknown = execution.step(step).unknown_attempts[-1]
            message = "The provider no longer remembers the idempotency key, so the call cannot be repeated safely."
            error = error_info(ErrorCode.OUTCOME_UNKNOWN, message, is_permanent=True)
            fact = Fact(attempt=unknown.number, nonce=unknown.nonce, effect=Effect.UNKNOWN, source=FactSource.TAKE_OVER, error=error)
            self._append(memory, (key, step), call, execution, fact)
            return False
        return self._claim(memory, (key, step), call, execution, ())

    def _claim(self, memory: PartitionMemory, subject: Subject, call: ToolCall, execution: Execution | None, headers: Headers) -> bool:
        """Ask the gate, then the log. True if a claim was appended."""
        answer = self._p.gate.ask(call, execution, is_owned=memory.is_live) or self._p.request_check.ask(call)
        match answer:
            case Wait():
                return False
            case Hold(reason=reason, detail=detail):
                now_ms = self._clock.wall_ms()
                self._append(memory, subject, call, execution, Parked(reason=reason, not_before_ms=now_ms, detail=detail), headers)
                return False
            case End(code=code, message=message):
                self._append(memory, subject, call, execution, Refused(code=code.value, message=message), headers)
                return False
            case None:
                pass
        hit(Failpoint.BEFORE_CLAIM)
        nonce = self._nonces.issue(memory.partition)
        self._window.take(nonce, Slot(_group(call), subject[0], self._clock.boot_s()))
        claim = self._p.events.claim(call, execution, nonce)
        self._unmet[nonce] = (call, execution, claim.attempt)
        self._append(memory, subject, call, execution, claim, headers)
        hit(Failpoint.AFTER_CLAIM)
        return True

    def _append(
        self, memory: PartitionMemory, subject: Subject, call: ToolCall, execution: Execution | None, data: EventData, headers: Headers = ()
    ) -> None:
        event_id, record = self._p.events.record(call, data, partition=memory.partition, execution=execution, headers=headers)
        memory.appending[subject] = event_id
        nonce = data.nonce if isinstance(data, Claimed) else None

        def reported(error: EnactError | None, partition: int, offset: int) -> None:
            del partition, offset
            if error is None:
                return
            self._log.warning("append_failed", error, action_intent_id=call.action_intent_id)
            if memory.appending.get(subject) == event_id:
                del memory.appending[subject]
            if nonce is not None:
                self._give_up(nonce, memory.partition, "the claim's append was not acknowledged")

        self._p.writer.send(record, reported)

    def _give_up(self, nonce: str, partition: int, reason: str) -> None:
        """A claim that was not met and never will be: its nonce cannot start any more, and the log learns it."""
        if self._nonces.give_up(nonce) and (unmet := self._unmet.pop(nonce, None)) is not None:
            call, execution, attempt = unmet
            self._release(call, execution, partition, attempt, nonce, reason)

    def _release(self, call: ToolCall, execution: Execution | None, partition: int, attempt: int, nonce: str, reason: str) -> None:
        """Definitely not sent: say so until the log has it."""
        released = Released(attempt=attempt, nonce=nonce, reason=reason)
        self._p.caller.append(self._p.events.record(call, released, partition=partition, execution=execution)[1], nonce)

    def _start(self, met: ReadBack) -> None:
        """Our claim, valid in the log: its one chance to start."""
        attempt, nonce = met.attempt, met.attempt.nonce
        memory = self._memories.get(met.partition)
        if not self._nonces.start(nonce):
            return
        self._unmet.pop(nonce, None)
        skew_ms = abs(self._clock.wall_ms() - met.timestamp_ms)
        if memory is None or not memory.is_live or self._is_stopping:
            self._release(met.call, met.execution, met.partition, attempt.number, nonce, "not ours to start any more")
        elif skew_ms > MAX_CLOCK_SKEW_MS:
            self._release(met.call, met.execution, met.partition, attempt.number, nonce, "read back too late, or the clocks differ")
        elif met.claim.fold_version != FOLD_VERSION or memory.fold_version > FOLD_VERSION:
            self._release(met.call, met.execution, met.partition, attempt.number, nonce, "another fold version is in force")
        else:
            self._p.caller.submit(self._job(memory, met.key, met.call, met.execution, attempt, is_look_up=False, headers=met.record.headers))

    def _look_up(self, memory: PartitionMemory, key: bytes, step: Step, execution: Execution) -> bool:
        state = execution.step(step)
        call, attempt = state.generation.subject, state.unknown_attempts[-1]
        slot = f"look-up:{attempt.nonce}"
        if call is None or self._window.has(slot):
            return False
        self._window.take(slot, Slot(_group(call), key, self._clock.boot_s()))
        self._p.caller.submit(self._job(memory, key, call, execution, attempt, is_look_up=True, headers=()))
        return True

    def _job(
        self, memory: PartitionMemory, key: bytes, call: ToolCall, execution: Execution, attempt: Attempt, *, is_look_up: bool, headers: Headers
    ) -> Job:
        read_s = self._clock.boot_s()

        def last_look() -> None:
            hit(Failpoint.BEFORE_LAST_LOOK)
            elapsed_ms = max((self._clock.boot_s() - read_s) * 1000, self._clock.wall_ms() - attempt.claimed_ms)
            lease_left_ms = attempt.lease_ms - round(elapsed_ms)
            is_owned = memory.is_live and not self._is_stopping
            found = memory.store.peek(key)
            answer = self._p.gate.ask(call, found, is_owned=is_owned, nonce=attempt.nonce, lease_left_ms=lease_left_ms)
            if answer is not None:
                raise CallRefusedError(_reason(answer))

        def record(data: EventData) -> OutRecord:
            return self._p.events.record(
                call, data, partition=memory.partition, execution=execution, generation=attempt.generation, headers=headers
            )[1]

        return Job(
            key=key,
            partition=memory.partition,
            call=call,
            attempt=attempt.number,
            nonce=attempt.nonce,
            slot=f"look-up:{attempt.nonce}" if is_look_up else attempt.nonce,
            is_look_up=is_look_up,
            settled_ms=attempt.settled_ms,
            look_ups=attempt.look_ups,
            last_look=last_look,
            record=record,
            is_owned=lambda: memory.is_live,
            headers=headers,
        )

    def _take_over(self, memory: PartitionMemory, key: bytes, step: Step, execution: Execution) -> bool:
        """An open claim whose owner is gone: after its lease, by our own clock, its answer is unknown."""
        state = execution.step(step)
        attempt, call = state.open_attempt, state.generation.subject
        if attempt is None or call is None or attempt.owner.incarnation_id == self._nonces.incarnation_id:
            return False
        since_s = self._seen_s.setdefault(attempt.nonce, self._clock.boot_s())
        if self._clock.boot_s() - since_s < attempt.lease_ms / 1000:
            return False
        self._seen_s.pop(attempt.nonce, None)
        fact = Fact(attempt=attempt.number, nonce=attempt.nonce, effect=Effect.UNKNOWN, source=FactSource.TAKE_OVER)
        self._append(memory, (key, step), call, execution, fact)
        return True

    def _expire(self, memory: PartitionMemory, key: bytes, step: Step, execution: Execution) -> bool:
        call = execution.step(step).generation.subject
        if call is None:
            return False
        self._append_expired(memory, (key, step), call, execution, ())
        return True

    def _append_expired(
        self, memory: PartitionMemory, subject: Subject, call: ToolCall, execution: Execution | None, headers: Headers
    ) -> None:
        self._append(memory, subject, call, execution, Expired(expires_at_epoch=call.expires_at_epoch), headers)

    def _is_key_forgotten(self, execution: Execution, step: Step, call: ToolCall) -> bool:
        """True if a repeat would come after the provider's memory of the key, counted from the first claim."""
        state, ttl_s = execution.step(step), call.effect_class.key_ttl_s
        if not state.unknown_attempts or ttl_s is None:
            return False
        return self._clock.wall_ms() >= state.attempts[0].claimed_ms + ttl_s * 1000

    def _saw(self, attempt: Attempt) -> None:
        """First sight of an open claim; one of a former life of this instance on this boot needs no waiting."""
        owner, own = attempt.owner, self._p.events.owner
        if owner.incarnation_id == own.incarnation_id:
            return
        is_former_self = (owner.boot_id, owner.instance_id) == (own.boot_id, own.instance_id)
        self._seen_s.setdefault(attempt.nonce, float("-inf") if is_former_self else self._clock.boot_s())


def _group(call: ToolCall) -> str:
    return f"{call.tenant_id}|{call.connector}"


def _reason(answer: Wait | Hold | End) -> str:
    match answer:
        case Wait(reason=reason):
            return reason
        case Hold(detail=detail):
            return f"held by {detail}"
        case End(code=code):
            return code.value


