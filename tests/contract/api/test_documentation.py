"""The running api keeps every word of its documentation, whatever is asked: questions drawn from it, right and wrong ones."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
import schemathesis
from aiohttp import web
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.core.result import Ok

from enact.command_door import CommandDoor
from services.api.command_desk import CommandDesk
from services.api.follower import Freshness
from services.api.openapi import document
from services.api.read_model import ReadModel, sqlite_url
from services.api.routes import ROUTES
from services.api.switch_desk import SwitchDesk
from tests.unit.enact.ledger_owner import World
from tests.unit.services.api.ledger_entries import ACCOUNT, INTENT, TENANT, clean_success
from tests.unit.services.api.running_api import Api, Table, app_on, executions

EXAMPLES = 40
KNOWN = {"action_intent_id": INTENT, "account_id": ACCOUNT, "scope": "tenant:acme"}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The application on loopback, in a thread of its own, with a few executions."""
    model = ReadModel.at(sqlite_url(tmp_path_factory.mktemp("model")))
    Api(model, None).hold([*clean_success(), *executions(5, first=10)])
    loop = asyncio.new_event_loop()
    world = World()

    @contextmanager
    def open_door(actor: str) -> Iterator[CommandDoor]:
        yield replace(world.door, actor=actor)

    app = app_on(model, [Freshness(999.9)], origins=("*",), desk=SwitchDesk(Table(), model, open_door), commands=CommandDesk(open_door))
    runner = web.AppRunner(app, access_log=None)

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


def asked_in_two_ways() -> Iterator[Any]:
    """Every route rightly, and wrongly where there is anything to get wrong."""
    for route in ROUTES:
        yield pytest.param(route.method, route.path, GenerationMode.POSITIVE, id=f"{route.method} {route.path} rightly")
        if "{" in route.path or route.is_for_tenant:
            yield pytest.param(route.method, route.path, GenerationMode.NEGATIVE, id=f"{route.method} {route.path} wrongly")


@pytest.mark.parametrize(("method", "path", "mode"), [*asked_in_two_ways()])
def test_whatever_is_asked_is_answered_as_the_documentation_says(url: str, method: str, path: str, mode: GenerationMode) -> None:
    (operation,) = [one for one in operations(document(ROUTES)) if (one.method.upper(), one.path) == (method, path)]

    @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(operation.as_strategy(generation_mode=mode), st.booleans())
    def ask(case: Any, is_known: bool) -> None:
        if mode is GenerationMode.POSITIVE:
            case.query.pop("cursor", None)  # no text that is made up is one that the api gave
            if is_known:
                case.path_parameters.update({name: KNOWN[name] for name in case.path_parameters})
                case.headers = {**(case.headers or {}), "x-tenant-id": TENANT}
                case.query.update({"account_id": ACCOUNT} if "account_id" in case.query else {})
        case.call_and_validate(base_url=url)

    ask()
