"""Dead letters for people: read them, say what a redrive of each would do, and do it.

Only an accepted redrive creates a generation above 1: wherever tenant and id are known, and the execution is, a redrive of a dead letter is
the command `redrive`. What has no execution goes back to validation as generation 1, its bytes as they were. Reading changes nothing.
"""

from collections.abc import Iterator
from contextlib import closing
from enum import StrEnum
from typing import Any, Final

from msgspec import Struct

from enact.canonical import sha256_hex
from enact.command_answers import Answer
from enact.command_door import CommandDoor
from enact.commands import CommandRefusedError, Commands
from enact.errors import ErrorCode, ValidationError
from enact.ids import entry_id, execution_trace_id, is_id
from enact.kafka.partitioner import partition_of
from enact.kafka.transport import InRecord, NextOffset, OutRecord, TopicPartition
from enact.reading import read_between
from enact.records import (
    ApprovedIntent,
    LedgerEntry,
    LedgerType,
    ReturnedIntent,
    SourcePosition,
    Step,
    ToolCall,
    ToolResult,
    ValidatedIntent,
)
from enact.records.codec import avro_tree, decode_one_of, encode
from enact.records.intent import Header, Original
from enact.strict_json import FlawError, parse_tree

READ_TIMEOUT_S = 60.0
RETURNED_CAUSE: Final = "DEAD_LETTER"
_KINDS: Final = (ApprovedIntent, ReturnedIntent, ValidatedIntent, ToolCall, ToolResult)
_REASONS: Final = ("__connect.errors.", "enact-error-code", "enact-generation", "enact-failed-at-ms")
_JSON_START: Final = b"{"


class Letter(Struct, frozen=True, kw_only=True):
    """One dead letter: where it lies, why it is there, and whose it is as far as its bytes tell ("" = they do not)."""

    stage: str
    record: InRecord
    code: str
    message: str
    generation: int
    failed_at_ms: int
    source: str
    tenant_id: str = ""
    action_intent_id: str = ""
    step: Step = Step.EXECUTE
    original: Original | None = None

    @property
    def at(self) -> str:
        """Its name: partition and offset."""
        return f"{self.record.partition}:{self.record.offset}"


class Course(StrEnum):
    """What a redrive of a dead letter does."""

    COMMAND = "COMMAND"
    RETURN = "RETURN"
    NOTHING = "NOTHING"


class Plan(Struct, frozen=True):
    """What a redrive would do, in one sentence."""

    course: Course
    sentence: str


class DeadLetters:
    """The dead letters of one stage. `topic` and `returned` are full names; readers are opened and closed."""

    def __init__(self, door: CommandDoor, *, stage: str, topic: str, returned: str) -> None:
        self._door, self._stage, self._topic, self._returned = door, stage, topic, returned
        self._commands = Commands(door)

    def all(self) -> Iterator[Letter]:
        """Every one that the topic still holds, by partition, oldest first. Raises: BrokerError."""
        with closing(self._door.open_reader()) as reader:
            parts = [TopicPartition(self._topic, number) for number in range(reader.partition_count(self._topic))]
            begins, ends = reader.begin_offsets(parts), reader.end_offsets(parts)
            ranges = {part: (NextOffset(begins[part]), NextOffset(ends[part])) for part in parts}
            for record in read_between(reader, ranges, clock=self._door.clock, timeout_s=READ_TIMEOUT_S):
                yield letter_of(self._stage, record)

    def one(self, at: str) -> Letter:
        """The dead letter at `partition:offset`. Raises: CommandRefusedError if there is none; BrokerError."""
        partition, _, offset = at.partition(":")
        if partition.isdecimal() and offset.isdecimal():
            for letter in self.all():
                if letter.at == f"{int(partition)}:{int(offset)}":
                    return letter
        raise CommandRefusedError(
            f"There is no dead letter of {self._stage} at {at}: take partition:offset from `enact dlq list {self._stage}`."
        )

    def plan(self, letter: Letter) -> Plan:
        """What `redrive` would do with it; a look, nothing is changed."""
        if letter.code == ErrorCode.INTENT_ID_REUSED:
            return Plan(Course.NOTHING, "Its id belongs to another intent: have it approved and published under a new id.")
        if letter.action_intent_id and self._commands.is_known(letter.tenant_id, letter.action_intent_id):
            what = "its compensation" if letter.step is Step.COMPENSATE else "it"
            return Plan(Course.COMMAND, f"Asks the execution log to let {what} run again; the log may refuse, and says why.")
        if letter.original is None or letter.original.value is None:
            return Plan(Course.NOTHING, "It holds no intent and belongs to no execution, so there is nothing to give back to validation.")
        return Plan(Course.RETURN, "Gives its bytes back to validation, as generation 1.")

    def redrive(self, letter: Letter, *, reason: str) -> Answer | None:
        """Carry out the plan. Returns the owner's answer to a command, None for what was given back; the ledger is told.

        Raises: CommandRefusedError if nothing can be done, or the command cannot be given; BrokerError, DeliveryError.
        """
        plan = self.plan(letter)
        if plan.course is Course.NOTHING:
            raise CommandRefusedError(plan.sentence)
        answer: Answer | None = None
        if plan.course is Course.COMMAND:
            answer = self._commands.redrive(
                tenant_id=letter.tenant_id, action_intent_id=letter.action_intent_id, reason=reason, step=letter.step
            )
        else:
            self._give_back(letter)
        result = type(answer).__name__.upper() if answer is not None else "RETURNED"
        self._door.tell(self._disposed(letter, reason, result))
        return answer

    def _give_back(self, letter: Letter) -> None:
        key = letter.record.key or b""
        returned = ReturnedIntent(
            tenant_id=letter.tenant_id or None,
            action_intent_id=letter.action_intent_id or None,
            generation=1,
            cause=RETURNED_CAUSE,
            original=letter.original,
        )
        with closing(self._door.open_reader()) as reader:
            partition = partition_of(key.decode(errors="replace"), reader.partition_count(self._returned))
        self._door.append(OutRecord(self._returned, partition, key, encode(returned)))

    def _disposed(self, letter: Letter, reason: str, result: str) -> LedgerEntry:
        """Who let a dead letter run again, and why. One entry for each time."""
        tenant_id, name = letter.tenant_id, letter.action_intent_id or _name_of(letter.record)
        now_ms, record = self._door.clock.wall_ms(), letter.record
        cause = sha256_hex([record.topic, record.partition, int(record.offset), now_ms])
        return LedgerEntry(
            entry_id=entry_id(tenant_id, name, letter.generation, LedgerType.DEAD_LETTER_DISPOSED, letter.step, None, cause),
            tenant_id=tenant_id,
            account_id="",
            action_intent_id=name,
            generation=letter.generation,
            version=-1,
            step=letter.step,
            type=LedgerType.DEAD_LETTER_DISPOSED,
            actor=self._door.actor,
            at_ms=now_ms,
            stage=self._door.stage,
            details={"code": letter.code, "reason": reason, "result": result},
            execution_trace_id=execution_trace_id(tenant_id, name),
            source=SourcePosition(topic=record.topic, partition=record.partition, offset=int(record.offset)),
        )


def letter_of(stage: str, record: InRecord) -> Letter:
    """A dead letter as a person reads it. Never fails: whatever was thrown away had its reason."""
    headers = {name: value.decode(errors="replace") for name, value in record.headers}
    generation, failed_at = headers.get("enact-generation", ""), headers.get("enact-failed-at-ms", "")
    kept = tuple(Header(name=name, value=value) for name, value in record.headers if not name.startswith(_REASONS))
    known = _known(record.value)
    original: Original | None = None
    step = Step.EXECUTE
    match known:
        case ReturnedIntent(original=given):
            original = given
        case ToolCall(step=given_step) | ToolResult(step=given_step):
            step = given_step
        case ValidatedIntent(intent=intent):
            known = intent
        case _:
            original = Original(key=record.key, value=record.value, headers=kept)
    tenant_id, action_intent_id = _identity(known, record.value)
    return Letter(
        stage=stage,
        record=record,
        code=headers.get("enact-error-code", ErrorCode.UNEXPECTED_ERROR.value),
        message=headers.get("__connect.errors.exception.message", ""),
        generation=int(generation) if generation.isdecimal() else 1,
        failed_at_ms=int(failed_at) if failed_at.isdecimal() else record.timestamp_ms,
        source=":".join(headers.get(f"__connect.errors.{name}", "?") for name in ("topic", "partition", "offset")),
        tenant_id=tenant_id,
        action_intent_id=action_intent_id,
        step=step,
        original=original,
    )


def _known(value: bytes | None) -> Any:
    try:
        return decode_one_of(_KINDS, value) if value is not None else None
    except ValidationError:
        return None


def _identity(known: Any, value: bytes | None) -> tuple[str, str]:
    """Tenant and id, also of an intent that is damaged elsewhere; both empty if they are not both ids."""
    tenant_id, action_intent_id = getattr(known, "tenant_id", None), getattr(known, "action_intent_id", None)
    if known is None and value is not None:
        try:
            tree = parse_tree(value, ErrorCode.MALFORMED_RECORD) if value.startswith(_JSON_START) else avro_tree(ApprovedIntent, value)
        except (ValidationError, FlawError):
            tree = {}
        fields = tree if isinstance(tree, dict) else {}
        tenant_id, action_intent_id = fields.get("tenant_id"), fields.get("action_intent_id")
    if isinstance(tenant_id, str) and isinstance(action_intent_id, str) and is_id(tenant_id) and is_id(action_intent_id):
        return tenant_id, action_intent_id
    return "", ""


def _name_of(record: InRecord) -> str:
    """Under which id the ledger speaks of a dead letter that says nothing of itself."""
    key = (record.key or b"").decode(errors="replace")
    return key if is_id(key) else "dead-letter"
