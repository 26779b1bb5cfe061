"""Switches: a stop is a record, its end names it, both are in the ledger."""

import pytest

from enact.commands import CommandRefusedError
from enact.errors import DeliveryError
from enact.ids import key_of
from enact.kafka.partitioner import partition_of
from enact.kafka.transport import OutRecord
from enact.records import LedgerEntry, LedgerType, Probe, Switch, SwitchMode, SwitchState
from enact.records.codec import decode, encode
from enact.switch_commands import SwitchCommands, checked_scope
from tests.unit.enact.ledger_owner import PARTITIONS, TOPICS, World


def switches_of(world: World) -> SwitchCommands:
    return SwitchCommands(world.door)


def told(world: World) -> list[LedgerEntry]:
    records = world.broker.records(TOPICS.ledger, partition_of("global", PARTITIONS))
    return [decode(LedgerEntry, record.value) for record in records if record.value is not None]


def test_an_engagement_is_a_record_and_a_ledger_entry() -> None:
    world = World()

    switch = switches_of(world).engage("global", reason="the CRM is on fire")

    (record,) = world.broker.records(TOPICS.switches)
    assert record.value is not None
    assert record.key == key_of("global", switch.engagement_id)
    assert decode(Switch, record.value) == switch
    assert (switch.state, switch.mode, switch.actor, switch.reason) == (
        SwitchState.ENGAGED,
        SwitchMode.HOLD,
        "cli:kim",
        "the CRM is on fire",
    )
    (entry,) = told(world)
    assert (entry.type, entry.action_intent_id, entry.actor) == (LedgerType.SWITCH_ENGAGED, "global", "cli:kim")
    assert entry.details["engagement_id"] == switch.engagement_id
    assert all(reader.is_closed for reader in world.open_readers)


def test_a_release_ends_exactly_the_engagement_it_names() -> None:
    world = World()
    switches = switches_of(world)
    first = switches.engage("global", reason="one")
    second = switches.engage("global", reason="two", mode=SwitchMode.REJECT)

    (released,) = switches.release("global", reason="done", engagement_id=first.engagement_id)

    states = {switch.engagement_id: switch.state for switch in switches.switches()}
    assert released.engagement_id == first.engagement_id
    assert states == {first.engagement_id: SwitchState.RELEASED, second.engagement_id: SwitchState.ENGAGED}
    assert [entry.type for entry in told(world)] == [LedgerType.SWITCH_ENGAGED, LedgerType.SWITCH_ENGAGED, LedgerType.SWITCH_RELEASED]


def test_a_released_engagement_stays_released_whatever_is_read_later() -> None:
    world = World()
    switches = switches_of(world)
    switch = switches.engage("global", reason="one")
    switches.release("global", reason="done")
    world.broker.writer().send(OutRecord(TOPICS.switches, 0, key_of("global", switch.engagement_id), encode(switch)))

    (known,) = switches.switches()

    assert known.state is SwitchState.RELEASED


def test_several_engagements_are_released_one_by_one_or_all() -> None:
    world = World()
    switches = switches_of(world)
    for reason in ("one", "two"):
        switches.engage("global", reason=reason)

    with pytest.raises(CommandRefusedError, match="2 times"):
        switches.release("global", reason="done")
    released = switches.release("global", reason="done", is_all=True)

    assert len(released) == 2
    assert {switch.state for switch in switches.switches()} == {SwitchState.RELEASED}


def test_there_must_be_something_to_release() -> None:
    switches = switches_of(World())

    with pytest.raises(CommandRefusedError, match="nothing to release"):
        switches.release("global", reason="done")


def test_probes_are_no_switches() -> None:
    world = World()
    probe = Probe(slot="invocation-0", incarnation="i", nonce="n", sent_ms=1)
    world.broker.writer().send(OutRecord(TOPICS.switches, 0, key_of("probe", "invocation-0"), encode(probe)))

    assert switches_of(world).switches() == []


@pytest.mark.parametrize("scope", ["tenant:acme", "action_type:CREATE_CRM_TASK", "connector:crm"])
def test_narrower_scopes_are_understood_and_said_to_come_later(scope: str) -> None:
    with pytest.raises(CommandRefusedError, match="later version"):
        checked_scope(scope)


@pytest.mark.parametrize("scope", ["", "Global", "tenant:", "tenant:a b", "everything", "global "])
def test_what_is_no_scope_is_refused_and_nothing_is_stopped(scope: str) -> None:
    world = World()

    with pytest.raises(CommandRefusedError, match="no scope"):
        switches_of(world).engage(scope, reason="x")

    assert world.broker.records(TOPICS.switches) == []


def test_a_stop_whose_ledger_entry_is_lost_is_said_to_be_in_force(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    switches = switches_of(world)
    real_append = world.broker.append

    def append(record: OutRecord) -> tuple[object, int]:
        return (DeliveryError(), -1) if record.topic == TOPICS.ledger else real_append(record)

    monkeypatch.setattr(world.broker, "append", append)

    with pytest.raises(DeliveryError, match="in force"):
        switches.engage("global", reason="x")

    assert len(world.broker.records(TOPICS.switches)) == 1
