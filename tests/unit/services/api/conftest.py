"""The api of a test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp.test_utils import TestClient, TestServer

from services.api.follower import Freshness
from services.api.read_model import ReadModel, sqlite_url
from tests.unit.services.api.running_api import Api, app_on


@pytest.fixture
def freshness() -> list[Freshness]:
    return [Freshness(999.9)]


@pytest.fixture
async def api(tmp_path: Path, freshness: list[Freshness]) -> AsyncIterator[Api]:
    model = ReadModel.at(sqlite_url(tmp_path))
    app = app_on(model, freshness, origins=("*",))
    async with TestClient(TestServer(app, host="127.0.0.1")) as client:
        yield Api(model, client)
    model.close()
