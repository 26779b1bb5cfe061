"""Canonical JSON (RFC 8785): one value, one text, one digest.

Stricter than the RFC where a value would not survive the way through other parsers: integers beyond
+-(2^53-1) are refused, also when a float would be written as such an integer; larger numbers are strings.
"""

import hashlib
import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any, Final

import orjson

from enact.errors import ErrorCode, ValidationError
from enact.strict_json import (
    MAX_DEPTH,
    TOO_DEEP,
    DoubledKeys,
    FlawError,
    check_number,
    check_tree,
    is_plain,
    parse_json,
    parse_tree,
    path_step,
    plain_bytes,
    string_text,
)

__all__ = [
    "canonical_bytes",
    "canonical_json",
    "canonical_text",
    "number_text",
    "parse_json",
    "parse_with_text",
    "rewritten",
    "scalars_sha256",
    "sha256_hex",
    "sha256_with",
]

_MAX_WRITTEN_DEPTH: Final = MAX_DEPTH + 16  # records wrap parameters of full depth in a few levels of their own
_SUPPLEMENTARY: Final = re.compile(rb"[\xf0-\xf4]")  # lead bytes of characters beyond U+FFFF
_INVALID: Final = ErrorCode.PARAMETERS_INVALID


def canonical_json(value: Any) -> bytes:
    """The one UTF-8 text of a JSON value (dict, list, tuple, str, int, float, bool, None) by RFC 8785.

    Raises: ValidationError NUMBER_NOT_EXACT for NaN, infinities and integers beyond +-(2^53-1);
    PARAMETERS_INVALID for lone surrogates, keys that are no strings, other types and endless depth.
    """
    try:
        return canonical_bytes(value)
    except FlawError as flaw:
        raise flaw.error("The value") from None


def canonical_text(text: str | bytes, *, code: ErrorCode = _INVALID) -> str:
    """The canonical form of JSON text. Costs little where the text has it already. Raises: as `parse_json`."""
    try:
        return rewritten(text, code)
    except FlawError as flaw:
        raise flaw.error("The JSON text") from None


def parse_with_text(text: str, *, code: ErrorCode = _INVALID) -> tuple[Any, str]:
    """The JSON value of a text, and its canonical form. Raises: as `parse_json`."""
    try:
        return _read_and_written(text.encode(), code)
    except UnicodeEncodeError:
        raise ValidationError("The JSON text is not valid UTF-8.", code=code) from None
    except FlawError as flaw:
        raise flaw.error("The JSON text") from None


def sha256_hex(value: Any) -> str:
    """SHA-256 of the canonical JSON, 64 hex digits. Raises: as `canonical_json`."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def scalars_sha256(*items: str | int | None) -> str:
    """`sha256_hex` of an array of texts and whole numbers, at a third of the price. Raises: as `canonical_json`."""
    try:
        # No names to sort, and no fraction to spell: every writer writes these alike.
        text = orjson.dumps(items, option=orjson.OPT_STRICT_INTEGER)
    except TypeError:  # half of a surrogate pair, or an integer beyond +-(2^53-1)
        text = canonical_json(items)
    return hashlib.sha256(text).hexdigest()


def sha256_with(items: Sequence[Any], at: int, canonical_item: str) -> str:
    """`sha256_hex` of an array one item of which, at `at`, is at hand as canonical text: what `items` holds there does not count.

    Besides texts and whole numbers, `items` may hold objects of them, with their names in order. Raises: as `canonical_json`.
    """
    written: list[Any] = list(items)
    written[at] = orjson.Fragment(canonical_item)
    try:
        text = orjson.dumps(written, option=orjson.OPT_STRICT_INTEGER)
    except TypeError:  # as above
        written[at] = orjson.loads(canonical_item)
        text = canonical_json(written)
    return hashlib.sha256(text).hexdigest()


def rewritten(text: str | bytes, code: ErrorCode) -> str:
    """`canonical_text` for those who know the path to the text. Raises: FlawError."""
    try:
        return _read_and_written(text.encode() if isinstance(text, str) else text, code)[1]
    except UnicodeEncodeError:
        raise FlawError(code, "is not valid UTF-8.") from None


def _read_and_written(data: bytes, code: ErrorCode) -> tuple[Any, str]:
    try:
        # What comes out unchanged held nothing that canonical JSON refuses, so it had no doubled key either.
        tree = orjson.loads(data)
        if canonical_bytes(tree, MAX_DEPTH) == data:
            return tree, data.decode()
    except (orjson.JSONDecodeError, FlawError):
        pass  # the strict parser says what is wrong, and where
    tree = parse_tree(data, code)
    check_tree(tree, code)
    return tree, canonical_bytes(tree).decode()


def canonical_bytes(value: Any, max_depth: int = _MAX_WRITTEN_DEPTH) -> bytes:
    """`canonical_json` for those who know the path to the value. Raises: FlawError."""
    out = plain_bytes(value) if is_plain(value, max_depth) else None
    # orjson sorts keys by code point, RFC 8785 by UTF-16 unit: the same as long as there is no supplementary character.
    if out is not None and (out.isascii() or _SUPPLEMENTARY.search(out) is None):
        return out
    return "".join(_write(value, max_depth)).encode()


def number_text(number: float) -> str:
    """A finite double as ES6 `Number.prototype.toString` writes it (RFC 8785, 3.2.2.3)."""
    if number == 0:
        return "0"
    # repr gives the shortest digits that read back as the same double, which is what ES6 asks for.
    sign, digit_tuple, exponent = Decimal(repr(number)).normalize().as_tuple()
    digits = "".join(map(str, digit_tuple))
    point = len(digits) + int(exponent)
    if len(digits) <= point <= 21:
        text = digits + "0" * (point - len(digits))
    elif 0 < point <= 21:
        text = f"{digits[:point]}.{digits[point:]}"
    elif -6 < point <= 0:
        text = f"0.{'0' * -point}{digits}"
    else:
        mantissa = digits[0] + (f".{digits[1:]}" if len(digits) > 1 else "")
        text = f"{mantissa}e{point - 1:+d}"
    return f"-{text}" if sign else text


def _write(value: Any, depth: int) -> Iterator[str]:
    if isinstance(value, dict | list | tuple):
        if depth == 0:
            raise FlawError(_INVALID, TOO_DEEP)
        yield from _write_members(value, depth) if isinstance(value, dict) else _write_items(value, depth)
    elif value is None:
        yield "null"
    elif isinstance(value, bool):
        yield "true" if value else "false"
    elif isinstance(value, str):
        yield string_text(value, _INVALID)
    elif isinstance(value, int | float):
        check_number(value)
        yield number_text(value) if isinstance(value, float) else str(int(value))
    else:
        raise FlawError(_INVALID, f"is no JSON value: {type(value).__name__} found.")


def _write_members(value: dict[Any, Any], depth: int) -> Iterator[str]:
    if isinstance(value, DoubledKeys):
        raise value.flaw(_INVALID)
    for key in value:
        if not isinstance(key, str):
            raise FlawError(_INVALID, f"has a key that is no string: {type(key).__name__} found.")
    texts = {key: string_text(key, _INVALID) for key in value}
    yield "{"
    for position, key in enumerate(sorted(texts, key=lambda name: name.encode("utf-16-be"))):
        yield f",{texts[key]}:" if position else f"{texts[key]}:"
        try:
            yield from _write(value[key], depth - 1)
        except FlawError as flaw:
            raise flaw.within(path_step(key)) from None
    yield "}"


def _write_items(value: list[Any] | tuple[Any, ...], depth: int) -> Iterator[str]:
    yield "["
    for index, item in enumerate(value):
        if index:
            yield ","
        try:
            yield from _write(item, depth - 1)
        except FlawError as flaw:
            raise flaw.within(path_step(index)) from None
    yield "]"
