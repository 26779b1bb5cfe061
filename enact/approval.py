"""No call without approval: what the evidence must show, looked at by validation and again before the claim.

Development profile: the evidence fields must be present, and a signature that is given is checked where there are keys.
Production profile: a signature is required (`enact.signed_approval`).
"""

from collections.abc import Callable
from typing import Final

from msgspec import Struct

from enact.errors import ApprovalError
from enact.records.enums import ApprovalEvidence, ApprovalSource
from enact.records.intent import ApprovedIntent

SignatureCheck = Callable[[str, ApprovedIntent, str, int | None], None]
"""Verifies a compact JWS against an intent, its digest and the time in epoch ms (None = at any time). Raises: ApprovalError."""

TEXT_FIELDS: Final = ("approved_by", "decision_id", "proposal_id")


class ApprovalRules(Struct, frozen=True):
    """What one process demands. Without `check_signature` a given signature proves nothing, and is reported as not checked."""

    check_signature: SignatureCheck | None = None
    is_signature_required: bool = False

    def check(self, intent: ApprovedIntent, intent_sha256: str, *, now_ms: int | None) -> ApprovalEvidence:
        """Accept the approval of an intent and say how far it goes.

        `intent_sha256` is the digest of this very intent, never one that came along with it. With `now_ms` None the
        times of a signed approval are not looked at.

        Raises: ApprovalError naming what is empty, missing, unknown or does not fit.
        """
        check_fields(intent)
        token = intent.approval.jws
        if token is None:
            if self.is_signature_required:
                raise ApprovalError("approval.jws is missing: in the production profile an approval is signed; have the intent approved.")
            return ApprovalEvidence.FIELDS_PRESENT
        if self.check_signature is None:
            return ApprovalEvidence.SIGNATURE_NOT_CHECKED
        self.check_signature(token, intent, intent_sha256, now_ms)
        return ApprovalEvidence.SIGNATURE_CHECKED


def check_fields(intent: ApprovedIntent) -> None:
    """The approval says who decided, when, and on what.

    Raises: ApprovalError naming the field that is empty or unknown.
    """
    approval = intent.approval
    if approval.source not in {ApprovalSource.HUMAN, ApprovalSource.POLICY}:
        raise ApprovalError("approval.source is not a known source: expected HUMAN or POLICY; have the intent approved again.")
    for name in TEXT_FIELDS:
        if not getattr(approval, name).strip():
            raise ApprovalError(
                f"approval.{name} is empty: fill it in, an approval says who decided, by which decision and on which proposal."
            )
    if approval.approved_at <= 0:
        raise ApprovalError("approval.approved_at is not a time: give epoch seconds.")
