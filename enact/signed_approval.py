"""The signature check of an approval: form, key, signature, claims, time; in this order, each refused in its own words.

A signature is verified once for a token and a key; whose it is, what it says and whether it holds now is looked at every time.
Decision and rejected alternatives: docs/decisions/0012-approval-evidence.md.
"""

from functools import lru_cache
from typing import Final

from joserfc import jws
from joserfc.errors import JoseError

from enact.approval import ApprovalRules
from enact.approval_claims import Claims, Expectation, check_claims, check_times, read_claims
from enact.approval_keys import ApprovalKey, KeyFile
from enact.clock import Clock
from enact.compact_jws import ALGORITHM, read_compact
from enact.errors import ApprovalError, ConfigurationError
from enact.metrics import Metrics
from enact.records.intent import ApprovedIntent
from enact.settings import WHERE, ApprovalSettings, KernelSettings, Profile, variable_of

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


def approval_rules(settings: KernelSettings, clock: Clock, metrics: Metrics) -> ApprovalRules:
    """What this process demands of an approval, by its profile.

    Raises: ConfigurationError naming every variable that is missing, or the key set's file and what is wrong with it.
    """
    expectation = expectation_of(settings.profile, settings.approval)
    if expectation is None or settings.approval.keys_file is None:
        return ApprovalRules()
    verifier = SignatureVerifier(KeyFile(settings.approval.keys_file, clock, metrics), expectation)
    return ApprovalRules(verifier.check, is_signature_required=settings.profile is Profile.PRODUCTION)


def expectation_of(profile: Profile, given: ApprovalSettings) -> Expectation | None:
    """What these settings expect of a signature; None if none is checked.

    Raises: ConfigurationError naming every variable that is missing.
    """
    is_required = profile is Profile.PRODUCTION
    if given.keys_file is None and not is_required:
        return None
    values = {"keys_file": given.keys_file, "audience": given.audience, "issuers": given.issuers}
    missing = [variable_of(("approval", name)) for name, value in values.items() if not value]
    if missing or given.audience is None:
        because = (
            "in the production profile every approval is signed" if is_required else "a key set alone does not say whose approvals count"
        )
        raise ConfigurationError(f"Approval: {', '.join(missing)} {'is' if len(missing) == 1 else 'are'} not set; {because}. {WHERE}")
    return Expectation(audience=given.audience, issuers=frozenset(given.issuers), leeway_s=given.leeway_s)
