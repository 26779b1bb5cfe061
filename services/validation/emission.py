"""What follows from an Admission: a function of that record alone, so that every repeat gives the same bytes."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from enact import ids
from enact.error_catalogue import row_of
from enact.errors import ErrorCode, StateLostError, ValidationError
from enact.intent_records import Subject, intent_details, ledger_entry, refusal_call
from enact.kafka.stage import DeadLetter
from enact.kafka.transport import Headers, OutRecord
from enact.records import codec
from enact.records.enums import Decision, LedgerType, Status
from enact.records.intent import Admission, ApprovedIntent, Original
from enact.records.tool_call import Refusal

STAGE = "validation"
ID_REUSED: Final = "action_intent_id was used before with another content: publish the changed intent under a new id."


@dataclass(frozen=True, slots=True, kw_only=True)
class Topics:
    """Full topic names."""

    approved: str
    returned: str
    admissions: str
    validated: str
    tool_calls: str
    ledger: str


def admission_key(tenant_id: str, action_intent_id: str, generation: int) -> bytes:
    """The key of a decision, in the log and in the state."""
    return ids.key_of(tenant_id, action_intent_id, str(generation))


def emissions(admission: Admission, topics: Topics, *, partition: int, headers: Headers) -> list[OutRecord]:
    """The records that a decision sends down the pipeline; dead letters are `dead_letter_of`.

    Raises: StateLostError if the record says neither ADMITTED nor REFUSED in full: the log is not trustworthy.
    """
    key = admission.action_intent_id.encode()
    return [
        OutRecord(topic=topic, partition=partition, key=key, value=value, headers=headers)
        for topic, value in (_admitted(admission, topics) if admission.decision is Decision.ADMITTED else _refused(admission, topics))
    ]


def dead_letter_of(admission: Admission) -> DeadLetter | None:
    """What a person gets to see of a refusal, if a person could do something about it."""
    if admission.decision is not Decision.REFUSED or not row_of(admission.code or "").has_dead_letter:
        return None
    return DeadLetter(
        code=_known_code(admission.code),
        message=admission.message or "",
        generation=admission.generation,
        original=admission.original,
        exception_class=ValidationError.__name__,
        source=admission.source,
    )


def reused_id_letter(loser: Admission) -> DeadLetter:
    """The dead letter of an intent that came second under a taken id with another content.

    Its bytes are the published ones, unless another process decided the winner at the same moment: then they are the
    same intent, written again.
    """
    intent = loser.validated.intent if loser.validated else None
    original = loser.original
    if original is None and intent is not None:
        original = Original(key=intent.action_intent_id.encode(), value=codec.encode(intent))
    return DeadLetter(
        code=ErrorCode.INTENT_ID_REUSED,
        message=ID_REUSED,
        generation=loser.generation,
        original=original,
        exception_class=ValidationError.__name__,
        source=loser.source,
    )


def intent_of(admission: Admission) -> ApprovedIntent | None:
    """The intent that was decided on; None for one that could not be decoded."""
    if admission.validated is not None:
        return admission.validated.intent
    if admission.original is None or admission.original.value is None:
        return None
    try:
        return codec.decode(ApprovedIntent, admission.original.value)
    except ValidationError:
        return None


def _admitted(admission: Admission, topics: Topics) -> Iterator[tuple[str, bytes]]:
    validated = admission.validated
    if validated is None:
        raise StateLostError("An ADMITTED admission without its intent: the admissions log is not trustworthy.")
    subject = Subject.of(validated.intent, generation=admission.generation, intent_sha256=validated.intent_sha256)
    started = ledger_entry(
        subject,
        LedgerType.EXECUTION_STARTED,
        stage=STAGE,
        at_ms=admission.decided_at_ms,
        source=admission.source,
        status=Status.PENDING,
        details=intent_details(subject, validated.registry_version, evidence=validated.approval_evidence),
    )
    yield topics.validated, codec.encode(validated)
    yield topics.ledger, codec.encode(started)


def _refused(admission: Admission, topics: Topics) -> Iterator[tuple[str, bytes]]:
    if admission.decision is not Decision.REFUSED or admission.code is None:
        raise StateLostError("An admission that neither admits nor refuses: the admissions log is not trustworthy.")
    subject = Subject(
        tenant_id=admission.tenant_id,
        account_id=admission.account_id or "",
        action_intent_id=admission.action_intent_id,
        generation=admission.generation,
        action_type=admission.action_type or "",
        expires_at_epoch=admission.expires_at_epoch or 0,
        intent=intent_of(admission),
        intent_sha256=admission.intent_sha256 or "",
    )
    refusal = Refusal(code=admission.code, message=admission.message or "")
    # PENDING: a refusal ends an execution only in the execution log.
    refused = ledger_entry(
        subject,
        LedgerType.INTENT_REFUSED,
        stage=STAGE,
        at_ms=admission.decided_at_ms,
        source=admission.source,
        status=Status.PENDING,
        details=intent_details(subject),
        refusal=refusal,
    )
    yield topics.tool_calls, codec.encode(refusal_call(subject, refusal))
    yield topics.ledger, codec.encode(refused)


def _known_code(code: str | None) -> ErrorCode:
    try:
        return ErrorCode(code or "")
    except ValueError:
        return ErrorCode.UNEXPECTED_ERROR
