"""`enact doubt` and `enact redrive`: what a person is shown and told."""

import json
import shlex
from typing import Any

import pytest

from cli.exit_codes import Exit
from cli.http import ApiAnswer
from enact.records import LedgerType, RedriveRequested, Status, Step
from tests.unit.cli.command import run
from tests.unit.enact.ledger_owner import ACCOUNT, INTENT, TENANT, World, entry, started

WHO = ["--tenant", TENANT, "--account", ACCOUNT]
AT = "2026-11-21T10:00:00.000Z"


def line(type_: str, *, step: str = "execute", attempt: int | None = None, **details: str) -> dict[str, Any]:
    return {"type": type_, "step": step, "attempt": attempt, "at": AT, "details": details}


def body(*entries: dict[str, Any], status: str = "IN_DOUBT", compensation: str = "NONE") -> dict[str, Any]:
    execution = {
        "action_intent_id": INTENT,
        "execution_id": f"exec-{INTENT}",
        "status": status,
        "status_text": "We do not know yet whether this was done.",
        "action_type": "CREATE_CRM_TASK",
        "compensation_status": compensation,
    }
    return {"execution": execution, "entries": list(entries)}


MAPPED = line("TOOL_CALL_MAPPED", tool_name="crm.create_task", connector="crm", effect_class="UPSERT", idempotency_key="key-1",
              target_type="Account", target_id="001A")  # fmt: skip
FIRST = line("ATTEMPT_CLAIMED", attempt=1, nonce="n-1", owner="life-1", lease_ms="15000", request_digest="digest-1")
LOST = line("ATTEMPT_CONCLUDED", attempt=1, effect="UNKNOWN", by="CALL", code="ANSWER_LOST")
UNSENT = (
    line("ATTEMPT_CLAIMED", attempt=2, nonce="n-2", owner="life-1", lease_ms="15000"),
    line("ATTEMPT_CONCLUDED", attempt=2, effect="RELEASED"),
)
RAISED = line("DOUBT_RAISED", attempt=1, natural_key="Enact_Key__c", look_ups="0", code="ANSWER_LOST")


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Answers in order; the paths that were asked are in `asked`."""
    answers: list[Any] = []

    def get(url: str, path: str, *, tenant: str, query: Any = ()) -> ApiAnswer:
        return ApiAnswer(200, answers.pop(0)(path, list(query)), 0)

    monkeypatch.setattr("cli.status.get", get)
    return answers


def test_doubt_list_asks_for_what_is_in_doubt(api: list[Any]) -> None:
    asked: list[Any] = []

    def answer(path: str, query: list[Any]) -> dict[str, Any]:
        asked.append((path, query))
        return {"executions": [], "next_cursor": None}

    api.append(answer)

    result = run("doubt", "list", *WHO)

    assert result.exit_code == Exit.OK, result.output
    assert asked == [(f"/accounts/{ACCOUNT}/executions", [("limit", "50"), ("status", "IN_DOUBT")])]


def test_doubt_show_tells_the_evidence_what_to_look_for_and_the_commands(api: list[Any]) -> None:
    api.append(lambda *_: body(MAPPED, FIRST, LOST, *UNSENT, RAISED))

    result = run("doubt", "show", INTENT, *WHO)

    assert result.exit_code == Exit.OK, result.output
    for told in ("crm.create_task", "Account 001A", "key-1", "digest-1", "n-1", "life-1", AT, "ANSWER_LOST", "Attempt 1"):
        assert told in result.stdout
    assert "Attempt 2" not in result.stdout
    assert "one object whose Enact_Key__c is key-1" in result.stdout
    assert "X-Enact-Attempt 1.n-1" in result.stdout


def test_the_commands_that_doubt_show_prints_are_commands(api: list[Any], world: World) -> None:
    api.append(lambda *_: body(MAPPED, FIRST, LOST, RAISED))
    shown = json.loads(run("doubt", "show", INTENT, *WHO, "--json").stdout)

    typed = [shlex.split(command.partition("resolve")[2]) for command in shown["commands"]]

    assert [arguments[:5] for arguments in typed] == [
        [INTENT, "--tenant", TENANT, "--as", finding] for finding in ("applied", "not-applied")
    ]
    for arguments in typed:
        result = run("resolve", *arguments)
        assert result.exit_code == Exit.NOT_FOUND, result.output


def test_a_compensation_in_doubt_is_resolved_as_such(api: list[Any]) -> None:
    claim = line("ATTEMPT_CLAIMED", step="compensate", attempt=1, nonce="n-9", owner="life-1", lease_ms="15000")
    api.append(lambda *_: body(claim, RAISED, status="SUCCEEDED", compensation="IN_DOUBT"))

    shown = json.loads(run("doubt", "show", INTENT, *WHO, "--json").stdout)

    assert all("--step compensate" in command for command in shown["commands"])
    assert shown["attempts"][0]["effect"] is None


@pytest.mark.parametrize("effect_class", ["NONE", "LOOKUP"])
def test_without_a_key_in_the_other_system_the_attempts_mark_is_what_to_look_for(api: list[Any], effect_class: str) -> None:
    mapped = line("TOOL_CALL_MAPPED", tool_name="sandbox.fire_once", effect_class=effect_class, idempotency_key="key-1")
    api.append(lambda *_: body(mapped, FIRST, LOST, line("DOUBT_RAISED", attempt=1, look_ups="0")))

    shown = json.loads(run("doubt", "show", INTENT, *WHO, "--json").stdout)

    assert shown["look_for"][0].startswith("a request with X-Enact-Attempt 1.n-1")


@pytest.mark.parametrize("status", ["RETRYING", "SUCCEEDED"])
def test_what_is_not_in_doubt_is_not_shown_as_such(api: list[Any], status: str) -> None:
    api.append(lambda *_: body(MAPPED, FIRST, LOST, status=status))

    result = run("doubt", "show", INTENT, *WHO)

    assert result.exit_code == Exit.REFUSED
    assert status in result.stderr


def test_redrive_appends_the_command_and_says_what_became_of_it(world: World) -> None:
    world.hold(started(), entry(LedgerType.ACTION_FAILED, version=4, status=Status.FAILED))

    result = run("redrive", INTENT, *WHO, "--reason", "mended")

    assert (result.exit_code, "generation 2" in result.stdout) == (Exit.OK, True), result.output
    (event,) = world.events
    assert isinstance(event.data, RedriveRequested)
    assert (event.step, event.data.reason) == (Step.EXECUTE, "mended")


def test_redrive_of_a_compensation_is_asked_for_by_its_step(world: World) -> None:
    world.hold(started(), entry(LedgerType.COMPENSATION_FAILED, version=8, step=Step.COMPENSATE))

    result = run("redrive", INTENT, *WHO, "--reason", "mended", "--step", "compensate", "--json")

    assert result.exit_code == Exit.OK, result.output
    assert json.loads(result.stdout)["answer"] == "Accepted"
    assert world.events[0].step is Step.COMPENSATE


def test_a_refused_redrive_ends_with_its_own_code(world: World) -> None:
    def refuse(event: Any) -> Any:
        details = {"command_id": event.data.command_id, "result": "not ended"}
        return entry(LedgerType.REDRIVE_REFUSED, version=52, cause=event.event_id, details=details)

    world.owner = refuse
    world.hold(started())

    result = run("redrive", INTENT, *WHO, "--reason", "hurry")

    assert result.exit_code == Exit.REFUSED
    assert "has not ended" in result.stderr


def test_redrive_of_something_unknown_and_without_a_reason(world: World) -> None:
    assert run("redrive", "int-9", *WHO, "--reason", "mended").exit_code == Exit.NOT_FOUND
    assert run("redrive", INTENT, *WHO).exit_code == Exit.USAGE
