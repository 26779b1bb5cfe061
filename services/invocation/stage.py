"""Invocation's decisions: what an input asks of the log, and what follows from an event of the log.

Pure: the intake only appends a refusal, parks what overflows, or remembers a call as due now; the reactor only
folds and emits. Calls are started by `services.invocation.owner` from what the fold left in memory.
"""

from collections.abc import Callable, Sequence

from enact.canonical import sha256_hex
from enact.errors import ErrorCode, StateLostError, ValidationError
from enact.execution import HORIZON_MS, apply
from enact.execution_state import Execution
from enact.ids import key_of
from enact.intent_records import passed_on
from enact.kafka.partitioner import partition_of
from enact.kafka.stage import DeadLetter, Effect, StateView
from enact.kafka.transport import InRecord, OutRecord, TopicPartition
from enact.log import get_logger
from enact.records import Claimed, EventData, ExecutionEvent, FoldVersionSet, Parked, ParkReason, Refused, ToolCall
from enact.records.codec import decode
from services.invocation.emission import emission, shown_result
from services.invocation.events import EventWriter
from services.invocation.execution_store import Subject
from services.invocation.memory import FOLD_VERSION_KEY, LOG_TIME, Folded, PartitionMemory, ReadBack
from services.invocation.topics import InvocationTopics
from services.invocation.window import group_of

MAX_PENDING = 2_500
MAX_PENDING_PER_GROUP = 700
MAX_QUEUED = 10_000


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
        self._logger = get_logger(self.name)

    def decide(self, record: InRecord, state: StateView | None) -> Sequence[Effect]:
        """An input either enters as due now, asks the log for its refusal, or repeats what is known."""
        if state is None:
            raise StateLostError("The execution log of this partition is not folded here.")
        if record.value is None:
            what = "The record has no value where a ToolCall is expected: let only enact write this topic."
            raise ValidationError(what, code=ErrorCode.NULL_VALUE)
        call = decode(ToolCall, record.value)
        if (home := partition_of(call.action_intent_id, self._partition_count)) != record.partition:
            message = f"The call lies in partition {record.partition}, its id belongs to {home}: use the partitioner murmur2_random."
            raise ValidationError(message, code=ErrorCode.KEY_MISMATCH)
        subject = (key_of(call.tenant_id, call.action_intent_id), call.step)
        memory = self._memory_of(state)
        execution = memory.store.get(subject[0])
        current = execution.step(call.step).generation if execution else None
        number = current.number if current else 1
        if call.generation > number:
            message = f"generation {call.generation} was never opened, the current one is {number}: redrive the execution to open the next."
            return [DeadLetter(code=ErrorCode.UNKNOWN_GENERATION, message=message, generation=call.generation)]
        if call.generation < number:
            return self._repeat(record, call, memory.store.result_of_generation(subject, call.generation))
        if current is not None and (current.ending is not None or (current.subject is not None and current.subject.is_full)):
            return self._repeat(record, call, memory.store.last_result(subject[0]))
        memory.inputs.add(TopicPartition(record.topic, record.partition), int(record.offset), subject, call.generation)
        return self._enter(record, call, memory, subject, execution)

    def _enter(
        self, record: InRecord, call: ToolCall, memory: PartitionMemory, subject: Subject, execution: Execution | None
    ) -> Sequence[Effect]:
        """A call that the log does not know yet."""
        if call.refusal is not None:
            return [self._append(record, call, Refused(code=call.refusal.code, message=call.refusal.message), execution)]
        if subject not in memory.pending and (memory.is_queued(subject) or self._overflows(memory, call)):
            memory.queue(subject, group_of(call.tenant_id, call.connector))
            return [self._append(record, call, Parked(reason=ParkReason.QUEUE, not_before_ms=record.timestamp_ms), execution)]
        memory.wait(subject, call, passed_on(record.headers))
        return []

    def _overflows(self, memory: PartitionMemory, call: ToolCall) -> bool:
        """True if this call parks: nobody overtakes its group's queue, and no group fills the memory."""
        group = group_of(call.tenant_id, call.connector)
        is_full = memory.has_queue(group) or memory.backlog[group] >= MAX_PENDING_PER_GROUP or memory.backlog.total() >= MAX_PENDING
        return is_full and memory.queue_length < MAX_QUEUED

    def _append(self, record: InRecord, call: ToolCall, data: EventData, execution: Execution | None) -> OutRecord:
        """What an input asks of the log. Its event id is a function of the input: read again, it is the same event."""
        event_id = sha256_hex([type(data).__name__, call.tenant_id, call.action_intent_id, call.generation, call.step.value])
        headers = passed_on(record.headers)
        return self._events.record(call, data, partition=record.partition, execution=execution, event_id=event_id, headers=headers)[1]

    def _repeat(self, record: InRecord, call: ToolCall, result: bytes | None) -> Sequence[Effect]:
        if result is None:
            return []
        headers = passed_on(record.headers)
        return [OutRecord(self._topics.tool_results, record.partition, call.action_intent_id.encode(), result, headers)]

    def fold(self, record: InRecord, state: StateView) -> Sequence[Effect]:
        """Fold one event; what it means for people follows from the states before and after."""
        memory = self._memory_of(state)
        if record.value is None:
            raise StateLostError("The execution log holds a tombstone; it is never compacted and never deleted by key.")
        event = decode(ExecutionEvent, record.value)
        log_ms = max(record.timestamp_ms, int.from_bytes(state.get(LOG_TIME) or b"", "big"))
        state.put(LOG_TIME, log_ms.to_bytes(8, "big"))
        if isinstance(event.data, FoldVersionSet):
            memory.fold_version = max(memory.fold_version, event.data.version)
            state.put(FOLD_VERSION_KEY, memory.fold_version.to_bytes(4, "big"))
            return []
        home = partition_of(event.action_intent_id, self._partition_count)
        if home != record.partition:
            self._logger.warning("foreign_event", event_id=event.event_id, partition=record.partition, offset=record.offset)
            return [OutRecord(self._topics.executions, home, record.key, record.value, record.headers)]
        key = key_of(event.tenant_id, event.action_intent_id)
        before = memory.store.get(key)
        after = apply(before, event, log_ms=log_ms, horizon_ms=self._horizon_ms)
        if memory.is_live or not state.is_silent:  # a restore notes everything at its end, from the index
            self._note(memory, event, record, before, after)
        if after is before:
            return []
        memory.store.put(key, before, after)
        number = before.step(event.step).generation.number if before else 1
        if after.step(event.step).generation.number > number:
            memory.store.close_generation((key, event.step), number)
        if state.is_silent:
            if (result := shown_result(before, after, event, record)) is not None:
                memory.store.keep_result(key, result)
            return []
        emitted = emission(before, after, event, record, self._topics)
        if emitted.result is not None:
            memory.store.keep_result(key, emitted.result)
        return emitted.effects

    def _note(self, memory: PartitionMemory, event: ExecutionEvent, record: InRecord, before: Execution | None, after: Execution) -> None:
        """Keep what the owner needs to know of this event; nothing here changes the fold."""
        subject, now = (key_of(event.tenant_id, event.action_intent_id), event.step), after.step(event.step)
        known = now.generation.subject
        group = group_of(event.tenant_id, known.connector if known else "")
        memory.note(Folded(subject, event.event_id, group, now))
        if not isinstance(event.data, Claimed) or after is before:
            return
        claim = event.data
        attempt = now.by_nonce(claim.nonce)
        is_ours = claim.owner.incarnation_id == self._events.owner.incarnation_id
        if attempt is None:
            if is_ours:
                memory.met.invalid.append(claim.nonce)
        elif before is not None and before.step(event.step).by_nonce(claim.nonce) is not None:
            return
        elif not is_ours:
            memory.met.foreign.append((subject, attempt))
        elif known is not None:
            memory.met.ours.append(ReadBack(subject=subject, execution=after, attempt=attempt, call=known, claim=claim, record=record))
