"""Salesforce's OAuth token endpoint, for client credentials, password and refresh token."""

import secrets
from typing import Final

from aiohttp import web

from connectors.credentials import ID
from connectors.sandbox import tenants
from connectors.sandbox.store import Store, now_ms

TOKEN_LIFE_MS: Final = 2 * 3600 * 1000


class OAuth:
    """Issues access tokens and knows whose they are."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def token(self, request: web.Request) -> web.Response:
        """`POST /services/oauth2/token`."""
        form = await request.post()
        given = {name: value for name, value in form.items() if isinstance(value, str)}
        refused = self._refusal(given)
        if refused is not None:
            error, description = refused
            return web.json_response({"error": error, "error_description": description}, status=400)
        tenant_id = given["client_id"].removeprefix("sandbox-")
        token = f"00DSb0!{secrets.token_urlsafe(24)}"
        self._store.write("INSERT INTO tokens (token, tenant, expires_ms) VALUES (?, ?, ?)", (token, tenant_id, now_ms() + TOKEN_LIFE_MS))
        base = f"{request.scheme}://{request.host}"
        return web.json_response(
            {
                "access_token": token,
                "instance_url": base,
                "id": f"{base}/id/00DSb0000000001/005Sb0000000001",
                "token_type": "Bearer",
                "scope": "api",
                "issued_at": str(now_ms()),
                "signature": secrets.token_urlsafe(32),
            }
        )

    def tenant_of(self, authorization: str) -> str | None:
        """The tenant a request speaks for, by its Authorization header."""
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() not in {"bearer", "oauth"}:
            return None
        by_key = tenants.tenant_of_key(token)
        if by_key is not None:
            return by_key
        rows = self._store.read("SELECT tenant FROM tokens WHERE token = ? AND expires_ms > ?", (token, now_ms()))
        return str(rows[0][0]) if rows else None

    def expire_all(self, tenant_id: str | None) -> None:
        """End every token that was issued, of one tenant or of all."""
        if tenant_id is None:
            self._store.write("DELETE FROM tokens", ())
        else:
            self._store.write("DELETE FROM tokens WHERE tenant = ?", (tenant_id,))

    def _refusal(self, given: dict[str, str]) -> tuple[str, str] | None:
        tenant_id = given.get("client_id", "").removeprefix("sandbox-")
        if given.get("client_id") != tenants.client_id(tenant_id) or not ID.fullmatch(tenant_id):
            return "invalid_client_id", "client identifier invalid"
        has_secret = given.get("client_secret") == tenants.client_secret(tenant_id)
        match given.get("grant_type"):
            case "client_credentials":
                return None if has_secret else ("invalid_client", "invalid client credentials")
            case "password":
                known = (f"seller@{tenant_id}", tenants.user_password(tenant_id))
                is_known = has_secret and (given.get("username"), given.get("password")) == known
                return None if is_known else ("invalid_grant", "authentication failure")
            case "refresh_token":
                is_known = given.get("refresh_token") == tenants.refresh_token(tenant_id)
                return None if is_known else ("invalid_grant", "expired access/refresh token")
            case _:
                return "unsupported_grant_type", "grant type not supported"
