"""The follower: from the ledger topic into the read model, and how old the answers may be."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from enact.clock import ManualClock
from enact.errors import BrokerError
from enact.kafka.local import LocalBroker
from enact.kafka.transport import NextOffset, OutRecord, TopicPartition
from enact.records import LedgerEntry, LedgerType, Status
from enact.records.codec import encode
from enact.records.framing import framed_by, header_for
from services.api.follower import Follower
from services.api.ledger_writer import Applied
from services.api.read_model import ReadModel, sqlite_url
from tests.factories import SilentSchemaRegistry
from tests.unit.services.api.ledger_entries import INTENT, TENANT, clean_success, entry, executed, started

TOPIC = "enact.ledger.v1"


@pytest.fixture
def model(tmp_path: Path) -> Iterator[ReadModel]:
    opened = ReadModel.at(sqlite_url(tmp_path))
    yield opened
    opened.close()


def broker_with(entries: list[LedgerEntry], *, partitions: int = 2) -> LocalBroker:
    broker = LocalBroker()
    broker.create_topic(TOPIC, partitions)
    append(broker, entries)
    return broker


def append(broker: LocalBroker, entries: list[LedgerEntry], *, partition: int = 1) -> None:
    writer = broker.writer()
    for one in entries:
        writer.send(OutRecord(TOPIC, partition, one.action_intent_id.encode(), encode(one)))
    writer.flush(1.0)


def follower_of(broker: LocalBroker, model: ReadModel, clock: ManualClock, heard: list[tuple[Applied, int]] | None = None) -> Follower:
    on_applied = None if heard is None else lambda applied, unreadable: heard.append((applied, unreadable))
    return Follower(topic=TOPIC, reader=broker.log_reader(), ledger=model.ledger, clock=clock, on_applied=on_applied)


def test_it_reads_every_partition_and_knows_when_it_has_caught_up(model: ReadModel) -> None:
    clock = ManualClock()
    follower = follower_of(broker_with(clean_success()), model, clock)
    follower.start()
    before = follower.freshness.staleness_ms(clock.boot_s())

    follower.step(wait_s=0)
    clock.advance(0.25)

    row = model.execution(TENANT, INTENT)
    assert before is None
    assert row is not None
    assert row.status == "SUCCEEDED"
    assert follower.freshness.staleness_ms(clock.boot_s()) == 250


def test_an_entry_whose_schema_cannot_be_asked_for_is_not_skipped(model: ReadModel) -> None:
    broker = broker_with([started()])
    broker.writer().send(OutRecord(TOPIC, 1, INTENT.encode(), header_for(7) + b"abc"))
    follower = follower_of(broker, model, ManualClock())
    follower.start()

    with framed_by(SilentSchemaRegistry()), pytest.raises(BrokerError):
        follower.step(wait_s=0)

    assert model.execution(TENANT, INTENT) is None


def test_after_a_restart_it_reads_on_and_not_again(model: ReadModel) -> None:
    clock = ManualClock()
    broker = broker_with([started()])
    first = follower_of(broker, model, clock)
    first.start()
    first.step(wait_s=0)
    append(broker, [executed(version=2)])
    heard: list[tuple[Applied, int]] = []

    second = follower_of(broker, model, clock, heard)
    second.start()
    second.step(wait_s=0)

    assert [applied.kept for applied, _ in heard] == [1]
    assert [applied.repeated for applied, _ in heard] == [0]


def test_an_entry_that_cannot_be_decoded_is_counted_and_skipped(model: ReadModel) -> None:
    clock = ManualClock()
    broker = broker_with([started()])
    writer = broker.writer()
    writer.send(OutRecord(TOPIC, 1, b"x", b"\xc3\x01 no such schema"))
    writer.send(OutRecord(TOPIC, 1, b"x", None))
    append(broker, [executed(version=2)])
    heard: list[tuple[Applied, int]] = []
    follower = follower_of(broker, model, clock, heard)

    follower.start()
    follower.step(wait_s=0)

    row = model.execution(TENANT, INTENT)
    assert row is not None
    assert row.status == "SUCCEEDED"
    assert [unreadable for _, unreadable in heard] == [2]
    assert model.ledger.next_offsets() == {1: 4}


def test_a_status_that_no_legal_move_leads_to_is_refused_told_and_the_rest_is_taken(model: ReadModel) -> None:
    heard: list[tuple[Applied, int]] = []
    told = [*clean_success(), entry(LedgerType.RETRY_SCHEDULED, version=99, status=Status.RETRYING)]
    follower = follower_of(broker_with(told), model, ManualClock(), heard)
    follower.start()

    follower.step(wait_s=0)

    row = model.execution(TENANT, INTENT)
    assert row is not None
    assert row.status == "SUCCEEDED"
    assert [(applied.kept, list(applied.refused)) for applied, _ in heard] == [(6, [(INTENT, TENANT)])]
    assert len(model.entries(TENANT, INTENT)) == 6


def test_a_model_that_knows_more_than_the_ledger_is_built_again(model: ReadModel) -> None:
    clock = ManualClock()
    old = follower_of(broker_with(clean_success()), model, clock)
    old.start()
    old.step(wait_s=0)
    new_cluster = broker_with([started()])

    new = follower_of(new_cluster, model, clock)
    new.start()
    new.step(wait_s=0)

    row = model.execution(TENANT, INTENT)
    assert row is not None
    assert row.status == "PENDING"


def test_retention_that_cut_the_ledger_is_no_trouble(model: ReadModel) -> None:
    clock = ManualClock()
    broker = broker_with(clean_success())
    broker.cut(TopicPartition(TOPIC, 1), NextOffset(2))
    follower = follower_of(broker, model, clock)

    follower.start()
    follower.step(wait_s=0)

    row = model.execution(TENANT, INTENT)
    assert row is not None
    assert row.status == "SUCCEEDED"


def test_staleness_grows_while_entries_are_still_to_be_read(model: ReadModel) -> None:
    clock = ManualClock()
    broker = broker_with([started()])
    reader = broker.log_reader()
    follower = Follower(topic=TOPIC, reader=reader, ledger=model.ledger, clock=clock)
    follower.start()
    follower.step(wait_s=0)

    reader.pause([TopicPartition(TOPIC, 1)])
    append(broker, [executed(version=2)])
    clock.advance(4.0)
    follower.step(wait_s=0)
    behind_ms = follower.freshness.staleness_ms(clock.boot_s())
    progress = follower.progress
    reader.resume([TopicPartition(TOPIC, 1)])
    clock.advance(2.0)
    follower.step(wait_s=0)

    assert behind_ms == 4000
    assert progress == "1 ledger entries are still to be read"
    assert follower.freshness.staleness_ms(clock.boot_s()) == 0


def test_it_stops_when_told_to(model: ReadModel) -> None:
    stop = threading.Event()
    follower = follower_of(broker_with([started()]), model, ManualClock(), None)
    seen: list[int] = []

    def step(*, wait_s: float) -> int:
        seen.append(1)
        stop.set()
        return 0

    follower.step = step  # type: ignore[method-assign]
    follower.run(stop)

    assert seen == [1]


def test_a_missing_topic_is_waited_for_and_not_fatal(model: ReadModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.api.follower._PAUSE_AFTER_ERROR_S", 0.0)
    stop = threading.Event()
    broker = LocalBroker()
    follower = follower_of(broker, model, ManualClock())
    tries: list[int] = []
    real_start = follower.start

    def start() -> None:
        tries.append(1)
        if len(tries) == 2:
            broker.create_topic(TOPIC, 1)
            stop.set()
        real_start()

    follower.start = start  # type: ignore[method-assign]
    follower.run(stop)

    assert len(tries) == 2
