"""Access tokens: one request at a time, dropped when refused, never anybody else's."""

import asyncio
import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from connectors.access import AccessTokens
from connectors.credentials import CredentialStore
from connectors.http import HttpAnswer, HttpClient, HttpRequest
from connectors.outbound_policy import OutboundPolicy
from enact.clock import ManualClock
from enact.errors import AmbiguousError, AuthError, DownstreamError, EnactError, RateLimitError, TransientError, UnreachableError

REFUSED = AuthError("refused")


class TokenEndpoint(HttpClient):
    """Answers token requests from a script, without a network."""

    def __init__(self, *script: HttpAnswer | EnactError) -> None:
        super().__init__(OutboundPolicy())
        self.script = list(script)
        self.asked: list[HttpRequest] = []

    async def send(self, request: HttpRequest) -> HttpAnswer:
        self.asked.append(request)
        answer = self.script.pop(0) if self.script else token(f"token-{len(self.asked)}")
        await asyncio.sleep(0)
        if isinstance(answer, EnactError):
            raise answer
        return answer


def token(value: str, **more: Any) -> HttpAnswer:
    return HttpAnswer(status=200, body=json.dumps({"access_token": value, **more}).encode())


def tokens(folder: Path, endpoint: HttpClient, clock: ManualClock | None = None, **changes: Any) -> AccessTokens:
    for tenant in ("acme", "globex"):
        content = {
            "mode": "client_credentials",
            "instance_url": f"https://{tenant}.example",
            "client_id": f"id-{tenant}",
            "client_secret": f"s3cret-{tenant}",
            **changes,
        }
        path = folder / tenant / "crm.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(content))
    return AccessTokens(CredentialStore(folder), endpoint, clock or ManualClock())


async def test_a_token_is_fetched_once_and_kept(tmp_path: Path) -> None:
    endpoint = TokenEndpoint()
    access = tokens(tmp_path, endpoint)

    first = await access.get("acme", "crm")
    second = await access.get("acme", "crm")

    assert first is second
    assert first.authorization == "Bearer token-1"
    assert endpoint.asked[0].url == "https://acme.example/services/oauth2/token"
    assert parse_qs((endpoint.asked[0].body or b"").decode()) == {
        "grant_type": ["client_credentials"],
        "client_id": ["id-acme"],
        "client_secret": ["s3cret-acme"],
    }


async def test_two_tenants_have_two_tokens(tmp_path: Path) -> None:
    endpoint = TokenEndpoint()
    access = tokens(tmp_path, endpoint)

    acme, globex = await asyncio.gather(access.get("acme", "crm"), access.get("globex", "crm"))

    assert acme.token != globex.token
    assert (acme.credential.tenant_id, globex.credential.tenant_id) == ("acme", "globex")
    assert {request.url.split("/")[2] for request in endpoint.asked} == {"acme.example", "globex.example"}


async def test_many_at_once_wait_for_one_token_request(tmp_path: Path) -> None:
    endpoint = TokenEndpoint()
    access = tokens(tmp_path, endpoint)

    found = await asyncio.gather(*(access.get("acme", "crm") for _ in range(10)))

    assert len(endpoint.asked) == 1
    assert len({id(one) for one in found}) == 1


async def test_a_token_is_renewed_a_little_before_it_expires(tmp_path: Path) -> None:
    endpoint, clock = TokenEndpoint(token("first", expires_in=100)), ManualClock()
    access = tokens(tmp_path, endpoint, clock)
    await access.get("acme", "crm")

    clock.advance(69)
    before = await access.get("acme", "crm")
    clock.advance(2)
    after = await access.get("acme", "crm")

    assert (before.token, after.token) == ("first", "token-2")


async def test_a_changed_credentials_file_makes_the_token_worthless(tmp_path: Path) -> None:
    endpoint = TokenEndpoint()
    access = tokens(tmp_path, endpoint)
    await access.get("acme", "crm")

    tokens(tmp_path, endpoint, client_secret="other")
    renewed = await access.get("acme", "crm")

    assert renewed.token == "token-2"


async def test_a_refused_token_that_had_worked_is_dropped_and_the_attempt_may_be_repeated(tmp_path: Path) -> None:
    endpoint = TokenEndpoint()
    access = tokens(tmp_path, endpoint)
    found = await access.get("acme", "crm")
    assert access.settle(found, 201, None) is None

    error = access.settle(found, 401, REFUSED)
    renewed = await access.get("acme", "crm")

    assert isinstance(error, TransientError)
    assert renewed.token == "token-2"


async def test_a_refused_token_that_is_old_counts_as_expired_although_it_was_never_used(tmp_path: Path) -> None:
    clock = ManualClock()
    access = tokens(tmp_path, TokenEndpoint(), clock)
    found = await access.get("acme", "crm")

    clock.advance(61)

    assert isinstance(access.settle(found, 401, REFUSED), TransientError)


async def test_a_new_token_refused_at_once_is_refused_for_good(tmp_path: Path) -> None:
    endpoint = TokenEndpoint()
    access = tokens(tmp_path, endpoint)
    found = await access.get("acme", "crm")

    assert access.settle(found, 401, REFUSED) is REFUSED
    assert (await access.get("acme", "crm")).token == "token-2"


async def test_a_late_refusal_of_an_old_token_does_not_drop_the_new_one(tmp_path: Path) -> None:
    access = tokens(tmp_path, TokenEndpoint())
    old = await access.get("acme", "crm")
    access.settle(old, 200, None)
    access.settle(old, 401, REFUSED)
    new = await access.get("acme", "crm")

    late = access.settle(old, 401, REFUSED)

    assert isinstance(late, TransientError)
    assert await access.get("acme", "crm") is new


async def test_a_missing_right_is_not_taken_for_an_expired_token(tmp_path: Path) -> None:
    access = tokens(tmp_path, TokenEndpoint())
    found = await access.get("acme", "crm")

    assert access.settle(found, 403, REFUSED) is REFUSED
    assert await access.get("acme", "crm") is found


async def test_an_api_key_asks_nobody_and_is_refused_for_good(tmp_path: Path) -> None:
    endpoint = TokenEndpoint()
    access = tokens(tmp_path, endpoint)
    (tmp_path / "acme" / "crm.json").write_text(json.dumps({"mode": "api_key", "instance_url": "https://x.example", "api_key": "s3cret"}))

    found = await access.get("acme", "crm")
    access.settle(found, 200, None)

    assert found.authorization == "Bearer s3cret"
    assert access.settle(found, 401, REFUSED) is REFUSED
    assert endpoint.asked == []


async def test_a_refresh_token_is_sent_to_the_token_url_that_is_given(tmp_path: Path) -> None:
    endpoint = TokenEndpoint()
    access = tokens(tmp_path, endpoint)
    content = {
        "mode": "refresh_token",
        "instance_url": "https://x.example",
        "client_id": "id",
        "refresh_token": "r3fresh",
        "token_url": "https://login.example/token",
    }
    (tmp_path / "acme" / "crm.json").write_text(json.dumps(content))

    await access.get("acme", "crm")

    assert endpoint.asked[0].url == "https://login.example/token"
    assert parse_qs((endpoint.asked[0].body or b"").decode()) == {
        "grant_type": ["refresh_token"],
        "client_id": ["id"],
        "refresh_token": ["r3fresh"],
    }


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (AmbiguousError(), DownstreamError),
        (UnreachableError(), UnreachableError),
        (HttpAnswer(status=500), DownstreamError),
        (HttpAnswer(status=408), DownstreamError),
        (HttpAnswer(status=429), RateLimitError),
        (HttpAnswer(status=400, body=b'{"error":"invalid_grant"}'), AuthError),
        (HttpAnswer(status=401), AuthError),
        (HttpAnswer(status=200, body=b"<html>"), AuthError),
        (HttpAnswer(status=200, body=b"[]"), AuthError),
        (token(""), AuthError),
        (token("line\nbreak"), AuthError),
    ],
)
async def test_a_token_that_cannot_be_had_never_puts_the_call_in_doubt(
    tmp_path: Path, answer: HttpAnswer | EnactError, kind: type[EnactError]
) -> None:
    access = tokens(tmp_path, TokenEndpoint(answer))

    with pytest.raises(EnactError) as caught:
        await access.get("acme", "crm")

    assert type(caught.value) is kind
    assert "s3cret" not in caught.value.message


@pytest.mark.parametrize("expires_in", ["soon", -1, 0, 10**12, None])
async def test_a_life_time_that_makes_no_sense_is_ignored(tmp_path: Path, expires_in: Any) -> None:
    access = tokens(tmp_path, TokenEndpoint(token("first", expires_in=expires_in)))

    assert (await access.get("acme", "crm")).expires_s is None


async def test_nothing_that_holds_a_token_shows_it(tmp_path: Path) -> None:
    access = tokens(tmp_path, TokenEndpoint(token("t0ken")))

    found = await access.get("acme", "crm")

    assert "t0ken" not in f"{found!r}{access!r}{vars(access)!r}"
