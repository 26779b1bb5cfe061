"""Credentials of one tenant for one connector, read from `<dir>/<tenant>/<connector>.json` and nowhere else.

Files are read again when they change. Nothing here is ever logged, put into a topic or shown in a repr.
"""

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final, Literal

import pydantic
from pydantic import BaseModel, ConfigDict, SecretStr, TypeAdapter

from enact.clock import Clock
from enact.errors import AuthError, ErrorCode
from enact.file_revision import Revision, revision_of

ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,128}")
MAX_FILE_BYTES: Final = 65_536
LOOK_EVERY_S: Final = 1.0


class _Mode(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    instance_url: str
    tenant_id: str | None = None


class ApiKey(_Mode):
    """A key that is sent as it is, as a bearer token."""

    mode: Literal["api_key"]
    api_key: SecretStr


class ClientCredentials(_Mode):
    """OAuth 2.0 client credentials. `token_url` is `<instance_url>/services/oauth2/token` if not given."""

    mode: Literal["client_credentials"]
    client_id: str
    client_secret: SecretStr
    token_url: str | None = None


class RefreshToken(_Mode):
    """OAuth 2.0 refresh token, for an application a user once agreed to."""

    mode: Literal["refresh_token"]
    client_id: str
    client_secret: SecretStr | None = None
    refresh_token: SecretStr
    token_url: str | None = None


Settings = ApiKey | ClientCredentials | RefreshToken
SETTINGS: Final[TypeAdapter[Settings]] = TypeAdapter(Annotated[Settings, pydantic.Field(discriminator="mode")])


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """One tenant's access to one system. `revision` changes with the file's content on disk."""

    tenant_id: str
    connector: str
    revision: Revision
    settings: Settings = field(repr=False)

    @property
    def instance_url(self) -> str:
        """The system's address for this tenant, without a slash at the end."""
        return self.settings.instance_url.rstrip("/")


class CredentialStore:
    """Reads credentials files. One tenant's file can never serve another: the path is made of the tenant's id alone."""

    def __init__(self, directory: Path | None, clock: Clock | None = None) -> None:
        """With a clock, a file is looked at once a second at most; without one, on every call."""
        self._directory, self._clock = directory, clock
        self._known: dict[tuple[str, str], Credential] = {}
        self._looked_s: dict[tuple[str, str], float] = {}

    def __repr__(self) -> str:
        """Say nothing of what is inside."""
        return "CredentialStore()"

    def get(self, tenant_id: str, connector: str) -> Credential:
        """The credential as it is on disk, at most a second ago with a clock; read only when it has changed.

        Raises: AuthError(CREDENTIALS_MISSING) naming the file, relative to the credentials directory, and what belongs into it.
        """
        key, now_s = (tenant_id, connector), self._clock.boot_s() if self._clock is not None else None
        if now_s is not None and key in self._looked_s and now_s - self._looked_s[key] < LOOK_EVERY_S:
            return self._known[key]
        self._looked_s.pop(key, None)
        credential = self._looked_at(tenant_id, connector)
        if now_s is not None:
            self._looked_s[key] = now_s
        return credential

    def _looked_at(self, tenant_id: str, connector: str) -> Credential:
        path = self._path(tenant_id, connector)
        shown = f"{tenant_id}/{connector}.json"
        try:
            stat = path.stat()
            revision = revision_of(stat)
            known = self._known.get((tenant_id, connector))
            if known is not None and known.revision == revision:
                return known
            if stat.st_size > MAX_FILE_BYTES:
                raise _missing(f"{shown} is larger than {MAX_FILE_BYTES} bytes.")
            text = path.read_bytes()
        except FileNotFoundError as error:
            raise _missing(f"There is no {shown}.") from error
        except OSError as error:
            raise _missing(f"{shown} cannot be read ({type(error).__name__}).") from error
        credential = Credential(tenant_id=tenant_id, connector=connector, revision=revision, settings=_parsed(text, shown, tenant_id))
        self._known[tenant_id, connector] = credential
        return credential

    def tenants(self, connector: str) -> list[str]:
        """Tenants that have a file for this connector, sorted. For health checks and doctors."""
        if self._directory is None or not self._directory.is_dir():
            return []
        return sorted(entry.name for entry in os.scandir(self._directory) if (Path(entry.path) / f"{connector}.json").is_file())

    def _path(self, tenant_id: str, connector: str) -> Path:
        if self._directory is None:
            raise _missing("ENACT_CREDENTIALS_DIR is not set.")
        for name in (tenant_id, connector):
            if not ID.fullmatch(name) or name in {".", ".."}:
                raise _missing("The tenant id is not a name that a credentials folder can have.")
        folder = self._directory.resolve() / tenant_id
        path = (folder / f"{connector}.json").resolve()
        if not path.is_relative_to(folder):  # mounted secrets are links within their folder; a link into another tenant's is refused
            raise _missing(f"{tenant_id}/{connector}.json leads outside the tenant's own folder.")
        return path


def _parsed(text: bytes, shown: str, tenant_id: str) -> Settings:
    try:
        settings = SETTINGS.validate_json(text)
    except pydantic.ValidationError as error:
        fields = sorted(
            {".".join(str(part) for part in problem["loc"]) or "the whole file" for problem in error.errors(include_input=False)}
        )
        raise _missing(f"{shown} does not fit: look at {', '.join(fields)}.") from None
    if settings.tenant_id is not None and settings.tenant_id != tenant_id:
        raise _missing(f"{shown} names another tenant in tenant_id.")
    return settings


def _missing(what: str) -> AuthError:
    advice = (
        "Put a JSON object with instance_url and mode there: api_key (api_key), client_credentials (client_id, client_secret) "
        "or refresh_token (client_id, refresh_token); paths are relative to ENACT_CREDENTIALS_DIR."
    )
    return AuthError(f"{what} {advice}", code=ErrorCode.CREDENTIALS_MISSING)
