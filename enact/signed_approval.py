"""The signature check of an approval: form, key, signature, claims, time; in this order, each refused in its own words.

A signature is verified once for a token and a key; whose it is, what it says and whether it holds now is looked at every time.
Decision and rejected alternatives: docs/decisions/0012-approval-evidence.md.
"""

from functools import lru_cache
from typing import Final

from joserfc import jws
from joserfc.errors import JoseError

from enact.approval_claims import Claims, Expectation, check_claims, check_times, read_claims
from enact.approval_keys import ApprovalKey, KeyFile
from enact.compact_jws import ALGORITHM, read_compact
from enact.errors import ApprovalError
from enact.records.intent import ApprovedIntent

REMEMBERED_TOKENS: Final = 1_024
"""Twice the calls that are in flight by default; some 3 kB each."""


class SignatureVerifier:
    """Verifies compact JWS against the keys of a file. One thread.

    What is remembered is that a key verified a token, and what the token says: never a verdict about an intent or a time.
    A new file makes new keys, so nothing that an earlier file verified is remembered then.
    """

    def __init__(self, keys: KeyFile, expectation: Expectation) -> None:
        self._keys, self._expectation = keys, expectation
        self._read = lru_cache(REMEMBERED_TOKENS)(read_compact)
        self._verified = lru_cache(REMEMBERED_TOKENS)(self._verify)

    def check(self, token: str, intent: ApprovedIntent, intent_sha256: str, now_ms: int | None) -> None:
        """Accept a token as the approval of this intent. `now_ms` None = whenever it holds: for undoing what it allowed.

        Raises: ApprovalError that names what does not fit.
        """
        key = self._keys.keys().get(self._read(token).kid)
        if key is None:
            raise ApprovalError("approval.jws: its kid is no key that is trusted here: ENACT_APPROVAL__KEYS_FILE names the file of keys.")
        claims = self._verified(token, key)
        if key.issuer is not None and claims.iss != key.issuer:
            raise ApprovalError("approval.jws: iss is not the issuer whose key signed it: have the intent approved again.")
        check_claims(claims, intent, intent_sha256, self._expectation)
        if now_ms is not None:
            check_times(claims, now_ms, self._expectation.leeway_s)

    def _verify(self, token: str, key: ApprovalKey) -> Claims:
        """Raises: ApprovalError; that is not remembered."""
        try:
            jws.deserialize_compact(token, key.jwk, algorithms=[ALGORITHM])
        except (JoseError, ValueError):
            what = "the signature does not fit: what was signed was changed, or another key signed it"
            raise ApprovalError(f"approval.jws: {what}. Have the intent approved again.") from None
        return read_claims(self._read(token).payload)
