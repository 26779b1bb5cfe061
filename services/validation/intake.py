"""From the bytes of an intent to who it is and what it says; an intent without an identity has no execution."""

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from enact import ids
from enact.error_catalogue import Consequence, row_of
from enact.errors import ErrorCode, ValidationError
from enact.intent_text import WrittenIntent, has_exact_numbers, written
from enact.json_schema import found
from enact.records import codec
from enact.records.intent import Admission, ApprovedIntent, Original
from enact.strict_json import MAX_EXACT_INTEGER, parse_tree

JSON_START: Final = b"{"


class Reading(Struct, frozen=True, kw_only=True):
    """An intent with a known identity. `intent`, `known` and `intent_sha256` are None where `error` says what is wrong with it."""

    tenant_id: str
    action_intent_id: str
    account_id: str
    action_type: str
    expires_at_epoch: int
    original: Original
    intent: ApprovedIntent | None = None
    known: WrittenIntent | None = None
    intent_sha256: str | None = None
    error: ValidationError | None = None

    def has_content_of(self, admission: Admission) -> bool:
        """True if this is the same intent again: equal digests, or equal bytes where there is no digest."""
        if self.intent_sha256 is not None or admission.intent_sha256 is not None:
            return self.intent_sha256 == admission.intent_sha256
        return admission.original is not None and admission.original.value == self.original.value


def read_original(original: Original, *, max_bytes: int) -> Reading:
    """Decode an intent as upstream published it.

    Raises: ValidationError with a code that means "dead letter only": no value, too large, undecodable,
    without a tenant or id, or a key that is not the id.
    """
    value = original.value
    if value is None:
        what = "The record has no value where an ApprovedIntent is expected: publish the intent; to stop one, cancel its execution."
        raise ValidationError(what, code=ErrorCode.NULL_VALUE)
    if len(value) > max_bytes:
        what = f"The intent has {len(value)} bytes, allowed are {max_bytes}: keep large content elsewhere and pass a reference."
        raise ValidationError(what, code=ErrorCode.INTENT_TOO_LARGE)
    try:
        intent = codec.decode(ApprovedIntent, value)
    except ValidationError as error:
        return _read_damaged(original, value, error)
    _check_identity(intent.tenant_id, intent.action_intent_id, original.key)
    return read_intent(intent, original)


def read_intent(intent: ApprovedIntent, original: Original | None = None) -> Reading:
    """The reading of a decoded intent, `original` being its bytes where they are at hand."""
    known: WrittenIntent | None = None
    digest: str | None = None
    flaw = None if has_exact_numbers(intent) else _inexact_number(intent)
    if flaw is None:
        try:
            known = written(intent)
            digest = ids.intent_sha256_of(intent, known.parameters_text)
        except ValidationError as error:
            flaw = error
    return Reading(
        tenant_id=intent.tenant_id,
        action_intent_id=intent.action_intent_id,
        account_id=_text(intent.account_id),
        action_type=_text(intent.action_type),
        expires_at_epoch=_epoch_s(intent.expires_at_epoch),
        original=original or Original(key=intent.action_intent_id.encode(), value=codec.encode(intent)),
        intent=intent,
        known=known,
        intent_sha256=digest,
        error=flaw,
    )


def _inexact_number(intent: ApprovedIntent) -> ValidationError | None:
    """Avro carries 64 bits; what JSON and the digest cannot carry is refused by name."""
    policy = intent.execution_policy
    numbers: dict[str, int | None] = {
        "expires_at_epoch": intent.expires_at_epoch,
        "registry_version": intent.registry_version,
        "approval.approved_at": intent.approval.approved_at,
        "execution_policy.max_attempts": policy.max_attempts if policy else None,
        "execution_policy.timeout_seconds": policy.timeout_seconds if policy else None,
    }
    for name, number in numbers.items():
        if number is not None and abs(number) > MAX_EXACT_INTEGER:
            what = f"{name} is an integer beyond +-(2^53-1): correct it and publish under a new id."
            return ValidationError(what, code=ErrorCode.NUMBER_NOT_EXACT)
    return None


def _read_damaged(original: Original, value: bytes, error: ValidationError) -> Reading:
    """An execution that fails visibly, if the identity of the damaged intent is known; else the error goes on."""
    if row_of(error.code).consequence is Consequence.DEAD_LETTER_ONLY:
        raise error
    fields = _fields_of(value)
    tenant_id, action_intent_id = fields.get("tenant_id"), fields.get("action_intent_id")
    _check_identity(tenant_id, action_intent_id, original.key)
    return Reading(
        tenant_id=str(tenant_id),
        action_intent_id=str(action_intent_id),
        account_id=_text(fields.get("account_id")),
        action_type=_text(fields.get("action_type")),
        expires_at_epoch=_epoch_s(fields.get("expires_at_epoch")),
        original=original,
        error=ValidationError(f"{error.message} Publish the corrected intent under a new id.", code=error.code),
    )


def _fields_of(value: bytes) -> Mapping[str, Any]:
    """What a damaged intent says of itself. Both were read once already: what had no fields at all is MALFORMED_RECORD."""
    if value.startswith(JSON_START):
        tree: dict[str, Any] = parse_tree(value, ErrorCode.MALFORMED_RECORD)
        return tree
    return codec.avro_tree(ApprovedIntent, value)


def _text(value: object) -> str:
    """Text that is safe to carry as an id or name; anything else counts as absent."""
    return value if isinstance(value, str) and ids.is_id(value) else ""


def _epoch_s(value: object) -> int:
    """A time that every reader can carry; anything else counts as absent."""
    return value if type(value) is int and 0 < value <= MAX_EXACT_INTEGER else 0


def _check_identity(tenant_id: object, action_intent_id: object, key: bytes | None) -> None:
    """Raises: ValidationError FIELD_MISSING without ids, KEY_MISMATCH for another key; both mean dead letter only here."""
    for name, value in (("tenant_id", tenant_id), ("action_intent_id", action_intent_id)):
        if not (isinstance(value, str) and ids.is_id(value)):
            seen = "nothing" if value is None else found(value)
            what = f"{name}: found {seen}, expected {ids.ID_WORDS}; correct it and publish again."
            raise ValidationError(what, code=ErrorCode.FIELD_MISSING)
    if key != str(action_intent_id).encode():
        what = "no key" if key is None else f"a key of {len(key)} bytes"
        message = f"The record has {what} where its action_intent_id is expected: publish it with action_intent_id as its key, in UTF-8."
        raise ValidationError(message, code=ErrorCode.KEY_MISMATCH)
