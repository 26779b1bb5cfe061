"""The running api keeps every word of its documentation, whatever is asked: questions drawn from it, right and wrong ones."""

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from aiohttp import web
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.core.result import Ok

from services.api.follower import Freshness
from services.api.openapi import document
from services.api.read_model import ReadModel, sqlite_url
from services.api.routes import ROUTES
from tests.unit.services.api.ledger_entries import ACCOUNT, INTENT, TENANT, clean_success
from tests.unit.services.api.running_api import Api, app_on, executions

EXAMPLES = 40
KNOWN = {"action_intent_id": INTENT, "account_id": ACCOUNT}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The application on loopback, in a thread of its own, with a few executions."""
    model = ReadModel.at(sqlite_url(tmp_path_factory.mktemp("model")))
    Api(model, None).hold([*clean_success(), *executions(5, first=10)])
    loop = asyncio.new_event_loop()
    runner = web.AppRunner(app_on(model, [Freshness(999.9)], origins=("*",)), access_log=None)

    async def start() -> int:
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return int(runner.addresses[0][1])

    port = loop.run_until_complete(start())
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield f"http://127.0.0.1:{port}"
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.run_until_complete(runner.cleanup())
    loop.close()
    model.close()


def operations(declared: dict[str, Any]) -> list[Any]:
    return [found.ok() for found in schemathesis.openapi.from_dict(declared).get_all_operations() if isinstance(found, Ok)]


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["right", "wrong"])
@pytest.mark.parametrize("path", [route.path for route in ROUTES])
def test_whatever_is_asked_is_answered_as_the_documentation_says(url: str, path: str, mode: GenerationMode) -> None:
    (operation,) = [one for one in operations(document(ROUTES)) if one.path == path]

    @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(operation.as_strategy(generation_mode=mode), st.booleans())
    def ask(case: Any, is_known: bool) -> None:
        if mode is GenerationMode.POSITIVE:
            case.query.pop("cursor", None)  # no text that is made up is one that the api gave
            if is_known:
                case.path_parameters.update({name: KNOWN[name] for name in case.path_parameters})
                case.headers.update({"x-tenant-id": TENANT})
                case.query.update({"account_id": ACCOUNT} if "account_id" in case.query else {})
        case.call_and_validate(base_url=url)

    ask()
