"""Invocation's decisions: what an input asks of the log, and what follows from an event of the log.

Pure: the intake only appends a refusal or remembers a call as due now, the reactor only folds and emits.
Calls are started by `services.invocation.owner` from what the fold left in memory.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from enact.errors import ErrorCode, StateLostError
from enact.execution import HORIZON_MS, apply
from enact.execution_state import Attempt, Execution
from enact.canonical import sha256_hex
from enact.ids import key_of
from enact.intent_records import passed_on
from enact.kafka.partitioner import partition_of
from enact.kafka.stage import DeadLetter, Effect, StateView
from enact.kafka.transport import InRecord, OutRecord, TopicPartition
from enact.records import Claimed, ExecutionEvent, FoldVersionSet, Parked, ParkReason, Refused, ToolCall
from enact.records.codec import decode
from services.invocation.emission import InvocationTopics, emission
from services.invocation.events import EventWriter
from services.invocation.memory import PartitionMemory, PendingCall

MAX_PENDING_PER_GROUP = 250
MAX_QUEUED = 10_000
_LOG_TIME, _FOLD_VERSION = b"t", b"v"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadBack:
    """A valid claim met in the log: whether it may start is the owner's question."""

    partition: int
    key: bytes
    execution: Execution
    attempt: Attempt
    call: ToolCall
    claim: Claimed
    timestamp_ms: int
    record: InRecord


class InvocationStage:
    """Implements `enact.kafka.stage.Stage` over tool-calls and the execution log."""

    name = "invocation"

    def __init__(
        self,
        *,
        tool_calls: str,
        topics: InvocationTopics,
        partition_count: int,
        events: EventWriter,
        memory_of: Callable[[StateView], PartitionMemory],
        horizon_ms: int = HORIZON_MS,
    ) -> None:
        self.inputs: Sequence[str] = (tool_calls,)
        self.log: str | None = topics.executions
        self._topics, self._partition_count, self._events, self._memory_of = topics, partition_count, events, memory_of
        self._horizon_ms = horizon_ms
        self.read_back: list[ReadBack] = []
        self.unsuccessful: list[str] = []
        self.seen_claims: list[Attempt] = []

    def decide(self, record: InRecord, state: StateView | None) -> Sequence[Effect]:
        """An input either enters as due now, asks the log for its refusal, or repeats what is known."""
        if state is None:
            raise StateLostError("The execution log of this partition is not folded here.")
        call = decode(ToolCall, record.value or b"")
        key = key_of(call.tenant_id, call.action_intent_id)
        memory = self._memory_of(state)
        execution = memory.store.get(key)
        current = execution.step(call.step).generation if execution else None
        number = current.number if current else 1
        if call.generation > number:
            message = f"generation {call.generation} was never opened, the current one is {number}: redrive the execution to open the next."
            return [DeadLetter(code=ErrorCode.UNKNOWN_GENERATION, message=message, generation=call.generation)]
        is_known = current is not None and (current.ending is not None or (current.subject is not None and current.subject.is_full))
        if call.generation < number or is_known:
            result = memory.store.last_result(key)
            return [] if result is None else [_result(self._topics.tool_results, record, call, result)]
        memory.wait_for(TopicPartition(record.topic, record.partition), int(record.offset), (key, call.step), call.generation)
        headers = passed_on(record.headers)
        if call.refusal is not None:
            event_id = sha256_hex(["refused", call.tenant_id, call.action_intent_id, call.generation, call.step.value])
            refused = Refused(code=call.refusal.code, message=call.refusal.message)
            return [self._events.record(call, refused, partition=record.partition, execution=execution, event_id=event_id, headers=headers)[1]]
        in_group = sum(1 for p in memory.pending.values() if (p.call.tenant_id, p.call.connector) == (call.tenant_id, call.connector))
        if in_group >= MAX_PENDING_PER_GROUP and memory.queued < MAX_QUEUED:
            memory.queued += 1
            parked = Parked(reason=ParkReason.QUEUE, not_before_ms=0)
            return [self._events.record(call, parked, partition=record.partition, execution=execution, headers=headers)[1]]
        memory.pending[(key, call.step)] = PendingCall(call, headers)
        return []

    def fold(self, record: InRecord, state: StateView) -> Sequence[Effect]:
        """Fold one event; what it means for people follows from the states before and after."""
        if record.value is None:
            raise StateLostError("The execution log holds a tombstone; it is never compacted and never deleted by key.")
        event = decode(ExecutionEvent, record.value)
        log_ms = max(record.timestamp_ms, int.from_bytes(state.get(_LOG_TIME) or b"", "big"))
        state.put(_LOG_TIME, log_ms.to_bytes(8, "big"))
        memory = self._memory_of(state)
        if isinstance(event.data, FoldVersionSet):
            memory.fold_version = max(memory.fold_version, event.data.version)
            state.put(_FOLD_VERSION, memory.fold_version.to_bytes(4, "big"))
            return []
        home = partition_of(event.action_intent_id, self._partition_count)
        if home != record.partition:
            return [OutRecord(self._topics.executions, home, record.key, record.value, record.headers)]
        key = key_of(event.tenant_id, event.action_intent_id)
        before = memory.store.get(key)
        after = apply(before, event, log_ms=log_ms, horizon_ms=self._horizon_ms)
        self._note(memory, key, event, before, after, record)
        if after is before:
            return []
        memory.store.put(key, before, after)
        emitted = emission(before, after, event, record, self._topics)
        if emitted.result is not None:
            memory.store.keep_result(key, emitted.result)
        return emitted.effects

    def _note(
        self, memory: PartitionMemory, key: bytes, event: ExecutionEvent, before: Execution | None, after: Execution, record: InRecord
    ) -> None:
        """Keep what the owner needs to know of this event; nothing here changes the fold."""
        subject = (key, event.step)
        if memory.appending.get(subject) == event.event_id:
            del memory.appending[subject]
        now = after.step(event.step)
        was = before.step(event.step) if before else None
        if now.generation.ending is not None or (now.generation.subject is not None and now.generation.subject.is_full):
            memory.settle(subject, now.generation.number)
        if was is not None and was.generation.park is ParkReason.QUEUE and now.generation.park is not ParkReason.QUEUE:
            memory.queued = max(0, memory.queued - 1)
        if not isinstance(event.data, Claimed):
            return
        attempt = now.by_nonce(event.data.nonce)
        is_new = attempt is not None and (was is None or was.by_nonce(attempt.nonce) is None)
        is_ours = event.data.owner.incarnation_id == self._events.owner.incarnation_id
        if not is_new or attempt is None:
            if is_ours:
                self.unsuccessful.append(event.data.nonce)
            return
        self.seen_claims.append(attempt)
        if is_ours and now.generation.subject is not None:
            self.read_back.append(
                ReadBack(
                    partition=record.partition,
                    key=key,
                    execution=after,
                    attempt=attempt,
                    call=now.generation.subject,
                    claim=event.data,
                    timestamp_ms=record.timestamp_ms,
                    record=record,
                )
            )


def fold_version_of(state: StateView) -> int:
    """The fold version in force in this partition; 0 = none was ever set."""
    return int.from_bytes(state.get(_FOLD_VERSION) or b"", "big")


def _result(topic: str, record: InRecord, call: ToolCall, result: bytes) -> OutRecord:
    return OutRecord(topic, record.partition, call.action_intent_id.encode(), result, passed_on(record.headers))
