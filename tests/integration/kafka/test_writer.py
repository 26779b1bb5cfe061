"""What a flush answers for, when the broker is away."""

import threading

import pytest

from enact.errors import ConfigurationError, DeliveryError, EnactError
from enact.kafka.client import KafkaWriter, LogReader
from enact.kafka.transport import NextOffset, OutRecord, TopicPartition
from enact.settings import KafkaSettings
from tests.contract.brokers.reading import at_end, read_until

NOBODY = KafkaSettings(bootstrap_servers="127.0.0.1:1", delivery_timeout_s=1.0, request_timeout_s=0.5)


def test_a_flush_without_a_broker_says_unknown_and_the_next_flush_answers_only_for_itself() -> None:
    writer = KafkaWriter(NOBODY)
    writer.send(OutRecord("t", 0, b"k", b"v"))

    with pytest.raises(DeliveryError):
        writer.flush(0.2)

    writer.flush(0.2)
    writer.send(OutRecord("t", 0, b"k", b"v"))
    with pytest.raises(DeliveryError):
        writer.flush(5)
    writer.close()


def test_a_flush_does_not_wait_for_records_with_a_callback_and_these_learn_of_the_timeout() -> None:
    writer = KafkaWriter(NOBODY)
    reports: list[EnactError | None] = []
    writer.send(OutRecord("t", 0, b"k", b"v"), lambda error, *_: reports.append(error))

    writer.flush(5)
    assert reports == []

    writer.close()
    assert [type(error) for error in reports] == [DeliveryError]


def test_threads_may_send_while_another_flushes(kafka: KafkaSettings, topic: str) -> None:
    writer = KafkaWriter(kafka)
    offsets: list[int] = []

    def send() -> None:
        for _ in range(500):
            writer.send(OutRecord(topic, 1, b"k", b"v"), lambda error, _, offset: offsets.append(offset if error is None else -1))

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(50):
        writer.send(OutRecord(topic, 0, b"k", b"v"))
        writer.flush(10)
    for thread in threads:
        thread.join()
    writer.close()

    assert sorted(offsets) == list(range(2000))
    reader = LogReader(kafka)
    reader.assign({TopicPartition(topic, 0): NextOffset(0)})
    assert len(read_until(reader, at_end(TopicPartition(topic, 0))).records) == 50
    reader.close()


def test_without_an_address_nothing_is_created() -> None:
    with pytest.raises(ConfigurationError, match="ENACT_KAFKA__BOOTSTRAP_SERVERS"):
        KafkaWriter(KafkaSettings())
