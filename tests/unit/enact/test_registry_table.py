from collections.abc import Iterator

import pytest

from enact import registry_table
from enact.errors import BrokerError, FencedError, NotReadyError
from enact.kafka.local import LocalBroker
from enact.kafka.transport import OutRecord
from enact.records import codec
from enact.records.action_type import ActionType
from enact.records.framing import framed_by, header_for
from enact.registry import entry_key
from enact.registry_table import RegistryTable
from tests.factories import NOW_S, SilentSchemaRegistry, make_action_type

NAME = "CREATE_CRM_TASK"


@pytest.fixture
def broker() -> LocalBroker:
    made = LocalBroker(max_wait_s=0.01)
    made.create_topic("registry", 1)
    return made


@pytest.fixture
def table(broker: LocalBroker) -> Iterator[RegistryTable]:
    made = RegistryTable("registry", broker.log_reader)
    yield made
    made.stop()


def apply(broker: LocalBroker, entry: ActionType) -> None:
    key = entry_key(entry.action_type, entry.registry_version)
    broker.writer().send(OutRecord("registry", 0, key, codec.encode(entry)))


def test_the_table_is_read_to_its_end_before_the_first_view(broker: LocalBroker, table: RegistryTable) -> None:
    apply(broker, make_action_type())
    apply(broker, make_action_type(registry_version=2))

    table.start()

    assert table.is_complete
    assert [entry.registry_version for entry in table.view().entries()] == [1, 2]
    assert table.view().next_offset == 2


def test_a_view_stays_the_same_object_until_there_is_something_new(broker: LocalBroker, table: RegistryTable) -> None:
    apply(broker, make_action_type())
    table.start()
    before = table.view()

    apply(broker, make_action_type(deprecated_at=NOW_S))
    after = table.wait_for(2)

    assert before.get(NAME, 1) == make_action_type()
    assert after is not before
    assert after is table.view()
    assert after.get(NAME, 1) == make_action_type(deprecated_at=NOW_S)


def test_an_offset_that_is_not_reached_in_time_refuses_nothing_and_says_so(
    broker: LocalBroker, table: RegistryTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry_table, "WAIT_S", 0.01)
    table.start()

    with pytest.raises(NotReadyError, match="has not reached offset 1"):
        table.wait_for(1)


def test_a_table_that_cannot_be_read_to_its_end_does_not_start(broker: LocalBroker) -> None:
    table = RegistryTable("no-such-topic", broker.log_reader)

    with pytest.raises(NotReadyError, match="not read to its end"):
        table.start(timeout_s=0.01)

    table.stop()


def test_a_table_that_has_died_stops_the_process_and_is_not_trusted_any_more(broker: LocalBroker, table: RegistryTable) -> None:
    table.start()
    table._table._failure = RuntimeError("its thread ended")

    with pytest.raises(FencedError, match="restart this process"):
        table.view()
    with pytest.raises(FencedError, match="restart this process"):
        table.wait_for(0)


def test_an_entry_whose_schema_cannot_be_asked_for_is_not_absent(broker: LocalBroker, table: RegistryTable) -> None:
    broker.writer().send(OutRecord("registry", 0, b"framed", header_for(7) + b"abc"))
    table.start()

    with framed_by(SilentSchemaRegistry()), pytest.raises(BrokerError):
        table.view()


def test_an_unreadable_entry_is_as_good_as_absent(broker: LocalBroker, table: RegistryTable) -> None:
    broker.writer().send(OutRecord("registry", 0, b"damaged", b"{broken"))
    apply(broker, make_action_type())

    table.start()

    assert table.view().entries() == [make_action_type()]
    assert table.view().next_offset == 2
