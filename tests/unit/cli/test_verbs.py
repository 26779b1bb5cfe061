"""The verbs of `enact` on a cluster in memory: what they print, what they append, how they end."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli.context import Cluster, api_url, kafka_settings, running
from cli.http import ApiAnswer, ApiUnreachableError
from cli.main import app
from cli.output import Exit
from enact.errors import ConfigurationError
from enact.kafka.partitioner import partition_of
from enact.records import ApprovedIntent, CancelRequested, ExecutionEvent, Fact, LedgerEntry, LedgerType
from enact.records.codec import decode
from enact.settings import KernelSettings, load
from tests.factories import intent_json_tree
from tests.unit.enact.ledger_owner import ACCOUNT, INTENT, PARTITIONS, TENANT, World, claimed, doubt, entry, started

WHO = ["--tenant", TENANT, "--account", ACCOUNT]
APPROVED = "t.intents.approved"


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World(answer)
    world.broker.create_topic(APPROVED, PARTITIONS)

    @contextmanager
    def cluster() -> Iterator[Cluster]:
        yield InMemory(writer=world.broker.writer(), open_reader=world.open_reader, clock=world.clock, actor="cli:kim", prefix="t")

    for verb in ("submit", "cancel", "resolve", "switch", "registry"):
        monkeypatch.setattr(f"cli.{verb}.cluster", cluster)
    monkeypatch.setenv("ENACT_DATA_DIR", "/nonexistent")
    return world


class InMemory(Cluster):
    """Short topic names."""

    def topic(self, short: str) -> str:
        return f"{self.prefix}.{short}"


def answer(event: ExecutionEvent) -> LedgerEntry | None:
    """An owner that accepts a cancel and takes a person's word."""
    match event.data:
        case CancelRequested(command_id=command_id):
            details = {"command_id": command_id, "result": "CANCELLED"}
            return entry(LedgerType.CANCEL_ACCEPTED, version=50, cause=event.event_id, details=details)
        case Fact(command_id=str(command_id), effect=effect):
            details = {"command_id": command_id, "effect": effect.value}
            return entry(LedgerType.DOUBT_RESOLVED, version=51, cause=event.event_id, details=details)
        case _:
            return None


def run(*arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(app, list(arguments), input=stdin)


def published(world: World) -> list[ApprovedIntent]:
    return [decode(ApprovedIntent, record.value) for record in world.broker.records(APPROVED) if record.value is not None]


def intent(intent_id: str, **changes: Any) -> dict[str, Any]:
    return {**intent_json_tree(), "action_intent_id": intent_id, **changes}


# submit


@pytest.mark.parametrize("form", ["object", "array", "lines"])
@pytest.mark.parametrize("wire_format", ["json", "avro"])
def test_submit_takes_an_object_an_array_or_lines(world: World, tmp_path: Path, form: str, wire_format: str) -> None:
    intents = [intent("int-a")] if form == "object" else [intent("int-a"), intent("int-b")]
    text = "\n".join(json.dumps(one) for one in intents) if form != "array" else json.dumps(intents, indent=2)
    file = tmp_path / "intents.json"
    file.write_text(text)

    result = run("submit", str(file), "--format", wire_format)

    assert result.exit_code == Exit.OK, result.output
    assert sorted(one.action_intent_id for one in published(world)) == [one["action_intent_id"] for one in intents]
    assert "enact timeline int-a" in result.stdout


def test_submit_puts_key_partition_and_headers_as_an_upstream_service_would(world: World) -> None:
    result = run("submit", "-", "--json", stdin=json.dumps(intent("int-a")))

    (record,) = world.broker.records(APPROVED)
    headers = dict(record.headers)
    assert json.loads(result.stdout)["published"] == [
        {"action_intent_id": "int-a", "execution_id": "exec-int-a", "partition": partition_of("int-a", PARTITIONS)}
    ]
    assert (record.key, record.partition) == (b"int-a", partition_of("int-a", PARTITIONS))
    assert (headers["ce_id"], headers["ce_source"]) == (b"int-a", b"enact-cli")
    assert headers["traceparent"].startswith(b"00-")
    assert (record.value or b"")[:1] == b"{"


def test_submit_fills_in_tenant_and_account_where_an_intent_names_none(world: World) -> None:
    nameless = intent("int-a")
    del nameless["tenant_id"], nameless["account_id"]

    run("submit", "-", "--tenant", "globex", "--account", "acct-9", stdin=json.dumps([nameless, intent("int-b")]))

    found = {one.action_intent_id: (one.tenant_id, one.account_id) for one in published(world)}
    assert found == {"int-a": ("globex", "acct-9"), "int-b": ("acme", "account-1")}


def test_submit_tells_every_problem_and_publishes_nothing(world: World) -> None:
    lines = [
        json.dumps(intent("int-good")),
        json.dumps({name: value for name, value in intent("int-b").items() if name not in ("target", "approval")}),
        '{"action_intent_id": "x", "action_intent_id": "y"}',
        json.dumps(intent("int-c", surprise=1)),
        json.dumps(intent("int-d", parameters="[1]")),
    ]

    result = run("submit", "-", stdin="\n".join(lines))

    assert result.exit_code == Exit.REFUSED
    assert "line 2: target, approval are missing" in result.stderr
    for number in (3, 4, 5):
        assert f"line {number}: " in result.stderr
    assert "line 1" not in result.stderr
    assert published(world) == []


@pytest.mark.parametrize(
    ("text", "word"), [("", "holds no intent"), ("[]", "holds no intent"), ("nonsense", "stdin"), ("[1]", "a number"), ("[[]]", "a list")]
)
def test_submit_explains_what_is_no_intent(world: World, text: str, word: str) -> None:
    result = run("submit", "-", stdin=text)

    assert result.exit_code == Exit.REFUSED
    assert word in result.stderr


def test_submit_refuses_ids_that_cannot_be_keys_and_intents_that_are_too_large(world: World) -> None:
    too_large = intent("int-b", parameters={"text": "x" * 300_000})

    result = run("submit", "-", "--json", stdin=json.dumps([intent("no id"), too_large]))

    problems = json.loads(result.stdout)["problems"]
    assert result.exit_code == Exit.REFUSED
    assert "action_intent_id" in problems[0]
    assert "keep large content elsewhere" in problems[1]
    assert published(world) == []


def test_submit_explains_a_file_that_is_not_there(world: World) -> None:
    result = run("submit", "/no/such/file")

    assert result.exit_code == Exit.REFUSED
    assert "cannot be read" in result.stderr


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


def test_a_switch_for_less_than_everything_comes_later(world: World) -> None:
    result = run("switch", "engage", "tenant:acme", "--reason", "fire")

    assert result.exit_code == Exit.REFUSED
    assert "later version" in result.stderr


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

    assert result.exit_code == Exit.CONFIGURATION
    assert "registry_version" in result.stderr
    assert "tool_name" in result.stderr


# status, timeline, list


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

    result = run("status", "int/1", *WHO, "--api-url", "http://127.0.0.1:1/")

    assert result.exit_code == Exit.OK, result.output
    assert asked == ["http://127.0.0.1:1/executions/int%2F1/status"]
    assert result.stdout.splitlines()[0] == "FAILED  This could not be done."
    assert "why        Your system refused the request, so nothing was done." in result.stdout
    assert "2 times" in result.stdout


def test_status_warns_of_an_old_answer_apart_from_the_answer(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    api_says(monkeypatch, 200, BODY, staleness_ms=61_000)

    result = run("status", INTENT, *WHO, "--json")

    assert json.loads(result.stdout) == BODY
    assert "61 s old" in result.stderr


def test_timeline_tells_the_four_phases(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    ref = {"system": "crm", "object_type": "Task", "object_id": "00T1", "object_url": None}
    phases = [
        {"phase": "decision", "at": None, "text": "Decided.", "decision_id": "dec-1", "proposal_id": None},
        {"phase": "execution", "at": "T", "text": "Tried once.", "steps": [{"at": "T", "text": "Accepted."}]},
        {"phase": "outcome", "at": "T", "text": "Done.", "external_object_refs": [ref], "undone": None, "next_step": "Nothing to do."},
    ]
    api_says(monkeypatch, 200, {"execution_id": "exec-int-1", "status": "SUCCEEDED", "phases": phases})

    result = run("timeline", INTENT, *WHO)

    for words in ("Decision", "decision: dec-1", "· Accepted.", "made: crm Task 00T1", "Next: Nothing to do."):
        assert words in result.stdout


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


def test_the_exit_codes_are_in_the_help() -> None:
    shown = " ".join(run("--help").stdout.split())

    for code in Exit:
        assert f"{int(code)} " in shown.split("Exit codes:")[1]


def test_an_unreachable_api_is_an_error_of_its_own() -> None:
    assert "does not answer" in ApiUnreachableError().message
