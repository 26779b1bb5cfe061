import pytest

from enact.approval import Evidence, check_approval
from enact.errors import ApprovalError, ErrorCode
from enact.records.enums import ApprovalSource
from enact.records.intent import ApprovedIntent
from tests.factories import make_approval, make_intent


@pytest.mark.parametrize("source", [ApprovalSource.HUMAN, ApprovalSource.POLICY])
def test_present_evidence_is_accepted_and_said_to_be_no_more_than_present(source: ApprovalSource) -> None:
    assert check_approval(make_intent(approval=make_approval(source=source))) is Evidence.FIELDS_PRESENT


@pytest.mark.parametrize(
    ("flaw", "field"),
    [
        ({"source": ApprovalSource.UNKNOWN}, "approval.source"),
        ({"approved_by": ""}, "approval.approved_by"),
        ({"approved_by": "  "}, "approval.approved_by"),
        ({"decision_id": ""}, "approval.decision_id"),
        ({"proposal_id": ""}, "approval.proposal_id"),
        ({"approved_at": 0}, "approval.approved_at"),
        ({"approved_at": -5}, "approval.approved_at"),
    ],
)
def test_missing_evidence_is_refused_and_named(flaw: dict[str, object], field: str) -> None:
    intent = make_intent(approval=make_approval(**flaw))

    with pytest.raises(ApprovalError) as raised:
        check_approval(intent)

    assert raised.value.code is ErrorCode.APPROVAL_INVALID
    assert raised.value.message.startswith(field)


def test_a_signature_that_nobody_checked_proves_nothing() -> None:
    assert check_approval(make_intent(approval=make_approval(jws="a.b.c"))) is Evidence.SIGNATURE_NOT_CHECKED


def test_a_given_signature_is_checked_against_this_intent() -> None:
    intent = make_intent(approval=make_approval(jws="a.b.c"))
    seen: list[tuple[str, ApprovedIntent]] = []

    evidence = check_approval(intent, lambda jws, checked: seen.append((jws, checked)))

    assert evidence is Evidence.SIGNATURE_CHECKED
    assert seen == [("a.b.c", intent)]


def test_a_bad_signature_is_refused() -> None:
    def refuse(jws: str, intent: ApprovedIntent) -> None:
        raise ApprovalError("approval.jws does not fit this intent.")

    with pytest.raises(ApprovalError, match="does not fit"):
        check_approval(make_intent(approval=make_approval(jws="a.b.c")), refuse)


def test_the_check_is_not_asked_about_a_signature_that_is_not_there() -> None:
    def fail(jws: str, intent: ApprovedIntent) -> None:
        raise AssertionError

    assert check_approval(make_intent(), fail) is Evidence.FIELDS_PRESENT
