"""Intents as people write them: one JSON object, an array, or one object a line; every problem of a file told at once."""

import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from msgspec.structs import fields

from enact.canonical import canonical_json, parse_json
from enact.errors import EnactError, ErrorCode
from enact.records import Approval, ApprovedIntent, Target
from enact.records.codec import decode

_NEW = {"action_intent_id", "expires_at_epoch"}
_PARTS: dict[str, type[Any]] = {"target": Target, "approval": Approval}


@dataclass(frozen=True, slots=True, kw_only=True)
class IntentFile:
    """What a file holds: the intents that can be read, and a sentence for each problem of the others."""

    intents: tuple[ApprovedIntent, ...]
    problems: tuple[str, ...]


def read_intents(
    text: str, *, file: str, tenant: str | None = None, account: str | None = None, new_until_s: int | None = None
) -> IntentFile:
    """Read every intent of a text; `tenant` and `account` fill in where an intent names none. `file` is its name in messages.

    With `new_until_s` (epoch seconds) an intent without an id gets a fresh one, and one without a deadline gets that one.
    """
    intents: list[ApprovedIntent] = []
    problems: list[str] = []
    for where, parsed in _objects(text, file):
        if isinstance(parsed, EnactError):
            problems.append(f"{where}: {parsed.message}")
            continue
        if not isinstance(parsed, dict):
            problems.append(f"{where}: an intent is a JSON object, this is {_kind(parsed)}.")
            continue
        fresh = {"action_intent_id": f"new-{secrets.token_hex(4)}", "expires_at_epoch": new_until_s} if new_until_s is not None else {}
        filled = {**fresh, **({"tenant_id": tenant} if tenant else {}), **({"account_id": account} if account else {}), **parsed}
        missing = list(_missing(filled, ApprovedIntent, ""))
        if missing:
            hint = " To try things out, --new fills in an id and a deadline." if set(missing) <= _NEW else ""
            problems.append(f"{where}: {', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing.{hint}")
            continue
        try:
            intents.append(decode(ApprovedIntent, canonical_json(filled)))
        except EnactError as error:
            problems.append(f"{where}: {error.message}")
    if not intents and not problems:
        problems.append(f"{file} holds no intent.")
    return IntentFile(intents=tuple(intents), problems=tuple(problems))


def _objects(text: str, file: str) -> Iterator[tuple[str, Any]]:
    """Where each value stands, and the value, or the error that reading it gave."""
    if not text.strip():
        return
    if _is_one_document(text):
        whole = _parsed(text)
        if isinstance(whole, list):
            yield from ((f"{file}, intent {number}", one) for number, one in enumerate(whole, start=1))
        else:
            yield file, whole
        return
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield f"{file}, line {number}", _parsed(line)


def _is_one_document(text: str) -> bool:
    """False for JSON lines; a text that is neither is told as one document."""
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        lines = [line.strip() for line in text.split("\n") if line.strip()]
        return not (len(lines) > 1 and all(line.startswith("{") and line.endswith("}") for line in lines))
    return True


def _parsed(text: str) -> Any:
    try:
        return parse_json(text, code=ErrorCode.MALFORMED_RECORD)
    except EnactError as error:
        return error


def _missing(given: dict[str, Any], cls: type[Any], path: str) -> Iterator[str]:
    for field in fields(cls):
        name = f"{path}{field.name}"
        if field.name not in given:
            if field.required:
                yield name
        elif field.name in _PARTS and isinstance(given[field.name], dict):
            yield from _missing(given[field.name], _PARTS[field.name], f"{name}.")


def _kind(value: Any) -> str:
    names = {list: "a list", str: "a text", bool: "true or false", int: "a number", float: "a number", type(None): "null"}
    return names.get(type(value), "something else")
