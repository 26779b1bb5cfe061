"""The demo's expectations: each scenario is what it says, and every way to end otherwise is told."""

from dataclasses import replace
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from cli.demo_board import Board, Course, trail
from cli.demo_intents import Scenario, scenarios
from cli.demo_report import World, differences, show_courses, show_world
from cli.http import ApiAnswer
from connectors.sandbox.modes import RULE
from enact.errors import EnactError
from enact.ids import idempotency_key
from enact.records import Status, Step

NOW_S = 1_790_000_000


def scenario(name: str) -> Scenario:
    return next(one for one in scenarios(NOW_S) if one.id == f"demo-{name}")


def as_expected(one: Scenario) -> Course:
    answer = {"status": one.end.value, "error_code": one.code, "status_text": "Done.", "error_message": None, "attempt_count": one.calls}
    return Course(one, answer, [Status.PENDING, *one.through, one.end])


def world_of(*given: Scenario) -> World:
    """A sandbox in which everything went as expected."""
    receipts: list[dict[str, Any]] = []
    made: list[dict[str, Any]] = []
    for one in given:
        key = idempotency_key(one.intent.tenant_id, one.id, Step.EXECUTE)
        receipts += [{"idempotency_key": key, "status": 201}] * one.calls
        made += [{"idempotency_key": key, "operation": "create"}] * one.made
    objects = [{"tenant": "acme", "object_type": "Task", "id": str(n), "fields": {"Subject": "Call Kim"}} for n in range(len(made))]
    return World(receipts=receipts, applications=made, objects=objects)


def screen() -> Console:
    return Console(file=StringIO(), width=100, highlight=False, markup=False)


def shown(on: Console) -> str:
    file = on.file
    assert isinstance(file, StringIO)
    return file.getvalue()


def test_the_scenarios_cover_every_end_and_have_ids_of_their_own() -> None:
    given = scenarios(NOW_S)

    assert {one.end for one in given} == {Status.SUCCEEDED, Status.FAILED, Status.EXPIRED, Status.CANCELLED, Status.IN_DOUBT}
    assert {status for one in given for status in one.through} == {Status.RETRYING, Status.HELD}
    assert len({one.id for one in given}) == len(given)
    assert len({one.intent.tenant_id for one in given}) == 3
    assert any(one.copies == 3 for one in given)


def test_every_trouble_is_a_rule_of_the_sandbox_that_meets_only_its_own_intent() -> None:
    given = scenarios(NOW_S)
    rules = {one.id: RULE.validate_python(dict(one.trouble)) for one in given if one.trouble}

    met = {
        name: [one.id for one in given if rule.subject is not None and rule.subject in one.intent.parameters]
        for name, rule in rules.items()
    }

    assert met == {name: [name] for name in rules}
    assert set(rules) == {"demo-refused", "demo-down", "demo-lost", "demo-doubt"}


def test_when_all_ended_as_expected_nothing_is_told() -> None:
    given = scenarios(NOW_S)

    assert differences([as_expected(one) for one in given], world_of(*given)) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"answer": {"status": "FAILED"}}, "is FAILED, expected SUCCEEDED"),
        ({"answer": {}}, "is unknown to the api, expected SUCCEEDED"),
        ({"seen": [Status.SUCCEEDED]}, "was never RETRYING"),
    ],
)
def test_another_end_or_another_way_is_told(change: dict[str, Any], told: str) -> None:
    one = scenario("down")

    (found,) = differences([replace(as_expected(one), **change)], world_of(one))

    assert told in found


def test_another_reason_is_told() -> None:
    one = scenario("unapproved")
    course = as_expected(one)
    course.answer["error_code"] = "PARAMETERS_INVALID"

    (found,) = differences([course], world_of(one))

    assert "code PARAMETERS_INVALID, expected NOT_APPROVED" in found


def test_a_second_call_or_a_second_object_is_told() -> None:
    one = scenario("thrice")
    good = world_of(one)
    twice = World(receipts=[*good.receipts] * 2, applications=[*good.applications] * 2, objects=good.objects)

    assert [text.partition(": ")[2] for text in differences([as_expected(one)], twice)] == [
        "the sandbox received 2 calls, expected 1.",
        "the sandbox made 2 objects, expected 1.",
    ]


def test_the_table_says_what_happened_and_why_in_the_words_of_the_api() -> None:
    refused, thrice, held = scenario("unapproved"), scenario("thrice"), scenario("held")
    course = as_expected(refused)
    course.answer["error_message"] = "The request was not approved."
    on = screen()

    show_courses(on, [course, as_expected(thrice), as_expected(held)], world_of(refused, thrice, held))

    text = " ".join(shown(on).split())
    assert "not approved FAILED – – The request was not approved." in text
    assert "Published 3 times, done once." in text
    assert "It was on hold while all calls were" in text


def test_what_lies_in_the_sandbox_is_counted_and_listed() -> None:
    given = [scenario("crm-acme"), scenario("lost")]
    on = screen()

    show_world(on, world_of(*given))

    assert shown(on).startswith("2 tasks, after 3 receipts")
    assert shown(on).count("Call Kim") == 2


def test_the_way_leaves_out_what_everybody_passes_and_what_repeats() -> None:
    seen = [Status.PENDING, Status.EXECUTING, Status.RETRYING, Status.EXECUTING, Status.RETRYING, Status.SUCCEEDED]

    assert trail(seen).plain == "RETRYING → SUCCEEDED"
    assert trail([Status.PENDING, Status.EXECUTING]).plain == "EXECUTING"
    assert trail([]).plain == ""


def test_the_board_tells_each_change_once_and_reads_the_whole_way_from_the_ledger(monkeypatch: pytest.MonkeyPatch) -> None:
    one, on = scenario("down"), screen()
    rows = [{"action_intent_id": one.id, "status": "RETRYING"}, {"action_intent_id": "somebody-else", "status": "FAILED"}]
    entries = [
        {"generation": 1, "version": version, "ledger_offset": version, "status": status}
        for version, status in ((3, "SUCCEEDED"), (1, "EXECUTING"), (0, "PENDING"), (2, None))
    ]

    def answer(_: str, path: str, **__: Any) -> ApiAnswer:
        return ApiAnswer(200, {"entries": entries} if path.endswith("/ledger") else {"executions": rows}, 0)

    monkeypatch.setattr("cli.demo_board.get", answer)
    board = Board(on, "http://127.0.0.1:1", [one])
    board.start()
    board.look()
    board.publish([one])
    board.look()
    board.look()
    board.stop()
    board.read_ledgers()

    assert shown(on).count("RETRYING") == 1
    assert board.courses[one.id].status is Status.RETRYING
    assert board.courses[one.id].seen == [Status.PENDING, Status.EXECUTING, Status.SUCCEEDED]


def test_a_ledger_that_cannot_be_read_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.demo_board.get", lambda *_, **__: ApiAnswer(404, {}, 0))

    with pytest.raises(EnactError, match="demo-down could not be read"):
        Board(screen(), "http://127.0.0.1:1", [scenario("down")]).read_ledgers()
