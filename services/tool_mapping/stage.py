"""A pure function of an admitted intent and the registry version that was pinned for it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from enact.error_catalogue import row_of
from enact.errors import ErrorCode, MappingError, PermanentError, StateLostError, ValidationError
from enact.intent_records import Subject, intent_details, ledger_entry, passed_on, refusal_call
from enact.kafka.stage import DeadLetter, Effect, StateView
from enact.kafka.transport import InRecord, OutRecord
from enact.mapping import map_intent
from enact.records import codec
from enact.records.action_type import ActionType
from enact.records.enums import LedgerType, Status
from enact.records.intent import SourcePosition, ValidatedIntent
from enact.records.tool_call import Refusal, ToolCall
from enact.registry import RegistryView, entry_digest

STAGE = "tool_mapping"


@dataclass(frozen=True, slots=True, kw_only=True)
class Topics:
    """Full topic names."""

    validated: str
    tool_calls: str
    ledger: str


class ToolMappingStage:
    """Maps one intent at a time and keeps nothing.

    `wait_for_registry(offset)` returns a view that has reached `offset` of the registry topic, waiting briefly
    if it must, or raises NotReadyError: then the batch is taken again.
    """

    name = STAGE
    log: str | None = None

    def __init__(self, topics: Topics, *, wait_for_registry: Callable[[int], RegistryView]) -> None:
        self.inputs: Sequence[str] = (topics.validated,)
        self._topics = topics
        self._wait_for_registry = wait_for_registry

    def decide(self, record: InRecord, state: StateView | None) -> Sequence[Effect]:
        """The call with its ledger entry, or the refusal with its ledger entry and dead letter.

        All times are the record's own, so that reading it again gives equal bytes.
        """
        validated = _decode(record)
        intent = validated.intent
        subject = Subject.of(intent, generation=validated.generation, intent_sha256=validated.intent_sha256)
        try:
            call = map_intent(validated, self._entry(validated))
        except PermanentError as error:
            return self._refuse(record, subject, validated, error)
        details = intent_details(subject, validated.registry_version, evidence=validated.approval_evidence) | _call_details(call)
        return [
            self._out(record, self._topics.tool_calls, codec.encode(call)),
            self._entry_out(record, subject, LedgerType.TOOL_CALL_MAPPED, details),
        ]

    def fold(self, record: InRecord, state: StateView) -> Sequence[Effect]:
        """Never called: there is no log."""
        raise StateLostError("Tool mapping has no log to fold.")

    def _entry(self, validated: ValidatedIntent) -> ActionType:
        """The pinned version with the pinned content.

        Raises: MappingError UNKNOWN_VERSION if it is not there, REQUEST_DRIFT if it says something else than at admission;
        NotReadyError if the table is behind.
        """
        entry = self._wait_for_registry(validated.registry_offset).get(validated.intent.action_type, validated.registry_version)
        if entry is None:
            raise MappingError(
                f"Registry version {validated.registry_version} was known at admission and is gone: apply it again, then redrive.",
                code=ErrorCode.UNKNOWN_VERSION,
            )
        if entry_digest(entry) != validated.registry_digest:
            raise MappingError(
                f"Registry version {validated.registry_version} was changed after admission, and versions never change: "
                "restore it or apply a new version, then redrive.",
                code=ErrorCode.REQUEST_DRIFT,
            )
        return entry

    def _refuse(self, record: InRecord, subject: Subject, validated: ValidatedIntent, error: PermanentError) -> Sequence[Effect]:
        refusal = Refusal(code=error.code.value, message=error.message)
        details = intent_details(subject, validated.registry_version, evidence=validated.approval_evidence)
        sent: list[Effect] = [
            self._out(record, self._topics.tool_calls, codec.encode(refusal_call(subject, refusal))),
            self._entry_out(record, subject, LedgerType.INTENT_REFUSED, details, refusal),
        ]
        if row_of(error.code).has_dead_letter:
            sent.append(
                DeadLetter(code=error.code, message=error.message, generation=validated.generation, exception_class=type(error).__name__)
            )
        return sent

    def _entry_out(
        self, record: InRecord, subject: Subject, type: LedgerType, details: dict[str, str], refusal: Refusal | None = None
    ) -> OutRecord:
        status: Status | None = None  # validation said PENDING, and nothing here ends an execution
        entry = ledger_entry(
            subject,
            type,
            stage=STAGE,
            at_ms=record.timestamp_ms,
            source=SourcePosition(topic=record.topic, partition=record.partition, offset=record.offset),
            status=status,
            details=details,
            refusal=refusal,
        )
        return self._out(record, self._topics.ledger, codec.encode(entry))

    def _out(self, record: InRecord, topic: str, value: bytes) -> OutRecord:
        return OutRecord(topic=topic, partition=record.partition, key=record.key, value=value, headers=passed_on(record.headers))


def _decode(record: InRecord) -> ValidatedIntent:
    if record.value is None:
        what = "The record has no value where a ValidatedIntent is expected: let only enact write this topic."
        raise ValidationError(what, code=ErrorCode.NULL_VALUE)
    validated = codec.decode(ValidatedIntent, record.value)
    if record.key != validated.intent.action_intent_id.encode():
        what = "The record's key is not the action_intent_id in its value: let only enact write this topic."
        raise ValidationError(what, code=ErrorCode.KEY_MISMATCH)
    return validated


def _call_details(call: ToolCall) -> dict[str, str]:
    return {
        "tool_name": call.tool_name,
        "connector": call.connector,
        "request_digest": call.request_digest,
        "idempotency_key": call.idempotency_key,
        "effect_class": call.effect_class.kind.value,
    }
