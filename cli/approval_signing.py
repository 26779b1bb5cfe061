"""Making key pairs and signed approvals: for tests, demos and those who have no approval service yet. Never in a stage."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey
from msgspec.structs import replace

from enact.approval_claims import Expectation, check_claims, check_times, read_claims
from enact.approval_keys import read_file, read_key_set
from enact.canonical import canonical_json, parse_json
from enact.compact_jws import ALGORITHM, KEY_ID, TYPE
from enact.errors import ErrorCode, ValidationError
from enact.ids import intent_sha256
from enact.records import ApprovedIntent

_PRIVATE_MODE: Final = 0o600
_PUBLIC_MODE: Final = 0o644
_MEMBERS: Final = frozenset({"kty", "crv", "x", "d", "kid", "use", "alg"})


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key. Its repr shows nothing."""

    kid: str
    jwk: OKPKey

    def __repr__(self) -> str:
        """Say which, not what."""
        return f"SigningKey({self.kid})"

    @property
    def public(self) -> Mapping[str, str]:
        """The half that belongs into a key set."""
        return {**self._members(is_private=False), "kid": self.kid, "use": "sig", "alg": ALGORITHM}

    def _members(self, *, is_private: bool) -> dict[str, str]:
        return {name: str(value) for name, value in self.jwk.as_dict(private=is_private).items() if name in {"kty", "crv", "x", "d"}}

    def write(self, path: Path) -> None:
        """A new file that only its owner may read. Raises: FileExistsError, OSError."""
        text = canonical_json({**self._members(is_private=True), "kid": self.kid, "use": "sig", "alg": ALGORITHM})
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE_MODE)
        with os.fdopen(descriptor, "wb") as file:
            file.write(text + b"\n")


def new_key(kid: str | None = None) -> SigningKey:
    """A fresh pair; without an id its RFC 7638 thumbprint is its id. Raises: ValidationError if `kid` is no key id."""
    if kid is not None and not KEY_ID.fullmatch(kid):
        raise _wrong("A key id has 1 to 128 of A-Z a-z 0-9 . _ : - and nothing else.")
    jwk = OKPKey.generate_key("Ed25519")
    return SigningKey(kid or jwk.thumbprint(), jwk)


def read_key(path: Path) -> SigningKey:
    """The private key that `write` wrote. Raises: ValidationError; nothing of the file is repeated."""
    tree = parse_json(read_file(path), code=ErrorCode.MALFORMED_RECORD)
    if not isinstance(tree, dict) or not tree.keys() <= _MEMBERS or not isinstance(tree.get("kid"), str) or "d" not in tree:
        raise _wrong("It is no private key as `enact approval-key` writes it: a JWK with kty, crv, x, d and kid.")
    try:
        jwk = OKPKey.import_key({name: tree[name] for name in ("kty", "crv", "x", "d")})
    except (JoseError, ValueError, KeyError, TypeError):
        raise _wrong("It is no Ed25519 key.") from None
    if tree["crv"] != "Ed25519":
        raise _wrong("It is no Ed25519 key.")
    return SigningKey(tree["kid"], jwk)


def with_key(path: Path, key: SigningKey, issuer: str | None) -> int:
    """Put the public half into a key set's file, in one step, and say how many keys it holds now.

    Raises: ValidationError if the file there is no key set, or has a key of this id.
    """
    entry = {**key.public, **({"iss": issuer} if issuer else {})}
    entries: list[Any] = [entry]
    if path.exists():
        data = read_file(path)
        if key.kid in read_key_set(data):
            raise _wrong("It has a key of this id already: give another one.")
        entries = [*parse_json(data, code=ErrorCode.MALFORMED_RECORD)["keys"], entry]
    text = canonical_json({"keys": entries})
    read_key_set(text)
    unfinished = path.with_name(f".{path.name}.new")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _PUBLIC_MODE)
    with os.fdopen(descriptor, "wb") as file:
        file.write(text + b"\n")
    unfinished.replace(path)
    return len(entries)


@dataclass(frozen=True, slots=True, kw_only=True)
class Approver:
    """Who approves for whom, where, and for how long. `valid_s` None = until the intent's deadline."""

    key: SigningKey
    issuer: str
    audience: str
    name: str | None = None
    requester: str | None = None
    valid_s: int | None = None

    def approve(self, intent: ApprovedIntent, now_s: int) -> ApprovedIntent:
        """The intent with its signed approval in place of any that it had.

        The approver is who `approval.approved_by` names unless `name` says otherwise; the requester is the proposal
        unless `requester` says who it was.

        Raises: ApprovalError or ValidationError if no stage would accept it.
        """
        name = self.name or intent.approval.approved_by
        told = replace(intent, approval=replace(intent.approval, approved_by=name, jws=None))
        digest = intent_sha256(told)
        claims: dict[str, Any] = {
            "iss": self.issuer,
            "aud": self.audience,
            "jti": told.action_intent_id,
            "tenant_id": told.tenant_id,
            "approver": name,
            "requester": self.requester or f"proposal:{told.approval.proposal_id}",
            "intent_sha256": digest,
            "iat": now_s,
            "nbf": now_s,
            "exp": told.expires_at_epoch if self.valid_s is None else now_s + self.valid_s,
        }
        expectation = Expectation(audience=self.audience, issuers=frozenset({self.issuer}), leeway_s=0)
        read = read_claims(claims)
        check_claims(read, told, digest, expectation)
        check_times(read, now_s * 1000, 0)
        header = {"alg": ALGORITHM, "typ": TYPE, "kid": self.key.kid}
        token = jws.serialize_compact(header, canonical_json(claims), self.key.jwk, algorithms=[ALGORITHM])
        return replace(told, approval=replace(told.approval, jws=token))


def _wrong(what: str) -> ValidationError:
    return ValidationError(what, code=ErrorCode.MALFORMED_RECORD)
