"""Questions to the api over HTTP; the api may be down, and then that is said."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson

from enact.errors import EnactError, ErrorCode

_TIMEOUT_S = 10.0


class ApiUnreachableError(EnactError):
    """The api does not answer."""

    code = ErrorCode.UNREACHABLE


@dataclass(frozen=True, slots=True)
class ApiAnswer:
    """Status, body, and how old the answer may be (ms; None = not said)."""

    status: int
    body: dict[str, Any]
    staleness_ms: int | None


def get(url: str, path: str, *, tenant: str, query: Sequence[tuple[str, str]] = ()) -> ApiAnswer:
    """One question. Raises: ApiUnreachableError if nobody answers or the answer is no JSON."""
    return asyncio.run(_get(url, path, {"x-tenant-id": tenant}, query))


async def _get(url: str, path: str, headers: Mapping[str, str], query: Sequence[tuple[str, str]]) -> ApiAnswer:
    timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, trust_env=False) as session,
            session.get(f"{url}{path}", headers=headers, params=list(query), allow_redirects=False) as response,
        ):
            body = orjson.loads(await response.read())
            staleness = response.headers.get("X-Enact-Staleness-Ms", "")
            return ApiAnswer(response.status, body if isinstance(body, dict) else {}, int(staleness) if staleness.isdecimal() else None)
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise ApiUnreachableError(
            f"The api does not answer at {url}. Start it with `enact up` (or `enact run api`), or say where it is with "
            "--api-url or ENACT_API_URL. Cancelling, resolving and switches work without it."
        ) from error
    except ValueError as error:
        raise ApiUnreachableError(f"What answers at {url} is not the api of enact: check --api-url or ENACT_API_URL.") from error
