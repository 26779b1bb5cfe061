"""What the CRM connector asks Salesforce, and what it makes of answers the sandbox never gives."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from connectors.contract import Call
from connectors.credentials import CredentialStore
from connectors.crm.connector import CrmConnector
from connectors.http import HttpAnswer, HttpClient, HttpRequest
from connectors.outbound_policy import OutboundPolicy
from enact.clock import ManualClock
from enact.errors import AmbiguousError, DownstreamError, EnactError, PermanentError, RejectedError, UnreachableError
from enact.ids import idempotency_key
from enact.records import Step

CREATED = HttpAnswer(status=201, body=b'{"id":"00T1","success":true,"errors":[],"created":true}')


class Salesforce(HttpClient):
    """Gives the same answer to everything, without a network."""

    def __init__(self, answer: HttpAnswer | EnactError) -> None:
        super().__init__(OutboundPolicy())
        self.answer = answer
        self.asked: list[HttpRequest] = []

    async def send(self, request: HttpRequest) -> HttpAnswer:
        self.asked.append(request)
        if isinstance(self.answer, EnactError):
            raise self.answer
        return self.answer


def connector(folder: Path, answer: HttpAnswer | EnactError, *, tenants: tuple[str, ...] = ("acme",)) -> tuple[CrmConnector, Salesforce]:
    for tenant in tenants:
        path = folder / tenant / "crm.json"
        path.parent.mkdir()
        path.write_text(json.dumps({"mode": "api_key", "instance_url": f"https://{tenant}.example", "api_key": "k"}))
    salesforce = Salesforce(answer)
    return CrmConnector(salesforce, CredentialStore(folder), ManualClock()), salesforce


def call(tool_name: str = "crm.create_task", step: Step = Step.EXECUTE, **changes: Any) -> Call:
    given: dict[str, Any] = {
        "tool_name": tool_name,
        "tenant_id": "acme",
        "account_id": "account-1",
        "action_intent_id": "intent-1",
        "step": step,
        "attempt": 2,
        "nonce": "n1",
        "idempotency_key": "key/1' OR",
        "arguments": {"subject": "Call", "priority": "High"} if step is Step.EXECUTE else {},
        "timeout_ms": 1_234,
        "traceparent": None,
        "last_look": lambda: None,
    }
    return Call(**{**given, **changes})


async def test_the_task_is_upserted_under_its_key_with_the_same_bytes_each_time(tmp_path: Path) -> None:
    crm, salesforce = connector(tmp_path, CREATED)

    await crm.execute(call())
    await crm.execute(call(arguments={"priority": "High", "subject": "Call"}))

    first, second = salesforce.asked
    assert (first.method, first.url) == (
        "PATCH",
        "https://acme.example/services/data/v60.0/sobjects/Task/Enact_Key__c/key%2F1%27%20OR",
    )
    assert first.body == second.body == b'{"Priority":"High","Subject":"Call"}'
    assert (first.timeout_ms, first.is_fresh) == (1_234, False)
    assert first.headers["X-Enact-Attempt"] == "2.n1"
    assert "traceparent" not in first.headers


async def test_the_trace_goes_along(tmp_path: Path) -> None:
    crm, salesforce = connector(tmp_path, CREATED)

    await crm.execute(call(traceparent="00-trace"))

    assert salesforce.asked[0].headers["traceparent"] == "00-trace"


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b'{"id":5,"success":true}', b'{"id":"00T1","success":false}'])
async def test_a_success_without_an_id_may_have_created_something(tmp_path: Path, body: bytes) -> None:
    crm, _ = connector(tmp_path, HttpAnswer(status=200, body=body))

    with pytest.raises(AmbiguousError):
        await crm.execute(call())


@pytest.mark.parametrize("body", [b"<html>", b"{}", b"[]", b'[{"errorCode":5}]', b'[{"errorCode":"HAS spaces"}]'])
async def test_a_refusal_without_a_code_is_a_refusal(tmp_path: Path, body: bytes) -> None:
    crm, _ = connector(tmp_path, HttpAnswer(status=400, body=body))

    with pytest.raises(RejectedError, match="answered 400:"):
        await crm.execute(call())


async def test_two_tasks_with_one_key_are_reported_and_not_chosen_between(tmp_path: Path) -> None:
    crm, _ = connector(tmp_path, HttpAnswer(status=300, body=b'["/a","/b"]'))

    with pytest.raises(RejectedError, match="300"):
        await crm.execute(call())


async def test_undoing_deletes_by_the_key_of_the_execute_step_on_a_connection_of_its_own(tmp_path: Path) -> None:
    crm, salesforce = connector(tmp_path, HttpAnswer(status=204))

    result = await crm.compensate(call("crm.delete_task", Step.COMPENSATE))

    (asked,) = salesforce.asked
    assert asked.method == "DELETE"
    assert asked.url.endswith("/Enact_Key__c/" + idempotency_key("acme", "intent-1", Step.EXECUTE))
    assert (asked.is_fresh, asked.body) == (True, None)
    assert result.refs == ()


@pytest.mark.parametrize(("body", "is_undone"), [(b'[{"errorCode":"ENTITY_IS_DELETED"}]', True), (b"<html>no such page</html>", False)])
async def test_only_salesforce_s_own_word_that_the_task_is_gone_counts_as_undone(tmp_path: Path, body: bytes, is_undone: bool) -> None:
    crm, _ = connector(tmp_path, HttpAnswer(status=404, body=body))

    if is_undone:
        await crm.compensate(call("crm.delete_task", Step.COMPENSATE))
    else:
        with pytest.raises(RejectedError):
            await crm.compensate(call("crm.delete_task", Step.COMPENSATE))


async def test_a_look_up_asks_by_key_and_lets_nothing_out_of_the_literal(tmp_path: Path) -> None:
    crm, salesforce = connector(tmp_path, HttpAnswer(status=200, body=b'{"totalSize":0,"done":true,"records":[]}'))

    found = await crm.look_up(call())

    assert found is None
    assert unquote(salesforce.asked[0].url.partition("?q=")[2]) == "SELECT Id FROM Task WHERE Enact_Key__c = 'key/1\\' OR' LIMIT 1"


@pytest.mark.parametrize("body", [b"{}", b"[]", b"<html>", b'{"totalSize":1,"records":[]}', b'{"totalSize":1,"records":[{"Id":7}]}'])
async def test_an_answer_that_is_no_query_result_is_never_not_found(tmp_path: Path, body: bytes) -> None:
    crm, _ = connector(tmp_path, HttpAnswer(status=200, body=body))

    with pytest.raises(DownstreamError):
        await crm.look_up(call())


async def test_an_external_id_field_that_does_not_exist_is_never_not_found(tmp_path: Path) -> None:
    crm, _ = connector(tmp_path, HttpAnswer(status=400, body=b'[{"errorCode":"INVALID_FIELD"}]'))

    with pytest.raises(RejectedError, match="INVALID_FIELD"):
        await crm.look_up(call())


FIELD = {"object_type": "Account", "record_id": "001Sb000000001A", "field": "Industry", "value": "Energy"}


async def test_a_field_is_set_on_the_record_itself_and_204_says_so(tmp_path: Path) -> None:
    crm, salesforce = connector(tmp_path, HttpAnswer(status=204))

    result = await crm.execute(call("crm.update_field", arguments=FIELD))

    (asked,) = salesforce.asked
    assert (asked.method, asked.url) == ("PATCH", "https://acme.example/services/data/v60.0/sobjects/Account/001Sb000000001A")
    assert asked.body == b'{"Industry":"Energy"}'
    assert (result.refs[0].object_type, result.refs[0].object_id) == ("Account", "001Sb000000001A")


@pytest.mark.parametrize("answer", [HttpAnswer(status=200, body=b"<html>Welcome</html>"), CREATED, HttpAnswer(status=202)])
async def test_a_success_that_is_not_204_may_or_may_not_have_set_the_field(tmp_path: Path, answer: HttpAnswer) -> None:
    crm, _ = connector(tmp_path, answer)

    with pytest.raises(AmbiguousError, match="204"):
        await crm.execute(call("crm.update_field", arguments=FIELD))


@pytest.mark.parametrize(
    ("records", "is_found"),
    [
        (b'[{"attributes":{},"Id":"001Sb000000001AMAA","Industry":"Energy"}]', True),
        (b'[{"Id":"001Sb000000001AMAA","Industry":"Coal"}]', False),
        (b'[{"Id":"001Sb000000001AMAA","Industry":null}]', False),
    ],
)
async def test_a_field_is_looked_up_on_its_record(tmp_path: Path, records: bytes, is_found: bool) -> None:
    crm, salesforce = connector(tmp_path, HttpAnswer(status=200, body=b'{"totalSize":1,"done":true,"records":' + records + b"}"))

    found = await crm.look_up(call("crm.update_field", arguments=FIELD))

    asked = unquote(salesforce.asked[0].url.partition("?q=")[2])
    assert asked == "SELECT Id, Industry FROM Account WHERE Id = '001Sb000000001A' LIMIT 1"
    assert (found is not None) is is_found


async def test_a_look_up_with_arguments_that_do_not_fit_asks_nothing(tmp_path: Path) -> None:
    crm, salesforce = connector(tmp_path, CREATED)

    with pytest.raises(PermanentError):
        await crm.look_up(call("crm.update_field", arguments={**FIELD, "field": "Id FROM User"}))

    assert salesforce.asked == []


async def test_an_opportunity_is_upserted_and_undone_under_its_key(tmp_path: Path) -> None:
    crm, salesforce = connector(tmp_path, CREATED)
    deal = {"name": "Seats", "stage_name": "Open", "close_date": "2030-03-31"}

    made = await crm.execute(call("crm.create_opportunity", arguments=deal))
    await crm.compensate(call("crm.delete_opportunity", Step.COMPENSATE))

    created, deleted = salesforce.asked
    assert created.url.endswith("/sobjects/Opportunity/Enact_Key__c/key%2F1%27%20OR")
    assert created.body == b'{"CloseDate":"2030-03-31","Name":"Seats","StageName":"Open"}'
    assert made.refs[0].object_type == "Opportunity"
    assert "/sobjects/Opportunity/Enact_Key__c/" in deleted.url


@pytest.mark.parametrize(
    ("answer", "ok", "detail"),
    [
        (HttpAnswer(status=200), True, "3 of 3"),
        (HttpAnswer(status=503), False, "0 of 3"),
        (UnreachableError(), False, "0 of 3"),
    ],
)
async def test_health_asks_a_few_instances(tmp_path: Path, answer: HttpAnswer | EnactError, ok: bool, detail: str) -> None:
    crm, salesforce = connector(tmp_path, answer, tenants=("a", "b", "c", "d"))
    (tmp_path / "a" / "crm.json").write_text("broken")
    (tmp_path / "e").mkdir()
    (tmp_path / "e" / "crm.json").write_text((tmp_path / "d" / "crm.json").read_text())

    health = await crm.health()

    assert health.ok is ok
    assert detail in health.detail
    assert len(salesforce.asked) == 3
    assert all("Authorization" not in asked.headers for asked in salesforce.asked)


async def test_without_any_credentials_health_says_so(tmp_path: Path) -> None:
    crm, _ = connector(tmp_path, CREATED, tenants=())

    assert not (await crm.health()).ok
