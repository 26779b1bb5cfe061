"""The verbs of `enact` on a cluster in memory: what they print, what they append, how they end."""

import json
from pathlib import Path
from typing import Any

import pytest

from cli.context import api_url, kafka_settings, running
from cli.exit_codes import Exit
from cli.http import ApiAnswer, ApiUnreachableError
from connectors.catalogue import registry_files
from enact.errors import ConfigurationError
from enact.records import Fact
from enact.settings import KernelSettings, load
from tests.unit.cli.command import run
from tests.unit.enact.ledger_owner import ACCOUNT, INTENT, TENANT, World, claimed, doubt, started

WHO = ["--tenant", TENANT, "--account", ACCOUNT]


# cancel and resolve


def test_cancel_says_what_became_of_it(world: World) -> None:
    world.hold(started())

    result = run("cancel", INTENT, *WHO, "--reason", "by mistake")

    assert (result.exit_code, result.stdout) == (Exit.OK, "Cancelled: nothing was done.\n")


def test_cancel_of_something_unknown_ends_with_its_own_code(world: World) -> None:
    result = run("cancel", "int-9", *WHO, "--reason", "by mistake", "--json")

    assert result.exit_code == Exit.NOT_FOUND
    assert json.loads(result.stdout)["error"] == "NOT_FOUND"


def test_cancel_without_an_answer_is_recorded(world: World) -> None:
    world.owner = lambda _: None
    world.hold(started())

    result = run("cancel", INTENT, *WHO, "--reason", "by mistake", "--timeout", "0.1")

    assert result.exit_code == Exit.RECORDED
    assert result.stdout.startswith("Recorded: no claim appended after it is valid")


def test_cancel_all_counts_what_became_of_the_tenant_s_executions(world: World) -> None:
    world.hold(started())

    result = run("cancel-all", "--tenant", TENANT, "--reason", "by mistake", "--json")

    assert result.exit_code == Exit.OK, result.output
    assert json.loads(result.stdout) == {"accepted": 1, "refused": 0, "unanswered": 0, "left_alone": 0}


def test_cancel_all_without_an_answer_is_recorded_and_says_what_is_left(world: World) -> None:
    world.owner = lambda _: None
    world.hold(started())

    result = run("cancel-all", "--tenant", TENANT, "--reason", "by mistake", "--timeout", "0.1")

    assert result.exit_code == Exit.RECORDED
    assert "not answered yet: 1" in result.stdout


def test_resolve_takes_a_finding_with_its_object(world: World) -> None:
    world.hold(started(), claimed(1, version=3), doubt(1, version=4))

    result = run("resolve", INTENT, *WHO, "--as", "applied", "--reason", "seen", "--ref", "crm:Task:00T:1", "--json")

    assert result.exit_code == Exit.OK, result.output
    assert json.loads(result.stdout)["status"] == "SUCCEEDED"
    (event,) = world.events
    assert isinstance(event.data, Fact)
    assert (event.data.refs[0].system, event.data.refs[0].object_id) == ("crm", "00T:1")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--as", "applied", "--ref", "crm"], Exit.REFUSED),
        (["--as", "not-applied", "--ref", "crm:Task:1"], Exit.REFUSED),
        (["--as", "perhaps"], Exit.USAGE),
        (["--as", "applied"], Exit.REFUSED),
    ],
)
def test_resolve_refuses_what_makes_no_sense(world: World, arguments: list[str], code: Exit) -> None:
    world.hold(started())

    result = run("resolve", INTENT, *WHO, "--reason", "seen", *arguments)

    assert result.exit_code == code
    assert world.events == []


def test_a_reason_is_never_optional(world: World) -> None:
    assert run("cancel", INTENT, *WHO).exit_code == Exit.USAGE
    assert run("resolve", INTENT, *WHO, "--as", "applied").exit_code == Exit.USAGE
    assert run("switch", "engage", "global").exit_code == Exit.USAGE


def test_an_empty_reason_and_an_id_that_is_none_are_refused_before_anything_is_asked(world: World) -> None:
    nothing_said = run("cancel", INTENT, *WHO, "--reason", "  ")
    no_id = run("cancel", "../x", *WHO, "--reason", "by mistake")

    assert (nothing_said.exit_code, no_id.exit_code) == (Exit.USAGE, Exit.USAGE)
    assert "say why" in nothing_said.stderr
    assert "letters, digits" in no_id.stderr


def test_the_id_of_the_execution_is_taken_as_well_as_that_of_the_intent(world: World) -> None:
    world.hold(started())

    result = run("cancel", f"exec-{INTENT}", *WHO, "--reason", "by mistake")

    assert result.exit_code == Exit.OK, result.output


# switch and registry


def test_a_switch_is_engaged_listed_and_released(world: World) -> None:
    engaged = json.loads(run("switch", "engage", "global", "--reason", "fire", "--json").stdout)
    listed = run("switch", "list").stdout
    released = run("switch", "release", "global", "--reason", "out", "--engagement", engaged["engagement_id"])
    after = run("switch", "list")

    assert (engaged["state"], engaged["mode"]) == ("ENGAGED", "HOLD")
    assert "fire" in listed
    assert "What was held goes on now." in released.stdout
    assert after.stdout == "Nothing is stopped.\n"


def test_the_shipped_registry_is_applied_once(world: World) -> None:
    first = json.loads(run("registry", "apply", "--json").stdout)
    second = json.loads(run("registry", "apply", "--json").stdout)
    listed = run("registry", "list", "--json")

    names = {one["action_type"] for one in first["added"]}
    assert {"CREATE_CRM_TASK", "CREATE_INTERNAL_NOTE", "CREATE_INTERNAL_TASK"} <= names
    assert (second["added"], second["unchanged"]) == ([], len(first["added"]))
    assert {one["action_type"] for one in json.loads(listed.stdout)} == names


def test_a_registry_file_with_faults_is_refused_with_all_of_them(world: World, tmp_path: Path) -> None:
    file = tmp_path / "entries.yaml"
    file.write_text("- action_type: X\n  registry_version: 0\n")

    result = run("registry", "apply", str(file))

    assert result.exit_code == Exit.REFUSED
    assert "registry_version" in result.stderr
    assert "tool_name" in result.stderr


# status, timeline, list


@pytest.mark.parametrize(
    ("text", "words"),
    [("", "holds no entry"), ("a: [", "is not YAML at line 2, column 1"), ("just text", "an entry is a mapping"), (None, "does not exist")],
)
def test_a_registry_file_that_holds_no_entry_is_refused(world: World, tmp_path: Path, text: str | None, words: str) -> None:
    file = tmp_path / "entries.yaml"
    if text is not None:
        file.write_text(text + "\n")

    result = run("registry", "apply", str(file))

    assert result.exit_code == Exit.REFUSED
    assert words in result.stderr


def api_says(monkeypatch: pytest.MonkeyPatch, status: int, body: dict[str, Any], staleness_ms: int | None = 10) -> list[str]:
    asked: list[str] = []

    def get(url: str, path: str, **_: Any) -> ApiAnswer:
        asked.append(f"{url}{path}")
        return ApiAnswer(status, body, staleness_ms)

    monkeypatch.setattr("cli.status.get", get)
    return asked


BODY: dict[str, Any] = {
    "status": "FAILED",
    "status_text": "This could not be done.",
    "error_message": "Your system refused the request, so nothing was done.",
    "error_code": "TOOL_REJECTED",
    "expires_at": "2026-11-21T11:00:00.000Z",
    "compensation_text": None,
    "action_type": "CREATE_CRM_TASK",
    "attempt_count": 2,
    "started_at": "2026-11-21T10:00:00.000Z",
    "completed_at": None,
    "external_object_refs": [],
    "execution_id": "exec-int-1",
    "action_intent_id": "int-1",
    "created_at": "2026-11-21T10:00:00.000Z",
}


def test_status_speaks_plainly(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = api_says(monkeypatch, 200, BODY)

    result = run("status", "int:1", *WHO, "--api-url", "http://127.0.0.1:1/")

    assert result.exit_code == Exit.OK, result.output
    assert asked == ["http://127.0.0.1:1/executions/int%3A1/status"]
    assert result.stdout.splitlines()[0] == "FAILED  This could not be done."
    assert "why          Your system refused the request, so nothing was done." in result.stdout
    assert "code         TOOL_REJECTED" in result.stdout
    assert "valid until  2026-11-21T11:00:00.000Z" in result.stdout
    assert "2 times" in result.stdout


def test_status_warns_of_an_old_answer_apart_from_the_answer(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    api_says(monkeypatch, 200, BODY, staleness_ms=61_000)

    result = run("status", INTENT, *WHO, "--json")

    assert json.loads(result.stdout) == BODY
    assert "61 s old" in result.stderr


STEPS = [
    {"at": "T", "text": "Accepted.", "cause": None, "is_noise": False},
    {"at": "T", "text": "Tried 2 times.", "cause": None, "is_noise": False},
    {"at": "T", "text": "Try 1 began.", "cause": None, "is_noise": True},
    {"at": "T", "text": "Try 1: It did not work.", "cause": "Your system had a fault.", "is_noise": True},
    {"at": "T", "text": "Try 2 began.", "cause": None, "is_noise": True},
]


def test_timeline_tells_the_four_phases(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    ref = {"system": "crm", "object_type": "Task", "object_id": "00T1", "object_url": None}
    phases = [
        {"phase": "decision", "at": None, "text": "Decided.", "decision_id": "dec-1", "proposal_id": None},
        {"phase": "execution", "at": "T", "text": "Tried once.", "steps": STEPS},
        {"phase": "outcome", "at": "T", "text": "Done.", "external_object_refs": [ref], "undone": None, "next_step": "Nothing to do."},
    ]
    api_says(monkeypatch, 200, {"execution_id": "exec-int-1", "status": "SUCCEEDED", "phases": phases})

    result = run("timeline", INTENT, *WHO)
    full = run("timeline", INTENT, *WHO, "--all")

    for words in ("Decision", "decision: dec-1", "· Accepted.", "made: crm Task 00T1", "Next: Nothing to do.", "--all"):
        assert words in result.stdout
    assert "Try 1" not in result.stdout
    assert [line.strip() for line in full.stdout.splitlines() if "Try" in line or "fault" in line] == [
        "· Try 1 began.  (T)",
        "· Try 1: It did not work.  (T)",
        "Your system had a fault.",
        "· Try 2 began.  (T)",
    ]
    assert "--all" not in full.stdout


def test_list_shows_a_table_and_how_to_go_on(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    api_says(monkeypatch, 200, {"executions": [BODY], "next_cursor": "abc"})
    full = run("list", *WHO, "--status", "FAILED")
    api_says(monkeypatch, 200, {"executions": [], "next_cursor": None})
    empty = run("list", *WHO)

    assert "int-1" in full.stdout
    assert "--cursor abc" in full.stdout
    assert empty.stdout == "There are no such executions in this account.\n"


@pytest.mark.parametrize(("http_status", "code"), [(404, Exit.NOT_FOUND), (400, Exit.REFUSED), (503, Exit.PROBLEM), (500, Exit.PROBLEM)])
def test_a_refusal_of_the_api_is_passed_on(world: World, monkeypatch: pytest.MonkeyPatch, http_status: int, code: Exit) -> None:
    api_says(monkeypatch, http_status, {"message": "No execution with this id."})

    result = run("status", INTENT, *WHO)

    assert (result.exit_code, result.stderr) == (code, "No execution with this id.\n")


def test_an_api_that_is_down_is_said_with_what_to_do(world: World) -> None:
    result = run("status", INTENT, *WHO, "--api-url", "http://127.0.0.1:1")

    assert result.exit_code == Exit.PROBLEM
    assert "enact up" in result.stderr
    assert "Cancelling" in result.stderr


# where things are


def test_a_running_enact_is_found_through_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "up.json").write_text(json.dumps({"bootstrap_servers": "127.0.0.1:9", "api_url": "http://127.0.0.1:8", "more": 1}))
    monkeypatch.setenv("ENACT_DATA_DIR", str(tmp_path))
    for name in ("ENACT_KAFKA__BOOTSTRAP_SERVERS", "KAFKA_BOOTSTRAP_SERVERS"):
        monkeypatch.delenv(name, raising=False)

    settings = load(KernelSettings)

    assert kafka_settings(settings).bootstrap_servers == "127.0.0.1:9"
    assert api_url(None) == "http://127.0.0.1:8"
    assert api_url("http://elsewhere/") == "http://elsewhere"


@pytest.mark.parametrize("text", ["", "[]", "{", '{"api_url": 5}'])
def test_a_damaged_file_counts_as_nothing_running(tmp_path: Path, text: str) -> None:
    (tmp_path / "up.json").write_text(text)

    assert running(tmp_path).bootstrap_servers is None
    with pytest.raises(ConfigurationError, match="enact up"):
        kafka_settings(load(KernelSettings, {"ENACT_DATA_DIR": str(tmp_path)}))


def test_an_unreachable_api_is_an_error_of_its_own() -> None:
    assert "does not answer" in ApiUnreachableError().message


def test_an_entry_that_promises_more_than_its_tool_keeps_is_refused(world: World, tmp_path: Path) -> None:
    ((_, shipped),) = [one for one in registry_files(with_sandbox=True) if "sandbox" in one[0]]
    file = tmp_path / "entries.yaml"
    file.write_text(shipped.read_text(encoding="utf-8").replace("{kind: NONE}", "{kind: UPSERT, natural_key: label}"), encoding="utf-8")

    result = run("registry", "apply", str(file))

    assert result.exit_code == Exit.REFUSED
    assert "effect_class: the tool keeps NONE, not UPSERT: say NONE." in result.stderr
