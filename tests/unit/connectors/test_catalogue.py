"""Which connectors and registry entries ship, and that they fit each other."""

import pytest

from connectors.catalogue import argument_schemas, build_connectors, registry_files, shipped_tools
from enact.clock import ManualClock
from enact.errors import ConfigurationError
from enact.records import ActionType, CompensationStrategy, Step
from enact.registry_file import read_entries


async def publish(_key: bytes, _value: bytes) -> None:
    """Nothing is written here."""


def entries(*, with_sandbox: bool) -> dict[str, ActionType]:
    found = [
        entry
        for name, file in registry_files(with_sandbox=with_sandbox)
        for entry in read_entries(file.read_text(encoding="utf-8"), file=name, argument_schemas=argument_schemas())
    ]
    return {entry.action_type: entry for entry in found}


def test_the_shipped_action_types_are_these() -> None:
    inside = {"CREATE_INTERNAL_NOTE", "CREATE_INTERNAL_TASK", "ATTACH_BRIEF"}
    assert set(entries(with_sandbox=False)) == inside | {"CREATE_CRM_TASK", "CREATE_OPPORTUNITY", "UPDATE_CRM_FIELD"}
    assert set(entries(with_sandbox=True)) - set(entries(with_sandbox=False)) == {
        "SANDBOX_FIRE_ONCE",
        "SANDBOX_FIRE_KEYED",
        "SANDBOX_FIRE_NAMED",
    }


def test_an_entry_asks_of_its_tool_only_what_the_tool_can_keep() -> None:
    for entry in entries(with_sandbox=True).values():
        tool = shipped_tools()[entry.tool_name]

        assert entry.effect_class == tool.effect_class
        assert entry.tool_schema_version == tool.schema_version
        assert entry.timeout_ms <= tool.timeout_ms
        assert tool.step is Step.EXECUTE


def test_an_entry_s_compensation_is_a_tool_that_undoes() -> None:
    for entry in entries(with_sandbox=True).values():
        if entry.compensation.strategy is not CompensationStrategy.NONE:
            assert entry.compensation.tool_name is not None
            assert shipped_tools()[entry.compensation.tool_name].step is Step.COMPENSATE


async def test_every_shipped_tool_is_had_from_its_connector() -> None:
    connectors = build_connectors(publish=publish, clock=ManualClock(), credentials_dir=None)

    had = {tool.name: tool for connector in connectors.values() for tool in connector.tools()}

    for connector in connectors.values():
        await connector.close()
    assert set(connectors) == {"internal", "crm", "sandbox"}
    assert had == shipped_tools()


def test_a_wrong_entry_of_the_allow_list_is_a_configuration_error() -> None:
    with pytest.raises(ConfigurationError, match="ENACT_OUTBOUND__ALLOW"):
        build_connectors(publish=publish, clock=ManualClock(), credentials_dir=None, outbound_allow=["everything"])
