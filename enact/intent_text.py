"""An approved intent as the text that a ToolCall carries: canonical JSON, written and read without a tree in between.

The short way gives what the codec gives, or it is not taken: then the codec does the work, and says what is wrong.
Test: tests/unit/enact/test_intent_text.py holds the one against the other.
"""

from typing import Any, Final

import msgspec
import orjson

from enact.canonical import canonical_bytes, parse_with_text, rewritten
from enact.errors import ErrorCode, ValidationError
from enact.json_schema import found
from enact.records.codec import decode, encode_json
from enact.records.intent import ApprovedIntent
from enact.strict_json import MAX_DEPTH, MAX_EXACT_INTEGER, FlawError


class _OnTheWire(ApprovedIntent, frozen=True, kw_only=True):
    """The intent with its parameters as they stand in the text. Never handed out."""

    parameters: msgspec.Raw  # type: ignore[assignment]


_WRITER: Final = msgspec.json.Encoder(order="sorted")
_READER: Final = msgspec.json.Decoder(_OnTheWire)


class WrittenIntent(msgspec.Struct, frozen=True):
    """An intent, its parameters decoded and as canonical text, and its own text where that is known to be canonical."""

    intent: ApprovedIntent
    parameters: dict[str, Any]
    parameters_text: str
    known_text: str | None = None

    @property
    def text(self) -> str:
        """What `intent_json` writes of the intent. Raises: as `intent_json`."""
        if self.known_text is not None:
            return self.known_text
        return _written_shortly(self.intent, self.parameters_text) or encode_json(self.intent).decode()


def written(intent: ApprovedIntent) -> WrittenIntent:
    """An intent with its parameters decoded once. Raises: ValidationError PARAMETERS_INVALID or NUMBER_NOT_EXACT."""
    tree, text = parse_with_text(intent.parameters)
    if not isinstance(tree, dict):
        raise ValidationError(f"parameters: found {found(tree)}, expected an object: put the parameters into one object.")
    return WrittenIntent(intent, tree, text)


def read_written(text: str) -> WrittenIntent:
    """The intent that `text` tells. Its text counts as known only if it is, byte for byte, what `intent_json` writes.

    Raises: as `intent_from_json`.
    """
    return _read_shortly(text) or written(_decoded(text))


def intent_json(intent: ApprovedIntent) -> str:
    """The intent with its approval as canonical JSON text: what `ToolCall.intent` carries.

    Raises: ValidationError PARAMETERS_INVALID, NUMBER_NOT_EXACT.
    """
    try:
        parameters_text = rewritten(intent.parameters, ErrorCode.PARAMETERS_INVALID)
    except FlawError:
        return encode_json(intent).decode()
    return _written_shortly(intent, parameters_text) or encode_json(intent).decode()


def intent_from_json(text: str) -> ApprovedIntent:
    """The intent that `intent_json` wrote. Raises: as `enact.records.codec.decode`."""
    known = _read_shortly(text)
    return known.intent if known is not None else _decoded(text)


def has_exact_numbers(intent: ApprovedIntent) -> bool:
    """True if JSON can carry every number of the intent: whole, and within +-(2^53-1)."""
    policy = intent.execution_policy
    numbers = (intent.expires_at_epoch, intent.approval.approved_at, intent.registry_version)
    for number in numbers if policy is None else (*numbers, policy.max_attempts, policy.timeout_seconds):
        if number is not None and not (type(number) is int and -MAX_EXACT_INTEGER <= number <= MAX_EXACT_INTEGER):
            return False
    return True


def _decoded(text: str) -> ApprovedIntent:
    try:
        return decode(ApprovedIntent, text.encode())
    except UnicodeEncodeError:
        raise ValidationError("ApprovedIntent is not valid UTF-8.", code=ErrorCode.MALFORMED_RECORD) from None


def _written_shortly(intent: ApprovedIntent, parameters_text: str) -> str | None:
    """The canonical text: the names are ASCII, so sorting them by code point is sorting them as RFC 8785 does."""
    if not has_exact_numbers(intent):
        return None
    values: dict[str, Any] = msgspec.structs.asdict(intent)
    values["parameters"] = msgspec.Raw(parameters_text)
    try:
        return _WRITER.encode(_OnTheWire(**values)).decode()
    except UnicodeEncodeError:  # half of a surrogate pair
        return None


def _read_shortly(text: str) -> WrittenIntent | None:
    """Only what comes out unchanged when it is written again: no name is unknown, doubled, missing or in another place."""
    try:
        data = text.encode()
        told = _READER.decode(data)
        if _WRITER.encode(told) != data or not has_exact_numbers(told):
            return None
        raw = bytes(told.parameters)
        tree = orjson.loads(raw)
        if not isinstance(tree, dict) or canonical_bytes(tree, MAX_DEPTH) != raw:
            return None
    except (UnicodeError, msgspec.MsgspecError, RecursionError, orjson.JSONDecodeError, FlawError):
        return None
    values: dict[str, Any] = msgspec.structs.asdict(told)
    values["parameters"] = parameters_text = raw.decode()
    return WrittenIntent(ApprovedIntent(**values), tree, parameters_text, text)
