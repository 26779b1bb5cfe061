import pytest

from enact.approval import ApprovalRules, check_fields
from enact.errors import ApprovalError, ErrorCode
from enact.ids import intent_sha256
from enact.records.enums import ApprovalEvidence, ApprovalSource
from enact.records.intent import ApprovedIntent
from tests.factories import NOW_MS, make_approval, make_intent

DEVELOPMENT = ApprovalRules()


def refuse(token: str, intent: ApprovedIntent, digest: str, now_ms: int | None) -> None:
    raise ApprovalError("approval.jws does not fit this intent.")


def judged(rules: ApprovalRules, intent: ApprovedIntent) -> ApprovalEvidence:
    return rules.check(intent, intent_sha256(intent), now_ms=NOW_MS)


@pytest.mark.parametrize("source", [ApprovalSource.HUMAN, ApprovalSource.POLICY])
def test_present_evidence_is_accepted_and_said_to_be_no_more_than_present(source: ApprovalSource) -> None:
    assert judged(DEVELOPMENT, make_intent(approval=make_approval(source=source))) is ApprovalEvidence.FIELDS_PRESENT


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
        check_fields(intent)

    assert raised.value.code is ErrorCode.APPROVAL_INVALID
    assert raised.value.message.startswith(field)


def test_missing_evidence_is_refused_also_beside_a_signature() -> None:
    intent = make_intent(approval=make_approval(approved_by="", jws="a.b.c"))

    with pytest.raises(ApprovalError, match="approved_by"):
        judged(ApprovalRules(lambda *told: None), intent)


def test_a_signature_that_nobody_checked_proves_nothing() -> None:
    assert judged(DEVELOPMENT, make_intent(approval=make_approval(jws="a.b.c"))) is ApprovalEvidence.SIGNATURE_NOT_CHECKED


def test_a_given_signature_is_checked_against_this_intent_its_digest_and_the_time() -> None:
    intent = make_intent(approval=make_approval(jws="a.b.c"))
    seen: list[tuple[object, ...]] = []

    evidence = judged(ApprovalRules(lambda *told: seen.append(told)), intent)

    assert evidence is ApprovalEvidence.SIGNATURE_CHECKED
    assert seen == [("a.b.c", intent, intent_sha256(intent), NOW_MS)]


def test_a_bad_signature_is_refused() -> None:
    with pytest.raises(ApprovalError, match="does not fit"):
        judged(ApprovalRules(refuse), make_intent(approval=make_approval(jws="a.b.c")))


def test_the_check_is_not_asked_about_a_signature_that_is_not_there() -> None:
    assert judged(ApprovalRules(refuse), make_intent()) is ApprovalEvidence.FIELDS_PRESENT


def test_a_signature_that_is_required_and_missing_is_refused() -> None:
    with pytest.raises(ApprovalError, match=r"approval\.jws is missing"):
        judged(ApprovalRules(refuse, is_signature_required=True), make_intent(approval=make_approval()))


def test_an_empty_signature_is_a_signature_and_is_checked() -> None:
    with pytest.raises(ApprovalError, match="does not fit"):
        judged(ApprovalRules(refuse, is_signature_required=True), make_intent(approval=make_approval(jws="")))
