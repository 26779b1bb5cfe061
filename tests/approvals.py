"""Signed approvals for tests: good ones, and tokens of any shape, made with the primitives alone and not with enact's own code."""

import json
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from msgspec.structs import replace

from enact.approval import ApprovalRules
from enact.approval_claims import Expectation
from enact.approval_keys import KeyFile
from enact.clock import Clock
from enact.ids import intent_sha256
from enact.metrics import Metrics
from enact.records.intent import ApprovedIntent
from enact.signed_approval import SignatureVerifier

AUDIENCE, ISSUER = "production-eu", "approvals.example"
EXPECTATION = Expectation(audience=AUDIENCE, issuers=frozenset({ISSUER}), leeway_s=5)


def b64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


class Pair:
    """An Ed25519 key pair and its id."""

    def __init__(self, kid: str = "key-1") -> None:
        self.kid = kid
        self.private = Ed25519PrivateKey.generate()
        self.public_bytes = self.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    def jwk(self, **changes: Any) -> dict[str, Any]:
        """The public half as an entry of a key set."""
        return {"kty": "OKP", "crv": "Ed25519", "x": b64(self.public_bytes), "kid": self.kid, **changes}

    def private_jwk(self) -> dict[str, Any]:
        """The whole pair, as an approval service keeps it."""
        return self.jwk(d=b64(self.private.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())))

    def header(self, **changes: Any) -> dict[str, Any]:
        """As it must be, but for the changes; a change to None leaves the name out."""
        return without_none({"alg": "Ed25519", "typ": "enact-approval+jwt", "kid": self.kid, **changes})

    def token(self, claims: Mapping[str, Any] | bytes, header: Mapping[str, Any] | bytes | None = None) -> str:
        """A compact JWS over any claims and any header, signed with Ed25519 whatever they say."""
        signed = f"{b64(_text(header if header is not None else self.header()))}.{b64(_text(claims))}"
        return f"{signed}.{b64(self.private.sign(signed.encode()))}"

    def approve(self, intent: ApprovedIntent, **changes: Any) -> ApprovedIntent:
        """The intent with a token of its own."""
        return with_token(intent, self.token(claims_for(intent, **changes)))


class Production:
    """What the production profile demands, one trusted key pair, and the file it is in."""

    def __init__(self, folder: Path, clock: Clock, metrics: Metrics | None = None) -> None:
        self.pair = Pair()
        self.path = write_keys(folder / "keys.json", self.pair.jwk())
        verifier = SignatureVerifier(KeyFile(self.path, clock, metrics), EXPECTATION)
        self.rules = ApprovalRules(verifier.check, is_signature_required=True)

    def rotate(self, *pairs: Pair) -> None:
        """Other keys from now on; they are seen within a second."""
        write_keys(self.path, *(pair.jwk() for pair in pairs))


def now_s_of(intent: ApprovedIntent) -> int:
    """When a test's intent was made: it has an hour."""
    return intent.expires_at_epoch - 3600


def claims_for(intent: ApprovedIntent, **changes: Any) -> dict[str, Any]:
    """What a good approval says, but for the changes; None leaves the claim out, a function is told when the intent was made."""
    now_s = now_s_of(intent)
    good = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "jti": intent.action_intent_id,
        "tenant_id": intent.tenant_id,
        "iat": now_s - 60,
        "nbf": now_s - 60,
        "exp": now_s + 600,
        "approver": intent.approval.approved_by,
        "requester": "robin",
        "intent_sha256": intent_sha256(intent),
    }
    changed = {name: value(now_s) if callable(value) else value for name, value in changes.items()}
    return without_none({**good, **changed})


def without_none(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def with_token(intent: ApprovedIntent, token: str | None) -> ApprovedIntent:
    return replace(intent, approval=replace(intent.approval, jws=token))


def write_keys(path: Path, *entries: Mapping[str, Any]) -> Path:
    path.write_text(json.dumps({"keys": list(entries)}), encoding="utf-8")
    return path


def _text(value: Mapping[str, Any] | bytes) -> bytes:
    return value if isinstance(value, bytes) else json.dumps(value).encode()
