"""`enact up` and every verb against it, as a person types them; killed, started again, and refused with words."""

import json
import socket
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.sandbox.admin_client import SandboxAdmin
from tests.e2e.command import ROOT, WHO, Enact, Up, wait_until_gone

EXAMPLES = ROOT / "docs" / "examples"
TENANT = WHO[:2]


@pytest.fixture(scope="module")
def enact(tmp_path_factory: pytest.TempPathFactory) -> Enact:
    return Enact(tmp_path_factory.mktemp("up") / "data")


@pytest.fixture(scope="module")
def up(enact: Enact) -> Iterator[Up]:
    up = Up(enact, "--sandbox", "--free-ports")
    up.start()
    yield up
    up.stop()


def submit(enact: Enact, example: str) -> str:
    """Publish an example file as a new intent; its id."""
    told = enact.ask("submit", str(EXAMPLES / example), "--new")
    return str(told["published"][0]["action_intent_id"])


def test_an_intent_is_submitted_done_listed_and_told(enact: Enact, up: Up) -> None:
    intent_id = submit(enact, "crm-task.json")
    enact.wait_for(intent_id, "SUCCEEDED")

    body = enact.ask("status", intent_id, *WHO)
    timeline = enact.ask("timeline", intent_id, *WHO)
    listed = enact.ask("list", *WHO, "--status", "SUCCEEDED")

    assert (body["attempt_count"], len(body["external_object_refs"])) == (1, 1)
    assert [phase["phase"] for phase in timeline["phases"]] == ["decision", "approval", "execution", "outcome"]
    assert intent_id in [row["action_intent_id"] for row in listed["executions"]]


def test_the_running_api_answers_as_its_documentation_says_and_refuses_in_words(enact: Enact, up: Up) -> None:
    intent_id = submit(enact, "crm-task.json")
    enact.wait_for(intent_id, "SUCCEEDED")
    url = str(up.file["api_url"])

    with urllib.request.urlopen(f"{url}/openapi.json", timeout=10) as response:
        documented = json.loads(response.read())["components"]["schemas"]["Execution"]["properties"]
    status = enact.ask("status", f"exec-{intent_id}", *WHO)
    timeline = enact.ask("timeline", intent_id, *WHO)
    first = enact.ask("list", *WHO, "--limit", "1")
    unknown = enact.run("status", "no-such-intent", *WHO)
    foreign = enact.run("timeline", intent_id, "--tenant", "globex", "--account", "account-1")
    wrong = enact.run("list", *WHO, "--status", "DONE")

    assert set(status) == set(documented)
    assert [(one["number"], one["effect"]) for one in timeline["phases"][2]["attempts"]] == [(1, "APPLIED")]
    assert first["executions"][0]["action_intent_id"] == intent_id
    assert (unknown.returncode, foreign.returncode, wrong.returncode) == (4, 4, 3)
    assert "Check the id, the tenant and the account" in unknown.stderr
    assert "RUNNING" in wrong.stderr


def test_what_up_suggests_can_be_pasted(enact: Enact, up: Up) -> None:
    suggested = [line.strip() for line in up.said.splitlines() if " -m cli.main " in line]

    verbs = [line.split(" -m cli.main ")[1].split()[:2] for line in suggested]
    assert verbs == [["submit", "docs/examples/crm-task.json"], ["list", "--tenant"], ["switch", "engage"], ["switch", "release"]]
    for line in suggested:
        assert line.startswith(f"ENACT_DATA_DIR={enact.data_dir} ")
    assert str(up.file["api_url"]) in up.said
    assert str(up.file["sandbox_url"]) in up.said
    assert str(enact.data_dir / "logs") in up.said


def test_a_lost_answer_is_in_doubt_until_a_person_resolves_it(enact: Enact, up: Up) -> None:
    sandbox = SandboxAdmin(up.file["sandbox_url"])
    sandbox.set_mode("drop_after", object="Fire", count=1)
    intent_id = submit(enact, "fire-once.json")
    enact.wait_for(intent_id, "IN_DOUBT")

    answer = enact.ask("resolve", intent_id, *TENANT, "--as", "applied", "--reason", "seen in the sandbox")

    assert answer["answer"] == "Accepted"
    enact.wait_for(intent_id, "SUCCEEDED")
    assert len(sandbox.objects(object_type="Fire")) == 1
    assert len([row for row in sandbox.receipts(kind="write") if row["path"] == "/sandbox/fire"]) == 1


def test_a_switch_holds_what_comes_and_what_is_held_can_be_cancelled(enact: Enact, up: Up) -> None:
    engaged = enact.ask("switch", "engage", "global", "--reason", "looking")
    intent_ids = [submit(enact, "crm-task.json") for _ in range(2)]  # each takes a second: the stop holds by now for the second one
    enact.wait_for(intent_ids[1], "HELD")

    listed = enact.ask("switch", "list")
    cancelled = enact.ask("cancel", intent_ids[1], *TENANT, "--reason", "changed my mind")
    enact.ask("switch", "release", "global", "--reason", "all is well")

    assert [one["engagement_id"] for one in listed] == [engaged["engagement_id"]]
    assert cancelled["answer"] == "Accepted"
    assert enact.ask("switch", "list") == []
    enact.wait_for(intent_ids[0], "SUCCEEDED")
    enact.wait_for(intent_ids[1], "CANCELLED")


def test_refusals_have_exit_codes_and_say_what_to_do(enact: Enact, up: Up) -> None:
    intent_id = submit(enact, "internal-note.json")
    enact.wait_for(intent_id, "SUCCEEDED")

    late = enact.ask("cancel", intent_id, *TENANT, "--reason", "too late", exit_code=5)
    unknown = enact.ask("status", "nobody-knows-me", *WHO, exit_code=4)
    incomplete = enact.ask("submit", str(EXAMPLES / "crm-task.json"), exit_code=3)

    assert "Too late" in late["message"]
    assert "Check the id" in unknown["message"]
    assert "--new" in incomplete["problems"][0]


def test_registry_and_topics_are_as_declared(enact: Enact, up: Up) -> None:
    entries = enact.ask("registry", "list")
    plan = enact.ask("topics", "plan")

    assert {entry["action_type"] for entry in entries} >= {"CREATE_CRM_TASK", "CREATE_INTERNAL_NOTE", "SANDBOX_FIRE_ONCE"}
    assert plan == {"actions": [], "problems": []}


def test_a_second_up_on_the_same_folder_is_refused_and_does_no_harm(enact: Enact, up: Up) -> None:
    before = up.file

    second = enact.run("up", "--sandbox", "--free-ports")

    assert second.returncode == 64
    assert f"pid {before['pid']}" in second.stderr
    assert "ENACT_DATA_DIR" in second.stderr
    assert up.file == before
    assert enact.ask("registry", "list")


def test_a_taken_port_is_explained_before_anything_is_started(tmp_path: Path) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen(1)
        port = holder.getsockname()[1]
        enact = Enact(tmp_path / "data", ENACT_API__PORT=str(port))

        done = enact.run("up", "--health-port", "0")

    assert done.returncode == 64
    assert f"Port {port}, wanted for the api" in done.stderr
    assert "ENACT_API__PORT" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "data" / "broker").exists()


@pytest.mark.timeout(240)
def test_after_kill_9_of_the_supervisor_nothing_is_left_and_the_next_up_still_knows_everything(tmp_path: Path) -> None:
    enact = Enact(tmp_path / "data")
    first = Up(enact, "--sandbox", "--free-ports")
    try:
        first.start()
        intent_id = submit(enact, "crm-task.json")
        enact.wait_for(intent_id, "SUCCEEDED")
        marks = first.marks()
    finally:
        first.kill()
    wait_until_gone(marks, 10)

    asked = enact.run("status", intent_id, *WHO, "--json")
    assert asked.returncode == 1
    assert "enact up" in json.loads(asked.stdout)["message"]

    second = Up(enact, "--sandbox", "--free-ports")
    try:
        second.start()
        assert enact.status(intent_id) == "SUCCEEDED"
        enact.wait_for(submit(enact, "crm-task.json"), "SUCCEEDED")
        marks = second.marks()
        receipts = SandboxAdmin(second.file["sandbox_url"]).receipts(kind="write")
    finally:
        exit_code = second.stop()

    assert exit_code == 0
    assert len(receipts) == 2
    assert "Nothing is running any more" in second.said
    wait_until_gone(marks, 1)
    assert not (enact.data_dir / "up.json").exists()
