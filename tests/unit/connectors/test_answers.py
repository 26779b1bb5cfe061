"""What an HTTP answer means."""

from typing import Any

import pytest

from connectors.answers import MAX_JSON_DEPTH, NotApplied, failure_of, json_of, retry_after
from connectors.http import HttpAnswer
from enact.clock import ManualClock
from enact.errors import (
    AmbiguousError,
    AuthError,
    DownstreamError,
    EnactError,
    NotNowError,
    PermanentError,
    RateLimitError,
    RejectedError,
    TransientError,
    UnusableAnswerError,
)

LISTED: NotApplied = {
    (503, "SERVER_UNAVAILABLE"): DownstreamError,
    (400, "UNABLE_TO_LOCK_ROW"): DownstreamError,
    (403, "REQUEST_LIMIT_EXCEEDED"): RateLimitError,
}


def meaning(status: int, code: str | None = None, **headers: str) -> EnactError | None:
    answer = HttpAnswer(status=status, headers={name.replace("_", "-"): value for name, value in headers.items()})
    return failure_of(answer, system="The CRM", provider_code=code, not_applied=LISTED, clock=ManualClock())


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_two_hundred_is_no_failure(status: int) -> None:
    assert meaning(status) is None


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (100, None, AmbiguousError),
        (301, None, RejectedError),
        (302, None, UnusableAnswerError),
        (303, None, UnusableAnswerError),
        (307, None, RejectedError),
        (308, None, RejectedError),
        (400, "INVALID_FIELD", RejectedError),
        (401, "INVALID_SESSION_ID", AuthError),
        (403, None, AuthError),
        (403, "REQUEST_LIMIT_EXCEEDED", RateLimitError),
        (404, "NOT_FOUND", RejectedError),
        (408, None, AmbiguousError),
        (409, None, RejectedError),
        (422, None, RejectedError),
        (425, None, NotNowError),
        (429, None, RateLimitError),
        (500, "UNKNOWN_EXCEPTION", AmbiguousError),
        (502, None, AmbiguousError),
        (503, None, AmbiguousError),
        (503, "SERVER_UNAVAILABLE", DownstreamError),
        (400, "UNABLE_TO_LOCK_ROW", NotNowError),
        (504, None, AmbiguousError),
        (600, None, AmbiguousError),
    ],
)
def test_each_status_has_its_meaning(status: int, code: str | None, kind: type[EnactError]) -> None:
    found = meaning(status, code)

    assert type(found) is kind


@pytest.mark.parametrize("status", range(100, 600))
def test_only_what_a_system_says_of_itself_is_a_failure_of_the_way_to_it(status: int) -> None:
    """A breaker counts these: 408 and everything from 500 on; never what was refused, throttled or declined."""
    found = meaning(status)

    assert (found is not None and found.is_transport_failure) is (status == 408 or status >= 500 or status < 200)


@pytest.mark.parametrize("status", range(300, 600))
def test_every_failing_status_is_exactly_one_of_not_applied_for_good_for_now_or_unknown(status: int) -> None:
    found = meaning(status)

    assert sum(isinstance(found, kind) for kind in (PermanentError, TransientError, AmbiguousError)) == 1


def test_the_provider_s_code_is_named_and_nothing_that_only_looks_like_one() -> None:
    named, hidden = meaning(400, "FIELD_INTEGRITY_EXCEPTION"), meaning(400, "mail to ann@example.com")

    assert named is not None
    assert hidden is not None
    assert "FIELD_INTEGRITY_EXCEPTION" in named.message
    assert "ann" not in hidden.message


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        (" 0 ", 0.0),
        ("99999999999999999999", 86_400.0),
        ("Mon, 21 Sep 2026 14:14:20 GMT", 60.0),
        ("Mon, 21 Sep 2026 14:00:00 GMT", 0.0),
        ("Mon, 21 Sep 2099 14:00:00 GMT", 86_400.0),
        ("-7", None),
        ("soon", None),
        ("٣", None),
        (None, None),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_never_more_than_a_day(header: str | None, seconds: float | None) -> None:
    clock = ManualClock(wall_ms=1_789_999_999_000 + 1_000)  # Mon, 21 Sep 2026 14:13:20 GMT

    assert retry_after(header, clock) == seconds


def test_a_wait_is_passed_on_with_every_answer_that_asks_for_a_repeat() -> None:
    for found in (meaning(429, retry_after="9"), meaning(425, retry_after="9"), meaning(503, "SERVER_UNAVAILABLE", retry_after="9")):
        assert isinstance(found, TransientError)
        assert found.retry_after_s == 9.0


def nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"a":', nested(MAX_JSON_DEPTH + 2), nested(5_000), b'{"a":' * 40 + b"1" + b"}" * 40])
def test_an_answer_that_is_no_reasonable_json_is_ambiguous(body: bytes) -> None:
    with pytest.raises(AmbiguousError):
        json_of(HttpAnswer(status=200, body=body), system="The CRM")


@pytest.mark.parametrize(("body", "value"), [(b'{"a":[1]}', {"a": [1]}), (b"null", None), (nested(2), [[]])])
def test_an_answer_s_json_is_read(body: bytes, value: Any) -> None:
    assert json_of(HttpAnswer(status=200, body=body), system="The CRM") == value


def test_the_deepest_json_that_is_accepted() -> None:
    assert json_of(HttpAnswer(status=200, body=nested(MAX_JSON_DEPTH)), system="The CRM")
