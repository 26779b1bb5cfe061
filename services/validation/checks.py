"""What an intent must meet to be admitted: one list of checks in a fixed order; the first that fails gives the refusal."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from msgspec import Struct

from enact import ids
from enact.approval import ApprovalRules
from enact.errors import ErrorCode, PermanentError, ValidationError
from enact.intent_text import WrittenIntent, written
from enact.json_schema import check_value, found
from enact.records.action_type import ActionType
from enact.records.enums import ApprovalEvidence
from enact.records.intent import ApprovedIntent
from enact.registry import RegistryView
from enact.switch_view import Engagement, rejection_of, scopes_of

DAY_S: Final = 86_400
APPROVED: Final = "APPROVED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Numbers of the cluster. Times in seconds; `dedupe_horizon_s` is D."""

    dedupe_horizon_s: int = 30 * DAY_S
    input_retention_s: int = 7 * DAY_S
    segment_s: int = DAY_S
    max_intent_bytes: int = 262_144

    @property
    def max_lifetime_s(self) -> int:
        """How far a deadline may lie ahead, so that the memory of an intent outlives every copy of it."""
        return self.dedupe_horizon_s - self.input_retention_s - self.segment_s - DAY_S


Rejecting = Callable[[tuple[str, ...]], Engagement | None]
"""An engaged switch in mode REJECT of one of these scopes, if there is one."""


class Candidate(Struct, kw_only=True):
    """An intent and everything it is judged by.

    `known` spares decoding its parameters again, `intent_sha256` hashing it again, `picked` looking the entry up again.
    `evidence` says how far the approval was proven, once that has been checked.
    """

    intent: ApprovedIntent
    registry: RegistryView
    now_ms: int
    limits: Limits
    known: WrittenIntent | None = None
    intent_sha256: str | None = None
    approvals: ApprovalRules = ApprovalRules()
    picked: ActionType | None = None
    evidence: ApprovalEvidence | None = None
    rejected_by: Rejecting | None = None

    @property
    def now_s(self) -> int:
        """Epoch seconds, rounded down."""
        return self.now_ms // 1000

    def digest(self) -> str:
        """Of the intent. Raises: as `ids.intent_sha256`."""
        return self.intent_sha256 or ids.intent_sha256(self.intent)

    def entry(self) -> ActionType:
        """The registry version this intent gets. Raises: as `RegistryView.pick`."""
        if self.picked is None:
            self.picked = self.registry.pick(self.intent.action_type, self.intent.registry_version, self.now_s)
        return self.picked


Check = Callable[[Candidate], None]
"""Raises PermanentError with the refusal's code and sentence."""


def required_fields(candidate: Candidate) -> None:
    """Every required field says something. Raises: ValidationError FIELD_MISSING naming all that do not."""
    intent = candidate.intent
    missing = [
        f"{name} is {found(value)} and no id, which has {ids.ID_WORDS}"
        for name, value in (("account_id", intent.account_id), ("action_type", intent.action_type))
        if not ids.is_id(value)
    ]
    for name, text in (
        ("target.entity_type", intent.target.entity_type),
        ("target.entity_id", intent.target.entity_id),
        ("status", intent.status),
        ("parameters", intent.parameters),
    ):
        if not text or text.isspace():
            missing.append(f"{name} is empty")
    if intent.expires_at_epoch <= 0:
        missing.append("expires_at_epoch is zero or less and no time in epoch seconds")
    if missing:
        raise ValidationError(f"{'; '.join(missing)}: fill it in and publish under a new id.", code=ErrorCode.FIELD_MISSING)


def approval_evidence(candidate: Candidate) -> None:
    """Somebody approved it, as far as the profile wants it proven. Raises: ApprovalError."""
    candidate.evidence = candidate.approvals.check(candidate.intent, candidate.digest(), now_ms=candidate.now_ms)


def approved_status(candidate: Candidate) -> None:
    """The status is APPROVED. Raises: ValidationError NOT_APPROVED."""
    if candidate.intent.status != APPROVED:
        raise ValidationError(
            f"status is {found(candidate.intent.status)}, expected {APPROVED}: have the intent approved and publish it under a new id.",
            code=ErrorCode.NOT_APPROVED,
        )


def known_action_type(candidate: Candidate) -> None:
    """The registry knows the action type and the version. Raises: as `RegistryView.pick`."""
    candidate.entry()


def valid_parameters(candidate: Candidate) -> None:
    """Parameters fit the entry's schema, policy limits are limits.

    Raises: ValidationError PARAMETERS_INVALID or NUMBER_NOT_EXACT.
    """
    parameters = (candidate.known or written(candidate.intent)).parameters
    check_value(parameters, candidate.entry().parameters_schema, root="parameters", code=ErrorCode.PARAMETERS_INVALID)
    policy = candidate.intent.execution_policy
    if policy is None:
        return
    for name in ("max_attempts", "timeout_seconds"):
        limit = getattr(policy, name)
        if limit is not None and limit < 1:
            raise ValidationError(f"execution_policy.{name} is below 1: leave it out or give at least 1.")


def not_expired(candidate: Candidate) -> None:
    """The deadline lies ahead; at the deadline itself it is too late. Raises: ValidationError DEADLINE_PASSED."""
    if candidate.intent.expires_at_epoch <= candidate.now_s:
        late_s = candidate.now_s - candidate.intent.expires_at_epoch
        raise ValidationError(
            f"expires_at_epoch passed {late_s} s before the intent was looked at: publish a new intent if it is still wanted.",
            code=ErrorCode.DEADLINE_PASSED,
        )


def within_horizon(candidate: Candidate) -> None:
    """The intent ends before its memory does. Raises: ValidationError DEADLINE_TOO_FAR."""
    latest = candidate.now_s + candidate.limits.max_lifetime_s
    if candidate.intent.expires_at_epoch > latest:
        raise ValidationError(
            f"expires_at_epoch lies {candidate.intent.expires_at_epoch - latest} s beyond the furthest deadline, which is "
            f"{candidate.limits.max_lifetime_s} s from now: give an earlier one.",
            code=ErrorCode.DEADLINE_TOO_FAR,
        )


def not_rejected_by_a_switch(candidate: Candidate) -> None:
    """No switch in mode REJECT stops this. Raises: ValidationError KILL_SWITCH_ENABLED.

    A switch that holds is none of validation's business, nor is the last word on one that rejects: the gate has it.
    """
    if candidate.rejected_by is None:
        return
    intent = candidate.intent
    engaged = candidate.rejected_by(scopes_of(intent.tenant_id, intent.action_type, candidate.entry().connector))
    if engaged is not None:
        raise ValidationError(rejection_of(engaged), code=ErrorCode.KILL_SWITCH_ENABLED)


CHECKS: tuple[Check, ...] = (
    required_fields,
    approval_evidence,
    approved_status,
    known_action_type,
    valid_parameters,
    not_expired,
    not_rejected_by_a_switch,
    within_horizon,
)


def first_failure(candidate: Candidate, checks: tuple[Check, ...] = CHECKS) -> PermanentError | None:
    """The reason to refuse, or None: admit."""
    for check in checks:
        try:
            check(candidate)
        except PermanentError as error:
            return error
    return None
