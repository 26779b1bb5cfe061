"""What a process demands of an approval, by its profile: settings in, rules out.

Decision and rejected alternatives: docs/decisions/0012-approval-evidence.md.
"""

from enact.approval import ApprovalRules
from enact.approval_claims import Expectation
from enact.clock import Clock
from enact.errors import ConfigurationError
from enact.metrics import Metrics
from enact.settings import WHERE, ApprovalSettings, KernelSettings, Profile, variable_of


def approval_rules(settings: KernelSettings, clock: Clock, metrics: Metrics) -> ApprovalRules:
    """What this process demands of an approval, by its profile.

    Raises: ConfigurationError naming every variable that is missing, or the key set's file and what is wrong with it.
    """
    expectation = expectation_of(settings.profile, settings.approval)
    if expectation is None or settings.approval.keys_file is None:
        return ApprovalRules()
    # Nine megabytes of cryptography, which only a process that checks signatures needs.
    from enact.approval_keys import KeyFile  # noqa: PLC0415
    from enact.signed_approval import SignatureVerifier  # noqa: PLC0415

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
