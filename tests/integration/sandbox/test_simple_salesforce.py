"""A client nobody here wrote, unmodified, over TLS: what it can do with Salesforce it can do with the sandbox."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from simple_salesforce.api import Salesforce
from simple_salesforce.exceptions import SalesforceExpiredSession, SalesforceMalformedRequest, SalesforceResourceNotFound

from connectors.sandbox.admin_client import SandboxAdmin
from connectors.sandbox.server import start_sandbox
from connectors.sandbox.tenants import client_id, client_secret, user_password
from tests.contract.connectors.certificate import make_certificate


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    return make_certificate(tmp_path)


@pytest.fixture
def sandbox(tmp_path: Path, certificate: tuple[Path, Path]) -> Iterator[SandboxAdmin]:
    with start_sandbox(tmp_path / "sandbox", tls=certificate) as admin:
        yield admin


@pytest.fixture
def session(certificate: tuple[Path, Path]) -> Iterator[requests.Session]:
    with requests.Session() as made:
        made.verify = str(certificate[0])
        made.trust_env = False
        yield made


@pytest.fixture
def salesforce(sandbox: SandboxAdmin, session: requests.Session) -> Any:
    form = {
        "grant_type": "password",
        "client_id": client_id("acme"),
        "client_secret": client_secret("acme"),
        "username": "seller@acme",
        "password": user_password("acme"),
    }
    answer = session.post(f"{sandbox.tls_url}/services/oauth2/token", data=form, timeout=5)
    said = answer.json()
    assert answer.status_code == 200
    return Salesforce(instance_url=said["instance_url"], session_id=said["access_token"], session=session, version="60.0")


def content(caught: Any) -> Any:
    """The decoded error body; the client declares it as bytes."""
    return caught.value.content


def test_it_creates_reads_updates_and_deletes(salesforce: Any, sandbox: SandboxAdmin) -> None:
    created = salesforce.Task.create({"Subject": "Call back", "ActivityDate": "2026-12-01"})
    salesforce.Task.update(created["id"], {"Status": "Completed"})
    read = salesforce.Task.get(created["id"])
    salesforce.Task.delete(created["id"])

    assert created["success"] is True
    assert (read["Subject"], read["Status"], read["Priority"]) == ("Call back", "Completed", "Normal")
    with pytest.raises(SalesforceResourceNotFound) as gone:
        salesforce.Task.get(created["id"])
    assert content(gone)[0]["errorCode"] == "ENTITY_IS_DELETED"
    assert [row["operation"] for row in sandbox.applications()] == ["create", "update", "delete"]


def test_it_upserts_by_external_id(salesforce: Any) -> None:
    first = salesforce.Task.upsert("Enact_Key__c/key-1", {"Subject": "One"})
    second = salesforce.Task.upsert("Enact_Key__c/key-1", {"Subject": "Two"})

    assert (first, second) == (201, 200)
    assert salesforce.Task.get_by_custom_id("Enact_Key__c", "key-1")["Subject"] == "Two"


def test_it_makes_an_opportunity_only_with_all_that_salesforce_requires_and_sets_a_field_of_it(salesforce: Any) -> None:
    deal = {"Name": "Two more seats", "StageName": "Prospecting", "CloseDate": "2030-03-31", "Amount": 2400.5}
    for missing in ("Name", "StageName", "CloseDate"):
        with pytest.raises(SalesforceMalformedRequest) as refused:
            salesforce.Opportunity.upsert("Enact_Key__c/key-1", {name: deal[name] for name in deal if name != missing})
        assert content(refused)[0]["fields"] == [missing]

    made = [salesforce.Opportunity.upsert("Enact_Key__c/key-1", deal) for _ in range(2)]
    (found,) = salesforce.query("SELECT Id, Amount FROM Opportunity WHERE Enact_Key__c = 'key-1'")["records"]
    changed = salesforce.Opportunity.update(found["Id"], {"StageName": "Closed Won"})

    assert (made, changed, found["Amount"]) == ([201, 200], 204, 2400.5)
    assert salesforce.Opportunity.get(found["Id"])["StageName"] == "Closed Won"
    with pytest.raises(SalesforceResourceNotFound):
        salesforce.Opportunity.update("006Sb000000009ZAAA", {"StageName": "Closed Won"})


def test_it_queries_in_soql(salesforce: Any) -> None:
    for number in range(3):
        salesforce.Task.create({"Subject": "it's one" if number == 1 else "another", "Enact_Key__c": f"key-{number}"})

    found = salesforce.query("SELECT Id, Subject FROM Task WHERE Subject = 'it\\'s one' AND Enact_Key__c = 'key-1' LIMIT 5")
    everything = salesforce.query_all("SELECT Subject FROM Task")

    assert found["totalSize"] == 1
    assert found["records"][0]["attributes"]["type"] == "Task"
    assert everything["totalSize"] == 3


def test_it_describes_what_there_is(salesforce: Any) -> None:
    described = salesforce.Task.describe()
    everything = salesforce.describe()

    assert {field["name"] for field in described["fields"] if field["externalId"]} == {"Enact_Key__c"}
    assert everything is not None
    assert "Task" in {kind["name"] for kind in everything["sobjects"]}


def test_it_meets_salesforce_s_own_errors(salesforce: Any, session: requests.Session, sandbox: SandboxAdmin) -> None:
    with pytest.raises(SalesforceMalformedRequest) as missing:
        salesforce.Task.create({"Priority": "High"})
    with pytest.raises(SalesforceMalformedRequest) as unknown:
        salesforce.Task.create({"Subject": "x", "Nonsense": 1})
    with pytest.raises(SalesforceMalformedRequest) as malformed:
        salesforce.query("SELECT FROM Task")
    with pytest.raises(SalesforceResourceNotFound):
        salesforce.Nothing.create({"Name": "x"})
    stranger: Any = Salesforce(instance_url=str(sandbox.tls_url), session_id="not a token", session=session)
    with pytest.raises(SalesforceExpiredSession) as expired:
        stranger.Task.create({"Subject": "x"})

    assert content(missing) == [
        {"message": "Required fields are missing: [Subject]", "errorCode": "REQUIRED_FIELD_MISSING", "fields": ["Subject"]}
    ]
    assert content(unknown)[0]["errorCode"] == "INVALID_FIELD"
    assert content(malformed)[0]["errorCode"] == "MALFORMED_QUERY"
    assert content(expired) == [{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}]


def test_one_tenant_s_session_sees_nothing_of_another_s(salesforce: Any, session: requests.Session, sandbox: SandboxAdmin) -> None:
    made = salesforce.Task.create({"Subject": "Only mine"})
    form = {"grant_type": "client_credentials", "client_id": client_id("globex"), "client_secret": client_secret("globex")}
    said = session.post(f"{sandbox.tls_url}/services/oauth2/token", data=form, timeout=5).json()
    other: Any = Salesforce(instance_url=said["instance_url"], session_id=said["access_token"], session=session)

    assert other.query("SELECT Id FROM Task")["totalSize"] == 0
    with pytest.raises(SalesforceResourceNotFound):
        other.Task.get(made["id"])


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"client_secret": "wrong"}, "invalid_client"),
        ({"client_id": "nobody"}, "invalid_client_id"),
        ({"grant_type": "password", "username": "seller@acme", "password": "wrong"}, "invalid_grant"),
        ({"grant_type": "refresh_token", "refresh_token": "wrong"}, "invalid_grant"),
        ({"grant_type": "magic"}, "unsupported_grant_type"),
    ],
)
def test_a_login_that_does_not_fit_is_refused_in_oauth_s_words(
    sandbox: SandboxAdmin, session: requests.Session, changes: dict[str, str], error: str
) -> None:
    form = {"grant_type": "client_credentials", "client_id": client_id("acme"), "client_secret": client_secret("acme"), **changes}

    answer = session.post(f"{sandbox.tls_url}/services/oauth2/token", data=form, timeout=5)

    assert (answer.status_code, answer.json()["error"]) == (400, error)
