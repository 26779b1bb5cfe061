"""What only the broker in memory can do: fail on demand, cut its log, play the group."""

from collections.abc import Mapping, Sequence

import pytest

from enact.clock import ManualClock
from enact.errors import BrokerError, ConfigurationError, DeliveryError, EnactError, RecordTooLargeError
from enact.kafka.client_errors import OffsetOutOfRangeError
from enact.kafka.local import LocalBroker
from enact.kafka.transport import NextOffset, OutRecord, TopicPartition

P0, P1 = TopicPartition("t", 0), TopicPartition("t", 1)


class Listening:
    def __init__(self) -> None:
        self.told: list[tuple[str, tuple[TopicPartition, ...]]] = []

    def on_assign(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, NextOffset]:
        self.told.append(("assign", tuple(partitions)))
        return {}

    def on_revoke(self, partitions: Sequence[TopicPartition]) -> None:
        self.told.append(("revoke", tuple(partitions)))

    def on_lost(self, partitions: Sequence[TopicPartition]) -> None:
        self.told.append(("lost", tuple(partitions)))


@pytest.fixture
def broker() -> LocalBroker:
    made = LocalBroker(ManualClock(wall_ms=1000))
    made.create_topic("t", 2, max_message_bytes=100)
    return made


def out(value: bytes, partition: int = 0) -> OutRecord:
    return OutRecord("t", partition, b"k", value)


def test_records_carry_the_time_of_the_clock(broker: LocalBroker) -> None:
    broker.writer().send(out(b"v"))

    assert [record.timestamp_ms for record in broker.records("t")] == [1000]


@pytest.mark.parametrize("is_stored", [False, True])
def test_a_planned_failure_surfaces_in_flush_once(broker: LocalBroker, is_stored: bool) -> None:
    writer = broker.writer()
    broker.fail_next_deliveries(1, is_stored=is_stored)
    writer.send(out(b"lost?"))
    writer.send(out(b"fine"))

    with pytest.raises(DeliveryError):
        writer.flush(1)

    writer.flush(1)
    assert [record.value for record in broker.records("t", 0)] == ([b"lost?", b"fine"] if is_stored else [b"fine"])


def test_a_planned_failure_of_a_record_with_a_callback_goes_there(broker: LocalBroker) -> None:
    writer, reports = broker.writer(), list[tuple[EnactError | None, int, int]]()
    planned = DeliveryError("planned")
    broker.fail_next_deliveries(1, error=planned)
    writer.send(out(b"a", 1), lambda *report: reports.append(report))
    writer.send(out(b"b", 1), lambda *report: reports.append(report))
    assert reports == []

    writer.flush(1)

    assert reports == [(planned, 1, -1), (None, 1, 0)]


def test_a_lost_record_weighs_more_than_a_large_one(broker: LocalBroker) -> None:
    writer = broker.writer()
    writer.send(out(bytes(200)))
    broker.fail_next_deliveries(1)
    writer.send(out(b"v"))

    with pytest.raises(DeliveryError):
        writer.flush(1)
    writer.send(out(bytes(200)))
    with pytest.raises(RecordTooLargeError):
        writer.flush(1)


def test_subscribing_assigns_everything_and_starts_at_the_committed_offset(broker: LocalBroker) -> None:
    writer, listener = broker.writer(), Listening()
    for value in (b"0", b"1"):
        writer.send(out(value))
    broker.commits["g"] = {P0: NextOffset(1)}

    reader = broker.reader("g")
    reader.subscribe(["t"], listener)

    assert listener.told == [("assign", (P0, P1))]
    batch = reader.take(10, 0)
    assert [record.value for record in batch.records] == [b"1"]
    assert batch.ends == {P0: 2, P1: 0}


def test_tests_may_play_the_group(broker: LocalBroker) -> None:
    reader, listener = broker.reader("g"), Listening()
    reader.subscribe(["t"], listener)

    reader.revoke([P0])
    reader.lose([P1])
    reader.commit({P0: NextOffset(0), P1: NextOffset(0)}, is_async=False)
    reader.give([P1])
    reader.close()

    assert [word for word, _ in listener.told] == ["assign", "revoke", "lost", "assign", "revoke"]
    assert broker.commits["g"] == {}
    assert reader.owned == frozenset()


def test_a_log_that_was_cut_loses_readers_that_were_behind(broker: LocalBroker) -> None:
    writer = broker.writer()
    for value in (b"0", b"1", b"2"):
        writer.send(out(value))
    reader = broker.log_reader()
    reader.assign({P0: NextOffset(0)})
    broker.cut(P0, NextOffset(2))

    with pytest.raises(OffsetOutOfRangeError) as caught:
        reader.take(10, 0)

    assert caught.value.partition == P0
    assert reader.take(10, 0).records == []
    assert reader.begin_offsets([P0]) == {P0: 2}
    reader.assign({P0: NextOffset(2)})
    assert [record.offset for record in reader.take(10, 0).records] == [2]


def test_what_does_not_exist_is_refused(broker: LocalBroker) -> None:
    with pytest.raises(BrokerError):
        broker.create_topic("t", 1)
    with pytest.raises(BrokerError):
        broker.writer().send(OutRecord("t", 7, None, None))
    with pytest.raises(BrokerError):
        broker.writer().send(OutRecord("nope", 0, None, None))
    with pytest.raises(ConfigurationError):
        broker.log_reader().commit({}, is_async=True)
    with pytest.raises(ValueError, match="its group"):
        broker.reader("g").assign({})
