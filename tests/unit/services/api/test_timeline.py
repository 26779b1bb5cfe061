"""From decision to outcome in plain words: the story, each try, and the noise that may be folded away."""

from typing import Any

from msgspec.structs import replace

from enact.records import LedgerType, Status, Step
from tests.unit.services.api.ledger_entries import (
    ACCOUNT,
    INTENT,
    START_MS,
    claimed,
    clean_success,
    concluded,
    entry,
    failed,
    rejected,
    started,
)
from tests.unit.services.api.running_api import TIMELINE, Api


def story(phase: dict[str, Any]) -> list[str]:
    """What a page shows at first."""
    return [step["text"] for step in phase["steps"] if not step["is_noise"]]


async def test_the_timeline_walks_from_decision_to_outcome_and_folds_retries(api: Api) -> None:
    api.hold(
        [
            started(),
            claimed(1, version=2),
            concluded("NOT_APPLIED", 1, version=3),
            entry(LedgerType.RETRY_SCHEDULED, version=3, status=Status.RETRYING, step=Step.EXECUTE),
            claimed(2, version=4),
            concluded("NOT_APPLIED", 2, version=5),
            claimed(3, version=6),
            concluded("RELEASED", 3, version=7),
            claimed(4, version=8),
            failed(version=9, error=rejected()),
        ]
    )

    code, body = await api.get(f"/executions/{INTENT}/timeline", account_id=ACCOUNT)

    assert code == 200
    assert [phase["phase"] for phase in body["phases"]] == ["decision", "approval", "execution", "outcome"]
    decision, approval, execution, outcome = body["phases"]
    assert (decision["proposal_id"], decision["decision_id"]) == ("prop-1", "dec-1")
    assert (approval["text"], approval["at"]) == ("Approved by anna.", "2026-09-21T13:56:40.000Z")
    assert story(execution) == ["Accepted.", "Tried 3 times."]
    assert outcome["text"] == "This could not be done. Your system refused the request, so nothing was done."
    for internal in ("enact.executions", "offset", "nonce", "10.0.0.7"):
        assert internal not in str(body)


async def test_the_timeline_tells_of_doubt_holds_and_what_a_person_found(api: Api) -> None:
    api.hold(
        [
            started(),
            entry(LedgerType.EXECUTION_HELD, version=1, status=Status.HELD, step=Step.EXECUTE),
            claimed(1, version=2),
            entry(LedgerType.DOUBT_RAISED, version=3, status=Status.IN_DOUBT, step=Step.EXECUTE, attempt=1),
            entry(LedgerType.CANCEL_REFUSED, version=4, step=Step.EXECUTE),
            entry(LedgerType.DOUBT_RESOLVED, version=5, step=Step.EXECUTE, attempt=1, details={"effect": "NOT_APPLIED"}),
        ]
    )

    _, body = await api.get(f"/executions/{INTENT}/timeline", account_id=ACCOUNT)

    assert story(body["phases"][2]) == [
        "Accepted.",
        "It was on hold for a while.",
        "Tried once.",
        "The other system's answer was lost, so we do not know whether it was done.",
        "Cancelling was asked for, but could not be accepted any more.",
        "We found out that it was not done.",
    ]
    assert "operator" in body["phases"][3]["next_step"]


async def test_a_refused_intent_says_why_and_that_nothing_was_sent(api: Api) -> None:
    refusal = replace(rejected("amount is a string, not a number."), code="PARAMETERS_INVALID")
    details = {"approval_source": "POLICY", "approved_by": "small-amounts"}
    api.hold([entry(LedgerType.INTENT_REFUSED, error=refusal, details=details), failed(version=2, error=refusal)])

    _, body = await api.get(f"/executions/{INTENT}/timeline", account_id=ACCOUNT)

    assert body["phases"][1]["text"] == "Allowed by the rule small-amounts."
    assert body["phases"][2]["text"] == "Nothing has been sent to another system."
    assert body["phases"][2]["steps"][0]["text"] == "The request was not complete or not correct, so nothing was done."


async def test_a_refused_intent_whose_approval_could_not_be_read_claims_none(api: Api) -> None:
    api.hold([entry(LedgerType.INTENT_REFUSED, error=rejected()), failed(version=2, error=rejected())])

    _, body = await api.get(f"/executions/{INTENT}/timeline", account_id=ACCOUNT)

    assert body["phases"][1]["text"] == "No usable approval is on record."


async def test_each_try_is_told_with_its_cause_and_marked_as_noise(api: Api) -> None:
    api.hold(
        [
            started(),
            claimed(1, version=2, at_ms=START_MS + 5),
            concluded("NOT_APPLIED", 1, version=3, at_ms=START_MS + 9, details={"effect": "NOT_APPLIED", "code": "UNREACHABLE"}),
            entry(
                LedgerType.RETRY_SCHEDULED,
                version=3,
                status=Status.RETRYING,
                step=Step.EXECUTE,
                details={"not_before_ms": str(START_MS + 1_000)},
            ),
            claimed(2, version=4),
            concluded("RELEASED", 2, version=5),
            claimed(3, version=6),
            concluded("UNKNOWN", 3, version=7, details={"effect": "UNKNOWN", "code": "ANSWER_LOST"}),
            claimed(4, version=8),
        ]
    )

    _, body = await api.get(TIMELINE, account_id=ACCOUNT)

    execution = body["phases"][2]
    noise = [step["text"] for step in execution["steps"] if step["is_noise"]]
    assert noise[0] == "Try 1 began."
    assert noise[1].startswith("Try 1: It did not work; nothing was done. Your system could not be reached")
    assert noise[2] == "It is tried again, not before 2026-09-21T14:13:21.000Z."
    assert noise[4] == "Try 2: It was not sent after all."
    assert [(one["number"], one["effect"], one["is_given_back"], one["error_code"]) for one in execution["attempts"]] == [
        (1, "NOT_APPLIED", False, "UNREACHABLE"),
        (2, "RELEASED", True, None),
        (3, "UNKNOWN", False, "ANSWER_LOST"),
        (4, None, False, None),
    ]
    assert (execution["attempts"][0]["started_at"], execution["attempts"][0]["ended_at"]) == (
        "2026-09-21T14:13:20.005Z",
        "2026-09-21T14:13:20.009Z",
    )
    assert "has not been recorded yet" in execution["attempts"][3]["text"]


async def test_a_hold_says_why_and_a_persons_reason_is_kept(api: Api) -> None:
    api.hold(
        [
            started(),
            entry(LedgerType.EXECUTION_HELD, version=1, status=Status.HELD, details={"reason": "SWITCH", "detail": "global"}),
            entry(LedgerType.CANCEL_ACCEPTED, version=2, details={"reason": "ordered twice", "command_id": "c-1"}),
        ]
    )

    _, body = await api.get(TIMELINE, account_id=ACCOUNT)

    causes = {step["text"]: step["cause"] for step in body["phases"][2]["steps"]}
    assert causes["It is on hold."] == "Actions of this kind are stopped by a switch at present."
    assert causes["Cancelling was asked for and accepted."] == "ordered twice"
    assert "global" not in str(body)


async def test_undoing_has_tries_of_its_own(api: Api) -> None:
    api.hold(
        [
            *clean_success(),
            entry(LedgerType.COMPENSATION_REQUESTED, version=6, step=Step.COMPENSATE),
            claimed(1, version=7, step=Step.COMPENSATE, status=None),
            concluded("APPLIED", 1, version=8, step=Step.COMPENSATE),
            entry(LedgerType.COMPENSATION_COMPLETED, version=8, step=Step.COMPENSATE),
        ]
    )

    _, body = await api.get(TIMELINE, account_id=ACCOUNT)

    assert [(one["step"], one["number"], one["effect"]) for one in body["phases"][2]["attempts"]] == [
        ("execute", 1, "APPLIED"),
        ("compensate", 1, "APPLIED"),
    ]
    assert story(body["phases"][2])[-2:] == ["It was asked to undo this.", "It was undone."]
    assert body["phases"][3]["undone"] == "It was undone."


async def test_an_entry_whose_other_texts_are_damaged_hides_nothing_else(api: Api) -> None:
    api.hold(clean_success(), damage=lambda value: value.replace(b"enact.executions.v1", b"enact.\xff\xfeecutions.v1", 1), only=1)

    code, body = await api.get(f"/executions/{INTENT}/ledger", account_id=ACCOUNT)

    assert code == 200
    assert len(body["entries"]) == 4


async def test_a_retry_that_its_deadline_comes_before_is_told_as_what_it_is(api: Api) -> None:
    due = {"not_before_ms": str(START_MS + 1_000), "reason": "DEADLINE_FIRST"}
    again = entry(LedgerType.RETRY_SCHEDULED, version=3, status=Status.RETRYING, step=Step.EXECUTE, details=due)
    api.hold([started(), claimed(1, version=2), concluded("NOT_APPLIED", 1, version=3), again])

    _, body = await api.get(TIMELINE, account_id=ACCOUNT)

    (told,) = [step for step in body["phases"][2]["steps"] if "deadline comes first" in step["text"]]
    assert told["is_noise"] is False
