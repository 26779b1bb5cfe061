"""What the perception layer learns: ACTION_EXECUTED or ACTION_FAILED, once the outcome is certain."""

from typing import Final

from enact import ids
from enact.errors import ErrorCode, ValidationError
from enact.json_schema import found
from enact.records.enums import SignalType, Status
from enact.records.outcome import Signal, SignalData
from enact.records.tool_result import ToolResult

SIGNAL_TYPES: Final = {
    Status.SUCCEEDED: SignalType.ACTION_EXECUTED,
    Status.FAILED: SignalType.ACTION_FAILED,
    Status.EXPIRED: SignalType.ACTION_FAILED,
    Status.CANCELLED: SignalType.ACTION_FAILED,
}
"""IN_DOUBT is missing on purpose: nothing is signalled until it is resolved."""


class InvalidEvidenceError(ValidationError):
    """A signal needs an account and an action intent to be about."""

    code = ErrorCode.FIELD_MISSING


def window_key(account_id: str, action_intent_id: str) -> str:
    """The key of a signal's window: `{account_id}-{action_intent_id}`.

    Raises: InvalidEvidenceError that shows the evidence by type and length if one of the two is missing.
    """
    if not account_id or not action_intent_id:
        raise InvalidEvidenceError(
            "A signal needs account_id and action_intent_id; the evidence has "
            f"account_id: {found(account_id)}, action_intent_id: {found(action_intent_id)}. "
            "Tell whoever waits for it by hand, and publish intents with both."
        )
    return f"{account_id}-{action_intent_id}"


def signal_of(result: ToolResult) -> Signal | None:
    """The signal of a result, None while the outcome is open or in doubt. Raises: as `window_key`."""
    execute = result.execute
    kind = SIGNAL_TYPES.get(execute.status) if execute.status else None
    if kind is None or execute.status is None:
        return None
    return Signal(
        signal_id=signal_id_of(result, kind),
        type=kind,
        window_key=window_key(result.account_id, result.action_intent_id),
        tenant_id=result.tenant_id,
        account_id=result.account_id,
        version=result.version,
        data=SignalData(
            action_intent_id=result.action_intent_id,
            status=execute.status,
            external_object_refs=execute.external_object_refs,
            error_code=execute.error.code if execute.error else None,
            error_class=execute.error.error_class if execute.error else None,
        ),
    )


def signal_id_of(result: ToolResult, kind: SignalType) -> str:
    """One id for each (generation, type): repeats and later versions of the same word keep it."""
    return ids.signal_id(result.tenant_id, result.account_id, result.action_intent_id, result.execute.generation, kind)
