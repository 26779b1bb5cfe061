"""Identities: keys, digests and ids, all functions of what they stand for, so that a repeat has the same id.

Digests are SHA-256 over a canonical JSON array (RFC 8785), 64 hex digits.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from enact.canonical import canonical_json, canonical_text, scalars_sha256, sha256_with
from enact.errors import ErrorCode, ValidationError
from enact.records.enums import LedgerType, NotificationKind, SignalType, Step
from enact.records.intent import ApprovedIntent
from enact.strict_json import parse_json

ID_PATTERN: Final = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9._:-]{1,128}")
"""`.` and `..` are no ids: no address of the API and no credentials folder could name them."""

ID_WORDS: Final = "1 to 128 of A-Z a-z 0-9 . _ : -, and not . or .."
"""The same for people."""
_KEY_PART: Final = re.compile(rb"(0|[1-9][0-9]{0,8}):")


def is_id(text: str) -> bool:
    """True if the whole text is an id."""
    return ID_PATTERN.fullmatch(text) is not None


@lru_cache(maxsize=8192)
def key_of(*parts: str) -> bytes:
    """A record or state key of several parts, each with its length in UTF-8 bytes in front: `4:acme5:int-1`.

    Parts may hold any character: no two different lists of parts give the same key.
    Raises: ValidationError KEY_MISMATCH for half of a surrogate pair.
    """
    text = "".join([f"{len(part)}:{part}" for part in parts])
    if text.isascii():
        return text.encode()
    try:
        return b"".join([b"%d:%b" % (len(data), data) for data in [part.encode() for part in parts]])
    except UnicodeEncodeError:
        raise _bad_key("a part of it holds half of a surrogate pair") from None


def parts_of(key: bytes) -> tuple[str, ...]:
    """The parts that `key_of` put together. Raises: ValidationError KEY_MISMATCH if the key was not made by it."""
    parts: list[str] = []
    position = 0
    while position < len(key):
        prefix = _KEY_PART.match(key, position)
        if prefix is None:
            raise _bad_key(f"no length stands at byte {position}")
        end = prefix.end() + int(prefix[1])
        if end > len(key):
            raise _bad_key(f"it ends inside a part, {end - len(key)} bytes early")
        try:
            parts.append(key[prefix.end() : end].decode())
        except UnicodeDecodeError:
            raise _bad_key("a part of it is not valid UTF-8") from None
        position = end
    return tuple(parts)


def execution_id(action_intent_id: str) -> str:
    """The execution as people see it."""
    return f"exec-{action_intent_id}"


def execution_trace_id(tenant_id: str, action_intent_id: str) -> str:
    """The W3C trace id of the execution, 32 hex digits: the same in every stage without asking."""
    return scalars_sha256("execution_trace", tenant_id, action_intent_id)[:32]


def idempotency_key(tenant_id: str, action_intent_id: str, step: Step) -> str:
    """What the external system knows a call by: no arguments, no version, no attempt, no generation, no time."""
    return scalars_sha256(tenant_id, action_intent_id, step.value)


def request_digest(tool_name: str, registry_version: int, arguments: str | Mapping[str, Any]) -> str:
    """Digest of what will be asked of the tool. `arguments` as JSON text or as a value: both give the same.

    Raises: ValidationError PARAMETERS_INVALID, NUMBER_NOT_EXACT.
    """
    value = parse_json(arguments) if isinstance(arguments, str) else dict(arguments)
    return request_digest_of(tool_name, registry_version, canonical_json(value).decode())


def request_digest_of(tool_name: str, registry_version: int, canonical_arguments: str) -> str:
    """`request_digest` for those who have the arguments' canonical text at hand."""
    return sha256_with((tool_name, registry_version, None), 2, canonical_arguments)


def intent_sha256(intent: ApprovedIntent) -> str:
    """Digest of what was approved; JSON and Avro of one intent give the same.

    Covers tenant, account, action type, target, parameters, deadline, registry version as given and execution
    policy; not the approval, which is a statement about this digest.
    Raises: ValidationError PARAMETERS_INVALID, NUMBER_NOT_EXACT.
    """
    return intent_sha256_of(intent, canonical_text(intent.parameters))


def intent_sha256_of(intent: ApprovedIntent, canonical_parameters: str) -> str:
    """`intent_sha256` for those who have the canonical text of its parameters at hand."""
    target, policy = intent.target, intent.execution_policy
    items = (
        intent.tenant_id,
        intent.account_id,
        intent.action_type,
        {"entity_id": target.entity_id, "entity_type": target.entity_type},
        None,
        intent.expires_at_epoch,
        intent.registry_version,
        None if policy is None else {"max_attempts": policy.max_attempts, "timeout_seconds": policy.timeout_seconds},
    )
    return sha256_with(items, 4, canonical_parameters)


def entry_id(  # noqa: PLR0917 - the identity of an entry has exactly these parts, in this order
    tenant_id: str,
    action_intent_id: str,
    generation: int,
    type: LedgerType,
    step: Step | None,
    attempt: int | None,
    cause: str,
) -> str:
    """Identity of a ledger entry. `cause` is the id of the event or command behind it, never an offset."""
    return scalars_sha256(tenant_id, action_intent_id, generation, type.value, step and step.value, attempt, cause)


def signal_id(tenant_id: str, account_id: str, action_intent_id: str, generation: int, type: SignalType) -> str:
    """Identity of a signal: one for each generation and type, however often it is published."""
    return scalars_sha256(tenant_id, account_id, action_intent_id, generation, type.value)


def notification_id(tenant_id: str, action_intent_id: str | None, kind: NotificationKind, cause: str) -> str:
    """Identity of a notification. `cause` is the id of the event behind it."""
    return scalars_sha256(tenant_id, action_intent_id, kind.value, cause)


def _bad_key(what: str) -> ValidationError:
    return ValidationError(f"The key is not made of length-prefixed parts: {what}.", code=ErrorCode.KEY_MISMATCH)
