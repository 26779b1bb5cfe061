"""What both readers ask of the client's consumer: messages into records, watermarks, pauses, and an end that cannot hang."""

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message
from confluent_kafka import TopicPartition as ClientPartition

from enact.errors import BrokerError, DeliveryError, EnactError
from enact.kafka.client_config import Config
from enact.kafka.client_errors import HEALS, OFFSET_OUT_OF_RANGE, OffsetOutOfRangeError, kafka_error, no_answer, translate
from enact.kafka.transport import InRecord, NextOffset, Offset, TopicPartition
from enact.log import get_logger

CLOSE_S = 10.0
SEEK_S = 5.0
RETRY_S = 0.05
TRY_S = 2.0
_METADATA_MARK = b"CGMDv2:"

_log = get_logger("kafka")


class Consumption:
    """One consumer of the client library and what came out of it that nobody has taken yet. One thread only."""

    def __init__(self, config: Config, *, request_timeout_s: float, on_wait: Callable[[], None] = lambda: None) -> None:
        try:
            self.consumer = Consumer(config)
        except KafkaException as error:
            raise translate(error, doing="create a consumer") from error
        self._request_timeout_s = request_timeout_s
        self._on_wait = on_wait
        self._failures: list[EnactError] = []

    def fetch(self, max_records: int, wait_s: float) -> tuple[list[InRecord], dict[TopicPartition, NextOffset]]:
        """Records and ends of partitions, as they arrived. Callbacks of the client run here.

        A failure met behind records is kept: this call brings the records, the next one raises.
        Raises: OffsetOutOfRangeError, BrokerError, FencedError.
        """
        if self._failures:
            raise self._failures.pop(0)
        records: list[InRecord] = []
        ends: dict[TopicPartition, NextOffset] = {}
        try:
            first = self.consumer.poll(wait_s)
            messages = [] if first is None else [first]
            if first is not None and max_records > 1:
                messages += self.consumer.consume(max_records - 1, 0)
        except KafkaException as error:
            raise translate(error, doing="read from the cluster") from error
        for message in messages:
            self._sort(message, records, ends)
        if self._failures and not records and not ends:
            raise self._failures.pop(0)
        return records, ends

    def _sort(self, message: Message, records: list[InRecord], ends: dict[TopicPartition, NextOffset]) -> None:
        error = message.error()
        if error is None:
            records.append(record_of(message))
            return
        code = error.code()
        topic, partition, offset = message.topic(), message.partition(), message.offset()
        where = TopicPartition(topic, partition) if topic is not None and partition is not None and partition >= 0 else None
        if code == KafkaError._PARTITION_EOF and where is not None and offset is not None:  # noqa: SLF001 - a public code, named so
            ends[where] = NextOffset(offset)
        elif code in OFFSET_OUT_OF_RANGE and where is not None:
            self._failures.append(OffsetOutOfRangeError(where))
        elif code in HEALS:
            _log.warning("broker_trouble", code=error.name(), topic=topic or "")
        else:
            self._failures.append(translate(error, doing=f"read {topic or 'from the cluster'}", partition=where))

    def watermarks(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, tuple[NextOffset, NextOffset]]:
        """Log start and end of each, asked of the broker now. Raises: DeliveryError without an answer, BrokerError."""
        found = {}
        for one in partitions:
            low_high = self._ask(
                lambda left, one=one: self.consumer.get_watermark_offsets(client_partition(one), timeout=left, cached=False),  # type: ignore[misc]
                doing=f"ask for the offsets of {one.topic}[{one.partition}]",
            )
            if low_high is None:
                raise BrokerError(f"The broker named no offsets for {one.topic}[{one.partition}].")
            found[one] = (NextOffset(low_high[0]), NextOffset(low_high[1]))
        return found

    def committed(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, NextOffset | None]:
        """The group's committed offsets."""
        if not partitions:
            return {}
        answers = self._ask(
            lambda left: self.consumer.committed([client_partition(one) for one in partitions], timeout=left),
            doing="ask for committed offsets",
        )
        found: dict[TopicPartition, NextOffset | None] = {}
        for answer in answers:
            if answer.error is not None:
                raise translate(answer.error, doing=f"ask for the committed offset of {answer.topic}[{answer.partition}]")
            found[TopicPartition(answer.topic, answer.partition)] = NextOffset(answer.offset) if answer.offset >= 0 else None
        return found

    def _ask(self, question: Callable[[float], Any], *, doing: str) -> Any:
        """Ask until there is an answer or the request timeout is over; only what heals is asked again."""
        deadline = time.monotonic() + self._request_timeout_s
        while True:
            try:
                return question(min(TRY_S, max(RETRY_S, deadline - time.monotonic())))
            except KafkaException as error:
                inner = kafka_error(error)
                if time.monotonic() > deadline or not (inner.retriable() or inner.code() in HEALS):
                    raise self._unanswered(translate(error, doing=doing), doing) from error
                self._on_wait()
                time.sleep(RETRY_S)

    def _unanswered(self, found: EnactError, doing: str) -> EnactError:
        """A question changes nothing, so "it may have been carried out" would only alarm."""
        if not isinstance(found, DeliveryError):
            return found
        return DeliveryError(no_answer(doing, self._request_timeout_s))

    def commit(self, offsets: list[ClientPartition], *, doing: str) -> list[ClientPartition]:
        """Commit and wait for the answer; the client waits out an outage of the coordinator.

        On this thread and no other: from a second thread the client hangs while a rebalance callback runs (measured).
        Raises: DeliveryError without an answer (it may have been carried out), FencedError, BrokerError.
        """
        try:
            return self.consumer.commit(offsets=offsets, asynchronous=False)
        except KafkaException as error:
            raise translate(error, doing=doing) from error

    @property
    def member_epoch(self) -> int:
        """Of a member of a group, as the broker counts it; below 1 as long as it is none.

        Read from what the client gives to transactional producers: its own statistics say "init" of a member without
        partitions (librdkafka 2.16), and nobody is called back for an empty assignment.
        """
        told: Any = self.consumer.consumer_group_metadata()
        if not isinstance(told, bytes) or not told.startswith(_METADATA_MARK):
            return -1
        start = len(_METADATA_MARK)
        return int.from_bytes(told[start : start + 4], "little", signed=True)

    def partition_count(self, topic: str) -> int:
        """From broker metadata. Raises: BrokerError if the topic does not exist."""
        found = self._ask(lambda left: self.consumer.list_topics(topic, timeout=left), doing=f"ask for the partitions of {topic}").topics[
            topic
        ]
        if found.error is not None:
            raise translate(found.error, doing=f"ask for the partitions of {topic}")
        return len(found.partitions)

    def seek(self, partition: TopicPartition, next_offset: int) -> None:
        """Continue there. Waits out the moment in which a fresh assignment does not take a seek yet."""
        deadline = time.monotonic() + SEEK_S
        while True:
            try:
                self.consumer.seek(client_partition(partition, next_offset))
                return
            except KafkaException as error:
                if kafka_error(error).code() != KafkaError._STATE or time.monotonic() > deadline:  # noqa: SLF001
                    raise translate(error, doing=f"seek in {partition.topic}[{partition.partition}]") from error
                time.sleep(RETRY_S)

    def pause(self, partitions: Sequence[TopicPartition]) -> None:
        """Of assigned partitions only."""
        if partitions:
            self.consumer.pause([client_partition(one) for one in partitions])

    def resume(self, partitions: Sequence[TopicPartition]) -> None:
        """Of assigned partitions only."""
        if partitions:
            self.consumer.resume([client_partition(one) for one in partitions])

    def close(self) -> None:
        """End the consumer; after 10 s without an end it is left behind (`close` of the client can hang)."""
        closing = threading.Thread(target=self.consumer.close, name="kafka-close", daemon=True)
        closing.start()
        closing.join(CLOSE_S)
        if closing.is_alive():
            _log.error("consumer_close_hangs", wait_s=CLOSE_S)


def record_of(message: Message) -> InRecord:
    """A message as a record. The client's own types end here."""
    topic, partition, offset = message.topic(), message.partition(), message.offset()
    if topic is None or partition is None or offset is None:
        raise BrokerError("The client brought a record without its topic, partition or offset.")
    written_ms, epoch = message.timestamp()[1], message.leader_epoch()
    return InRecord(topic, partition, Offset(offset), written_ms, message.key(), message.value(), _headers(message), epoch)


def _headers(message: Message) -> tuple[tuple[str, bytes], ...]:
    found: Any = message.headers()
    if not found:
        return ()
    if type(found) is list:
        for _, value in found:
            if type(value) is not bytes:
                break
        else:
            return tuple(found)  # as the client gives them; every record of every stage comes this way
    pairs: Iterable[tuple[str, bytes | str | None]] = found.items() if isinstance(found, Mapping) else found
    return tuple((name, value.encode() if isinstance(value, str) else value or b"") for name, value in pairs)


def client_partition(partition: TopicPartition, offset: int | None = None) -> ClientPartition:
    """Ours as the client's."""
    return ClientPartition(*partition) if offset is None else ClientPartition(*partition, offset)
