"""enact as a library: the same three operations as API and CLI."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from enact.client import ApiError, EnactClient, Publisher
from enact.clock import ManualClock
from enact.command_answers import Accepted
from enact.commands import UnknownExecutionError
from enact.errors import ConfigurationError, ErrorCode, ValidationError
from enact.ids import intent_sha256
from enact.kafka.local import LocalBroker
from enact.records import ApprovedIntent, CancelRequested, ExecutionEvent, LedgerEntry, LedgerType
from enact.records.codec import decode
from tests.factories import make_intent
from tests.unit.enact.ledger_owner import INTENT, TENANT, World, entry, started


class FakeApi:
    """Answers as told and remembers what it was asked."""

    def __init__(self) -> None:
        self.answer: tuple[int, Any] = (404, {"message": "no"})
        self.asked: list[tuple[str, str, str]] = []
        self.url = ""

    async def handle(self, request: web.Request) -> web.Response:
        self.asked.append((request.path, request.query.get("account_id", ""), request.headers.get("x-tenant-id", "")))
        status, body = self.answer
        return web.Response(status=status, text=body) if isinstance(body, str) else web.json_response(body, status=status)


@pytest.fixture
async def api() -> AsyncIterator[FakeApi]:
    fake = FakeApi()
    app = web.Application()
    app.router.add_get("/{tail:.*}", fake.handle)
    async with TestServer(app, host="127.0.0.1") as server:
        fake.url = str(server.make_url("/"))
        yield fake


def broker() -> LocalBroker:
    made = LocalBroker()
    made.create_topic("t.intents.approved", 4)
    return made


def publisher(on: LocalBroker) -> Publisher:
    return Publisher(writer=on.writer(), topic="t.intents.approved", partition_count=4)


async def test_an_intent_is_published_and_its_execution_named() -> None:
    kafka = broker()

    async with EnactClient(tenant_id="acme", publisher=publisher(kafka), clock=ManualClock()) as client:
        execution_id = await client.execute_action_intent(make_intent())

    (record,) = kafka.records("t.intents.approved")
    assert execution_id == "exec-int-1"
    assert decode(ApprovedIntent, record.value or b"") == make_intent()


async def test_an_id_that_is_known_with_other_content_is_refused(api: FakeApi) -> None:
    kafka = broker()
    api.answer = (200, {"entries": [{"details": {"intent_sha256": intent_sha256(make_intent())}}]})

    async with EnactClient(tenant_id="acme", api_url=api.url, publisher=publisher(kafka)) as client:
        await client.execute_action_intent(make_intent())
        with pytest.raises(ValidationError) as refused:
            await client.execute_action_intent(make_intent(parameters='{"subject":"other"}'))

    assert refused.value.code is ErrorCode.INTENT_ID_REUSED
    assert len(kafka.records("t.intents.approved")) == 1


@pytest.mark.parametrize("answer", [(404, {}), (500, {}), (200, "no json")])
async def test_an_api_that_knows_nothing_does_not_stop_publishing(api: FakeApi, answer: tuple[int, Any]) -> None:
    kafka = broker()
    api.answer = answer

    async with EnactClient(tenant_id="acme", api_url=api.url, publisher=publisher(kafka)) as client:
        await client.execute_action_intent(make_intent())

    assert len(kafka.records("t.intents.approved")) == 1


async def test_another_tenants_intent_is_refused() -> None:
    kafka = broker()

    async with EnactClient(tenant_id="globex", publisher=publisher(kafka)) as client:
        with pytest.raises(ValidationError, match="tenant_id"):
            await client.execute_action_intent(make_intent())

    assert kafka.records("t.intents.approved") == []


async def test_status_is_asked_as_the_clients_tenant(api: FakeApi) -> None:
    api.answer = (200, {"status": "SUCCEEDED"})

    async with EnactClient(tenant_id="acme", api_url=api.url) as client:
        body = await client.get_execution_status("int-1", account_id="account-1")

    assert body == {"status": "SUCCEEDED"}
    assert api.asked == [("/executions/int-1/status", "account-1", "acme")]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ((404, {"message": "x"}), UnknownExecutionError),
        ((400, {"message": "account_id is missing"}), ValidationError),
        ((503, {"message": "x"}), ApiError),
        ((200, []), ApiError),
        ((200, "no json"), ApiError),
    ],
)
async def test_what_the_api_cannot_answer_is_an_error_by_type(api: FakeApi, answer: tuple[int, Any], error: type[Exception]) -> None:
    api.answer = answer

    async with EnactClient(tenant_id="acme", api_url=api.url) as client:
        with pytest.raises(error):
            await client.get_execution_status("int-1", account_id="account-1")


async def test_an_api_that_is_down_is_said() -> None:
    async with EnactClient(tenant_id="acme", api_url="http://127.0.0.1:1") as client:
        with pytest.raises(ApiError, match="does not answer"):
            await client.get_execution_status("int-1", account_id="account-1")


async def test_cancelling_goes_through_the_execution_log() -> None:
    def owner(event: ExecutionEvent) -> LedgerEntry | None:
        assert isinstance(event.data, CancelRequested)
        details = {"command_id": event.data.command_id, "result": "CANCELLED"}
        return entry(LedgerType.CANCEL_ACCEPTED, version=5, cause=event.event_id, details=details)

    world = World(owner)
    world.hold(started())

    async with EnactClient(tenant_id=TENANT, commands=world.commands) as client:
        answer = await client.cancel_execution(INTENT, reason="by mistake")

    assert isinstance(answer, Accepted)


async def test_what_was_not_handed_in_is_named() -> None:
    async with EnactClient(tenant_id="acme") as client:
        with pytest.raises(ConfigurationError, match="publisher"):
            await client.execute_action_intent(make_intent())
        with pytest.raises(ConfigurationError, match="api_url"):
            await client.get_execution_status("int-1", account_id="a")
        with pytest.raises(ConfigurationError, match="commands"):
            await client.cancel_execution("int-1", reason="x")
