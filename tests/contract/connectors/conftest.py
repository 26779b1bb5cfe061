"""The worlds as fixtures: a sandbox for each test, in a thread of its own."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from connectors.sandbox.admin_client import SandboxAdmin
from connectors.sandbox.server import start_sandbox
from tests.contract.connectors.worlds import WORLDS, World, world


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[SandboxAdmin]:
    with start_sandbox(tmp_path / "sandbox") as admin:
        yield admin


@pytest.fixture(params=list(WORLDS))
async def any_world(request: pytest.FixtureRequest, tmp_path: Path, sandbox: SandboxAdmin) -> AsyncIterator[World]:
    async with world(request.param, tmp_path / "credentials", sandbox) as made:
        yield made


@pytest.fixture
async def crm(tmp_path: Path, sandbox: SandboxAdmin) -> AsyncIterator[World]:
    async with world("crm task", tmp_path / "credentials", sandbox) as made:
        yield made
