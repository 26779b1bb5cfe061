"""Switches: a stop is a record, its end names it, both are in the ledger."""

import pytest

from enact.commands import CommandRefusedError
from enact.errors import DeliveryError
from enact.ids import key_of
from enact.kafka.partitioner import partition_of
from enact.kafka.transport import OutRecord
from enact.records import LedgerEntry, LedgerType, Probe, Switch, SwitchMode, SwitchState
from enact.records.codec import decode, encode
from enact.switch_commands import SwitchCommands, is_unreadable
from tests.unit.enact.ledger_owner import PARTITIONS, TOPICS, World


def switches_of(world: World) -> SwitchCommands:
    return SwitchCommands(world.door)


def told(world: World, scope: str = "global") -> list[LedgerEntry]:
    records = world.broker.records(TOPICS.ledger, partition_of(scope, PARTITIONS))
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


def test_the_list_says_what_the_fold_says_of_an_engagement_that_is_written_again() -> None:
    world = World()
    switches = switches_of(world)
    switch = switches.engage("global", reason="one")
    (released,) = switches.release("global", reason="done")
    writer = world.broker.writer()
    writer.send(OutRecord(TOPICS.switches, 0, key_of("global", switch.engagement_id), encode(released)))
    assert [one.state for one in switches.switches()] == [SwitchState.RELEASED]

    writer.send(OutRecord(TOPICS.switches, 0, key_of("global", switch.engagement_id), encode(switch)))

    assert [one.state for one in switches.switches()] == [SwitchState.ENGAGED]


def test_a_record_that_cannot_be_read_is_listed_as_the_stop_it_is_and_ended_by_its_name() -> None:
    world = World()
    switches = switches_of(world)
    world.broker.append(OutRecord(TOPICS.switches, 0, b"some key", b"\xc3\x01of a newer version"))
    switches.engage("global", reason="mine")

    assert [(one.scope, one.engagement_id) for one in switches.switches() if is_unreadable(one)] == [("global", "unreadable-0")]
    (mine,) = switches.release("global", reason="done", is_all=True)
    assert not is_unreadable(mine), "what nobody can read is not released with the rest"
    with pytest.raises(CommandRefusedError, match="--engagement"):
        switches.release("global", reason="done")
    (released,) = switches.release("global", reason="it was rubbish", engagement_id="unreadable-0")

    last = world.broker.records(TOPICS.switches)[-1]
    assert (last.key, last.value) == (b"some key", None)
    assert released.state is SwitchState.RELEASED
    assert [one.engagement_id for one in switches.switches() if one.state is SwitchState.ENGAGED] == []
    assert told(world)[-1].details["engagement_id"] == "unreadable-0"


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


@pytest.mark.parametrize("scope", ["global", "tenant:acme", "action_type:CREATE_CRM_TASK", "connector:crm", "tenant:a:b"])
def test_every_scope_is_engaged_and_told_in_the_ledger_under_its_own_name(scope: str) -> None:
    world = World()

    switch = switches_of(world).engage(scope, reason="why", mode=SwitchMode.REJECT)

    (entry,) = told(world, scope)
    assert (entry.action_intent_id, entry.actor, entry.stage) == (scope, "cli:kim", "cli")
    assert entry.details == {"scope": scope, "engagement_id": switch.engagement_id, "mode": "REJECT", "reason": "why"}


@pytest.mark.parametrize(
    ("scope", "words"),
    [
        ("Global", "Global is no scope"),
        ("everything", "everything is no scope"),
        ("tennant:acme", "tennant: is no scope"),
        (":acme", ": is no scope"),
        ("tenant", "tenant is no scope"),
        ("global ", "What was given is no scope"),
        ("", "What was given is no scope"),
        ("tenant:", "What follows tenant: is no id"),
        ("connector:a b", "What follows connector: is no id"),
    ],
)
def test_what_is_no_scope_is_refused_by_what_is_wrong_with_it_and_nothing_is_changed(scope: str, words: str) -> None:
    world = World()

    with pytest.raises(CommandRefusedError, match="nothing was changed") as refused:
        switches_of(world).engage(scope, reason="x")

    assert refused.value.message.startswith(words)
    assert "tenant:<id>, action_type:<name> or connector:<name>" in refused.value.message
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
