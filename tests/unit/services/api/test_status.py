"""The answer for one execution: every status, its words, and what is refused."""

import pytest
from msgspec.structs import replace

from enact.records import ErrorCategory, LedgerEntry, LedgerType, Status, Step
from services.api.follower import Freshness
from tests.unit.services.api.ledger_entries import (
    ACCOUNT,
    APPROVAL,
    INTENT,
    TENANT,
    claimed,
    clean_success,
    concluded,
    entry,
    executed,
    failed,
    rejected,
    started,
)
from tests.unit.services.api.running_api import LIST, NOW_MS, STATUS, TENANT_HEADER, TIMELINE, Api


async def test_status_has_the_fields_people_ask_for(api: Api) -> None:
    api.hold(clean_success())

    code, body = await api.get(STATUS, account_id=ACCOUNT)

    assert code == 200
    assert body["action_intent_id"] == INTENT
    assert body["execution_id"] == f"exec-{INTENT}"
    assert body["status"] == "SUCCEEDED"
    assert body["status_text"] == "Done."
    assert body["attempt_count"] == 1
    assert body["started_at"] == "2026-09-21T14:13:20.010Z"
    assert body["completed_at"] == "2026-09-21T14:13:20.030Z"
    assert body["external_object_refs"] == [
        {"system": "crm", "object_type": "Task", "object_id": "00T1", "object_url": "https://crm.example/00T1"}
    ]
    assert (body["error_message"], body["error_class"]) == (None, None)


async def test_the_alias_and_the_execution_id_give_the_same_answer(api: Api) -> None:
    api.hold(clean_success())

    canonical = await api.get(STATUS, account_id=ACCOUNT)

    assert await api.get(f"/actions/{INTENT}/status", account_id=ACCOUNT) == canonical
    assert await api.get(f"/executions/exec-{INTENT}/status", account_id=ACCOUNT) == canonical


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.UNKNOWN])
async def test_every_status_is_shown_with_words(api: Api, status: Status) -> None:
    api.hold([started(), entry(LedgerType.ATTEMPT_CONCLUDED, version=3, status=status)])

    code, body = await api.get(STATUS, account_id=ACCOUNT)

    assert (code, body["status"]) == (200, status.value)
    assert len(body["status_text"]) > 4


async def test_a_failure_gives_its_reason_without_the_other_systems_words(api: Api) -> None:
    api.hold([started(), claimed(version=2), failed(version=3, error=rejected())])

    _, body = await api.get(STATUS, account_id=ACCOUNT)

    assert (body["error_class"], body["error_code"], body["error_category"]) == ("VALIDATION", "TOOL_REJECTED", "TOOL_ERROR")
    assert body["error_message"] == "Your system refused the request, so nothing was done."
    assert "10.0.0.7" not in str(body)


@pytest.mark.parametrize(
    ("headers", "query", "word"),
    [
        ({}, {"account_id": ACCOUNT}, "x-tenant-id"),
        ({"x-tenant-id": "two words"}, {"account_id": ACCOUNT}, "x-tenant-id"),
        (TENANT_HEADER, {}, "account_id"),
        (TENANT_HEADER, {"account_id": ""}, "account_id"),
    ],
)
async def test_what_is_missing_is_named(api: Api, headers: dict[str, str], query: dict[str, str], word: str) -> None:
    code, body = await api.get(STATUS, headers=headers, **query)

    assert code == 400
    assert set(body) == {"error", "message", "path"}
    assert word in body["message"]
    assert body["path"] == STATUS


@pytest.mark.parametrize(
    "path", ["/executions/{id}/status", "/executions/{id}/timeline", "/executions/{id}/ledger", "/actions/{id}/status"]
)
@pytest.mark.parametrize(
    ("intent_id", "tenant", "account"),
    [("unknown", TENANT, ACCOUNT), (INTENT, "other", ACCOUNT), (INTENT, TENANT, "acct-2")],
)
async def test_what_is_not_yours_does_not_exist(api: Api, path: str, intent_id: str, tenant: str, account: str) -> None:
    api.hold(clean_success())

    code, body = await api.get(path.format(id=intent_id), headers={"x-tenant-id": tenant}, account_id=account)

    assert code == 404
    assert set(body) == {"error", "message", "path"}
    assert "SUCCEEDED" not in str(body)


async def test_an_unknown_id_is_not_denied_while_the_model_is_being_built(api: Api, freshness: list[Freshness]) -> None:
    freshness.append(Freshness(None))

    code, body = await api.get(STATUS, account_id=ACCOUNT)

    assert code == 503
    assert "Try again" in body["message"]


async def test_our_own_word_on_a_request_names_the_field_to_correct(api: Api) -> None:
    refusal = replace(rejected("parameters.amount is a string."), code="PARAMETERS_INVALID", category=ErrorCategory.VALIDATION_ERROR)
    api.hold([started(), failed(version=2, error=refusal)])

    _, body = await api.get(STATUS, account_id=ACCOUNT)

    assert body["error_message"].endswith("nothing was done. In detail: parameters.amount is a string.")


async def test_operators_see_every_entry_with_its_place(api: Api) -> None:
    api.hold(clean_success())

    _, body = await api.get(f"/executions/{INTENT}/ledger", account_id=ACCOUNT)

    assert [one["type"] for one in body["entries"]] == [
        "EXECUTION_STARTED",
        "TOOL_CALL_MAPPED",
        "ATTEMPT_CLAIMED",
        "ATTEMPT_CONCLUDED",
        "ACTION_EXECUTED",
    ]
    assert [one["ledger_offset"] for one in body["entries"]] == [0, 1, 2, 3, 4]
    assert body["entries"][2]["details"]["nonce"] == "n1"
    assert body["execution"]["status"] == "SUCCEEDED"


WAITING = [started()]
CALLING = [*WAITING, claimed(version=2)]
AGAIN = entry(LedgerType.RETRY_SCHEDULED, version=3, status=Status.RETRYING, step=Step.EXECUTE, attempt=1)
REDRIVEN = entry(LedgerType.REDRIVE_ACCEPTED, version=5, generation=2, status=Status.PENDING)
STORIES: list[tuple[str, list[LedgerEntry], str, int]] = [
    ("only the intent", WAITING, "PENDING", 0),
    ("an attempt", CALLING, "EXECUTING", 1),
    (
        "an attempt that is tried again",
        [*CALLING, concluded("NOT_APPLIED", version=3), AGAIN],
        "RETRYING",
        1,
    ),
    ("a stop before any attempt", [*WAITING, entry(LedgerType.EXECUTION_HELD, version=1, status=Status.HELD)], "HELD", 0),
    ("a lost answer", [*CALLING, entry(LedgerType.DOUBT_RAISED, version=3, status=Status.IN_DOUBT, attempt=1)], "IN_DOUBT", 1),
    ("an outcome over an attempt", [*CALLING, concluded("APPLIED", version=3), executed(version=3)], "SUCCEEDED", 1),
    ("a failure", [*CALLING, failed(version=3, error=rejected())], "FAILED", 1),
    ("a deadline that passed", [*WAITING, failed(version=1, status=Status.EXPIRED)], "EXPIRED", 0),
    ("a cancel", [*WAITING, entry(LedgerType.CANCEL_ACCEPTED, version=1), failed(version=1, status=Status.CANCELLED)], "CANCELLED", 0),
    ("an outcome, and then its attempt arrives late", [*WAITING, executed(version=3), claimed(version=2)], "SUCCEEDED", 1),
    ("evidence against a failure", [*CALLING, failed(version=3, error=rejected()), executed(version=9)], "SUCCEEDED", 1),
    (
        "a redrive",
        [*WAITING, failed(version=3, error=rejected()), entry(LedgerType.REDRIVE_ACCEPTED, version=5, generation=2, status=Status.PENDING)],
        "PENDING",
        0,
    ),
]


@pytest.mark.parametrize(("entries", "status", "attempts"), [story[1:] for story in STORIES], ids=[story[0] for story in STORIES])
async def test_outcome_comes_before_attempt_and_attempt_before_intent(
    api: Api, entries: list[LedgerEntry], status: str, attempts: int
) -> None:
    api.hold(entries)

    _, body = await api.get(STATUS, account_id=ACCOUNT)
    _, listed = await api.get(LIST, status=status)

    assert (body["status"], body["attempt_count"]) == (status, attempts)
    assert listed["executions"] == [body]


def test_the_stories_tell_every_status() -> None:
    assert {story[2] for story in STORIES} == {status.value for status in Status if status is not Status.UNKNOWN}


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ([], "NONE"),
        ([LedgerType.COMPENSATION_REQUESTED], "PENDING"),
        ([LedgerType.COMPENSATION_REQUESTED, LedgerType.COMPENSATION_IN_DOUBT], "IN_DOUBT"),
        ([LedgerType.COMPENSATION_REQUESTED, LedgerType.COMPENSATION_COMPLETED], "COMPLETED"),
        ([LedgerType.COMPENSATION_REQUESTED, LedgerType.COMPENSATION_FAILED], "FAILED"),
    ],
)
async def test_undoing_has_a_status_of_its_own_beside_that_of_the_execution(api: Api, told: list[LedgerType], expected: str) -> None:
    api.hold([*clean_success(), *(entry(one, version=10 + at, step=Step.COMPENSATE) for at, one in enumerate(told))])

    _, body = await api.get(STATUS, account_id=ACCOUNT)

    assert (body["status"], body["compensation_status"]) == ("SUCCEEDED", expected)
    assert (body["compensation_text"] is None) == (expected == "NONE")


async def test_a_doubt_has_a_code_although_no_entry_carries_one(api: Api) -> None:
    api.hold([started(), claimed(version=2), entry(LedgerType.DOUBT_RAISED, version=3, status=Status.IN_DOUBT, attempt=1)])

    _, body = await api.get(STATUS, account_id=ACCOUNT)

    assert (body["error_code"], body["error_class"], body["error_category"]) == ("OUTCOME_UNKNOWN", "UNKNOWN", "TOOL_ERROR")
    assert body["error_message"] == "We cannot say yet whether your system did this; someone is looking."


async def test_what_is_tried_again_says_why_until_it_has_worked(api: Api) -> None:
    lost = concluded("NOT_APPLIED", version=3, details={"effect": "NOT_APPLIED", "code": "UNREACHABLE"})
    api.hold([started(), claimed(version=2), lost, AGAIN])

    _, before = await api.get(STATUS, account_id=ACCOUNT)
    api.hold([claimed(2, version=4), executed(version=5)])
    _, after = await api.get(STATUS, account_id=ACCOUNT)

    assert (before["error_code"], before["error_class"]) == ("UNREACHABLE", "DOWNSTREAM")
    assert before["error_message"] == "Your system could not be reached; we will try again."
    assert (after["error_code"], after["error_class"], after["error_message"]) == (None, None, None)


@pytest.mark.parametrize(("left_s", "is_over"), [(1, False), (0, True), (-1, True)])
async def test_a_deadline_that_has_passed_is_said_before_the_log_has_ended_it(api: Api, left_s: int, is_over: bool) -> None:
    api.hold([started(details=APPROVAL | {"expires_at_epoch": str(NOW_MS // 1000 + left_s)})])

    _, body = await api.get(STATUS, account_id=ACCOUNT)
    _, timeline = await api.get(TIMELINE, account_id=ACCOUNT)

    assert body["status"] == "PENDING"
    assert ("is over" in body["status_text"]) is is_over
    assert timeline["status_text"] == body["status_text"]


async def test_a_running_call_is_not_called_over(api: Api) -> None:
    api.hold([started(details=APPROVAL | {"expires_at_epoch": "1"}), claimed(version=2)])

    _, body = await api.get(STATUS, account_id=ACCOUNT)

    assert body["status_text"] == "Being carried out right now."
    assert body["expires_at"] == "1970-01-01T00:00:01.000Z"
