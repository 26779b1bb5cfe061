"""What the practice world answers to requests that no connector makes: a person with curl, a client with mistakes."""

import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors.sandbox.admin_client import SandboxAdmin
from connectors.sandbox.server import start_sandbox
from connectors.sandbox.tenants import api_key
from enact.errors import EnactError

DATA = "/services/data/v60.0"
BY_KEY = f"{DATA}/sobjects/Task/Enact_Key__c"

Ask = Callable[..., tuple[int, Any]]


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[SandboxAdmin]:
    with start_sandbox(tmp_path / "sandbox") as admin:
        yield admin


@pytest.fixture
def ask(sandbox: SandboxAdmin) -> Ask:
    """Ask as tenant acme: status and what the body says (JSON decoded, anything else as text)."""

    def asked(method: str, path: str, body: object = None, *, tenant: str = "acme") -> tuple[int, Any]:
        data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {api_key(tenant)}", "Content-Type": "application/json"}
        request = urllib.request.Request(sandbox.url + path, data=data, method=method, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, _decoded(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, _decoded(error.read())

    return asked


def _decoded(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return body.decode()


def error_of(answer: tuple[int, Any]) -> tuple[int, str]:
    status, (said,) = answer
    return status, said["errorCode"]


def test_it_says_what_it_has(ask: Ask) -> None:
    versions, resources = ask("GET", "/services/data"), ask("GET", DATA)
    task = ask("GET", f"{DATA}/sobjects/Task")

    assert "60.0" in {one["version"] for one in versions[1]}
    assert resources[1]["query"] == f"{DATA}/query"
    assert task[1]["objectDescribe"]["name"] == "Task"


def test_an_object_has_a_page_for_people_that_shows_text_as_text(ask: Ask) -> None:
    _, made = ask("POST", f"{DATA}/sobjects/Task", {"Subject": "<b>Call</b> back"})
    page = f"/lightning/r/Task/{made['id']}/view"

    shown = ask("GET", page)
    ask("DELETE", f"{DATA}/sobjects/Task/{made['id']}")
    afterwards = ask("GET", page)

    assert shown[0] == 200
    assert "&lt;b&gt;Call&lt;/b&gt; back" in shown[1]
    assert "(deleted)" in afterwards[1]
    assert error_of(ask("GET", "/lightning/r/Task/00T000000000000AAA/view")) == (404, "NOT_FOUND")


def test_an_object_is_read_changed_and_deleted_by_its_external_id(ask: Ask) -> None:
    created = ask("PATCH", f"{BY_KEY}/key-1", {"Subject": "One"})
    updated = ask("PATCH", f"{BY_KEY}/key-1", {"Subject": "Two"})
    shown = ask("GET", f"{BY_KEY}/key-1?fields=Subject,Id")
    deleted = ask("DELETE", f"{BY_KEY}/key-1")

    assert (created[0], updated[0], deleted[0]) == (201, 200, 204)
    assert {name: shown[1][name] for name in ("Subject", "Id")} == {"Subject": "Two", "Id": created[1]["id"]}
    assert "Status" not in shown[1]
    assert error_of(ask("GET", f"{BY_KEY}/key-2")) == (404, "NOT_FOUND")
    assert error_of(ask("DELETE", f"{BY_KEY}/key-2")) == (404, "NOT_FOUND")


def test_an_id_of_fifteen_characters_names_the_same_object(ask: Ask) -> None:
    _, made = ask("POST", f"{DATA}/sobjects/Task", {"Subject": "One"})

    assert ask("GET", f"{DATA}/sobjects/Task/{made['id'][:15]}")[1]["Id"] == made["id"]


def test_a_key_belongs_to_one_object(ask: Ask) -> None:
    ask("PATCH", f"{BY_KEY}/key-1", {"Subject": "One"})
    _, other = ask("POST", f"{DATA}/sobjects/Task", {"Subject": "Two"})

    created = ask("POST", f"{DATA}/sobjects/Task", {"Subject": "Three", "Enact_Key__c": "key-1"})
    changed = ask("PATCH", f"{DATA}/sobjects/Task/{other['id']}", {"Enact_Key__c": "key-1"})

    assert error_of(created) == error_of(changed) == (400, "DUPLICATE_VALUE")


@pytest.mark.parametrize(
    ("method", "path", "body", "expected"),
    [
        ("PATCH", f"{BY_KEY}/key-1", {"Subject": "x", "Enact_Key__c": "key-1"}, (400, "INVALID_FIELD")),
        ("PATCH", f"{BY_KEY}/{'k' * 300}", {"Subject": "x"}, (400, "INVALID_FIELD")),
        ("PATCH", f"{DATA}/sobjects/Task/Subject/x", {"Subject": "x"}, (404, "NOT_FOUND")),
        ("POST", f"{DATA}/sobjects/Task", b"{", (400, "JSON_PARSER_ERROR")),
        ("POST", "/sandbox/fire", b"{", (400, "JSON_PARSER_ERROR")),
        ("POST", "/sandbox/fire", {"label": ""}, (400, "REQUIRED_FIELD_MISSING")),
        ("POST", "/sandbox/fire", [], (400, "REQUIRED_FIELD_MISSING")),
        ("POST", "/sandbox/fire-keyed", {"label": "no key"}, (400, "REQUIRED_FIELD_MISSING")),
        ("POST", "/sandbox/fire-named", {"label": "no name"}, (400, "REQUIRED_FIELD_MISSING")),
        ("GET", f"{DATA}/query", None, (400, "MALFORMED_QUERY")),
        ("GET", f"{DATA}/sobjects/Nonsense", None, (404, "NOT_FOUND")),
        ("PUT", f"{DATA}/query", {}, (405, "METHOD_NOT_ALLOWED")),
    ],
)
def test_a_wrong_request_is_refused_in_salesforces_words(ask: Ask, method: str, path: str, body: object, expected: tuple[int, str]) -> None:
    assert error_of(ask(method, path, body)) == expected


def test_what_is_no_route_is_not_found(ask: Ask) -> None:
    assert ask("GET", "/nowhere")[0] == 404


def test_only_fields_there_are_can_be_asked_for(ask: Ask) -> None:
    ask("PATCH", f"{BY_KEY}/key-1", {"Subject": "One"})

    assert error_of(ask("GET", f"{BY_KEY}/key-1?fields=Nonsense")) == (400, "INVALID_FIELD")


def test_a_query_counts_and_sorts(ask: Ask) -> None:
    for subject in ("b", "c", "a"):
        ask("POST", f"{DATA}/sobjects/Task", {"Subject": subject})

    counted = ask("GET", f"{DATA}/query?q=SELECT+COUNT()+FROM+Task")
    newest = ask("GET", f"{DATA}/query?q=SELECT+Subject+FROM+Task+ORDER+BY+Subject+DESC+LIMIT+2")

    assert (counted[1]["totalSize"], counted[1]["records"]) == (3, [])
    assert [record["Subject"] for record in newest[1]["records"]] == ["c", "b"]


def test_the_back_door_counts_forgives_and_names_what_it_refuses(sandbox: SandboxAdmin, ask: Ask) -> None:
    sandbox.set_mode("reject", subject="never", count=2)
    refused = ask("POST", "/sandbox/fire", {"label": "never"})
    sandbox.clear_modes()
    fired = [ask("POST", "/sandbox/fire", {"label": "never"})[0] for _ in range(2)]

    assert refused[0] >= 400
    assert fired == [201, 201]
    assert sandbox.summary()["modes"] == []
    assert sandbox.summary()["applications"] == {"fire": 2}
    assert {row["fields"]["label"] for row in sandbox.objects(object_type="Fire")} == {"never"}
    assert ask("GET", "/sandbox/modes") == (200, [])
    with pytest.raises(EnactError, match="refused GET /sandbox/receipts"):
        sandbox.receipts(nonsense="x")
    with pytest.raises(EnactError, match="refused POST /sandbox/modes"):
        sandbox.set_mode("sing")


def test_an_object_that_was_there_from_the_beginning_leaves_no_receipt(sandbox: SandboxAdmin, ask: Ask) -> None:
    account = sandbox.add_object("acme", "Account", {"Name": "Acme"}, id="001Sb000000001AMAA")
    other = sandbox.add_object("acme", "Opportunity", {"Name": "Seats", "StageName": "Open", "CloseDate": "2030-01-31"})

    assert (sandbox.receipts(), sandbox.applications()) == ([], [])
    assert ask("GET", f"{DATA}/sobjects/Account/001Sb000000001A")[1]["Id"] == account
    assert other.startswith("006")
    for kind, fields, id_ in (("Account", {"Name": "x"}, account), ("Account", {}, None), ("Nonsense", {"Name": "x"}, None)):
        with pytest.raises(EnactError, match="refused POST /sandbox/objects"):
            sandbox.add_object("acme", kind, fields, id=id_)


@pytest.mark.parametrize("missing", ["Name", "StageName", "CloseDate"])
def test_an_opportunity_lacks_nothing_that_salesforce_requires(ask: Ask, missing: str) -> None:
    deal = {"Name": "Seats", "StageName": "Open", "CloseDate": "2030-01-31"}

    refused = ask("PATCH", f"{DATA}/sobjects/Opportunity/Enact_Key__c/key-1", {name: deal[name] for name in deal if name != missing})

    assert error_of(refused) == (400, "REQUIRED_FIELD_MISSING")
    assert refused[1][0]["fields"] == [missing]


def test_a_field_is_set_by_the_record_s_id_and_a_record_that_is_not_there_is_not_made(sandbox: SandboxAdmin, ask: Ask) -> None:
    sandbox.add_object("acme", "Account", {"Name": "Acme"}, id="001Sb000000001AMAA")
    sandbox.add_object("globex", "Account", {"Name": "Globex"}, id="001Sb000000002AMAA")

    done = ask("PATCH", f"{DATA}/sobjects/Account/001Sb000000001A", {"Industry": "Energy"})

    assert done == (204, "")
    assert [row["fields"]["Industry"] for row in sandbox.objects(tenant="acme")] == ["Energy"]
    for id_ in ("001Sb000000003A", "001Sb000000002A"):
        assert error_of(ask("PATCH", f"{DATA}/sobjects/Account/{id_}", {"Industry": "Energy"})) == (404, "NOT_FOUND")


@pytest.mark.parametrize("behaviour", ["huge", "broken_json"])
def test_an_odd_answer_comes_after_the_work_and_a_refusal_stays_a_refusal(sandbox: SandboxAdmin, ask: Ask, behaviour: str) -> None:
    sandbox.set_mode(behaviour, tool="crm.create_task", size_bytes=10_000)

    status, said = ask("PATCH", f"{BY_KEY}/key-1", {"Subject": "One"})
    refused = ask("PATCH", f"{BY_KEY}/key-2", {"Nonsense": "One"})

    assert status == 201
    assert len(sandbox.objects(external_id="key-1")) == 1
    assert isinstance(said, str if behaviour == "broken_json" else dict)
    assert error_of(refused) == (400, "INVALID_FIELD")


def test_a_redirect_leads_a_client_that_obeys_it_to_where_it_was(sandbox: SandboxAdmin, ask: Ask) -> None:
    sandbox.set_mode("redirect", status=302, method="GET", on="read", count=1)

    assert ask("GET", DATA)[0] == 200
    assert [row["status"] for row in sandbox.receipts(kind="read")] == [302, 200]


def test_tokens_can_be_ended_at_once(sandbox: SandboxAdmin, ask: Ask) -> None:
    assert sandbox.is_ready()
    assert ask("GET", DATA)[0] == 200

    sandbox.expire_tokens("globex")
    sandbox.expire_tokens()

    assert ask("GET", "/sandbox/health")[1] == {"ok": True}


def test_a_sandbox_that_is_gone_is_said_to_be_gone(tmp_path: Path) -> None:
    with start_sandbox(tmp_path / "sandbox") as admin:
        pass

    assert not admin.is_ready()
    with pytest.raises(EnactError, match="does not answer"):
        admin.summary()
