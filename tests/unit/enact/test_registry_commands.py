"""Applying registry entries: once, never twice, never changed."""

import pytest
from msgspec.structs import replace

from enact.commands import CommandRefusedError
from enact.kafka.partitioner import partition_of
from enact.records import LedgerEntry, LedgerType
from enact.records.codec import decode
from enact.registry import entry_digest
from enact.registry_commands import RegistryCommands
from tests.factories import make_action_type
from tests.unit.enact.ledger_owner import PARTITIONS, TOPICS, World


def registry_of(world: World) -> RegistryCommands:
    return RegistryCommands(world.door)


def test_new_entries_are_appended_and_told_in_the_ledger() -> None:
    world = World()
    entry = make_action_type()

    added = registry_of(world).apply([entry])

    assert added == [entry]
    assert registry_of(world).view().get(entry.action_type, 1) == entry
    (record,) = world.broker.records(TOPICS.ledger, partition_of(entry.action_type, PARTITIONS))
    assert record.value is not None
    told = decode(LedgerEntry, record.value)
    assert (told.type, told.action_intent_id) == (LedgerType.REGISTRY_CHANGED, "CREATE_CRM_TASK")
    assert told.details["registry_digest"] == entry_digest(entry)


def test_applying_again_appends_nothing() -> None:
    world = World()
    registry_of(world).apply([make_action_type()])

    added = registry_of(world).apply([make_action_type(), make_action_type(registry_version=2)])

    assert [entry.registry_version for entry in added] == [2]
    assert len(world.broker.records(TOPICS.registry)) == 2


def test_another_content_under_a_known_version_is_refused_and_nothing_is_applied() -> None:
    world = World()
    registry_of(world).apply([make_action_type()])
    changed = replace(make_action_type(), timeout_ms=99)

    with pytest.raises(CommandRefusedError, match="CREATE_CRM_TASK version 1"):
        registry_of(world).apply([make_action_type(registry_version=2), changed])

    assert len(world.broker.records(TOPICS.registry)) == 1
