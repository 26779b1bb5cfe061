"""One tenant's access never serves another, and an expired token is no lost action."""

import asyncio
import json
from pathlib import Path

import pytest

from connectors.credentials import LOOK_EVERY_S
from connectors.sandbox.admin_client import SandboxAdmin
from connectors.sandbox.tenants import refresh_token
from enact.errors import AuthError, ErrorCode, TransientError
from tests.contract.connectors.worlds import World


def crm_file(tmp_path: Path, tenant: str) -> Path:
    return tmp_path / "credentials" / tenant / "crm.json"


async def test_each_tenant_s_call_arrives_under_its_own_name(crm: World, sandbox: SandboxAdmin) -> None:
    for tenant in ("acme", "globex", "acme", "globex"):
        await crm.connector.execute(crm.call(tenant_id=tenant))

    assert [receipt["tenant"] for receipt in sandbox.receipts(kind="write")] == ["acme", "globex", "acme", "globex"]
    assert {(row["tenant"], row["external_id"]) for row in sandbox.objects(object_type="Task")} == {
        ("acme", crm.call().idempotency_key),
        ("globex", crm.call(tenant_id="globex").idempotency_key),
    }


async def test_a_tenant_without_credentials_is_served_by_nobody_else_s(crm: World, sandbox: SandboxAdmin) -> None:
    await crm.connector.execute(crm.call())

    with pytest.raises(AuthError, match=r"initech/crm\.json") as caught:
        await crm.connector.execute(crm.call(tenant_id="initech"))

    assert caught.value.code is ErrorCode.CREDENTIALS_MISSING
    assert len(sandbox.receipts(kind="write")) == 1


async def test_a_file_that_was_put_into_another_tenant_s_folder_and_names_its_owner_is_refused(
    crm: World, sandbox: SandboxAdmin, tmp_path: Path
) -> None:
    content = json.loads(crm_file(tmp_path, "acme").read_text())
    crm_file(tmp_path, "globex").write_text(json.dumps({**content, "tenant_id": "acme"}))

    with pytest.raises(AuthError, match="another tenant"):
        await crm.connector.execute(crm.call(tenant_id="globex"))

    assert sandbox.receipts() == []


async def test_an_expired_token_makes_the_attempt_transient_and_the_next_one_works(crm: World, sandbox: SandboxAdmin) -> None:
    await crm.connector.execute(crm.call(action_intent_id="intent-0"))
    sandbox.expire_tokens("acme")

    with pytest.raises(TransientError):
        await crm.connector.execute(crm.call())
    await crm.connector.execute(crm.call(attempt=2))

    assert len(sandbox.receipts(kind="token")) == 2
    assert len(sandbox.applications()) == 2


async def test_a_new_token_that_is_refused_at_once_is_an_error_for_a_person(crm: World, sandbox: SandboxAdmin) -> None:
    sandbox.set_mode("fail_before", status=401, error_code="INVALID_SESSION_ID")

    with pytest.raises(AuthError):
        await crm.connector.execute(crm.call())

    assert sandbox.applications() == []


async def test_many_calls_at_once_ask_for_one_token(crm: World, sandbox: SandboxAdmin) -> None:
    await asyncio.gather(*(crm.connector.execute(crm.call(action_intent_id=f"intent-{number}")) for number in range(20)))

    assert len(sandbox.receipts(kind="token")) == 1


async def test_credentials_are_taken_up_when_the_file_changes(crm: World, sandbox: SandboxAdmin, tmp_path: Path) -> None:
    content = json.loads(crm_file(tmp_path, "acme").read_text())
    crm_file(tmp_path, "acme").write_text(json.dumps({**content, "client_secret": "wrong"}))
    with pytest.raises(AuthError, match="gave no token"):
        await crm.connector.execute(crm.call())

    crm_file(tmp_path, "acme").write_text(
        json.dumps({**content, "mode": "refresh_token", "refresh_token": refresh_token("acme"), "client_secret": None})
    )
    crm.wait(LOOK_EVERY_S)
    await crm.connector.execute(crm.call())

    assert len(sandbox.applications()) == 1
