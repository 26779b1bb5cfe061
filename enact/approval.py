"""No call without approval: what the evidence must show, looked at by validation and again before the claim.

Development profile: the evidence fields must be present. The signature check of the production profile
is handed in as `check_signature`.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import Final

from enact.errors import ApprovalError
from enact.records.enums import ApprovalSource
from enact.records.intent import ApprovedIntent

SignatureCheck = Callable[[str, ApprovedIntent], None]
"""Verifies a compact JWS against an intent. Raises: ApprovalError."""

TEXT_FIELDS: Final = ("approved_by", "decision_id", "proposal_id")


class Evidence(StrEnum):
    """How far the approval of an accepted intent was proven."""

    FIELDS_PRESENT = "FIELDS_PRESENT"
    SIGNATURE_NOT_CHECKED = "SIGNATURE_NOT_CHECKED"
    SIGNATURE_CHECKED = "SIGNATURE_CHECKED"


def check_approval(intent: ApprovedIntent, check_signature: SignatureCheck | None = None) -> Evidence:
    """Accept the approval evidence and say how far it goes.

    Without `check_signature` a given signature proves nothing and is reported as not checked.

    Raises: ApprovalError naming the field that is empty, unknown or does not fit.
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
    if approval.jws is None:
        return Evidence.FIELDS_PRESENT
    if check_signature is None:
        return Evidence.SIGNATURE_NOT_CHECKED
    check_signature(approval.jws, intent)
    return Evidence.SIGNATURE_CHECKED
