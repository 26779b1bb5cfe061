"""Questions to the api over HTTP; the api may be down, and then that is said."""

import http.client
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urlencode, urlsplit

from enact.errors import ConfigurationError, EnactError, ErrorCode

_TIMEOUT_S = 10.0
_WHERE = "--api-url or ENACT_API_URL"


class ApiUnreachableError(EnactError):
    """The api does not answer."""

    code = ErrorCode.UNREACHABLE


@dataclass(frozen=True, slots=True)
class ApiAnswer:
    """Status, body, and how old the answer may be (ms; None = not said)."""

    status: int
    body: dict[str, Any]
    staleness_ms: int | None


def get(url: str, path: str, *, tenant: str | None = None, query: Sequence[tuple[str, str]] = ()) -> ApiAnswer:
    """One question, asked with the standard library's client: it loads in no time, knows no proxies and follows no redirects.

    Raises: ConfigurationError if `url` is none; ApiUnreachableError if nobody answers or the answer is no JSON.
    """
    parts = _parts(url)
    target = f"{parts.path.rstrip('/')}{path}" + (f"?{urlencode(query)}" if query else "")
    try:
        status, headers, text = _ask(parts, target, {} if tenant is None else {"x-tenant-id": tenant})
        body = json.loads(text)
    except (OSError, http.client.HTTPException) as error:
        raise ApiUnreachableError(
            f"The api does not answer at {url}. Start it with `enact up` (or `enact run api`), or say where it is with {_WHERE}. "
            "Cancelling, resolving and switches work without it."
        ) from error
    except ValueError as error:
        raise ApiUnreachableError(f"What answers at {url} is not the api of enact: check {_WHERE}.") from error
    staleness = headers.get("X-Enact-Staleness-Ms", "")
    return ApiAnswer(status, body if isinstance(body, dict) else {}, int(staleness) if staleness.isdecimal() else None)


def _ask(parts: SplitResult, target: str, headers: Mapping[str, str]) -> tuple[int, Mapping[str, str], bytes]:
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(str(parts.hostname), parts.port, timeout=_TIMEOUT_S)
    try:
        connection.request("GET", target, headers=dict(headers))
        answer = connection.getresponse()
        return answer.status, dict(answer.headers), answer.read()
    finally:
        connection.close()


def _parts(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        if parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0:
            return parts
    except ValueError as error:
        raise _no_address(url) from error
    raise _no_address(url)


def _no_address(url: str) -> ConfigurationError:
    return ConfigurationError(f"{url} is not the address of an api: write it as http://host:port, with {_WHERE}.")
