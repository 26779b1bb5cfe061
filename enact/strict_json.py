"""JSON in, strictly: what two parsers could read differently is refused, with the path to it and without its value."""

import json
import math
import re
from typing import Any, Final

import orjson

from enact.errors import ErrorCode, ValidationError

MAX_EXACT_INTEGER: Final = 2**53 - 1
MAX_DEPTH: Final = 64
FIRST_EXPONENT_FORM: Final = 1e21
"""ES6, and so canonical JSON, writes integral doubles below this with all their digits."""

TOO_DEEP: Final = f"is nested deeper than {MAX_DEPTH} levels: flatten it, or pass the inner part as a string."
_LONGEST_EXACT_INTEGER: Final = len(str(-MAX_EXACT_INTEGER))
_SHOWN_PATH_LENGTH: Final = 200
_SHOWN_NAME: Final = re.compile(r"[\w-]{1,64}")


class FlawError(Exception):
    """What is wrong inside a value, with the path from its root; containers put themselves in front of it."""

    def __init__(self, code: ErrorCode, what: str) -> None:
        super().__init__(what)
        self.code = code
        self.what = what
        self.path: list[str] = []

    def within(self, step: str) -> "FlawError":
        """The same flaw, seen from the container that holds it under `step` (`.name` or `[3]`)."""
        self.path.insert(0, step)
        return self

    def error(self, root: str) -> ValidationError:
        """Where and what, without values, as an error for the outside."""
        path = "".join(self.path)
        shown = path if len(path) <= _SHOWN_PATH_LENGTH else f"{path[:_SHOWN_PATH_LENGTH]}…"
        return ValidationError(f"{root}{shown} {self.what}", code=self.code)


class DoubledKeys(dict[str, Any]):
    """A JSON object in which a key stood twice. Whoever meets one refuses it, because only they know what it means."""

    def flaw(self, code: ErrorCode) -> FlawError:
        """The refusal."""
        return FlawError(code, "has one key twice: name each key once.")


def parse_json(text: bytes | str, *, code: ErrorCode = ErrorCode.PARAMETERS_INVALID) -> Any:
    """A JSON value from text, strictly.

    Raises: ValidationError with `code` for bad syntax, bad UTF-8, duplicate keys, lone surrogates and more than
    64 levels; with NUMBER_NOT_EXACT for NaN, infinities and integers beyond +-(2^53-1).
    """
    try:
        tree = parse_tree(text, code)
        check_tree(tree, code)
    except FlawError as flaw:
        raise flaw.error("The JSON text") from None
    return tree


def parse_tree(text: bytes | str, code: ErrorCode) -> Any:
    """Syntax only; what must not stand in the value is left to `check_tree`, which can say where it stands.

    Doubled keys come back as `DoubledKeys`, NaN and infinities as floats, an integer that is too long for a double as
    the first one that is.

    Raises: FlawError.
    """
    try:
        data = text.encode() if isinstance(text, str) else text
        tree = _loaded_if_keys_are_single(data)
        if tree is not None:
            return tree
        return json.loads(data.decode(), object_pairs_hook=_object, parse_int=_integer)
    except json.JSONDecodeError as error:
        what = f"is not JSON: {error.msg.removesuffix(' at')} at line {error.lineno}, column {error.colno}; correct the text there."
        raise FlawError(code, what) from None
    except UnicodeError:
        raise FlawError(code, "is not valid UTF-8: encode the text as UTF-8.") from None
    except RecursionError:
        raise FlawError(code, TOO_DEEP) from None


def check_tree(value: Any, code: ErrorCode) -> None:
    """Refuse what a parsed value must not hold. Raises: FlawError with `code`, or NUMBER_NOT_EXACT."""
    if not is_plain(value, MAX_DEPTH) or plain_bytes(value) is None:
        _check(value, code, MAX_DEPTH)


def is_plain(value: Any, depth: int) -> bool:
    """True if the value has exact JSON types only, no floats, no inexact integers and at most `depth` levels."""
    kind = type(value)
    if kind is str or value is None or kind is bool:
        return True
    if kind is int:
        return bool(-MAX_EXACT_INTEGER <= value <= MAX_EXACT_INTEGER)
    if depth == 0:
        return False
    if kind is dict:
        for key, item in value.items():  # noqa: SIM110 - the hot path: a generator costs twice
            if type(key) is not str or not (type(item) is str or is_plain(item, depth - 1)):
                return False
        return True
    if kind is list or kind is tuple:
        for item in value:  # noqa: SIM110 - as above
            if not (type(item) is str or is_plain(item, depth - 1)):
                return False
        return True
    return False


def plain_bytes(value: Any) -> bytes | None:
    """The JSON text of a plain value, keys by code point; None if a string in it holds half of a surrogate pair."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        return None


def check_number(value: float) -> None:
    """Refuse what would not survive: NaN, infinities, and what canonical JSON would write as an inexact integer.

    Raises: FlawError NUMBER_NOT_EXACT.
    """
    if isinstance(value, float):
        if not math.isfinite(value):
            raise FlawError(ErrorCode.NUMBER_NOT_EXACT, "is NaN or infinite, and JSON has no such number: send a number or leave it out.")
        is_exact = not value.is_integer() or abs(value) <= MAX_EXACT_INTEGER or abs(value) >= FIRST_EXPONENT_FORM
    else:
        is_exact = -MAX_EXACT_INTEGER <= value <= MAX_EXACT_INTEGER
    if not is_exact:
        raise FlawError(ErrorCode.NUMBER_NOT_EXACT, "is an integer beyond +-(2^53-1): write it as a string.")


def string_text(text: str, code: ErrorCode) -> str:
    """A string as JSON text, escaped as RFC 8785 asks. Raises: FlawError with `code` for half of a surrogate pair."""
    try:
        return orjson.dumps(str(text)).decode()
    except TypeError:
        raise FlawError(code, "holds half of a surrogate pair, which is no character: send whole characters.") from None


def path_step(key: str | int) -> str:
    """How a key or an index shows in a flaw's path."""
    if isinstance(key, int):
        return f"[{key}]"
    return f".{shown_name(key)}"


def shown_name(name: str) -> str:
    """A field name as far as it is safe to repeat: an odd one may be a value in the wrong place, or reorder a line of text."""
    return name if _SHOWN_NAME.fullmatch(name) else f"<name of {len(name)} characters>"


def _loaded_if_keys_are_single(data: bytes) -> Any:
    """The value if it is provable cheaply that no key stood twice; else None.

    A key that stood twice is one string less when the value is written again. And where no number is a float, none
    was read less exactly than the interpreter's own parser would.
    """
    try:
        tree = orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
    again = plain_bytes(tree)
    if again == data:
        return tree
    if again is None or _string_ends(again) != _string_ends(data) or not is_plain(tree, MAX_DEPTH + 1):
        return None
    return tree


def _string_ends(text: bytes) -> int:
    """How many quotation marks of a JSON text begin or end a string: all but the escaped ones."""
    if b"\\" in text:
        text = text.replace(b"\\\\", b"").replace(b'\\"', b"")
    return text.count(b'"')


def _check(value: Any, code: ErrorCode, depth: int) -> None:
    if isinstance(value, str):
        string_text(value, code)
    elif isinstance(value, int | float):
        check_number(value)
    elif isinstance(value, DoubledKeys):
        raise value.flaw(code)
    elif isinstance(value, dict | list):
        if depth == 0:
            raise FlawError(code, TOO_DEEP)
        for step, item in value.items() if isinstance(value, dict) else enumerate(value):
            if isinstance(step, str):
                string_text(step, code)
            try:
                _check(item, code, depth - 1)
            except FlawError as flaw:
                raise flaw.within(path_step(step)) from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    return members if len(members) == len(pairs) else DoubledKeys(members)


def _integer(text: str) -> int:
    """Never more digits than the interpreter takes: `check_tree` refuses the one as it would refuse the other."""
    if len(text) <= _LONGEST_EXACT_INTEGER:
        return int(text)
    return -MAX_EXACT_INTEGER - 1 if text.startswith("-") else MAX_EXACT_INTEGER + 1
