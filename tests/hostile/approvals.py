"""Hostile approvals: one row for each kind, and what the refusal must name. Validation and invocation are held against the same table."""

import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from msgspec.structs import replace

from enact.records.intent import ApprovedIntent
from tests.approvals import Pair, b64, claims_for, now_s_of, with_token
from tests.factories import NOW_S, make_intent

ORDER = 2**252 + 27742317777372353535851937790883648493
"""L, the order of Ed25519's group (RFC 8032, 5.1)."""

Make = Callable[[Pair, ApprovedIntent], ApprovedIntent]


@dataclass(frozen=True, slots=True)
class HostileApproval:
    """`make` gives the intent as an attacker publishes it; the refusal must hold every one of `words`."""

    name: str
    make: Make
    words: tuple[str, ...]


def _token(make: Callable[[Pair, ApprovedIntent], str]) -> Make:
    return lambda pair, intent: with_token(intent, make(pair, intent))


def _claims(**changes: Any) -> Make:
    return lambda pair, intent: pair.approve(intent, **changes)


def _header(**changes: Any) -> Make:
    return _token(lambda pair, intent: pair.token(claims_for(intent), pair.header(**changes)))


def _part(place: int, change: Callable[[str], str]) -> Make:
    def make(pair: Pair, intent: ApprovedIntent) -> str:
        parts = pair.token(claims_for(intent)).split(".")
        parts[place] = change(parts[place])
        return ".".join(parts)

    return _token(make)


def _text(change: Callable[[str], str]) -> Make:
    return _token(lambda pair, intent: change(pair.token(claims_for(intent))))


def _raw_claims(change: Callable[[str], str]) -> Make:
    """Properly signed text that no strict reader takes."""
    return _token(lambda pair, intent: pair.token(change(json.dumps(claims_for(intent))).encode()))


def _raw_header(change: Callable[[str], str]) -> Make:
    return _token(lambda pair, intent: pair.token(claims_for(intent), change(json.dumps(pair.header())).encode()))


def _after(**change: Any) -> Make:
    """Changed after it was approved."""
    return lambda pair, intent: replace(pair.approve(intent), **change)


def _later(seconds: int) -> Callable[[int], int]:
    """So long after the intent was made."""
    return lambda now_s: now_s + seconds


def _exp_written(text: str) -> Make:
    """Another text in place of the number."""
    return _token(lambda pair, intent: pair.token(json.dumps(claims_for(intent)).replace(str(now_s_of(intent) + 600), text).encode()))


def _signing_input(pair: Pair, intent: ApprovedIntent, algorithm: str) -> str:
    return f"{b64(json.dumps(pair.header(alg=algorithm)).encode())}.{b64(json.dumps(claims_for(intent)).encode())}"


def _hs256(pair: Pair, intent: ApprovedIntent) -> str:
    """The public key, which everybody knows, as the secret of a MAC."""
    told = _signing_input(pair, intent, "HS256")
    return f"{told}.{b64(hmac.new(pair.public_bytes, told.encode(), hashlib.sha256).digest())}"


def _es256(pair: Pair, intent: ApprovedIntent) -> str:
    told = _signing_input(pair, intent, "ES256")
    r, s = decode_dss_signature(ec.generate_private_key(ec.SECP256R1()).sign(told.encode(), ec.ECDSA(SHA256())))
    return f"{told}.{b64(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def _none(pair: Pair, intent: ApprovedIntent) -> str:
    return f"{_signing_input(pair, intent, 'none')}."


def _malleable(pair: Pair, intent: ApprovedIntent) -> str:
    """S + L solves the same equation: a second signature of one text, for verifiers that do not look (RFC 8032, 5.1.7)."""
    told, _, _ = pair.token(claims_for(intent)).rpartition(".")
    signature = pair.private.sign(told.encode())
    other = int.from_bytes(signature[32:], "little") + ORDER
    return f"{told}.{b64(signature[:32] + other.to_bytes(32, 'little'))}"


def _spare_bits(part: str) -> str:
    """64 bytes leave four bits over in base64: set one of them."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return part[:-1] + alphabet[alphabet.index(part[-1]) + 1]


def _json_form(pair: Pair, intent: ApprovedIntent) -> str:
    protected, payload, signature = pair.token(claims_for(intent)).split(".")
    one = {"protected": protected, "signature": signature}
    return json.dumps({"payload": payload, "signatures": [one, one]})


def _stolen(pair: Pair, intent: ApprovedIntent) -> ApprovedIntent:
    """A good approval of another intent."""
    other = pair.approve(replace(intent, action_intent_id="int-of-somebody-else"))
    return with_token(intent, other.approval.jws)


def _later_deadline(pair: Pair, intent: ApprovedIntent) -> ApprovedIntent:
    return replace(pair.approve(intent), expires_at_epoch=intent.expires_at_epoch + 1)


def _jwk_header(pair: Pair, intent: ApprovedIntent) -> str:
    """Brings its own key along."""
    own = Pair(pair.kid)
    return own.token(claims_for(intent), own.header(jwk=own.jwk()))


_MISSING = tuple(
    HostileApproval(f"without the claim {name}", _claims(**{name: None}), (f"the claim {name} is missing",))
    for name in ("iss", "aud", "jti", "tenant_id", "iat", "nbf", "exp", "approver", "requester", "intent_sha256")
)
_TYPES = tuple(
    HostileApproval(f"with {name} {what}", _claims(**{name: value}), (f"the claim {name} is",))
    for name in ("iat", "nbf", "exp")
    for what, value in (
        ("as text", str(NOW_S)),
        ("as a float", NOW_S + 0.5),
        ("as a whole float", float(NOW_S + 600)),
        ("as true", True),
        ("below zero", -1),
        ("as a list", [NOW_S]),
    )
)
_TEXTS = tuple(
    HostileApproval(f"with {name} {what}", _claims(**{name: value}), (f"the claim {name} is",))
    for name in ("iss", "aud", "jti", "tenant_id", "approver", "requester", "intent_sha256")
    for what, value in (("as a number", 7), ("as a list", ["production-eu"]), ("empty", ""), ("endless", "x" * 300))
)
_POINTERS = tuple(
    HostileApproval(f"with a header {name} that holds {what}", _header(**{name: value}), ("the header holds", shown))
    for name, shown in (
        *((name, name) for name in ("jku", "x5u", "jwk", "x5c", "x5t", "crit", "b64", "zip", "cty", "enc", "url", "epk")),
        ("x5t#S256", "name of 8 characters"),
    )
    for what, value in (("nothing", ""), ("something", "https://keys.example/jwks.json"), ("false", False))
)

HOSTILE_APPROVALS: tuple[HostileApproval, ...] = (
    HostileApproval("not signed at all", lambda pair, intent: intent, ("approval.jws is missing",)),
    HostileApproval("empty", _text(lambda token: ""), ("1 parts",)),
    HostileApproval("by another key", _token(lambda pair, intent: Pair(pair.kid).token(claims_for(intent))), ("signature does not fit",)),
    HostileApproval("by a key nobody knows", _token(lambda pair, intent: Pair("key-9").token(claims_for(intent))), ("kid", "no key")),
    HostileApproval("without kid", _header(kid=None), ("kid is missing",)),
    HostileApproval("with kid as a path", _header(kid="../../etc/passwd"), ("kid is missing or no key id",)),
    HostileApproval("with kid as a number", _header(kid=1), ("kid is missing or no key id",)),
    HostileApproval("expired", _claims(nbf=_later(-900), exp=_later(-300)), ("exp passed 30", " s ago")),
    HostileApproval("at its very end", _claims(exp=_later(-5)), ("exp passed ", " s ago")),
    HostileApproval("not yet valid", _claims(nbf=_later(300)), ("nbf lies ", " s ahead")),
    HostileApproval("issued in the future", _claims(iat=_later(300)), ("iat lies ", " s ahead")),
    HostileApproval("never valid", _claims(nbf=_later(600)), ("exp is not after nbf",)),
    HostileApproval("with exp too large", _claims(exp=2**53), ("integer beyond", "exp")),
    HostileApproval("with exp endless", _exp_written("9" * 5_000), ("allowed are",)),
    HostileApproval("with exp as infinity", _exp_written("Infinity"), ("NaN or infinite",)),
    HostileApproval("with exp as 1e400", _exp_written("1e400"), ("NaN or infinite",)),
    HostileApproval("for another environment", _claims(aud="staging"), ("aud is another environment",)),
    HostileApproval("for several environments", _claims(aud=["production-eu", "staging"]), ("the claim aud is",)),
    HostileApproval("by an issuer nobody trusts", _claims(iss="somebody.example"), ("iss is not an issuer",)),
    HostileApproval("for another tenant", _claims(tenant_id="globex"), ("tenant_id is another tenant",)),
    HostileApproval("replayed with another id", _stolen, ("jti is not the intent's action_intent_id",)),
    HostileApproval("with another digest", _claims(intent_sha256="0" * 64), ("intent_sha256 is another digest",)),
    HostileApproval("with a digest in capitals", _claims(intent_sha256="A" * 64), ("is no SHA-256",)),
    HostileApproval("parameters changed", _after(parameters='{"subject":"Pay Kim"}'), ("intent_sha256 is another digest",)),
    HostileApproval("account changed", _after(account_id="account-2"), ("intent_sha256 is another digest",)),
    HostileApproval("deadline changed", _later_deadline, ("intent_sha256 is another digest",)),
    HostileApproval("approved by somebody else", _claims(approver="robin-2"), ("approver is not who",)),
    HostileApproval("self-approved", _claims(requester="kim"), ("approver and requester are the same",)),
    HostileApproval("self-approved in capitals and spaces", _claims(requester=" KIM "), ("approver and requester are the same",)),
    HostileApproval("alg none", _token(_none), ("alg is not Ed25519",)),
    HostileApproval("alg none in another spelling", _header(alg="nOnE"), ("alg is not Ed25519",)),
    HostileApproval("alg HS256 with the public key as secret", _token(_hs256), ("alg is not Ed25519",)),
    HostileApproval("alg ES256", _token(_es256), ("alg is not Ed25519",)),
    HostileApproval("alg EdDSA", _header(alg="EdDSA"), ("alg is not Ed25519",)),
    HostileApproval("alg in small letters", _header(alg="ed25519"), ("alg is not Ed25519",)),
    HostileApproval("alg as a list", _header(alg=["Ed25519"]), ("alg is not Ed25519",)),
    HostileApproval("without alg", _header(alg=None), ("alg is missing",)),
    HostileApproval("without typ", _header(typ=None), ("typ is missing",)),
    HostileApproval("typ of a login token", _header(typ="JWT"), ("typ is not enact-approval+jwt",)),
    HostileApproval("typ with application/", _header(typ="application/enact-approval+jwt"), ("typ is not enact-approval+jwt",)),
    HostileApproval("with a key of its own", _token(_jwk_header), ("the header holds jwk",)),
    HostileApproval("two signatures in JSON", _token(_json_form), ("is JSON",)),
    HostileApproval("two signatures after dots", _text(lambda token: f"{token}.{token.rpartition('.')[2]}"), ("4 parts",)),
    HostileApproval("the signature cut short", _part(2, lambda part: part[:-2]), ("signature has 63 bytes",)),
    HostileApproval("no signature", _part(2, lambda part: ""), ("signature has 0 bytes",)),
    HostileApproval("the signature longer", _part(2, lambda part: part + part), ("the signature",)),
    HostileApproval("S + L", _token(_malleable), ("signature does not fit",)),
    HostileApproval("spare bits in the signature", _part(2, _spare_bits), ("signature is not canonical",)),
    HostileApproval("padded", _part(2, lambda part: f"{part}=="), ("signature is not canonical",)),
    HostileApproval("in the other base64", _part(1, lambda part: part[:-1] + "+"), ("payload is not canonical",)),
    HostileApproval("a space in it", _part(1, lambda part: f"{part[:8]} {part[8:]}"), ("payload is not canonical",)),
    HostileApproval("a line's end behind it", _text(lambda token: f"{token}\n"), ("signature is not canonical",)),
    HostileApproval("a letter that is none of base64", _part(0, lambda part: f"{part}é"), ("header is not canonical",)),
    HostileApproval("a claim twice", _raw_claims(lambda text: text.replace('"aud":', '"aud": "staging", "aud":')), ("one key twice",)),
    HostileApproval("alg twice", _raw_header(lambda text: text.replace('"alg":', '"alg": "none", "alg":')), ("one key twice",)),
    HostileApproval("claims as a list", _raw_claims(lambda text: f"[{text}]"), ("payload is", "expected an object")),
    HostileApproval("claims that are no JSON", _raw_claims(lambda text: text[:-1]), ("the payload is not JSON",)),
    HostileApproval("claims with a byte order mark", _raw_claims(lambda text: f"\ufeff{text}"), ("the payload is not JSON",)),
    HostileApproval("claims with something behind them", _raw_claims(lambda text: f"{text}{{}}"), ("the payload is not JSON",)),
    HostileApproval("endless", _text(lambda token: token + "A" * 5_000), ("allowed are",)),
    *_MISSING,
    *_TYPES,
    *_TEXTS,
    *_POINTERS,
)


def hostile_intent(row: HostileApproval, pair: Pair, intent: ApprovedIntent | None = None) -> ApprovedIntent:
    return row.make(pair, intent or make_intent())
