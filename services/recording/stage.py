"""From a ToolResult to everything that people and systems are told of it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from enact import ids
from enact.canonical import sha256_hex
from enact.errors import ErrorCode, StateLostError, ValidationError
from enact.intent_records import approved_at, passed_on
from enact.kafka.stage import DeadLetter, Effect, StateView
from enact.kafka.transport import InRecord, OutRecord
from enact.lifecycle import TERMINAL
from enact.read_back import ReadBack
from enact.records import codec
from enact.records.control import CompensationRequest
from enact.records.enums import CompensationStrategy, LedgerType, SignalType, Status, Step
from enact.records.enums import Effect as WorldEffect
from enact.records.intent import SourcePosition
from enact.records.ledger import LedgerEntry
from enact.records.outcome import ActionOutcome
from enact.records.tool_result import ToolResult
from enact.registry import RegistryView
from services.recording.notification import notifications_of
from services.recording.outcome import from_state, outcome_of, to_state
from services.recording.signal import SIGNAL_TYPES, InvalidEvidenceError, signal_id_of, signal_of

STAGE = "recording"


@dataclass(frozen=True, slots=True, kw_only=True)
class Topics:
    """Full topic names."""

    tool_results: str
    outcomes: str
    signals: str
    ledger: str
    notifications: str
    compensations: str


class RecordingStage:
    """Records results. Its state is the highest outcome of each execution, folded from what was published.

    `registry` is asked only for the compensation strategy of an execution that failed with effects on record.
    `on_end` hears the status of each newly ended execution, and when its intent was taken by the broker (epoch ms).
    """

    name = STAGE

    def __init__(
        self, topics: Topics, *, registry: Callable[[], RegistryView], on_end: Callable[[Status, int], None] = lambda *_: None
    ) -> None:
        self.inputs: Sequence[str] = (topics.tool_results,)
        self.log: str | None = topics.outcomes
        self._topics = topics
        self._registry = registry
        self._on_end = on_end
        self._published: ReadBack[ActionOutcome] = ReadBack()

    def decide(self, record: InRecord, state: StateView | None) -> Sequence[Effect]:
        """Everything that follows from one result.

        The outcome is left out if a higher version is known; all the rest is sent for every result, with the ids
        it always has.
        """
        if state is None:
            raise StateLostError("Recording decides only with the folded outcomes of the partition.")
        result = _decode(record)
        effects: list[Effect] = []
        outcome = outcome_of(result)
        if outcome is not None:
            key = outcome_key(outcome)
            stored = state.get(key)
            known = None if stored is None else from_state(stored)[0]
            if known is None or outcome.version > known:
                self._tell_end(record, outcome.status)
            if known is None or outcome.version >= known:
                value = codec.encode(outcome)
                self._published.keep(value, outcome)
                effects.append(self._out(record, self._topics.outcomes, value, key))
        if result.step is Step.EXECUTE:
            effects += self._told(record, result)
        return effects

    def fold(self, record: InRecord, state: StateView) -> Sequence[Effect]:
        """Keep the highest outcome; where a lower one landed after it, publish the highest again.

        Compaction keeps the last record of a key, so the highest must be the last.
        """
        if record.value is None:
            raise StateLostError("A tombstone in the outcomes topic, where none is ever written.")
        outcome = self._published.take(record.value) or codec.decode(ActionOutcome, record.value)
        key = outcome_key(outcome)
        stored = state.get(key)
        if stored is not None:
            version, value = from_state(stored)
            if version > outcome.version:
                return [self._out(record, self._topics.outcomes, value, key)]
        state.put(key, to_state(outcome.version, record.value))
        return []

    def _tell_end(self, record: InRecord, status: Status) -> None:
        began_ms = approved_at(record.headers)
        if status in TERMINAL and began_ms is not None:
            self._on_end(status, began_ms)

    def _told(self, record: InRecord, result: ToolResult) -> Iterator[Effect]:
        """Ledger, signal, notifications and compensation of a result of the `execute` step."""
        kind = SIGNAL_TYPES.get(result.execute.status) if result.execute.status else None
        at_ms = _at_ms(record, result)
        key = result.action_intent_id.encode()
        if kind is not None:
            yield self._out(record, self._topics.ledger, codec.encode(_concluded(record, result, kind, at_ms)), key)
        if result.execute.is_contradicted:
            yield self._out(record, self._topics.ledger, codec.encode(_contradicted(record, result, at_ms)), key)
        try:
            if (signal := signal_of(result)) is not None:
                yield self._out(record, self._topics.signals, codec.encode(signal), key)
        except InvalidEvidenceError as error:
            # Only the signal is impossible; outcome, ledger and notification go out all the same.
            yield DeadLetter(code=error.code, message=error.message, generation=result.generation, exception_class=type(error).__name__)
        for notification in notifications_of(result, at_ms=at_ms):
            yield self._out(record, self._topics.notifications, codec.encode(notification), key)
        yield from self._compensation(record, result, key)

    def _compensation(self, record: InRecord, result: ToolResult, key: bytes) -> Iterator[Effect]:
        if result.execute.status is not Status.FAILED or result.execute.effect not in {WorldEffect.PARTIAL, WorldEffect.APPLIED}:
            return
        entry = self._registry().get(result.action_type, result.registry_version)
        if entry is None:
            yield DeadLetter(
                code=ErrorCode.UNKNOWN_VERSION,
                message=f"The execution failed with effects on record, and registry version {result.registry_version} is not known "
                "here: compensate by hand.",
                generation=result.generation,
                exception_class=ValidationError.__name__,
            )
        elif entry.compensation.strategy is CompensationStrategy.AUTOMATIC:
            request = CompensationRequest(
                tenant_id=result.tenant_id,
                action_intent_id=result.action_intent_id,
                generation=result.execute.generation,
                request_id=sha256_hex(["compensation_request", result.tenant_id, result.action_intent_id, result.event_id]),
                reason="The execution failed with effects on record, and the registry says AUTOMATIC.",
                requested_by=STAGE,
                refs=result.execute.external_object_refs,
                registry_version=result.registry_version,
            )
            yield self._out(record, self._topics.compensations, codec.encode(request), key)

    def _out(self, record: InRecord, topic: str, value: bytes, key: bytes) -> OutRecord:
        return OutRecord(topic=topic, partition=record.partition, key=key, value=value, headers=passed_on(record.headers))


def outcome_key(outcome: ActionOutcome) -> bytes:
    """The key of an outcome, in its topic and in the state."""
    return ids.key_of(outcome.tenant_id, outcome.action_intent_id)


def _decode(record: InRecord) -> ToolResult:
    if record.value is None:
        what = "The record has no value where a ToolResult is expected: let only enact write this topic."
        raise ValidationError(what, code=ErrorCode.NULL_VALUE)
    result = codec.decode(ToolResult, record.value)
    if record.key != result.action_intent_id.encode():
        what = "The record's key is not the action_intent_id in its value: let only enact write this topic."
        raise ValidationError(what, code=ErrorCode.KEY_MISMATCH)
    return result


def _at_ms(record: InRecord, result: ToolResult) -> int:
    """When it was over: the result's own time, else the log's. Never this process's clock, or a replay would differ."""
    return result.completed_at_ms or result.started_at_ms or record.timestamp_ms


def _concluded(record: InRecord, result: ToolResult, kind: SignalType, at_ms: int) -> LedgerEntry:
    is_done = kind is SignalType.ACTION_EXECUTED
    details = {
        "signal_id": signal_id_of(result, kind),
        "status": str(result.execute.status),
        "action_type": result.action_type,
        "tool_name": result.tool_name,
        "attempt_count": str(result.execute.attempt_count),
    }
    return _entry(record, result, LedgerType.ACTION_EXECUTED if is_done else LedgerType.ACTION_FAILED, details, at_ms)


def _contradicted(record: InRecord, result: ToolResult, at_ms: int) -> LedgerEntry:
    return _entry(record, result, LedgerType.OUTCOME_CONTRADICTED, {"status": str(result.execute.status)}, at_ms)


def _entry(record: InRecord, result: ToolResult, type: LedgerType, details: dict[str, str], at_ms: int) -> LedgerEntry:
    attempt = result.attempt or None
    return LedgerEntry(
        entry_id=ids.entry_id(result.tenant_id, result.action_intent_id, result.generation, type, result.step, attempt, result.event_id),
        tenant_id=result.tenant_id,
        account_id=result.account_id,
        action_intent_id=result.action_intent_id,
        generation=result.generation,
        version=result.version,
        step=result.step,
        attempt=attempt,
        type=type,
        actor=STAGE,
        at_ms=at_ms,
        stage=STAGE,
        status=result.execute.status,
        external_object_refs=result.execute.external_object_refs,
        error=result.execute.error,
        details=details,
        execution_trace_id=result.execution_trace_id,
        source=SourcePosition(topic=record.topic, partition=record.partition, offset=record.offset),
    )
