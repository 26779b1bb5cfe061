"""Who may log in to the sandbox: any tenant, with secrets that follow from its name. Nothing here is a secret."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson

from connectors.credentials import ID

PRACTICE_TENANTS = ("acme", "globex", "initech")
"""Who gets credentials for the sandbox without being asked."""


def client_id(tenant_id: str) -> str:
    """The OAuth client of a tenant."""
    return f"sandbox-{tenant_id}"


def client_secret(tenant_id: str) -> str:
    """Its secret."""
    return f"sandbox-secret-of-{tenant_id}"


def user_password(tenant_id: str) -> str:
    """The password of `seller@<tenant>`."""
    return f"sandbox-password-of-{tenant_id}"


def refresh_token(tenant_id: str) -> str:
    """A refresh token that never ends."""
    return f"sandbox-refresh-of-{tenant_id}"


def api_key(tenant_id: str) -> str:
    """An access token that never ends."""
    return f"sandbox-key-of-{tenant_id}"


def tenant_of_key(token: str) -> str | None:
    """The tenant of an API key."""
    tenant_id = token.removeprefix("sandbox-key-of-")
    return tenant_id if tenant_id != token and ID.fullmatch(tenant_id) else None


def write_sandbox_credentials(credentials_dir: Path, tenants: Iterable[str], base_url: str) -> None:
    """Write `<tenant>/crm.json` and `<tenant>/sandbox.json` for each tenant, readable by this user alone.

    A file that is there already is left as it is if it speaks of another system. Only for the practice world.
    """
    for tenant_id in tenants:
        folder = credentials_dir / tenant_id
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        crm = {
            "mode": "client_credentials",
            "instance_url": base_url,
            "client_id": client_id(tenant_id),
            "client_secret": client_secret(tenant_id),
        }
        _write(folder / "crm.json", crm)
        _write(folder / "sandbox.json", {"mode": "api_key", "instance_url": base_url, "api_key": api_key(tenant_id)})


def _write(path: Path, content: dict[str, Any]) -> None:
    if path.exists() and b"sandbox-" not in path.read_bytes():
        return
    text = orjson.dumps(content, option=orjson.OPT_INDENT_2)
    if path.exists() and path.read_bytes() == text:
        return
    fresh = path.with_suffix(".new")
    fresh.touch(mode=0o600)
    fresh.write_bytes(text)
    fresh.replace(path)
