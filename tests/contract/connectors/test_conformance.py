"""What every connector promises, run against every connector."""

import asyncio
import json
from pathlib import Path

import jsonschema_rs
import pytest
from msgspec.structs import replace

from connectors.catalogue import shipped_tools
from connectors.contract import CallResult
from connectors.sandbox.admin_client import SandboxAdmin
from connectors.sandbox.tenants import api_key, client_secret
from enact.errors import AmbiguousError, CallRefusedError, EnactError, PermanentError
from enact.records import EffectKind, Step
from tests.contract.connectors.worlds import CRM, CRM_FAULTS, FIRES, INTERNAL, SANDBOX_FAULTS, SECRET_VALUE, World, world

FAULTS = [(name, fault) for name in INTERNAL for fault in ("answer lost", "rejected")]
FAULTS += [(name, fault) for name in CRM for fault in (*SANDBOX_FAULTS, *CRM_FAULTS)]
FAULTS += [(name, fault) for name in FIRES for fault in SANDBOX_FAULTS]
REPEATABLE = {EffectKind.IDEMPOTENT, EffectKind.UPSERT}
APPLIED_ALL_THE_SAME = {"answer lost", "silence after", "failed after", "huge answer", "broken answer"}
SILENT = {"silence before", "silence after", "too slow"}


def refuse() -> None:
    raise CallRefusedError("SWITCH")


def effect_kind(world: World) -> EffectKind:
    return shipped_tools()[world.call().tool_name].effect_class.kind


async def test_tools_bear_the_connector_s_name_and_have_schemas_that_hold(any_world: World) -> None:
    for tool in any_world.connector.tools():
        assert tool.name.startswith(f"{any_world.connector.name}.")
        assert tool.arguments_schema["additionalProperties"] is False
        jsonschema_rs.validator_for(tool.arguments_schema)
        jsonschema_rs.validator_for(tool.result_schema)
        assert tool.timeout_ms > 0


async def test_a_call_leaves_one_receipt_and_one_effect_and_names_what_it_made(any_world: World) -> None:
    result = await any_world.connector.execute(any_world.call())

    assert (any_world.receipts(), any_world.effects()) == (1, 1)
    assert len(result.refs) == 1
    assert result.refs[0].system == any_world.connector.name
    schema = shipped_tools()[any_world.call().tool_name].result_schema
    assert jsonschema_rs.is_valid(schema, json.loads(result.response or b"null"))
    assert not result.is_partial


async def test_arguments_that_do_not_fit_are_refused_without_a_call(any_world: World) -> None:
    for arguments in ({}, {"surprise": SECRET_VALUE}):
        with pytest.raises(PermanentError) as refused:
            any_world.connector.validate(any_world.call().tool_name, arguments)
        with pytest.raises(PermanentError):
            await any_world.connector.execute(any_world.call(arguments=arguments))

        assert SECRET_VALUE not in refused.value.message
    assert any_world.receipts() == 0


async def test_an_unknown_tool_is_refused_without_a_call(any_world: World) -> None:
    with pytest.raises(PermanentError):
        await any_world.connector.execute(any_world.call(tool_name=f"{any_world.connector.name}.no_such_tool"))

    assert any_world.receipts() == 0


async def test_a_repeat_keeps_the_promise_of_the_effect_class(any_world: World) -> None:
    first = await any_world.connector.execute(any_world.call())
    second = await any_world.connector.execute(any_world.call(attempt=2, nonce="nonce-2"))

    if effect_kind(any_world) not in REPEATABLE:
        assert any_world.effects() == 2, "a tool that promises nothing must not be believed to be idempotent"
    else:
        assert any_world.effects() == 1
        assert first.refs == second.refs


async def test_repeats_at_the_same_time_have_one_effect(any_world: World) -> None:
    calls = [any_world.call(attempt=number, nonce=f"nonce-{number}") for number in range(1, 9)]

    results = await asyncio.gather(*(any_world.connector.execute(call) for call in calls))

    if effect_kind(any_world) in REPEATABLE:
        assert any_world.effects() == 1
        assert len({result.refs for result in results}) == 1


async def test_a_lost_answer_is_ambiguous_and_its_repeat_finds_the_same_object(any_world: World) -> None:
    any_world.break_it("answer lost")

    with pytest.raises(any_world.faults["answer lost"]):
        await any_world.connector.execute(any_world.call())

    assert any_world.effects() == 1
    if effect_kind(any_world) in REPEATABLE:
        await any_world.connector.execute(any_world.call(attempt=2, nonce="nonce-2"))
        assert any_world.effects() == 1


@pytest.mark.parametrize(("name", "fault"), FAULTS)
async def test_a_fault_has_its_class_and_tells_no_secrets(name: str, fault: str, tmp_path: Path, sandbox: SandboxAdmin) -> None:
    async with world(name, tmp_path / "credentials", sandbox) as broken:
        broken.break_it(fault)

        with pytest.raises(EnactError) as caught:
            await broken.connector.execute(broken.call(timeout_ms=300 if fault in SILENT else 5_000))

        assert type(caught.value) is broken.faults[fault]
        assert broken.effects() == (1 if fault in APPLIED_ALL_THE_SAME else 0)
        assert broken.receipts() <= 1
        shown = "".join(f"{error}{error!r}" for error in causes(caught.value))
        for secret in (SECRET_VALUE, api_key("acme"), client_secret("acme"), "Bearer", "00DSb0!"):
            assert secret not in shown


async def test_a_wait_the_system_asks_for_is_passed_on(crm: World) -> None:
    crm.break_it("throttled")

    with pytest.raises(EnactError) as caught:
        await crm.connector.execute(crm.call())

    assert getattr(caught.value, "retry_after_s", None) == 7.0


async def test_a_refused_last_look_leaves_no_receipt_and_no_effect(any_world: World) -> None:
    with pytest.raises(CallRefusedError):
        await any_world.connector.execute(any_world.call(last_look=refuse))

    undo = any_world.undo()
    if undo is not None:
        with pytest.raises(CallRefusedError):
            await any_world.connector.compensate(replace(undo, last_look=refuse))
    assert (any_world.receipts(), any_world.effects()) == (0, 0)


async def test_what_was_done_can_be_undone_once_and_again(any_world: World) -> None:
    await any_world.connector.execute(any_world.call())
    undo = any_world.undo()

    if undo is None:
        with pytest.raises(PermanentError):
            await any_world.connector.compensate(any_world.call(step=Step.COMPENSATE))
        assert any_world.effects() == 1
    else:
        await any_world.connector.compensate(undo)
        await any_world.connector.compensate(undo)
        assert any_world.effects() == 0


async def test_a_tool_that_undoes_is_not_reached_as_one_that_does_and_the_other_way_round(any_world: World) -> None:
    undo = any_world.undo()
    if undo is not None:
        with pytest.raises(PermanentError):
            await any_world.connector.execute(undo)
    with pytest.raises(PermanentError):
        await any_world.connector.compensate(any_world.call())

    assert any_world.receipts() == 0


async def test_a_look_up_says_what_the_world_has_or_that_it_cannot_be_asked(any_world: World) -> None:
    async def ask() -> CallResult | str | None:
        try:
            return await any_world.connector.look_up(any_world.call())
        except PermanentError:
            return "cannot be asked"

    before = await ask()
    made = await any_world.connector.execute(any_world.call())
    after = await ask()

    if before == "cannot be asked":
        assert after == before
    else:
        assert before is None
        assert isinstance(after, CallResult)
        assert after.refs == made.refs


@pytest.mark.parametrize("name", ["crm task", "sandbox fire named"])
@pytest.mark.parametrize("fault", ["answer lost", "silence before", "failed before", "rejected", "broken answer"])
async def test_a_look_up_that_is_not_answered_is_never_taken_for_not_found(
    name: str, fault: str, tmp_path: Path, sandbox: SandboxAdmin
) -> None:
    async with world(name, tmp_path / "credentials", sandbox) as asked:
        sandbox.set_mode(**{**SANDBOX_FAULTS[fault][1], "on": "read", "count": 1})

        with pytest.raises(EnactError) as caught:
            await asked.connector.look_up(asked.call(timeout_ms=300))

    assert not isinstance(caught.value, AmbiguousError), "a question changes nothing, so its answer cannot be in doubt"


async def test_a_second_instance_gives_the_same_result(tmp_path: Path, sandbox: SandboxAdmin) -> None:
    async with world("crm task", tmp_path / "one", sandbox) as one:
        first = await one.connector.execute(one.call())
    async with world("crm task", tmp_path / "two", sandbox) as two:
        second = await two.connector.execute(two.call(attempt=2))

    assert first.refs == second.refs


async def test_every_receipt_bears_the_key_of_the_step_and_the_mark_of_the_attempt(crm: World, sandbox: SandboxAdmin) -> None:
    await crm.connector.execute(crm.call(attempt=3, nonce="nonce-3"))

    receipt = sandbox.receipts(kind="write")[0]
    assert (receipt["attempt"], receipt["idempotency_key"]) == ("3.nonce-3", crm.call().idempotency_key)


async def test_health_answers_in_one_sentence(any_world: World) -> None:
    health = await any_world.connector.health()

    assert health.ok
    assert health.detail.endswith(".")


def causes(error: BaseException | None) -> list[BaseException]:
    found: list[BaseException] = []
    while error is not None:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found
