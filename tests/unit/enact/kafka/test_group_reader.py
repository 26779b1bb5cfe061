"""What the door does when the group changes in the middle of a take. The real group's part is in tests/integration/kafka."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from confluent_kafka import KafkaError
from confluent_kafka import TopicPartition as ClientPartition

from enact.errors import StateLostError
from enact.kafka import group_reader
from enact.kafka.client_errors import OffsetOutOfRangeError
from enact.kafka.group_reader import GroupReader
from enact.kafka.transport import InRecord, NextOffset, Offset, TopicPartition
from enact.settings import KafkaSettings

P0, P1 = TopicPartition("t", 0), TopicPartition("t", 1)


class Client:
    """The client's consumer and the consumption around it; each `fetch` runs the next step of the story."""

    def __init__(self, config: Mapping[str, Any], **_options: object) -> None:
        self.consumer = self
        self.on_commit = config["on_commit"]
        self.steps: list[Callable[[], list[InRecord]]] = []
        self.callbacks: dict[str, Callable[..., None]] = {}
        self.starts: dict[TopicPartition, int] = {}
        self.sought: list[tuple[TopicPartition, int]] = []
        self.commits: list[list[tuple[int, int]]] = []
        self.paused: set[TopicPartition] = set()

    def subscribe(self, _topics: list[str], **callbacks: Callable[..., None]) -> None:
        self.callbacks = callbacks

    def tell(self, word: str, *partitions: TopicPartition) -> None:
        self.callbacks[word](self, [ClientPartition(*one) for one in partitions])

    def incremental_assign(self, partitions: list[ClientPartition]) -> None:
        self.starts.update({TopicPartition(one.topic, one.partition): one.offset for one in partitions})

    def committed(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, NextOffset | None]:
        return {one: NextOffset(5) if one == P0 else None for one in partitions}

    def watermarks(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, tuple[NextOffset, NextOffset]]:
        return {one: (NextOffset(2), NextOffset(9)) for one in partitions}

    def fetch(self, _max: int, _wait_s: float) -> tuple[list[InRecord], dict[TopicPartition, NextOffset]]:
        records = self.steps.pop(0)()
        return records, {TopicPartition(one.topic, one.partition): NextOffset(one.offset + 1) for one in records}

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self.sought.append((partition, offset))

    def pause(self, partitions: Sequence[TopicPartition]) -> None:
        self.paused.update(partitions)

    def resume(self, partitions: Sequence[TopicPartition]) -> None:
        self.paused.difference_update(partitions)

    def commit(self, *_args: object, offsets: list[ClientPartition], asynchronous: bool) -> None:
        self.commits.append([(one.partition, one.offset) for one in offsets])


class Listening:
    def __init__(self) -> None:
        self.failure: Exception | None = None

    def on_assign(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, NextOffset]:
        if self.failure is not None:
            raise self.failure
        return {}

    def on_revoke(self, partitions: Sequence[TopicPartition]) -> None: ...

    def on_lost(self, partitions: Sequence[TopicPartition]) -> None: ...


@pytest.fixture
def listener() -> Listening:
    return Listening()


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch, listener: Listening) -> GroupReader:
    monkeypatch.setattr(group_reader, "Consumption", Client)
    made = GroupReader(KafkaSettings(bootstrap_servers="127.0.0.1:1"), "g")
    made.subscribe(["t"], listener)
    return made


def client(reader: GroupReader) -> Client:
    inner: Any = reader._consumption
    assert isinstance(inner, Client)
    return inner


def record(partition: TopicPartition, offset: int) -> InRecord:
    return InRecord(partition.topic, partition.partition, Offset(offset), 0, None, None)


def own(reader: GroupReader, *partitions: TopicPartition) -> None:
    def step() -> list[InRecord]:
        client(reader).tell("on_assign", *partitions)
        return []

    client(reader).steps.append(step)
    reader.take(10, 0)


def test_without_a_word_of_the_listener_a_partition_starts_where_committed_else_at_the_beginning(reader: GroupReader) -> None:
    own(reader, P0, P1)

    assert client(reader).starts == {P0: 5, P1: 2}


def test_records_of_a_partition_that_left_during_the_take_are_dropped(reader: GroupReader) -> None:
    own(reader, P0, P1)

    def step() -> list[InRecord]:
        client(reader).tell("on_revoke", P1)
        return [record(P0, 5), record(P1, 2), record(P0, 6)]

    client(reader).steps.append(step)
    batch = reader.take(10, 0)

    assert [(one.partition, one.offset) for one in batch.records] == [(0, 5), (0, 6)]
    assert batch.ends == {P0: 7}


def test_a_partition_that_left_and_came_back_during_the_take_is_read_again_from_its_start(reader: GroupReader) -> None:
    own(reader, P0, P1)

    def step() -> list[InRecord]:
        client(reader).tell("on_revoke", P0)
        client(reader).tell("on_assign", P0)
        return [record(P0, 7), record(P1, 2), record(P0, 5)]

    client(reader).steps.append(step)
    batch = reader.take(10, 0)

    assert [(one.partition, one.offset) for one in batch.records] == [(1, 2)]
    assert batch.ends == {P1: 3}
    assert client(reader).sought == [(P0, 5)]


def test_nothing_is_committed_for_a_partition_that_was_lost(reader: GroupReader) -> None:
    own(reader, P0, P1)
    client(reader).tell("on_lost", P1)

    reader.commit({P0: NextOffset(6), P1: NextOffset(3)}, is_async=True)
    reader.commit({P1: NextOffset(3)}, is_async=True)

    assert client(reader).commits == [[(0, 6)]]


def test_one_asynchronous_commit_is_in_flight_at_a_time_and_only_a_success_counts(reader: GroupReader) -> None:
    own(reader, P0)
    reader.commit({P0: NextOffset(6)}, is_async=True)
    reader.commit({P0: NextOffset(7)}, is_async=True)
    assert client(reader).commits == [[(0, 6)]]
    assert reader.committed_by_us() == {}

    client(reader).on_commit(KafkaError(KafkaError.COORDINATOR_NOT_AVAILABLE), [])
    reader.commit({P0: NextOffset(8)}, is_async=True)
    assert reader.committed_by_us() == {}
    client(reader).on_commit(None, [ClientPartition("t", 0, 8)])

    assert client(reader).commits == [[(0, 6)], [(0, 8)]]
    assert reader.committed_by_us() == {P0: 8}


def test_what_we_committed_is_forgotten_with_the_partition(reader: GroupReader) -> None:
    own(reader, P0)
    client(reader).on_commit(None, [ClientPartition("t", 0, 8)])
    client(reader).tell("on_revoke", P0)
    client(reader).on_commit(None, [ClientPartition("t", 0, 9)])

    assert reader.committed_by_us() == {}


def test_a_partition_that_comes_back_comes_as_paused_as_we_want_it(reader: GroupReader) -> None:
    own(reader, P0, P1)
    reader.pause([P0])
    client(reader).tell("on_revoke", P0, P1)
    client(reader).paused = {P1}

    own(reader, P0, P1)

    assert client(reader).paused == {P0}


def test_lost_state_counts_only_for_what_is_ours(reader: GroupReader) -> None:
    own(reader, P0)

    def out_of_range(partition: TopicPartition) -> Callable[[], list[InRecord]]:
        def step() -> list[InRecord]:
            raise OffsetOutOfRangeError(partition)

        return step

    client(reader).steps += [out_of_range(P1), out_of_range(P0)]

    assert reader.take(10, 0).records == []
    with pytest.raises(OffsetOutOfRangeError):
        reader.take(10, 0)


def test_a_listener_that_fails_is_fatal_for_every_later_take(reader: GroupReader, listener: Listening) -> None:
    listener.failure = StateLostError("broken")

    with pytest.raises(StateLostError, match="broken"):
        own(reader, P0)
    with pytest.raises(StateLostError, match="broken"):
        reader.take(10, 0)
