"""Access tokens: fetched when needed, kept in memory for one tenant and connector, refreshed by one task at a time."""

import asyncio
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode

import orjson

from connectors.credentials import ApiKey, ClientCredentials, Credential, CredentialStore, RefreshToken
from connectors.http import HttpAnswer, HttpClient, HttpRequest
from enact.clock import Clock
from enact.errors import AmbiguousError, AuthError, DownstreamError, EnactError, ErrorCode, RateLimitError, TransientError

EARLY_S: Final = 30.0
"""A token counts as expired this long before it is, so that it does not expire on the way."""
YOUNG_S: Final = 60.0
"""A token refused within this time, never accepted before, was not expired: the credentials themselves are wrong."""
TOKEN_TIMEOUT_MS: Final = 10_000
MAX_EXPIRES_S: Final = 31_536_000


@dataclass(slots=True, kw_only=True)
class Access:
    """What one call needs to be let in. The token belongs to this credential and to no other."""

    credential: Credential
    token: str = field(repr=False)
    fetched_s: float
    expires_s: float | None = None
    is_static: bool = False
    was_accepted: bool = False

    @property
    def authorization(self) -> str:
        """The Authorization header's value."""
        return f"Bearer {self.token}"


class AccessTokens:
    """Tokens by (tenant, connector), in memory only."""

    def __init__(self, store: CredentialStore, http: HttpClient, clock: Clock) -> None:
        self._store = store
        self._http = http
        self._clock = clock
        self._tokens: dict[tuple[str, str], Access] = {}
        self._locks: dict[tuple[str, str], asyncio.Lock] = {}

    def __repr__(self) -> str:
        """Say nothing of what is inside."""
        return "AccessTokens()"

    async def get(self, tenant_id: str, connector: str) -> Access:
        """Access as of now; at most one token request at a time for each tenant and connector.

        Raises: AuthError, TransientError. Never AmbiguousError: a token request has no effect, so the call was not made.
        """
        credential = self._store.get(tenant_id, connector)
        settings = credential.settings
        if isinstance(settings, ApiKey):
            token = settings.api_key.get_secret_value()
            return Access(credential=credential, token=token, fetched_s=self._clock.boot_s(), is_static=True)
        key = (tenant_id, connector)
        known = self._usable(key, credential)
        if known is not None:
            return known
        async with self._locks.setdefault(key, asyncio.Lock()):
            known = self._usable(key, credential)
            if known is None:
                known = self._tokens[key] = await self._fetch(credential, settings)
            return known

    def settle(self, access: Access, status: int, error: EnactError | None) -> EnactError | None:
        """Learn from an answer's status; returns what to raise in place of `error`.

        A 401 drops the token. If the token had worked, or was old, it has expired: that attempt was not applied and the
        next one gets a new token, so the error becomes transient. A new token refused at once stays an AuthError.
        """
        if status != 401:
            access.was_accepted = True
            return error
        if access.is_static:
            return error
        key = (access.credential.tenant_id, access.credential.connector)
        if self._tokens.get(key) is access:
            del self._tokens[key]
        if access.was_accepted or self._clock.boot_s() - access.fetched_s > YOUNG_S:
            return TransientError(
                "The access token had expired; nothing was applied, the next attempt uses a new one.", code=ErrorCode.AUTH_REJECTED
            )
        return error

    def _usable(self, key: tuple[str, str], credential: Credential) -> Access | None:
        access = self._tokens.get(key)
        if access is None or access.credential.revision != credential.revision:
            return None
        if access.expires_s is not None and self._clock.boot_s() >= access.expires_s:
            return None
        return access

    async def _fetch(self, credential: Credential, settings: ClientCredentials | RefreshToken) -> Access:
        request = HttpRequest(
            method="POST",
            url=settings.token_url or f"{credential.instance_url}/services/oauth2/token",
            headers={"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"},
            body=urlencode(_form(settings)).encode(),
            timeout_ms=TOKEN_TIMEOUT_MS,
        )
        asked_s = self._clock.boot_s()
        try:
            answer = await self._http.send(request)
        except AmbiguousError as error:
            raise DownstreamError("The token endpoint did not answer; the call was not made.") from error
        return self._access(credential, answer, asked_s)

    def _access(self, credential: Credential, answer: HttpAnswer, asked_s: float) -> Access:
        if answer.status == 429:
            raise RateLimitError("The token endpoint asks us to slow down; the call was not made.")
        if answer.status >= 500 or answer.status in {408, 425}:
            raise DownstreamError(f"The token endpoint answered {answer.status}; the call was not made.")
        said = _object(answer.body)
        token = said.get("access_token")
        if answer.status != 200 or not isinstance(token, str) or not token or not token.isascii() or not token.isprintable():
            raise AuthError(
                f"The token endpoint answered {answer.status} and gave no token: "
                f"renew {credential.tenant_id}/{credential.connector}.json in the credentials directory."
            )
        expires = said.get("expires_in")
        is_number = isinstance(expires, (int, float)) and 0 < expires < MAX_EXPIRES_S
        expires_s = asked_s + max(float(expires) - EARLY_S, 1.0) if is_number and expires is not None else None
        return Access(credential=credential, token=token, fetched_s=asked_s, expires_s=expires_s)


def _form(settings: ClientCredentials | RefreshToken) -> dict[str, str]:
    form = {"grant_type": settings.mode, "client_id": settings.client_id}
    if settings.client_secret is not None:
        form["client_secret"] = settings.client_secret.get_secret_value()
    if isinstance(settings, RefreshToken):
        form["refresh_token"] = settings.refresh_token.get_secret_value()
    return form


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}
