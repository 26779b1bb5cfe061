"""The switches as a process sees them that makes no call: it refuses by a table that is whole and young, and only then."""

from collections.abc import Iterator

import pytest

from enact.clock import ManualClock
from enact.ids import key_of
from enact.kafka.global_table import GlobalTable
from enact.kafka.local import LocalBroker
from enact.kafka.transport import OutRecord
from enact.records import Switch, SwitchMode, SwitchState
from enact.records.codec import encode
from enact.switch_table import MAX_AGE_S, SwitchTable
from enact.switch_view import scopes_of
from tests.factories import NOW_MS

TOPIC = "switches"
SCOPES = scopes_of("acme", "CREATE_CRM_TASK", "crm")


class World:
    """A table on a topic in memory, with a clock moved by hand."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.broker = LocalBroker(self.clock)
        self.broker.create_topic(TOPIC, 1)
        self.table = SwitchTable(TOPIC, self.broker.log_reader, self.clock)

    def write(self, mode: SwitchMode, state: SwitchState = SwitchState.ENGAGED) -> None:
        switch = Switch(scope="tenant:acme", engagement_id="e-1", state=state, mode=mode, actor="kim", reason="test", at_ms=NOW_MS)
        self.broker.append(OutRecord(TOPIC, 0, key_of(switch.scope, switch.engagement_id), encode(switch)))


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    world.table.stop()


def test_a_switch_that_rejects_is_found(world: World) -> None:
    world.write(SwitchMode.REJECT)

    world.table.start()

    found = world.table.rejected_by(SCOPES)
    assert found is not None
    assert found.scope == "tenant:acme"
    assert world.table.rejected_by(scopes_of("globex", "CREATE_CRM_TASK", "crm")) is None


@pytest.mark.parametrize(
    ("mode", "state"), [(SwitchMode.HOLD, SwitchState.ENGAGED), (SwitchMode.REJECT, SwitchState.RELEASED)], ids=["holds", "released"]
)
def test_a_switch_that_holds_or_is_released_rejects_nothing(world: World, mode: SwitchMode, state: SwitchState) -> None:
    """Planted bug: HOLD is treated as REJECT."""
    world.write(mode, state)

    world.table.start()

    assert world.table.rejected_by(SCOPES) is None
    assert len(world.table.engagements) == (1 if state is SwitchState.ENGAGED else 0)


def test_a_table_that_was_not_read_to_its_end_rejects_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is missing may be the release; the gate, whose view is proven, has the last word."""
    world.write(SwitchMode.REJECT)
    world.table.start()
    monkeypatch.setattr(GlobalTable, "is_complete", property(lambda _: False))

    assert world.table.rejected_by(SCOPES) is None


def test_an_old_table_rejects_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.write(SwitchMode.REJECT)
    world.table.start()
    age_s = MAX_AGE_S
    monkeypatch.setattr(GlobalTable, "age_s", property(lambda _: age_s))
    assert world.table.rejected_by(SCOPES) is not None

    age_s = MAX_AGE_S + 0.1

    assert world.table.rejected_by(SCOPES) is None


def test_a_table_that_is_read_again_keeps_the_old_view_until_it_is_whole(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.write(SwitchMode.REJECT)
    world.write(SwitchMode.REJECT, SwitchState.RELEASED)
    world.table.start()
    world.table.stop()
    engaged, released = world.broker.records(TOPIC)
    is_complete = False
    monkeypatch.setattr(GlobalTable, "is_complete", property(lambda _: is_complete))

    world.table._take(engaged)
    assert world.table.engagements == ()
    is_complete = True
    world.table._take(released)

    assert world.table.engagements == ()
