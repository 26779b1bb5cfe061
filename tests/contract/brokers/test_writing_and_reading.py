"""What both brokers promise about appending and reading by offset."""

import time

import pytest

from enact.errors import BrokerError, EnactError, RecordTooLargeError
from enact.kafka.client_errors import OffsetOutOfRangeError
from enact.kafka.transport import NextOffset, OutRecord, Reader, TopicPartition, Writer
from tests.contract.brokers.factories import BrokerFactory
from tests.contract.brokers.reading import append, at_end, count, read_for, read_until


def test_records_come_back_in_the_order_they_were_sent(writer: Writer, log_reader: Reader, topic: str) -> None:
    values = [b"%d" % number for number in range(250)]
    append(writer, topic, values)

    log_reader.assign({TopicPartition(topic, 0): NextOffset(0)})
    seen = read_until(log_reader, at_end(TopicPartition(topic, 0)), max_records=7)

    assert seen.values() == values
    assert [record.offset for record in seen.records] == list(range(250))


def test_a_record_lies_in_the_partition_it_was_sent_to(writer: Writer, log_reader: Reader, topic: str) -> None:
    for partition in range(3):
        append(writer, topic, [b"p%d" % partition], partition)

    log_reader.assign({TopicPartition(topic, number): NextOffset(0) for number in range(3)})
    seen = read_until(log_reader, count(3))

    assert {(record.topic, record.partition, record.value) for record in seen.records} == {
        (topic, 0, b"p0"),
        (topic, 1, b"p1"),
        (topic, 2, b"p2"),
    }


def test_key_value_and_headers_survive_also_when_absent_or_empty(writer: Writer, log_reader: Reader, topic: str) -> None:
    headers = (("traceparent", b"00-1"), ("empty", b""), ("twice", b"1"), ("twice", b"2"))
    writer.send(OutRecord(topic, 0, b"\x00k\xff", b"v", headers))
    writer.send(OutRecord(topic, 0, None, b"no key"))
    writer.send(OutRecord(topic, 0, b"k", None))
    writer.send(OutRecord(topic, 0, b"", b""))
    writer.flush(10)

    log_reader.assign({TopicPartition(topic, 0): NextOffset(0)})
    seen = read_until(log_reader, count(4))

    assert [(record.key, record.value, record.headers) for record in seen.records] == [
        (b"\x00k\xff", b"v", headers),
        (None, b"no key", ()),
        (b"k", None, ()),
        (b"", b"", ()),
    ]


def test_the_timestamp_is_the_time_of_the_append(writer: Writer, log_reader: Reader, topic: str) -> None:
    before_ms = time.time_ns() // 1_000_000
    append(writer, topic, [b"v"])
    after_ms = time.time_ns() // 1_000_000

    log_reader.assign({TopicPartition(topic, 0): NextOffset(0)})
    seen = read_until(log_reader, count(1))

    assert before_ms <= seen.records[0].timestamp_ms <= after_ms + 1


def test_a_delivery_report_names_partition_and_offset(writer: Writer, topic: str) -> None:
    append(writer, topic, [b"before"], 1)
    reports: list[tuple[EnactError | None, int, int]] = []

    writer.send(OutRecord(topic, 1, b"k", b"v"), lambda error, partition, offset: reports.append((error, partition, offset)))
    deadline = time.monotonic() + 10
    while not reports and time.monotonic() < deadline:
        writer.poll()

    assert reports == [(None, 1, 1)]


def test_a_record_that_is_too_large_fails_in_flush_and_sent_alone_only_it_fails(writer: Writer, log_reader: Reader, topic: str) -> None:
    batch = [OutRecord(topic, 0, b"k", value) for value in (b"one", bytes(1_100_000), b"three")]
    for record in batch:
        writer.send(record)

    with pytest.raises(RecordTooLargeError):  # and with it, perhaps, those in the same request
        writer.flush(10)
    refused = []
    for record in batch:
        writer.send(record)
        try:
            writer.flush(10)
        except RecordTooLargeError:
            refused.append(record)

    log_reader.assign({TopicPartition(topic, 0): NextOffset(0)})
    values = read_until(log_reader, at_end(TopicPartition(topic, 0))).values()
    assert refused == [batch[1]]
    assert values[-2:] == [b"one", b"three"]
    assert set(values) == {b"one", b"three"}


def test_a_record_sent_with_a_callback_fails_there_and_not_in_flush(writer: Writer, topic: str) -> None:
    reports: list[tuple[EnactError | None, int]] = []

    writer.send(OutRecord(topic, 0, b"k", bytes(3_000_000)), lambda error, _, offset: reports.append((error, offset)))
    append(writer, topic, [b"fine"])

    deadline = time.monotonic() + 10
    while not reports and time.monotonic() < deadline:
        writer.poll()
    assert [(type(error), offset) for error, offset in reports] == [(RecordTooLargeError, -1)]


def test_the_end_of_a_partition_is_reported_with_its_offset_also_when_it_is_empty(writer: Writer, log_reader: Reader, topic: str) -> None:
    append(writer, topic, [b"1", b"2", None], 1)

    log_reader.assign({TopicPartition(topic, 0): NextOffset(0), TopicPartition(topic, 1): NextOffset(0)})
    seen = read_until(log_reader, at_end(TopicPartition(topic, 0), TopicPartition(topic, 1)))

    assert seen.ends == {TopicPartition(topic, 0): 0, TopicPartition(topic, 1): 3}
    assert len(seen.records) == 3


def test_the_end_is_reported_again_after_more_has_been_read(writer: Writer, log_reader: Reader, topic: str) -> None:
    partition = TopicPartition(topic, 0)
    log_reader.assign({partition: NextOffset(0)})
    read_until(log_reader, at_end(partition))

    append(writer, topic, [b"later"])
    seen = read_until(log_reader, at_end(partition))

    assert seen.ends == {partition: 1}
    assert seen.values() == [b"later"]


def test_begin_and_end_offsets_are_those_of_now(writer: Writer, log_reader: Reader, topic: str) -> None:
    partitions = [TopicPartition(topic, 0), TopicPartition(topic, 2)]
    append(writer, topic, [b"1", b"2"], 2)

    assert log_reader.begin_offsets(partitions) == {partitions[0]: 0, partitions[1]: 0}
    assert log_reader.end_offsets(partitions) == {partitions[0]: 0, partitions[1]: 2}


def test_a_seek_drops_what_was_fetched_and_goes_on_there(writer: Writer, log_reader: Reader, topic: str) -> None:
    partition = TopicPartition(topic, 0)
    append(writer, topic, [b"%d" % number for number in range(20)])
    log_reader.assign({partition: NextOffset(0)})
    read_until(log_reader, count(3), max_records=3)

    log_reader.seek(partition, NextOffset(17))
    forward = read_until(log_reader, at_end(partition), max_records=2)
    log_reader.seek(partition, NextOffset(18))
    backward = read_until(log_reader, at_end(partition), max_records=2)

    assert forward.values() == [b"17", b"18", b"19"]
    assert backward.values() == [b"18", b"19"]


def test_a_paused_partition_is_silent_and_loses_nothing(writer: Writer, log_reader: Reader, topic: str) -> None:
    paused, read = TopicPartition(topic, 0), TopicPartition(topic, 1)
    append(writer, topic, [b"a%d" % number for number in range(10)], 0)
    append(writer, topic, [b"b%d" % number for number in range(10)], 1)
    log_reader.assign({paused: NextOffset(0), read: NextOffset(0)})
    log_reader.pause([paused])

    seen = read_until(log_reader, at_end(read))
    seen.records += read_for(log_reader, 0.3).records
    assert {record.partition for record in seen.records} == {1}

    log_reader.resume([paused])
    assert read_until(log_reader, at_end(paused)).values(0) == [b"a%d" % number for number in range(10)]


def test_an_offset_outside_the_log_is_lost_state_and_names_the_partition(writer: Writer, log_reader: Reader, topic: str) -> None:
    append(writer, topic, [b"1"], 0)
    append(writer, topic, [b"other"], 1)
    log_reader.assign({TopicPartition(topic, 0): NextOffset(99), TopicPartition(topic, 1): NextOffset(0)})

    with pytest.raises(OffsetOutOfRangeError) as caught:
        read_until(log_reader, count(2))

    assert caught.value.partition == TopicPartition(topic, 0)
    log_reader.assign({TopicPartition(topic, 0): NextOffset(0)})
    assert read_until(log_reader, count(1)).values() == [b"1"]


def test_the_partition_count_is_the_brokers(factory: BrokerFactory, log_reader: Reader, topic: str) -> None:
    assert log_reader.partition_count(topic) == 3

    with pytest.raises(BrokerError, match="enact topics apply"):
        log_reader.partition_count("no-such-topic")
