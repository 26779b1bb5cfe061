"""Decides each intent once: the decision is appended to the admissions log, and only what is read back there takes effect."""

from collections.abc import Callable, Sequence

from enact import ids
from enact.approval import ApprovalRules
from enact.clock import Clock
from enact.errors import ErrorCode, PermanentError, StateLostError, ValidationError
from enact.intent_records import APPROVED_AT, passed_on, with_approved_at
from enact.kafka.partitioner import partition_of
from enact.kafka.stage import DeadLetter, Effect, StateView
from enact.kafka.transport import Headers, InRecord, OutRecord
from enact.read_back import ReadBack
from enact.records import codec
from enact.records.enums import Decision
from enact.records.intent import Admission, Header, Original, ReturnedIntent, SourcePosition, ValidatedIntent
from enact.registry import RegistryView, entry_digest
from services.validation.checks import Candidate, Limits, Rejecting, first_failure
from services.validation.emission import ID_REUSED, STAGE, Topics, admission_key, dead_letter_of, emissions, intent_of, reused_id_letter
from services.validation.intake import Reading, read_intent, read_original

WRONG_PARTITION = "WRONG_PARTITION"
MAX_UNREAD = 10_000


class ValidationStage:
    """Admits or refuses.

    `registry` gives the newest view, read to the table's end before the first record; `rejected_by` asks the switches.
    Ordering: a decision is final at its offset in the admissions log, not when it is made; of two decisions
    for one (tenant, id, generation) the first in that log counts, whoever made it.
    """

    name = STAGE

    def __init__(
        self,
        topics: Topics,
        *,
        partition_count: int,
        registry: Callable[[], RegistryView],
        clock: Clock,
        limits: Limits | None = None,
        rejected_by: Rejecting | None = None,
        approvals: ApprovalRules | None = None,
    ) -> None:
        self.inputs: Sequence[str] = (topics.approved, topics.returned)
        self.log: str | None = topics.admissions
        self._topics = topics
        self._partition_count = partition_count
        self._registry = registry
        self._clock = clock
        self._limits = limits or Limits()
        self._rejected_by = rejected_by
        self._approvals = approvals or ApprovalRules()
        self._appended: ReadBack[Admission] = ReadBack()
        self._unread: dict[bytes, str | None] = {}

    def decide(self, record: InRecord, state: StateView | None) -> Sequence[Effect]:
        """An Admission for the log; or what the known decision sends, again; or a dead letter; or a forward to the right partition."""
        if state is None:
            raise StateLostError("Validation decides only with the folded admissions of the partition.")
        if record.topic == self._topics.approved:
            original = Original(key=record.key, value=record.value, headers=tuple([Header(name=n, value=v) for n, v in record.headers]))
            return self._decide_original(record, state, original, generation=1)
        returned = _decode_returned(record, self._limits.max_intent_bytes)
        if returned.original is not None:
            return self._decide_original(record, state, returned.original, generation=returned.generation)
        return self._decide_stored(record, state, returned)

    def fold(self, record: InRecord, state: StateView) -> Sequence[Effect]:
        """The first admission of a key takes effect; a later, different one is answered by appending the first again.

        Compaction keeps the last record of a key, so the winner must be the last.
        """
        if record.value is None:
            raise StateLostError("A tombstone in the admissions log, where none is ever written.")
        admission = self._appended.take(record.value) or codec.decode(Admission, record.value)
        key = admission_key(admission.tenant_id, admission.action_intent_id, admission.generation)
        self._unread.pop(key, None)
        known = state.get(key)
        if known is None:
            sent = emissions(admission, self._topics, partition=record.partition, headers=passed_on(record.headers))
            letter = dead_letter_of(admission)
            state.put(key, record.value)
            return [*sent, letter] if letter else sent
        if known == record.value:
            return []
        winner = OutRecord(topic=self._topics.admissions, partition=record.partition, key=key, value=known)
        return [winner] if _same_content(admission, codec.decode(Admission, known)) else [winner, reused_id_letter(admission)]

    def _decide_original(self, record: InRecord, state: StateView, original: Original, *, generation: int) -> Sequence[Effect]:
        try:
            reading = read_original(original, max_bytes=self._limits.max_intent_bytes)
            _check_key(record, reading.action_intent_id)
        except ValidationError as error:
            return [_letter(error, generation, original)]
        right = partition_of(reading.action_intent_id, self._partition_count)
        if right != record.partition:
            return [self._forward(record, right, reading, generation)]
        stored = self._stored(state, reading.tenant_id, reading.action_intent_id, generation)
        if stored is not None:
            if not reading.has_content_of(stored):
                return [_letter(_reused(), generation, original)]
            return self._again(record, self._newest(state, stored) if record.topic == self._topics.approved else stored)
        if generation > 1:
            previous = self._stored(state, reading.tenant_id, reading.action_intent_id, generation - 1)
            if previous is None:
                return [_letter(_unknown_generation(generation), generation, original)]
            if not reading.has_content_of(previous):
                return [_letter(_reused(), generation, original)]
        return [self._append(record, reading, generation)]

    def _decide_stored(self, record: InRecord, state: StateView, returned: ReturnedIntent) -> Sequence[Effect]:
        """A ReturnedIntent without bytes: what is meant lies in the state."""
        tenant_id, action_intent_id = returned.tenant_id or "", returned.action_intent_id or ""
        if not (ids.is_id(tenant_id) and ids.is_id(action_intent_id)):
            raise ValidationError(
                "tenant_id or action_intent_id is missing in a ReturnedIntent without an original: give both, or the original.",
                code=ErrorCode.FIELD_MISSING,
            )
        _check_key(record, action_intent_id)
        right = partition_of(action_intent_id, self._partition_count)
        if right != record.partition:
            return [OutRecord(self._topics.returned, right, record.key, record.value, record.headers)]
        stored = self._stored(state, tenant_id, action_intent_id, returned.generation)
        if stored is not None:
            return self._again(record, stored)
        previous = self._stored(state, tenant_id, action_intent_id, returned.generation - 1)
        if previous is None:
            raise _unknown_generation(returned.generation)
        return [self._append(record, self._reading_of(previous), returned.generation)]

    def _reading_of(self, admission: Admission) -> Reading:
        if admission.original is not None:
            return read_original(admission.original, max_bytes=self._limits.max_intent_bytes)
        intent = intent_of(admission)
        if intent is None:
            raise StateLostError("An admission without an intent: the admissions log is not trustworthy.")
        return read_intent(intent)

    def _append(self, record: InRecord, reading: Reading, generation: int) -> OutRecord:
        key = admission_key(reading.tenant_id, reading.action_intent_id, generation)
        admission = self._admission(record, reading, generation, is_contested=self._is_contested(key, reading.intent_sha256))
        value = codec.encode(admission)
        if admission.decision is Decision.ADMITTED:
            self._appended.keep(value, admission)
        return OutRecord(
            topic=self._topics.admissions,
            partition=record.partition,
            key=key,
            value=value,
            headers=self._began(record),
        )

    def _began(self, record: InRecord) -> Headers:
        """The first hop says when the way began; what somebody else says of that is not believed."""
        headers = tuple([one for one in passed_on(record.headers) if one[0] != APPROVED_AT or record.topic != self._topics.approved])
        return with_approved_at(headers, record.timestamp_ms)

    def _is_contested(self, key: bytes, intent_sha256: str | None) -> bool:
        """True if another content of this key was appended and not read back yet: this one will likely lose.

        Only a hint, for how much the Admission carries: what counts is decided when the log is read.
        """
        if len(self._unread) >= MAX_UNREAD:
            self._unread.clear()
        return self._unread.setdefault(key, intent_sha256) != intent_sha256

    def _admission(self, record: InRecord, reading: Reading, generation: int, *, is_contested: bool) -> Admission:
        now_ms = self._clock.wall_ms()
        validated, error = self._judge(reading, generation, now_ms)
        return Admission(
            tenant_id=reading.tenant_id,
            action_intent_id=reading.action_intent_id,
            generation=generation,
            decision=Decision.REFUSED if error else Decision.ADMITTED,
            code=error.code if error else None,
            message=error.message if error else None,
            intent_sha256=reading.intent_sha256,
            source=SourcePosition(topic=record.topic, partition=record.partition, offset=record.offset),
            validated=validated,
            original=reading.original if error or is_contested else None,
            decided_at_ms=now_ms,
            account_id=reading.account_id,
            action_type=reading.action_type,
            expires_at_epoch=reading.expires_at_epoch,
        )

    def _judge(self, reading: Reading, generation: int, now_ms: int) -> tuple[ValidatedIntent | None, PermanentError | None]:
        intent, view = reading.intent, self._registry()
        if intent is None:
            return None, reading.error
        candidate = Candidate(
            intent=intent,
            known=reading.known,
            intent_sha256=reading.intent_sha256,
            registry=view,
            now_ms=now_ms,
            limits=self._limits,
            approvals=self._approvals,
            rejected_by=self._rejected_by,
        )
        error = reading.error or first_failure(candidate)
        if error is not None or reading.intent_sha256 is None:
            return None, error
        entry = candidate.entry()
        validated = ValidatedIntent(
            intent=intent,
            generation=generation,
            execution_trace_id=ids.execution_trace_id(intent.tenant_id, intent.action_intent_id),
            registry_version=entry.registry_version,
            registry_digest=entry_digest(entry),
            registry_offset=view.next_offset,
            admitted_at_ms=now_ms,
            intent_sha256=reading.intent_sha256,
            approval_evidence=candidate.evidence,
        )
        return validated, None

    def _again(self, record: InRecord, admission: Admission) -> Sequence[Effect]:
        """What a known decision sent, once more. Not its dead letter: a person needs one copy, and those carry no id to drop them by."""
        return emissions(admission, self._topics, partition=record.partition, headers=self._began(record))

    def _forward(self, record: InRecord, right: int, reading: Reading, generation: int) -> OutRecord:
        """The intent, bytes unchanged, to the partition where its decisions are made."""
        if record.topic == self._topics.returned:
            return OutRecord(self._topics.returned, right, record.key, record.value, record.headers)
        returned = ReturnedIntent(
            tenant_id=reading.tenant_id,
            action_intent_id=reading.action_intent_id,
            generation=generation,
            cause=WRONG_PARTITION,
            original=reading.original,
        )
        return OutRecord(self._topics.returned, right, reading.action_intent_id.encode(), codec.encode(returned), self._began(record))

    def _stored(self, state: StateView, tenant_id: str, action_intent_id: str, generation: int) -> Admission | None:
        stored = state.get(admission_key(tenant_id, action_intent_id, generation))
        return None if stored is None else codec.decode(Admission, stored)

    def _newest(self, state: StateView, admission: Admission) -> Admission:
        """The decision of the highest generation; generations follow each other without a gap."""
        newest = admission
        while (later := self._stored(state, newest.tenant_id, newest.action_intent_id, newest.generation + 1)) is not None:
            newest = later
        return newest


def _decode_returned(record: InRecord, max_intent_bytes: int) -> ReturnedIntent:
    if record.value is None:
        what = "The record has no value where a ReturnedIntent is expected: let only enact write this topic."
        raise ValidationError(what, code=ErrorCode.NULL_VALUE)
    if len(record.value) > 2 * max_intent_bytes:
        what = f"The record has {len(record.value)} bytes, allowed are {2 * max_intent_bytes}: let only enact write this topic."
        raise ValidationError(what, code=ErrorCode.INTENT_TOO_LARGE)
    returned = codec.decode(ReturnedIntent, record.value)
    if returned.generation < 1:
        what = "generation is below 1, where the first one is 1: let only enact write this topic."
        raise ValidationError(what, code=ErrorCode.MALFORMED_RECORD)
    return returned


def _check_key(record: InRecord, action_intent_id: str) -> None:
    if record.key != action_intent_id.encode():
        what = "The record's key is not the action_intent_id of the intent in it: let only enact write this topic."
        raise ValidationError(what, code=ErrorCode.KEY_MISMATCH)


def _same_content(one: Admission, other: Admission) -> bool:
    if one.intent_sha256 is not None or other.intent_sha256 is not None:
        return one.intent_sha256 == other.intent_sha256
    return one.original is not None and other.original is not None and one.original.value == other.original.value


def _letter(error: ValidationError, generation: int, original: Original) -> DeadLetter:
    return DeadLetter(
        code=error.code, message=error.message, generation=generation, original=original, exception_class=type(error).__name__
    )


def _reused() -> ValidationError:
    return ValidationError(ID_REUSED, code=ErrorCode.INTENT_ID_REUSED)


def _unknown_generation(generation: int) -> ValidationError:
    return ValidationError(
        f"generation is {generation} and follows no decision that is known here: redrive the execution, or publish the intent again.",
        code=ErrorCode.UNKNOWN_GENERATION,
    )
