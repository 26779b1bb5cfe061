"""What a request asks for, checked strictly: every parameter is declared once, for the check and for the documentation.

What is not declared, not repeatable or not exactly a value is refused, in a sentence that says what to do: a misspelled filter
that is silently ignored shows a person the wrong list.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, Protocol

import msgspec
from msgspec import Struct

from enact.ids import is_id
from enact.records import Status

DEFAULT_LIMIT = 50
MAX_LIMIT = 100
TENANT_HEADER = "x-tenant-id"
ID_PATTERN: Final = r"(?!\.{1,2}$)[A-Za-z0-9._:-]{1,128}"
"""As `enact.ids` has it; `.` and `..` are steps of a path and no ids."""
ID_SCHEMA: Final = {"type": "string", "pattern": f"^{ID_PATTERN}$"}
_ID_WORDS = "letters, digits and ._:- only, at most 128"
_ALIASES = {"RUNNING": Status.EXECUTING}
_STATUSES = {status.value: status for status in Status if status is not Status.UNKNOWN} | _ALIASES
STATUS_NAMES: Final = tuple(sorted(_STATUSES))


class Query(Struct, frozen=True, kw_only=True):
    """One parameter behind the question mark. `schema` is the JSON Schema of one value."""

    name: str
    description: str
    schema: dict[str, Any]
    is_required: bool = False
    may_repeat: bool = False


ACCOUNT_ID = Query(name="account_id", description="The account the execution belongs to.", schema=ID_SCHEMA, is_required=True)
STATUS = Query(
    name="status",
    description="Only executions with this status; may be repeated. RUNNING means EXECUTING.",
    schema={"type": "string", "enum": list(STATUS_NAMES)},
    may_repeat=True,
)
LIMIT = Query(
    name="limit",
    description="How many at most.",
    schema={"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
)
CURSOR = Query(
    name="cursor",
    description="next_cursor of the page before, unchanged, with the same account and statuses.",
    schema={"type": "string"},
)


class Given(Protocol):
    """Names with one or more values: query or headers, as the HTTP library hands them over."""

    def getall(self, key: str, default: list[str], /) -> Sequence[str]:
        """Every value of a name, in order."""

    def keys(self) -> Collection[str]:
        """Every name."""


class RequestError(Exception):
    """A request that cannot be answered: HTTP status, short title, sentence, and extra members of the body."""

    def __init__(self, http_status: int, error: str, message: str, **extra: str) -> None:
        super().__init__(message)
        self.http_status, self.error, self.message, self.extra = http_status, error, message, extra


def bad_request(message: str, **extra: str) -> RequestError:
    """400: the caller can correct it."""
    return RequestError(400, "Bad request", message, **extra)


def unknown_execution() -> RequestError:
    """404, the same sentence for an id that does not exist and for one of another tenant or account."""
    message = "No execution with this id is known for this tenant and account. Check the id, the tenant and the account."
    return RequestError(404, "Not found", message)


def checked_query(query: Given, declared: Sequence[Query]) -> dict[str, list[str]]:
    """The values given, by name. Raises: RequestError 400 for a name that is not declared or may not be repeated."""
    known = {parameter.name: parameter for parameter in declared}
    found: dict[str, list[str]] = {}
    for name in dict.fromkeys(query.keys()):
        if name not in known:
            there_are = f"This route knows {' and '.join(known)}." if known else "This route takes none."
            raise bad_request(f"There is no query parameter of this name here. {there_are}", provided=name)
        values = list(query.getall(name, []))
        if len(values) > 1 and not known[name].may_repeat:
            raise bad_request(f"{name} is given {len(values)} times: give it once.")
        found[name] = values
    return found


def tenant_of(headers: Given) -> str:
    """The tenant that asks. Raises: RequestError 400 without the header, or with two."""
    given = headers.getall(TENANT_HEADER, [])
    if len(given) > 1:
        raise bad_request(f"The header {TENANT_HEADER} is given {len(given)} times: give it once.")
    if not given or not given[0]:
        raise bad_request(f"The header {TENANT_HEADER} is missing: say which tenant asks.")
    if not is_id(given[0]):
        raise bad_request(f"The header {TENANT_HEADER} is not a tenant id: {_ID_WORDS}.")
    return given[0]


def account_of(query: Mapping[str, Sequence[str]]) -> str:
    """The account that is asked about. Raises: RequestError 400 without it."""
    account = query.get(ACCOUNT_ID.name, [""])[0]
    if not account:
        raise bad_request("The query parameter account_id is missing: say which account the execution belongs to.")
    return checked_account(account)


def checked_account(account: str) -> str:
    """An account id from the query or the path. Raises: RequestError 400."""
    if not account:
        raise bad_request("The account id is missing in the path: /accounts/{account_id}/executions.")
    if not is_id(account):
        raise bad_request(f"account_id is not an account id: {_ID_WORDS}.")
    return account


def intent_id_of(path: Mapping[str, str]) -> str:
    """The id in the path, whatever it looks like: one that cannot exist is unknown. Raises: RequestError 400 if it is empty."""
    intent_id = path["action_intent_id"]
    if not intent_id:
        raise bad_request("The action_intent_id is missing in the path: /executions/{action_intent_id}/…")
    return intent_id


def limit_of(query: Mapping[str, Sequence[str]]) -> int:
    """Page size, 1 to 100, 50 if not given; nothing but decimal digits counts. Raises: RequestError 400."""
    if LIMIT.name not in query:
        return DEFAULT_LIMIT
    given = query[LIMIT.name][0]
    if not (given.isascii() and given.isdecimal() and len(given) <= 3 and 1 <= int(given) <= MAX_LIMIT):
        raise bad_request(f"limit must be a whole number from 1 to {MAX_LIMIT}.", provided=given)
    return int(given)


def statuses_of(query: Mapping[str, Sequence[str]]) -> list[Status]:
    """The statuses to show, none = all; a comma joins several. Raises: RequestError 400 for an unknown one."""
    names = [name.strip().upper() for part in query.get(STATUS.name, []) for name in part.split(",")]
    unknown = [name for name in names if name not in _STATUSES]
    if unknown:
        raise bad_request(f"status must be one of {', '.join(STATUS_NAMES)}.", provided=",".join(unknown))
    return list(dict.fromkeys(_STATUSES[name] for name in names))


def order_of(body: bytes, kind: Any) -> Any:
    """What is sent along, checked strictly. Raises: RequestError 400 naming the field that is wrong, never its value."""
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        raise bad_request(f"The body is not as documented: {error}.") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise bad_request("The body is no JSON: send the object that /openapi.json describes.") from error
