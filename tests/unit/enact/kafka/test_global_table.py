"""The table's thread against the broker in memory."""

import math
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence

import pytest

from enact.clock import ManualClock
from enact.errors import BrokerError, StateLostError
from enact.kafka import global_table
from enact.kafka.global_table import GlobalTable
from enact.kafka.local import LocalBroker
from enact.kafka.local_reader import LocalReader
from enact.kafka.transport import Batch, InRecord, NextOffset, OutRecord, Reader, TopicPartition

PATIENCE_S = 10.0
P0 = TopicPartition("table", 0)


@pytest.fixture
def broker() -> LocalBroker:
    made = LocalBroker(max_wait_s=0.01)
    made.create_topic("table", 1)
    return made


@pytest.fixture
def start(broker: LocalBroker) -> Iterator[Callable[..., GlobalTable]]:
    started: list[GlobalTable] = []

    def make(open_reader: Callable[[], Reader] | None = None, **options: object) -> GlobalTable:
        table = GlobalTable("table", open_reader or broker.log_reader, **options)  # type: ignore[arg-type]
        started.append(table)
        table.start()
        return table

    yield make
    for table in started:
        table.stop()


def put(broker: LocalBroker, key: bytes | None, value: bytes | None) -> NextOffset:
    broker.writer().send(OutRecord("table", 0, key, value))
    return broker.bounds(P0)[1]


def contents(table: GlobalTable) -> dict[bytes, bytes]:
    return {key: entry.value for key, entry in table.view.items()}


def test_the_newest_value_of_a_key_counts_and_a_tombstone_deletes(broker: LocalBroker, start: Callable[..., GlobalTable]) -> None:
    put(broker, b"a", b"1")
    put(broker, b"b", b"1")
    put(broker, b"a", b"2")
    put(broker, b"b", None)
    end = put(broker, None, b"no key")

    table = start()

    assert table.wait_complete(PATIENCE_S)
    assert contents(table) == {b"a": b"2"}
    assert table.view[b"a"].offset == 2
    assert table.offset == end


def test_a_view_never_changes_under_its_holder(broker: LocalBroker, start: Callable[..., GlobalTable]) -> None:
    put(broker, b"a", b"1")
    table = start()
    assert table.wait_complete(PATIENCE_S)
    held = table.view

    assert table.wait_until(put(broker, b"a", b"2"), PATIENCE_S)

    assert held[b"a"].value == b"1"
    assert contents(table) == {b"a": b"2"}
    with pytest.raises(TypeError):
        held[b"a"] = None  # type: ignore[index]


def test_the_hook_sees_every_record_in_order_and_offset_moves_only_after_it(broker: LocalBroker, start: Callable[..., GlobalTable]) -> None:
    put(broker, b"a", b"1")
    put(broker, b"a", None)
    seen: list[tuple[int, int, bool]] = []
    tables: list[GlobalTable] = []
    ready = threading.Event()

    def on_record(record: InRecord) -> None:
        assert ready.wait(PATIENCE_S)
        seen.append((record.offset, tables[0].offset, b"c" in tables[0].view))

    tables.append(start(on_record=on_record))
    ready.set()
    assert tables[0].wait_complete(PATIENCE_S)
    assert tables[0].wait_until(put(broker, b"c", b"1"), PATIENCE_S)

    assert seen == [(0, 0, False), (1, 1, False), (2, 2, True)]


def test_waiting_for_what_does_not_come_ends(start: Callable[..., GlobalTable]) -> None:
    table = start()

    assert table.wait_until(NextOffset(1), 0.05) is False


def test_a_hook_that_fails_ends_the_table_and_says_so(broker: LocalBroker, start: Callable[..., GlobalTable]) -> None:
    def on_record(_record: InRecord) -> None:
        raise ZeroDivisionError

    end = put(broker, b"a", b"1")
    table = start(on_record=on_record)

    with pytest.raises(StateLostError, match="restart") as caught:
        table.wait_until(end, PATIENCE_S)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert table.age_s == math.inf


def test_a_record_that_the_hook_cannot_judge_yet_is_met_again(
    broker: LocalBroker, start: Callable[..., GlobalTable], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(global_table, "RETRY_S", 0.01)
    seen: list[bytes] = []

    def hook(record: InRecord) -> None:
        seen.append(record.key or b"")
        if seen.count(b"b") < 3 and record.key == b"b":
            raise BrokerError("The schema registry does not answer.")

    put(broker, b"a", b"1")
    end = put(broker, b"b", b"1")

    table = start(on_record=hook)

    assert table.wait_until(end, PATIENCE_S)
    assert seen == [b"a", b"b"] * 3
    assert contents(table) == {b"a": b"1", b"b": b"1"}


class Outage:
    """A broker that can be away; `begin` waits until nobody is in the middle of a question."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.is_on = False

    def begin(self) -> None:
        with self.lock:
            self.is_on = True

    def end(self) -> None:
        self.is_on = False


class Flaky:
    """A reader whose broker can be away."""

    def __init__(self, inner: LocalReader, outage: Outage) -> None:
        self.inner, self.outage = inner, outage

    def assign(self, starts: Mapping[TopicPartition, NextOffset]) -> None:
        self.inner.assign(starts)

    def _fail(self) -> None:
        if self.outage.is_on:
            raise BrokerError("away")

    def take(self, max_records: int, wait_s: float) -> Batch:
        with self.outage.lock:
            self._fail()
            return self.inner.take(max_records, wait_s)

    def begin_offsets(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, NextOffset]:
        self._fail()
        return self.inner.begin_offsets(partitions)

    def end_offsets(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, NextOffset]:
        self._fail()
        return self.inner.end_offsets(partitions)

    def close(self) -> None:
        self.inner.close()


def test_an_outage_makes_the_table_old_never_empty_and_it_goes_on_afterwards(
    broker: LocalBroker, start: Callable[..., GlobalTable], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("enact.kafka.global_table.RETRY_S", 0.01)
    outage, clock = Outage(), ManualClock()
    outage.begin()
    put(broker, b"a", b"1")
    table = start(lambda: Flaky(broker.log_reader(), outage), clock=clock, check_s=0.0)
    assert table.wait_complete(0.05) is False
    assert table.age_s == math.inf

    outage.end()
    assert table.wait_complete(PATIENCE_S)
    outage.begin()
    end = put(broker, b"a", b"2")
    clock.advance(30)
    assert table.wait_until(end, 0.05) is False
    assert contents(table) == {b"a": b"1"}
    assert table.age_s >= 30

    outage.end()
    assert table.wait_until(end, PATIENCE_S)
    assert contents(table) == {b"a": b"2"}
    assert table.age_s == 0


def test_a_log_that_was_cut_is_read_again_and_the_old_view_stays_until_then(
    broker: LocalBroker, start: Callable[..., GlobalTable], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("enact.kafka.global_table.RETRY_S", 0.01)
    outage, reloads = Outage(), list[Mapping[bytes, bytes]]()
    put(broker, b"old", b"1")
    tables: list[GlobalTable] = []
    table = start(lambda: Flaky(broker.log_reader(), outage), on_reload=lambda: reloads.append(contents(tables[0])))
    tables.append(table)
    assert table.wait_complete(PATIENCE_S)

    outage.begin()
    put(broker, b"cut", b"1")
    put(broker, b"new", b"1")
    broker.cut(P0, NextOffset(2))
    outage.end()

    assert table.wait_until(NextOffset(3), PATIENCE_S)
    assert reloads == [{b"old": b"1"}]
    assert contents(table) == {b"new": b"1"}
