from typing import Any

import pytest

from enact.errors import ErrorCode, PermanentError, ValidationError
from enact.records.enums import ApprovalSource, SwitchMode
from enact.records.intent import ApprovedIntent, ExecutionPolicy, Target
from enact.switch_view import Engagement, scopes_of
from services.validation.checks import CHECKS, Candidate, Limits, first_failure
from tests.factories import NOW_MS, NOW_S, make_action_type, make_approval, make_intent, make_registry

DAY_S = 86_400
FURTHEST_S = 21 * DAY_S


def judged(intent: ApprovedIntent, *, now_ms: int = NOW_MS) -> PermanentError | None:
    return first_failure(Candidate(intent=intent, registry=make_registry(), now_ms=now_ms, limits=Limits()))


def test_a_valid_intent_passes_every_check() -> None:
    assert judged(make_intent()) is None


@pytest.mark.parametrize(
    ("flaw", "code", "words"),
    [
        ({"account_id": ""}, ErrorCode.FIELD_MISSING, "account_id is a string of 0 characters and no id"),
        ({"account_id": "two words"}, ErrorCode.FIELD_MISSING, "account_id is a string of 9 characters and no id"),
        ({"action_type": ""}, ErrorCode.FIELD_MISSING, "action_type is a string of 0 characters and no id"),
        ({"status": ""}, ErrorCode.FIELD_MISSING, "status is empty"),
        ({"parameters": ""}, ErrorCode.FIELD_MISSING, "parameters is empty"),
        ({"expires_at_epoch": 0}, ErrorCode.FIELD_MISSING, "expires_at_epoch is zero or less"),
        ({"target": Target(entity_type="", entity_id="1")}, ErrorCode.FIELD_MISSING, "target.entity_type is empty"),
        ({"target": Target(entity_type="A", entity_id=" ")}, ErrorCode.FIELD_MISSING, "target.entity_id is empty"),
        ({"approval": make_approval(approved_by="")}, ErrorCode.APPROVAL_INVALID, "approval.approved_by"),
        ({"approval": make_approval(source=ApprovalSource.UNKNOWN)}, ErrorCode.APPROVAL_INVALID, "approval.source"),
        ({"action_type": "NO_SUCH_TYPE"}, ErrorCode.UNKNOWN_ACTION_TYPE, "not in the registry"),
        ({"registry_version": 9}, ErrorCode.UNKNOWN_VERSION, "registry_version 9"),
        ({"parameters": "{}"}, ErrorCode.PARAMETERS_INVALID, "parameters.subject is required"),
        ({"parameters": '{"subject":"x","colour":1}'}, ErrorCode.PARAMETERS_INVALID, "unknown fields: colour"),
        ({"parameters": "[]"}, ErrorCode.PARAMETERS_INVALID, "expected an object"),
        ({"parameters": '{"subject":9007199254740993}'}, ErrorCode.NUMBER_NOT_EXACT, "2^53"),
        ({"execution_policy": ExecutionPolicy(max_attempts=0)}, ErrorCode.PARAMETERS_INVALID, "execution_policy.max_attempts"),
        ({"execution_policy": ExecutionPolicy(timeout_seconds=-1)}, ErrorCode.PARAMETERS_INVALID, "execution_policy.timeout_seconds"),
        ({"expires_at_epoch": NOW_S}, ErrorCode.DEADLINE_PASSED, "expires_at_epoch passed 0 s"),
        ({"expires_at_epoch": NOW_S + FURTHEST_S + 1}, ErrorCode.DEADLINE_TOO_FAR, "lies 1 s beyond"),
    ],
)
def test_each_flaw_is_refused_with_its_code_and_names_the_field(flaw: dict[str, Any], code: ErrorCode, words: str) -> None:
    failure = judged(make_intent(**flaw))

    assert failure is not None
    assert failure.code is code
    assert words in failure.message


@pytest.mark.parametrize("status", ["PENDING", "REJECTED", "EXPIRED", "CANCELLED", "approved", "APPROVED "])
def test_every_status_but_approved_is_refused(status: str) -> None:
    failure = judged(make_intent(status=status))

    assert failure is not None
    assert failure.code is ErrorCode.NOT_APPROVED
    assert "REJECTED" not in failure.message


@pytest.mark.parametrize(("offset_ms", "is_expired"), [(-1_000, False), (-1, False), (0, True), (1_000, True)])
def test_the_deadline_itself_is_too_late(offset_ms: int, is_expired: bool) -> None:
    intent = make_intent(expires_at_epoch=NOW_S)

    failure = judged(intent, now_ms=NOW_MS + offset_ms)

    assert (failure is not None and failure.code is ErrorCode.DEADLINE_PASSED) == is_expired


def test_the_furthest_deadline_is_21_days_by_default_and_is_itself_allowed() -> None:
    assert Limits().max_lifetime_s == FURTHEST_S
    assert judged(make_intent(expires_at_epoch=NOW_S + FURTHEST_S)) is None


def test_the_first_check_in_order_gives_the_reason() -> None:
    failure = judged(make_intent(status="REJECTED", approval=make_approval(approved_by=""), expires_at_epoch=1))

    assert failure is not None
    assert failure.code is ErrorCode.APPROVAL_INVALID


def test_a_switch_that_rejects_is_asked_between_deadline_and_horizon_about_every_scope_of_the_intent() -> None:
    asked: list[tuple[str, ...]] = []
    engaged = Engagement("tenant:acme", "e-1", SwitchMode.REJECT, "kim", "why", NOW_MS)

    def rejected_by(scopes: tuple[str, ...]) -> Engagement:
        asked.append(scopes)
        return engaged

    far = make_intent(expires_at_epoch=NOW_MS // 1000 + 10**8)
    late = make_intent(expires_at_epoch=1)
    failures = [
        first_failure(Candidate(intent=one, registry=make_registry(), now_ms=NOW_MS, limits=Limits(), rejected_by=rejected_by))
        for one in (far, late)
    ]

    assert [failure.code for failure in failures if failure] == [ErrorCode.KILL_SWITCH_ENABLED, ErrorCode.DEADLINE_PASSED]
    assert asked == [scopes_of("acme", "CREATE_CRM_TASK", "crm")]


def test_a_further_check_is_asked_like_the_others() -> None:
    def refuse(candidate: Candidate) -> None:
        raise ValidationError("Switched off.", code=ErrorCode.KILL_SWITCH_ENABLED)

    candidate = Candidate(intent=make_intent(), registry=make_registry(), now_ms=NOW_MS, limits=Limits())

    failure = first_failure(candidate, (*CHECKS, refuse))

    assert failure is not None
    assert failure.code is ErrorCode.KILL_SWITCH_ENABLED


def test_a_pinned_deprecated_version_is_admitted() -> None:
    registry = make_registry(make_action_type(deprecated_at=1))
    candidate = Candidate(intent=make_intent(registry_version=1), registry=registry, now_ms=NOW_MS, limits=Limits())

    assert first_failure(candidate) is None
