"""What a signed approval says, and whether it says it of this intent, for this environment, now."""

import re
from typing import Any, Final
from unicodedata import normalize

from msgspec import Struct

from enact.errors import ApprovalError
from enact.json_schema import found
from enact.records.intent import ApprovedIntent
from enact.strict_json import MAX_EXACT_INTEGER

TEXTS: Final = ("iss", "aud", "jti", "tenant_id", "approver", "requester", "intent_sha256")
TIMES: Final = ("iat", "nbf", "exp")
MAX_TEXT_LENGTH: Final = 256
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


class Claims(Struct, frozen=True, kw_only=True):
    """The claims of one approval. Times in epoch seconds; `exp` is the first second at which it is over."""

    iss: str
    aud: str
    jti: str
    tenant_id: str
    approver: str
    requester: str
    intent_sha256: str
    iat: int
    nbf: int
    exp: int


class Expectation(Struct, frozen=True, kw_only=True):
    """What this installation accepts: who may issue, for which environment, how far clocks may differ."""

    audience: str
    issuers: frozenset[str]
    leeway_s: int


def read_claims(payload: dict[str, Any]) -> Claims:
    """The claims of a payload; further ones say nothing here (RFC 7519, 4).

    Raises: ApprovalError naming the claim that is missing, of another type or empty.
    """
    for name in (*TEXTS, *TIMES):
        if name not in payload:
            raise ApprovalError(f"approval.jws: the claim {name} is missing: have the intent approved again with all claims.")
    for name in TEXTS:
        text = payload[name]
        if not isinstance(text, str) or not text.strip() or len(text) > MAX_TEXT_LENGTH:
            wanted = f"expected a text of 1 to {MAX_TEXT_LENGTH} characters"
            raise ApprovalError(f"approval.jws: the claim {name} is {found(text)}, {wanted}: have the intent approved again.")
    for name in TIMES:
        number = payload[name]
        if type(number) is not int or not 0 < number <= MAX_EXACT_INTEGER:
            kind = "a whole number outside of all times" if type(number) is int else found(number)
            raise ApprovalError(f"approval.jws: the claim {name} is {kind}, expected epoch seconds: have the intent approved again.")
    claims = Claims(**{name: payload[name] for name in (*TEXTS, *TIMES)})
    if not _DIGEST.fullmatch(claims.intent_sha256):
        raise ApprovalError("approval.jws: the claim intent_sha256 is no SHA-256 in 64 hex digits: have the intent approved again.")
    if claims.exp <= claims.nbf:
        raise ApprovalError("approval.jws: exp is not after nbf, so it never held: have the intent approved again.")
    return claims


def check_claims(claims: Claims, intent: ApprovedIntent, intent_sha256: str, expectation: Expectation) -> None:
    """They speak of this intent, here. Raises: ApprovalError naming the claim that does not fit."""
    if claims.iss not in expectation.issuers:
        raise ApprovalError("approval.jws: iss is not an issuer that is trusted here: ENACT_APPROVAL__ISSUERS lists them.")
    if claims.aud != expectation.audience:
        raise ApprovalError("approval.jws: aud is another environment than this one: have the intent approved for this environment.")
    if claims.tenant_id != intent.tenant_id:
        raise ApprovalError("approval.jws: tenant_id is another tenant than the intent's: have the intent approved for its tenant.")
    if claims.jti != intent.action_intent_id:
        raise ApprovalError(
            "approval.jws: jti is not the intent's action_intent_id: an approval is for one intent, have this one approved."
        )
    if claims.intent_sha256 != intent_sha256:
        raise ApprovalError("approval.jws: intent_sha256 is another digest than the intent's: what was approved was changed since.")
    if claims.approver != intent.approval.approved_by:
        raise ApprovalError("approval.jws: approver is not who approval.approved_by names: publish the intent as it was approved.")
    if _same_person(claims.approver, claims.requester):
        raise ApprovalError("approval.jws: approver and requester are the same: somebody else must approve what one asks for.")


def check_times(claims: Claims, now_ms: int, leeway_s: int) -> None:
    """The approval holds now. Raises: ApprovalError naming the claim, and by how much it is missed."""
    now_s = now_ms // 1000
    for name, at_s in (("iat", claims.iat), ("nbf", claims.nbf)):
        if at_s > now_s + leeway_s:
            raise ApprovalError(f"approval.jws: {name} lies {at_s - now_s} s ahead: it is not valid yet, publish the intent when it is.")
    if claims.exp + leeway_s <= now_s:
        raise ApprovalError(f"approval.jws: exp passed {now_s - claims.exp} s ago: have the intent approved again, under a new id.")


def _same_person(one: str, other: str) -> bool:
    """Names that a person would take for the same are the same."""
    return normalize("NFKC", one).strip().casefold() == normalize("NFKC", other).strip().casefold()
