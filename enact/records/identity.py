"""What can still be said of an intent that cannot be decoded: enough to refuse it by name."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from enact.errors import ValidationError
from enact.records.codec import avro_tree
from enact.records.intent import ApprovedIntent


@dataclass(frozen=True, slots=True, kw_only=True)
class IntentIdentity:
    """The fields that were there and of the right type; nothing about them is checked beyond that."""

    tenant_id: str | None
    action_intent_id: str | None
    account_id: str | None
    action_type: str | None
    expires_at_epoch: int | None


def identity_of(value: bytes) -> IntentIdentity | None:
    """The identity in an intent's value, JSON or Avro; None if the value cannot be read that far. Raises nothing."""
    members = _members(value)
    if members is None:
        return None
    expires_at_epoch = members.get("expires_at_epoch")
    return IntentIdentity(
        tenant_id=_text(members, "tenant_id"),
        action_intent_id=_text(members, "action_intent_id"),
        account_id=_text(members, "account_id"),
        action_type=_text(members, "action_type"),
        expires_at_epoch=expires_at_epoch if type(expires_at_epoch) is int else None,
    )


def _members(value: bytes) -> Mapping[str, Any] | None:
    try:
        members = json.loads(value.decode()) if value.startswith(b"{") else avro_tree(ApprovedIntent, value)
    except (ValidationError, ValueError, RecursionError):
        return None
    return members if isinstance(members, dict) else None


def _text(members: Mapping[str, Any], name: str) -> str | None:
    text = members.get(name)
    return text if type(text) is str and _is_text(text) else None


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
