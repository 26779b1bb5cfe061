"""Administration on a real broker."""

import pytest

from enact.errors import BrokerError, EnactError
from enact.kafka.admin import KafkaAdmin, NewTopicShape
from enact.kafka.client import GroupReader, KafkaWriter, LogReader
from enact.kafka.transport import NextOffset, TopicPartition
from enact.settings import KafkaSettings
from tests.contract.brokers.reading import Listening, append, at_end, count, read_until


def test_a_group_that_never_lived_starts_at_the_offset_an_administrator_committed(
    kafka: KafkaSettings, admin: KafkaAdmin, topic: str
) -> None:
    partition = TopicPartition(topic, 0)
    writer = KafkaWriter(kafka)
    append(writer, topic, [b"0", b"1", b"2"])

    admin.set_group_offsets(f"g-{topic}", {partition: NextOffset(2), TopicPartition(topic, 1): NextOffset(0)})

    assert admin.committed_offsets(f"g-{topic}") == {partition: 2, TopicPartition(topic, 1): 0}
    reader = GroupReader(kafka, f"g-{topic}")
    reader.subscribe([topic], Listening())
    seen = read_until(reader, at_end(partition))
    reader.close()
    assert seen.values(0) == [b"2"]


def test_offsets_that_a_group_has_are_not_overwritten_by_accident(admin: KafkaAdmin, topic: str) -> None:
    partition = TopicPartition(topic, 0)
    admin.set_group_offsets(f"g-{topic}", {partition: NextOffset(0)})

    with pytest.raises(BrokerError, match="committed offsets already"):
        admin.set_group_offsets(f"g-{topic}", {partition: NextOffset(1), TopicPartition(topic, 1): NextOffset(0)})

    assert admin.committed_offsets(f"g-{topic}") == {partition: 0}
    admin.set_group_offsets(f"g-{topic}", {partition: NextOffset(1)}, is_overwriting=True)
    assert admin.committed_offsets(f"g-{topic}") == {partition: 1}


def test_the_offsets_of_a_live_group_are_not_touched(kafka: KafkaSettings, admin: KafkaAdmin, topic: str) -> None:
    writer = KafkaWriter(kafka)
    append(writer, topic, [b"0"])
    reader = GroupReader(kafka, f"g-{topic}")
    reader.subscribe([topic], Listening())
    read_until(reader, count(1))

    with pytest.raises(EnactError):
        admin.set_group_offsets(f"g-{topic}", {TopicPartition(topic, 0): NextOffset(1)}, is_overwriting=True)

    assert admin.committed_offsets(f"g-{topic}") == {}
    reader.close()


def test_topics_are_described_created_once_and_altered(admin: KafkaAdmin, topic: str) -> None:
    assert admin.describe_topics([topic, "no-such-topic"]).keys() == {topic}
    assert admin.describe_topics([]) == {}
    assert admin.create_topic(NewTopicShape(name=topic, partition_count=9)) is False

    admin.alter_config(topic, {"retention.ms": "86400000"})
    described = admin.describe_topics([topic])[topic]

    assert (described.partition_count, described.replication_factor) == (4, 1)
    assert described.overrides == {"message.timestamp.type": "LogAppendTime", "retention.ms": "86400000"}
    assert described.configs["cleanup.policy"] == "delete"


def test_begin_and_end_offsets_of_many_partitions(kafka: KafkaSettings, admin: KafkaAdmin, topic: str) -> None:
    append(KafkaWriter(kafka), topic, [b"0", b"1"], 3)
    partitions = [TopicPartition(topic, number) for number in range(4)]

    assert admin.end_offsets(partitions) == {one: 2 if one.partition == 3 else 0 for one in partitions}
    assert admin.begin_offsets(partitions) == dict.fromkeys(partitions, 0)


def test_a_refused_topic_says_why(admin: KafkaAdmin) -> None:
    with pytest.raises(BrokerError, match="INVALID_REPLICATION_FACTOR"):
        admin.create_topic(NewTopicShape(name="needs-many-brokers", replication_factor=3))


def test_offsets_are_found_by_time_and_a_time_after_everything_is_the_end(kafka: KafkaSettings, admin: KafkaAdmin, topic: str) -> None:
    partition, empty = TopicPartition(topic, 0), TopicPartition(topic, 1)
    append(KafkaWriter(kafka), topic, [b"0", b"1"])
    reader = LogReader(kafka)
    reader.assign({partition: NextOffset(0)})
    seen = read_until(reader, at_end(partition)).records
    reader.close()

    assert admin.offsets_at([partition, empty], seen[0].timestamp_ms) == {partition: 0, empty: 0}
    assert admin.offsets_at([partition], seen[1].timestamp_ms + 60_000) == {partition: 2}
