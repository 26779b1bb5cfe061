"""From the bytes of an intent to who it is and what it says; an intent without an identity has no execution."""

from dataclasses import dataclass
from typing import Any, Final

import msgspec

from enact import ids
from enact.error_catalogue import Consequence, row_of
from enact.errors import ErrorCode, ValidationError
from enact.json_schema import found
from enact.records import codec
from enact.records.intent import Admission, ApprovedIntent, Original

JSON_START: Final = b"{"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """An intent with a known identity. `intent` and `intent_sha256` are None where `error` says what is wrong with it."""

    tenant_id: str
    action_intent_id: str
    account_id: str
    action_type: str
    expires_at_epoch: int
    original: Original
    intent: ApprovedIntent | None = None
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
        raise ValidationError("The record has no value, expected an ApprovedIntent.", code=ErrorCode.NULL_VALUE)
    if len(value) > max_bytes:
        raise ValidationError(f"The intent has {len(value)} bytes, allowed are {max_bytes}.", code=ErrorCode.INTENT_TOO_LARGE)
    try:
        intent = codec.decode(ApprovedIntent, value)
    except ValidationError as error:
        return _read_damaged(original, value, error)
    _check_identity(intent.tenant_id, intent.action_intent_id, original.key)
    return read_intent(intent, original)


def read_intent(intent: ApprovedIntent, original: Original | None = None) -> Reading:
    """The reading of a decoded intent, `original` being its bytes where they are at hand."""
    digest: str | None = None
    flaw: ValidationError | None = None
    try:
        digest = ids.intent_sha256(intent)
    except ValidationError as error:
        flaw = error
    return Reading(
        tenant_id=intent.tenant_id,
        action_intent_id=intent.action_intent_id,
        account_id=intent.account_id,
        action_type=intent.action_type,
        expires_at_epoch=intent.expires_at_epoch,
        original=original or Original(key=intent.action_intent_id.encode(), value=codec.encode(intent)),
        intent=intent,
        intent_sha256=digest,
        error=flaw,
    )


class _Identity(msgspec.Struct):
    """What is looked for in a record that is no valid intent; other fields are skipped unread."""

    tenant_id: Any = None
    action_intent_id: Any = None
    account_id: Any = None
    action_type: Any = None
    expires_at_epoch: Any = None


def _read_damaged(original: Original, value: bytes, error: ValidationError) -> Reading:
    """An execution that fails visibly, if the identity of the damaged intent is known; else the error goes on."""
    if row_of(error.code).consequence is Consequence.DEAD_LETTER_ONLY:
        raise error
    identity = _identity_of(value)
    if identity is None:
        raise error
    tenant_id, action_intent_id = _text(identity.tenant_id), _text(identity.action_intent_id)
    _check_identity(tenant_id, action_intent_id, original.key)
    expires = identity.expires_at_epoch
    return Reading(
        tenant_id=tenant_id,
        action_intent_id=action_intent_id,
        account_id=_text(identity.account_id),
        action_type=_text(identity.action_type),
        expires_at_epoch=expires if isinstance(expires, int) and 0 < expires < 2**53 else 0,
        original=original,
        error=error,
    )


def _identity_of(value: bytes) -> _Identity | None:
    try:
        if value.startswith(JSON_START):
            return msgspec.json.decode(value, type=_Identity)
        return msgspec.convert(codec.avro_tree(ApprovedIntent, value), type=_Identity)
    except (msgspec.MsgspecError, RecursionError, ValidationError):
        return None


def _text(value: object) -> str:
    """Text that is safe to carry as an id or name; anything else counts as absent."""
    return value if isinstance(value, str) and ids.is_id(value) else ""


def _check_identity(tenant_id: str, action_intent_id: str, key: bytes | None) -> None:
    """Raises: ValidationError FIELD_MISSING without ids, KEY_MISMATCH for another key; both mean dead letter only here."""
    for name, value in (("tenant_id", tenant_id), ("action_intent_id", action_intent_id)):
        if not ids.is_id(value):
            raise ValidationError(f"{name}: found {found(value)}, expected 1 to 128 of A-Z a-z 0-9 . _ : -.", code=ErrorCode.FIELD_MISSING)
    if key != action_intent_id.encode():
        what = "no key" if key is None else f"a key of {len(key)} bytes"
        raise ValidationError(f"The record has {what} that is not its action_intent_id.", code=ErrorCode.KEY_MISMATCH)
