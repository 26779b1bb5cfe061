"""What a request asks for, checked: header, query and cursor, each refusal a sentence with what to do."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from enact.ids import is_id
from enact.records import Status

DEFAULT_LIMIT = 50
MAX_LIMIT = 100
TENANT_HEADER = "x-tenant-id"
_ALIASES = {"RUNNING": Status.EXECUTING}
_STATUSES = {status.value: status for status in Status if status is not Status.UNKNOWN} | _ALIASES


class RequestError(Exception):
    """A request that cannot be answered: HTTP status, short title, sentence, and extra members of the body."""

    def __init__(self, http_status: int, error: str, message: str, **extra: Any) -> None:
        super().__init__(message)
        self.http_status, self.error, self.message, self.extra = http_status, error, message, extra


def bad_request(message: str, **extra: Any) -> RequestError:
    """400: the caller can correct it."""
    return RequestError(400, "Bad request", message, **extra)


def unknown_execution() -> RequestError:
    """404, the same sentence for an id that does not exist and for one of another tenant or account."""
    message = "No execution with this id is known for this tenant and account. Check the id, the tenant and the account."
    return RequestError(404, "Not found", message)


def tenant_of(headers: Mapping[str, str]) -> str:
    """The tenant that asks. Raises: RequestError 400 without the header."""
    tenant = headers.get(TENANT_HEADER, "")
    if not tenant:
        raise bad_request(f"The header {TENANT_HEADER} is missing: say which tenant asks.")
    if not is_id(tenant):
        raise bad_request(f"The header {TENANT_HEADER} is not a tenant id: letters, digits and ._:- only, at most 128.")
    return tenant


def account_of(query: Mapping[str, str]) -> str:
    """The account that is asked about. Raises: RequestError 400 without it."""
    account = query.get("account_id", "")
    if not account:
        raise bad_request("The query parameter account_id is missing: say which account the execution belongs to.")
    return account


def limit_of(query: Mapping[str, str]) -> int:
    """Page size, 1 to 100, 50 if not given; nothing but decimal digits counts. Raises: RequestError 400."""
    given = query.get("limit")
    if given is None:
        return DEFAULT_LIMIT
    if not (given.isascii() and given.isdecimal() and len(given) <= 3 and 1 <= int(given) <= MAX_LIMIT):
        raise bad_request(f"limit must be a whole number from 1 to {MAX_LIMIT}.", provided=given)
    return int(given)


def statuses_of(given: Sequence[str]) -> list[Status]:
    """The statuses to show, none = all; `RUNNING` means EXECUTING. Raises: RequestError 400 for an unknown one."""
    names = [name.strip().upper() for part in given for name in part.split(",")]
    unknown = [name for name in names if name not in _STATUSES]
    if unknown:
        raise bad_request(f"status must be one of {', '.join(sorted(_STATUSES))}.", provided=",".join(unknown))
    return list(dict.fromkeys(_STATUSES[name] for name in names))


def cursor_text(created_at: int, action_intent_id: str) -> str:
    """An opaque mark of the last execution of a page."""
    return base64.urlsafe_b64encode(orjson.dumps([created_at, action_intent_id])).decode().rstrip("=")


def cursor_of(query: Mapping[str, str]) -> tuple[int, str] | None:
    """Where the page before ended, None = begin with the newest. Raises: RequestError 400 for a foreign cursor."""
    given = query.get("cursor")
    if given is None:
        return None
    try:
        parsed = orjson.loads(base64.b64decode(given + "=" * (-len(given) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError):
        parsed = None
    match parsed:
        case [int() as created_at, str() as intent_id] if not isinstance(created_at, bool):
            return created_at, intent_id
        case _:
            raise bad_request("cursor is not one that this api gave: take it unchanged from next_cursor of the page before.")
