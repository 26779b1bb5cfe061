"""What the client's consumer reports, sorted: records, ends, what heals, what is ours to raise."""

import threading
from typing import Any

import pytest
from confluent_kafka import KafkaError

from enact.errors import BrokerError, ConfigurationError, DeliveryError, FencedError
from enact.kafka import consumption
from enact.kafka.client_config import log_reader_config
from enact.kafka.client_errors import OffsetOutOfRangeError
from enact.kafka.consumption import Consumption
from enact.kafka.transport import TopicPartition
from enact.settings import KafkaSettings
from tests.unit.enact.kafka.client_fakes import FakeCommitted, FakeMessage, answering, refusing

P0 = TopicPartition("t", 0)
FETCH_FAILED = KafkaError.TOPIC_AUTHORIZATION_FAILED


class FakeConsumer:
    """Gives the messages it was given; any other method is set by the test."""

    def __init__(self, *messages: FakeMessage, **methods: Any) -> None:
        self.messages = list(messages)
        for name, method in methods.items():
            setattr(self, name, method)

    def poll(self, _wait_s: float) -> FakeMessage | None:
        return self.messages.pop(0) if self.messages else None

    def consume(self, count: int, _wait_s: float) -> list[FakeMessage]:
        taken, self.messages = self.messages[:count], self.messages[count:]
        return taken


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumption, "RETRY_S", 0.0)
    monkeypatch.setattr(consumption, "SEEK_S", -1.0)


def made(*messages: FakeMessage, timeout_s: float = 10.0, waits: list[None] | None = None, **methods: Any) -> Consumption:
    kafka = KafkaSettings(bootstrap_servers="127.0.0.1:1")
    on_wait = (lambda: waits.append(None)) if waits is not None else (lambda: None)
    created = Consumption(log_reader_config(kafka), request_timeout_s=timeout_s, on_wait=on_wait)
    created.consumer.close()
    created.consumer = FakeConsumer(*messages, **methods)  # type: ignore[assignment]
    return created


def test_records_and_ends_arrive_together_and_what_heals_is_only_logged() -> None:
    message = FakeMessage(4)
    message.given_headers = [("a", b"1"), ("b", None), ("c", "text")]
    fetching = made(message, FakeMessage(code=KafkaError._TRANSPORT, topic=None), FakeMessage(5, code=KafkaError._PARTITION_EOF))

    records, ends = fetching.fetch(10, 0)

    assert [(one.offset, one.timestamp_ms, one.headers) for one in records] == [(4, 7, (("a", b"1"), ("b", b""), ("c", b"text")))]
    assert ends == {P0: 5}


def test_headers_in_a_mapping_are_headers_too() -> None:
    message = FakeMessage()
    message.given_headers = {"a": b"1"}

    assert made(message).fetch(1, 0)[0][0].headers == (("a", b"1"),)


@pytest.mark.parametrize(
    ("code", "expected"),
    [(KafkaError._AUTO_OFFSET_RESET, OffsetOutOfRangeError), (FETCH_FAILED, BrokerError), (KafkaError._FATAL, FencedError)],
)
def test_a_failure_waits_for_the_records_before_it_and_is_raised_next(code: int, expected: type[Exception]) -> None:
    fetching = made(FakeMessage(1), FakeMessage(code=code))

    records, _ = fetching.fetch(10, 0)

    assert [one.offset for one in records] == [1]
    with pytest.raises(expected):
        fetching.fetch(10, 0)
    assert fetching.fetch(10, 0) == ([], {})


def test_a_failure_alone_is_raised_at_once() -> None:
    with pytest.raises(BrokerError):
        made(FakeMessage(code=FETCH_FAILED)).fetch(10, 0)
    with pytest.raises(BrokerError):
        made(poll=refusing(FETCH_FAILED)).fetch(10, 0)


def test_a_message_without_its_place_is_refused() -> None:
    with pytest.raises(BrokerError, match="without its topic"):
        made(FakeMessage(None)).fetch(1, 0)


def test_a_configuration_that_the_client_refuses_is_one_of_our_errors() -> None:
    with pytest.raises(ConfigurationError):
        Consumption({**log_reader_config(KafkaSettings(bootstrap_servers="b:1")), "group.protocol": "nonsense"}, request_timeout_s=1)


def test_what_heals_is_asked_again_and_the_wait_is_reported() -> None:
    waits: list[None] = []
    asking = made(waits=waits, get_watermark_offsets=refusing(KafkaError._TRANSPORT, times=3, then=(2, 9)))

    assert asking.watermarks([P0]) == {P0: (2, 9)}
    assert len(waits) == 3


def test_what_does_not_heal_or_takes_too_long_is_raised() -> None:
    with pytest.raises(BrokerError):
        made(get_watermark_offsets=refusing(FETCH_FAILED)).watermarks([P0])
    with pytest.raises(DeliveryError):
        made(timeout_s=-1.0, get_watermark_offsets=refusing(KafkaError._TRANSPORT)).watermarks([P0])
    with pytest.raises(BrokerError, match="named no offsets"):
        made(get_watermark_offsets=lambda *_, **__: None).watermarks([P0])


def test_committed_offsets_are_offsets_or_nothing() -> None:
    assert made().committed([]) == {}
    assert made(committed=lambda *_, **__: [FakeCommitted(5)]).committed([P0]) == {P0: 5}
    assert made(committed=lambda *_, **__: [FakeCommitted(-1001)]).committed([P0]) == {P0: None}
    with pytest.raises(BrokerError):
        made(committed=lambda *_, **__: [FakeCommitted(0, KafkaError(FETCH_FAILED))]).committed([P0])


def test_a_topic_that_is_missing_is_said_to_be_missing() -> None:
    assert made(list_topics=lambda *_, **__: answering()).partition_count("t") == 3
    with pytest.raises(BrokerError, match="enact topics apply"):
        made(list_topics=lambda *_, **__: answering(code=KafkaError.UNKNOWN_TOPIC_OR_PART)).partition_count("t")


def test_a_refused_commit_is_translated() -> None:
    with pytest.raises(FencedError):
        made(commit=refusing(KafkaError.UNKNOWN_MEMBER_ID)).commit([], doing="commit")


def test_a_seek_waits_out_a_fresh_assignment_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BrokerError):
        made(seek=refusing(FETCH_FAILED)).seek(P0, 1)
    with pytest.raises(BrokerError):
        made(seek=refusing(KafkaError._STATE)).seek(P0, 1)

    monkeypatch.setattr(consumption, "SEEK_S", 10.0)
    made(seek=refusing(KafkaError._STATE, times=3)).seek(P0, 1)


def test_a_close_that_hangs_is_left_behind(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(consumption, "CLOSE_S", 0.01)
    released = threading.Event()

    made(close=released.wait).close()
    released.set()

    assert "consumer_close_hangs" in caplog.text


@pytest.mark.parametrize(
    ("told", "epoch"),
    [
        (b"CGMDv2:\xff\xff\xff\xffgroup\x00member\x00\x01", -1),
        (b"CGMDv2:\x02\x01\x00\x00group\x00member\x00\x01", 258),
        (b"CGMDv9:\x02\x00\x00\x00", -1),
        (None, -1),
    ],
)
def test_the_epoch_of_a_member_is_read_from_what_the_client_knows_and_is_below_1_where_it_cannot_be(told: object, epoch: int) -> None:
    assert made(consumer_group_metadata=lambda: told).member_epoch == epoch
