"""What the writer makes of a producer that is full, refuses, or answers oddly."""

from collections.abc import Callable
from typing import Any

import pytest
from confluent_kafka import KafkaError

from enact.errors import BrokerError, DeliveryError, EnactError, RecordTooLargeError
from enact.kafka.client import KafkaWriter
from enact.kafka.transport import OutRecord
from enact.settings import KafkaSettings
from tests.unit.enact.kafka.client_fakes import FakeMessage, answering, refusing

RECORD = OutRecord("t", 0, b"k", b"v")


class FakeProducer:
    """Acknowledges each record at the next poll, with the message it was given, or does what the test says instead."""

    def __init__(self, message: FakeMessage | None = None, error: int | None = None, **methods: Any) -> None:
        self.message = message or FakeMessage(9)
        self.error = None if error is None else KafkaError(error)
        self.reports: list[Callable[..., None]] = []
        for name, method in methods.items():
            setattr(self, name, method)

    def produce(self, *_: object, on_delivery: Callable[..., None], **__: object) -> None:
        self.reports.append(on_delivery)

    def poll(self, _wait_s: float) -> None:
        reports, self.reports = self.reports, []
        for report in reports:
            report(self.error, self.message)


def writer_on(producer: FakeProducer, *, delivery_timeout_s: float = 30.0, waits: list[None] | None = None) -> KafkaWriter:
    on_wait = (lambda: waits.append(None)) if waits is not None else (lambda: None)
    writer = KafkaWriter(KafkaSettings(bootstrap_servers="127.0.0.1:1", delivery_timeout_s=delivery_timeout_s), on_wait=on_wait)
    writer._producer = producer  # type: ignore[assignment]
    return writer


class Full:
    """A queue that has room again after some tries."""

    def __init__(self, tries: int) -> None:
        self.tries = tries

    def __call__(self, *_: object, on_delivery: Callable[..., None], **__: object) -> None:
        self.tries -= 1
        if self.tries >= 0:
            raise BufferError
        on_delivery(None, FakeMessage(1))


def test_a_full_queue_is_waited_for_and_the_wait_is_reported() -> None:
    waits: list[None] = []
    writer = writer_on(FakeProducer(produce=Full(3)), waits=waits)

    writer.send(RECORD)
    writer.flush(1)

    assert len(waits) == 3


def test_a_queue_that_stays_full_is_a_failed_delivery_of_which_flush_knows() -> None:
    writer = writer_on(FakeProducer(produce=Full(10_000)))
    writer._delivery_timeout_s = -1.0

    with pytest.raises(DeliveryError, match="nothing was sent"):
        writer.send(RECORD)
    with pytest.raises(DeliveryError):
        writer.flush(1)
    writer.flush(1)


def test_a_record_refused_at_once_is_reported_like_a_later_one() -> None:
    producer = FakeProducer(produce=refusing(KafkaError.MSG_SIZE_TOO_LARGE))
    writer, told = writer_on(producer), list[EnactError | None]()

    writer.send(RECORD, lambda error, _partition, _offset: told.append(error))
    writer.send(RECORD)

    assert [type(error) for error in told] == [RecordTooLargeError]
    with pytest.raises(RecordTooLargeError):
        writer.flush(1)


def test_a_producer_that_refuses_raises_to_the_sender_also_with_a_callback() -> None:
    writer, told = writer_on(FakeProducer(produce=refusing(KafkaError.TOPIC_AUTHORIZATION_FAILED))), list[EnactError | None]()

    with pytest.raises(BrokerError):
        writer.send(RECORD, lambda error, _partition, _offset: told.append(error))

    assert told == []


def test_a_report_is_an_offset_or_an_error_never_neither() -> None:
    told: list[tuple[type[EnactError] | None, int, int]] = []

    for producer in (
        FakeProducer(FakeMessage(9, partition=2)),
        FakeProducer(FakeMessage(None, partition=None), KafkaError._MSG_TIMED_OUT),
        FakeProducer(FakeMessage(None)),
    ):
        writer = writer_on(producer)
        writer.send(RECORD, lambda error, partition, offset: told.append((None if error is None else type(error), partition, offset)))
        writer.poll()

    assert told == [(None, 2, 9), (DeliveryError, -1, -1), (BrokerError, -1, -1)]


def test_a_flush_without_answers_says_how_many_are_unknown() -> None:
    writer = writer_on(FakeProducer(poll=lambda _wait_s: None))
    writer.send(RECORD)
    writer.send(RECORD)

    with pytest.raises(DeliveryError, match="2 records were not acknowledged"):
        writer.flush(0)


def test_a_topic_that_is_missing_is_said_to_be_missing() -> None:
    assert writer_on(FakeProducer(list_topics=lambda *_, **__: answering())).partition_count("t") == 3
    with pytest.raises(BrokerError, match="enact topics apply"):
        writer_on(FakeProducer(list_topics=lambda *_, **__: answering(code=KafkaError.UNKNOWN_TOPIC_OR_PART))).partition_count("t")
    with pytest.raises(DeliveryError):
        writer_on(FakeProducer(list_topics=refusing(KafkaError._TRANSPORT))).partition_count("t")
