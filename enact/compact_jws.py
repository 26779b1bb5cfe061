"""One compact JWS, read so strictly that no two readers could disagree about it: three parts, a closed header, canonical text.

RFC 7515 with the fully specified algorithm of RFC 9864. Nothing that the token says of itself chooses how it is verified: the
algorithm is fixed, the key comes from the local set, and a header that points to a key is refused whatever it holds.
"""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any, Final

from msgspec import Struct

from enact.errors import ApprovalError, ErrorCode
from enact.json_schema import found
from enact.strict_json import DoubledKeys, FlawError, check_tree, parse_tree, shown_name

ALGORITHM: Final = "Ed25519"
TYPE: Final = "enact-approval+jwt"
HEADER_NAMES: Final = frozenset({"alg", "typ", "kid"})
MAX_TOKEN_LENGTH: Final = 4_096
KEY_ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_SIGNATURE_BYTES: Final = 64
_PARTS: Final = 3
_AGAIN: Final = "have the intent approved again with a tool that writes it right."
_CODE: Final = ErrorCode.APPROVAL_INVALID


class CompactJws(Struct, frozen=True):
    """A token of the right form. Nothing of it is proven: `kid` says which key has to verify `token`."""

    token: str
    kid: str
    payload: dict[str, Any]


def read_compact(token: str) -> CompactJws:
    """The parts of a token. Costs no signature check.

    Raises: ApprovalError naming the part that is not as it must be; values are not repeated.
    """
    if token.startswith("{"):
        raise ApprovalError(f"approval.jws is JSON, expected the compact form with one signature: {_AGAIN}")
    if len(token) > MAX_TOKEN_LENGTH:
        raise ApprovalError(f"approval.jws has {len(token)} characters, allowed are {MAX_TOKEN_LENGTH}: {_AGAIN}")
    parts = token.split(".")
    if len(parts) != _PARTS:
        raise ApprovalError(f"approval.jws has {len(parts)} parts between dots, expected {_PARTS}: {_AGAIN}")
    header = _object(_decoded(parts[0], "header"), "header")
    kid = _checked_header(header)
    payload = _object(_decoded(parts[1], "payload"), "payload")
    signature = _decoded(parts[2], "signature")
    if len(signature) != _SIGNATURE_BYTES:
        raise ApprovalError(f"approval.jws: the signature has {len(signature)} bytes, expected {_SIGNATURE_BYTES}: {_AGAIN}")
    return CompactJws(token, kid, payload)


def base64url(data: bytes) -> str:
    """The one base64url text of some bytes: no padding, no whitespace."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def from_base64url(text: str) -> bytes | None:
    """The bytes of a text that is exactly what `base64url` writes; None for every other text."""
    try:
        data = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:  # no ASCII, or a length that no bytes have
        return None
    # Python's decoder passes over foreign characters and spare bits: only what comes out unchanged had neither.
    return data if base64url(data) == text else None


def _decoded(part: str, name: str) -> bytes:
    data = from_base64url(part)
    if data is None:
        raise ApprovalError(f"approval.jws: the {name} is not canonical base64url without padding: {_AGAIN}")
    return data


def _object(data: bytes, name: str) -> dict[str, Any]:
    try:
        tree = parse_tree(data, _CODE)
        check_tree(tree, _CODE)
    except FlawError as flaw:
        raise ApprovalError(flaw.error(f"approval.jws: the {name}").message) from None
    if not isinstance(tree, dict) or isinstance(tree, DoubledKeys):
        raise ApprovalError(f"approval.jws: the {name} is {found(tree)}, expected an object: {_AGAIN}")
    return tree


def _checked_header(header: dict[str, Any]) -> str:
    """The key's id. Raises: ApprovalError."""
    for name, wanted in (("alg", ALGORITHM), ("typ", TYPE)):
        if name not in header:
            raise ApprovalError(f"approval.jws: the header's {name} is missing, expected {wanted}: {_AGAIN}")
        if header[name] != wanted:
            raise ApprovalError(f"approval.jws: the header's {name} is not {wanted}, and nothing else is accepted: {_AGAIN}")
    if spare := sorted(header.keys() - HEADER_NAMES):
        names = ", ".join(map(shown_name, spare))
        raise ApprovalError(f"approval.jws: the header holds {names}; only alg, typ and kid may stand there: {_AGAIN}")
    kid = header.get("kid")
    if not isinstance(kid, str) or not KEY_ID.fullmatch(kid):
        raise ApprovalError(f"approval.jws: the header's kid is missing or no key id, which has 1 to 128 of A-Z a-z 0-9 . _ : -: {_AGAIN}")
    return kid
