"""What an HTTP answer means for an attempt: applied, not applied, or nobody can say (`DESIGN` 9)."""

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any, Final

import orjson

from connectors.http import HttpAnswer
from enact.clock import Clock
from enact.errors import (
    AmbiguousError,
    AuthError,
    DownstreamError,
    EnactError,
    NotNowError,
    RateLimitError,
    RejectedError,
    TransientError,
    UnusableAnswerError,
)

MAX_JSON_DEPTH: Final = 32
MAX_RETRY_AFTER_S: Final = 86_400.0
PROVIDER_CODE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")

NotApplied = Mapping[tuple[int, str], type[TransientError]]
"""A connector's contract: answers (status, error code) by which its system says that it applied nothing."""


def failure_of(answer: HttpAnswer, *, system: str, provider_code: str | None, not_applied: NotApplied, clock: Clock) -> EnactError | None:
    """The error an answer stands for, or None for 2xx. Names status and the provider's error code, never the body."""
    status = answer.status
    if 200 <= status < 300:
        return None
    code = f" {provider_code}" if provider_code is not None and PROVIDER_CODE.fullmatch(provider_code) else ""
    said = f"{system} answered {status}{code}"
    listed = not_applied.get((status, provider_code or ""))
    retry_after_s = retry_after(answer.headers.get("retry-after"), clock)
    if listed is not None:
        listed = NotNowError if listed is DownstreamError and status < 500 else listed
        return listed(f"{said}: it applied nothing and may be asked again.", retry_after_s=retry_after_s)
    if status == 429:
        return RateLimitError(f"{said}: it asks us to slow down.", retry_after_s=retry_after_s)
    if status == 425:
        return NotNowError(f"{said}: too early, nothing was applied.", retry_after_s=retry_after_s)
    if status in {401, 403}:
        return AuthError(f"{said}: renew the credentials of this tenant, or grant them the right to this action.")
    if status in {302, 303}:  # what a form answers that has done its work
        return UnusableAnswerError(f"{said}: it points elsewhere without saying whether it did the work, and redirects are not followed.")
    if 300 <= status < 400:
        return RejectedError(f"{said}: redirects are not followed; correct the endpoint in the credentials file.")
    if 400 <= status < 500 and status != 408:
        return RejectedError(f"{said}: it refused the request; correct it and redrive.")
    return AmbiguousError(f"{said}: the call may have been executed.")


def json_of(answer: HttpAnswer, *, system: str) -> Any:
    """The answer's JSON. Raises: UnusableAnswerError if it is none, or nested deeper than `MAX_JSON_DEPTH`."""
    try:
        value = orjson.loads(answer.body)
    except orjson.JSONDecodeError as error:
        raise UnusableAnswerError(f"{system} answered {answer.status} with {len(answer.body)} bytes that are not JSON.") from error
    if _is_deeper(value, MAX_JSON_DEPTH):
        raise UnusableAnswerError(f"{system} answered {answer.status} with JSON nested deeper than {MAX_JSON_DEPTH}.")
    return value


def retry_after(header: str | None, clock: Clock) -> float | None:
    """Seconds to wait by a `Retry-After` header (seconds or a date, RFC 9110), at most a day; None if it says nothing usable."""
    if header is None:
        return None
    text = header.strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), MAX_RETRY_AFTER_S)
    try:
        seconds = parsedate_to_datetime(text).timestamp() - clock.wall_ms() / 1000
    except (ValueError, OverflowError):
        return None
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_S)


def _is_deeper(value: Any, limit: int) -> bool:
    level = [value]
    for _ in range(limit + 1):
        level = [child for item in level if isinstance(item, (dict, list)) for child in (item.values() if isinstance(item, dict) else item)]
        if not level:
            return False
    return True
