"""What a codec may refuse with, and how a test asks for it."""

import json
from typing import Any

import pytest

from enact.errors import ErrorCode, ValidationError
from enact.records.codec import decode

CODES = {
    ErrorCode.MALFORMED_RECORD,
    ErrorCode.UNKNOWN_SCHEMA,
    ErrorCode.FIELD_MISSING,
    ErrorCode.PARAMETERS_INVALID,
    ErrorCode.NUMBER_NOT_EXACT,
}


def refusal_of(cls: type, value: bytes) -> ValidationError:
    with pytest.raises(ValidationError) as caught:
        decode(cls, value)
    return caught.value


def as_json(tree: Any) -> bytes:
    return json.dumps(tree).encode()
