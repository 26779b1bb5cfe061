"""What both brokers promise to the member of a group."""

import threading
import time
from collections.abc import Callable

from enact.kafka.transport import NextOffset, Reader, TopicPartition, Writer
from tests.contract.brokers.factories import BrokerFactory
from tests.contract.brokers.reading import Listening, Seen, append, at_end, count, read_for, read_until

Join = Callable[[str], Reader]


def owns(listener: Listening, number: int) -> Callable[[Seen], bool]:
    return lambda _: len(listener.assigned) >= number


def test_a_new_group_starts_at_the_beginning_never_at_the_end(writer: Writer, join: Join, topic: str) -> None:
    append(writer, topic, [b"before the group"])
    listener = Listening()

    reader = join(f"g-{topic}")
    reader.subscribe([topic], listener)
    seen = read_until(reader, count(1))

    assert seen.values() == [b"before the group"]
    assert sorted(listener.assigned) == [TopicPartition(topic, number) for number in range(3)]


def test_the_listener_says_where_to_start(writer: Writer, join: Join, topic: str) -> None:
    append(writer, topic, [b"0", b"1", b"2"])
    listener = Listening({TopicPartition(topic, 0): NextOffset(2)})

    reader = join(f"g-{topic}")
    reader.subscribe([topic], listener)

    assert read_until(reader, at_end(TopicPartition(topic, 0))).values() == [b"2"]


def test_the_next_life_of_a_group_goes_on_where_it_committed(factory: BrokerFactory, writer: Writer, join: Join, topic: str) -> None:
    partition = TopicPartition(topic, 0)
    append(writer, topic, [b"0", b"1", b"2", b"3"])
    first = join(f"g-{topic}")
    first.subscribe([topic], Listening())
    read_until(first, count(4))
    first.commit({partition: NextOffset(3)}, is_async=False)
    assert first.committed_by_us() == {partition: 3}
    first.close()

    second = join(f"g-{topic}")
    second.subscribe([topic], Listening())

    assert read_until(second, at_end(partition)).values() == [b"3"]
    assert second.committed([partition, TopicPartition(topic, 1)]) == {partition: 3, TopicPartition(topic, 1): None}
    assert factory.committed_offsets(f"g-{topic}") == {partition: 3}


def test_an_asynchronous_commit_shows_in_what_we_committed_once_it_is_done(
    factory: BrokerFactory, writer: Writer, join: Join, topic: str
) -> None:
    partition = TopicPartition(topic, 0)
    append(writer, topic, [b"0", b"1"])
    reader = join(f"g-{topic}")
    reader.subscribe([topic], Listening())
    read_until(reader, count(2))

    reader.commit({partition: NextOffset(2)}, is_async=True)
    read_until(reader, lambda _: reader.committed_by_us() == {partition: 2})

    assert factory.committed_offsets(f"g-{topic}") == {partition: 2}


def test_a_commit_for_a_partition_that_is_not_owned_changes_nothing(factory: BrokerFactory, writer: Writer, join: Join, topic: str) -> None:
    foreign = f"{topic}-foreign"
    factory.create_topic(foreign, 1)
    listener = Listening()
    reader = join(f"g-{topic}")
    reader.subscribe([topic], listener)
    read_until(reader, owns(listener, 3))

    reader.commit({TopicPartition(foreign, 0): NextOffset(0), TopicPartition(topic, 1): NextOffset(0)}, is_async=False)

    assert factory.committed_offsets(f"g-{topic}") == {TopicPartition(topic, 1): 0}


def test_a_pause_made_before_the_assignment_holds_after_it(writer: Writer, join: Join, topic: str) -> None:
    paused, read = TopicPartition(topic, 0), TopicPartition(topic, 1)
    append(writer, topic, [b"paused"], 0)
    append(writer, topic, [b"read"], 1)
    reader = join(f"g-{topic}")
    reader.pause([paused])
    reader.subscribe([topic], Listening())

    seen = read_until(reader, at_end(read))
    seen.records += read_for(reader, 0.3).records
    assert seen.values() == [b"read"]

    reader.resume([paused])
    assert read_until(reader, count(1)).values() == [b"paused"]


def test_closing_revokes_in_good_order_and_a_commit_made_there_counts(
    factory: BrokerFactory, writer: Writer, join: Join, topic: str
) -> None:
    append(writer, topic, [b"0"])
    listener = Listening()
    reader = join(f"g-{topic}")
    reader.subscribe([topic], listener)
    read_until(reader, count(1))
    listener.before_revoke = lambda: reader.commit({TopicPartition(topic, 0): NextOffset(1)}, is_async=False)

    started_s = time.monotonic()
    reader.close()

    assert sorted(listener.revoked) == [TopicPartition(topic, number) for number in range(3)]
    assert not listener.lost
    assert listener.threads == {threading.current_thread().name}
    assert factory.committed_offsets(f"g-{topic}") == {TopicPartition(topic, 0): 1}
    assert time.monotonic() - started_s < 5
