"""`enact switch`: every scope and mode; a stop is never refused for what it names, and holds whatever the api says."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from cli.exit_codes import Exit
from cli.http import ApiAnswer, ApiUnreachableError
from enact.errors import BrokerError
from enact.kafka.transport import OutRecord
from enact.records import Switch
from enact.records.codec import decode
from tests.unit.cli.command import run
from tests.unit.enact.ledger_owner import TOPICS, World

WHY = ("--reason", "fire")
AFFECTED = {"in_flight": 3, "held": 2, "in_doubt": 1, "waiting": 4}
Answer = Callable[..., ApiAnswer]


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """An api that knows every scope; what was asked."""
    return answering(monkeypatch, 200, {"affected": AFFECTED, "is_known": True})


def answering(monkeypatch: pytest.MonkeyPatch, status: int, body: dict[str, Any]) -> list[str]:
    asked: list[str] = []

    def get(url: str, path: str) -> ApiAnswer:
        asked.append(path)
        return ApiAnswer(status, body, 0)

    monkeypatch.setattr("cli.switch_report.get", get)
    return asked


def engaged(world: World) -> list[tuple[str, str]]:
    records = world.broker.records(TOPICS.switches)
    return [(one.scope, one.mode.value) for one in (decode(Switch, record.value or b"") for record in records)]


@pytest.mark.parametrize("scope", ["global", "tenant:acme", "action_type:CREATE_CRM_TASK", "connector:crm"])
def test_every_scope_is_stopped_and_what_the_stop_finds_is_told(world: World, api: list[str], scope: str) -> None:
    run("registry", "apply")

    result = run("switch", "engage", scope, *WHY)

    assert result.exit_code == Exit.OK, result.output
    assert "3 calls in flight (they finish), 4 waiting to start, 2 held, 1 in doubt." in result.stdout
    assert "Note" not in result.stderr
    assert f"switch release {scope} --engagement" in result.stdout
    assert engaged(world) == [(scope, "HOLD")]
    assert api == [f"/switches/{scope.replace(':', '%3A')}"]


def test_reject_ends_what_comes(world: World, api: list[str]) -> None:
    result = run("switch", "engage", "tenant:acme", "--reject", *WHY, "--json")

    told = json.loads(result.stdout)
    assert (told["mode"], told["affected"], told["note"]) == ("REJECT", AFFECTED, None)
    assert engaged(world) == [("tenant:acme", "REJECT")]


def test_a_stop_holds_without_an_api_and_says_what_cannot_be_told(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def get(*_: object) -> ApiAnswer:
        raise ApiUnreachableError("The api does not answer.")

    monkeypatch.setattr("cli.switch_report.get", get)

    people = run("switch", "engage", "tenant:acme", *WHY)
    programs = json.loads(run("switch", "engage", "tenant:acme", *WHY, "--json").stdout)

    assert people.exit_code == Exit.OK
    assert "The stop holds; what it finds cannot be told now. The api does not answer." in people.stderr
    assert (programs["affected"], programs["affected_unknown"]) == (None, "The api does not answer.")
    assert len(engaged(world)) == 2


def test_an_api_that_cannot_tell_is_quoted(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, 503, {"message": "The read model is being built."})

    assert "The read model is being built." in run("switch", "engage", "global", *WHY).stderr
    assert len(engaged(world)) == 1


@pytest.mark.parametrize(
    ("scope", "is_known", "words"),
    [
        ("tenant:acmee", False, "no execution has ever named the tenant acmee"),
        ("tenant:acme", True, None),
        ("action_type:CREATE_CRM_TASKS", None, "no registry entry has ever named the action type CREATE_CRM_TASKS"),
        ("action_type:CREATE_CRM_TASK", None, None),
        ("connector:crm", None, None),
        ("connector:salesforce", None, "the connector salesforce"),
        ("global", None, None),
    ],
)
def test_a_name_that_nobody_has_ever_used_is_doubted_and_stopped(
    world: World, monkeypatch: pytest.MonkeyPatch, scope: str, is_known: bool | None, words: str | None
) -> None:
    run("registry", "apply")
    answering(monkeypatch, 200, {"affected": AFFECTED, "is_known": is_known})

    result = run("switch", "engage", scope, *WHY)

    assert result.exit_code == Exit.OK
    assert [one for one, _ in engaged(world)] == [scope]
    assert (words in result.stderr) if words else (result.stderr == "")


def test_a_registry_that_cannot_be_read_stops_no_stop(world: World, api: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise BrokerError("away")

    monkeypatch.setattr("enact.registry_commands.RegistryCommands.view", fail)

    assert run("switch", "engage", "connector:crm", *WHY).exit_code == Exit.OK
    assert engaged(world) == [("connector:crm", "HOLD")]


def test_a_word_that_is_no_scope_is_refused_with_those_there_are(world: World, api: list[str]) -> None:
    result = run("switch", "engage", "tennant:acme", *WHY)

    assert result.exit_code == Exit.REFUSED
    assert "tennant: is no scope. A scope is global, tenant:<id>, action_type:<name> or connector:<name>" in result.stderr
    assert engaged(world) == []


def test_a_release_of_one_engagement_leaves_the_other_and_says_so(world: World, api: list[str]) -> None:
    first = json.loads(run("switch", "engage", "tenant:acme", *WHY, "--json").stdout)
    second = json.loads(run("switch", "engage", "tenant:acme", "--reject", *WHY, "--json").stdout)

    released = run("switch", "release", "tenant:acme", *WHY, "--engagement", first["engagement_id"])
    listed = json.loads(run("switch", "list", "--json").stdout)

    assert "still stopped by 1 other" in released.stdout
    assert [(one["engagement_id"], one["mode"]) for one in listed] == [(second["engagement_id"], "REJECT")]


def test_a_record_that_nobody_can_read_is_listed_and_ended_by_its_name(world: World, api: list[str]) -> None:
    world.broker.append(OutRecord(TOPICS.switches, 0, b"k", b"\xc3\x01of a newer version"))

    listed = run("switch", "list").stdout
    released = run("switch", "release", "global", "--reason", "it was rubbish", "--engagement", "unreadable-0")

    assert "unreadable-0" in listed
    assert released.exit_code == Exit.OK
    assert run("switch", "list").stdout == "Nothing is stopped.\n"
