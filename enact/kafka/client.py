"""The producer: idempotent, `acks=all`, with its own count of what is not yet acknowledged.

The readers are `group_reader` and `log_reader`; they are imported here so that one module names the whole door.
"""

import threading
import time
from collections.abc import Callable
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from enact.errors import BrokerError, DeliveryError, EnactError, RecordTooLargeError
from enact.kafka.client_config import producer_config
from enact.kafka.client_errors import translate
from enact.kafka.group_reader import GroupReader
from enact.kafka.log_reader import LogReader
from enact.kafka.transport import DeliveryReport, OutRecord
from enact.settings import KafkaSettings

__all__ = ["GroupReader", "KafkaWriter", "LogReader"]

POLL_SLICE_S = 0.02
"""Another thread may serve the last report we wait for: look again this often."""

CLOSE_S = 5.0


class _Epoch:
    """The records sent without `on_delivery` between two flushes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pending = 0
        self._failure: EnactError | None = None

    @property
    def pending(self) -> int:
        """Records without an answer."""
        return self._pending

    def sent(self) -> None:
        """One more is on its way."""
        with self._lock:
            self._pending += 1

    def reported(self, error: KafkaError | None, message: Message) -> None:
        """Its delivery report."""
        self.ended(None if error is None else translate(error, doing=f"append to {message.topic()}[{message.partition()}]"))

    def ended(self, failure: EnactError | None) -> None:
        """One has its answer. A lost record weighs more than one that is too large: the batch is taken again."""
        with self._lock:
            self._pending -= 1
            if failure is not None and (self._failure is None or isinstance(self._failure, RecordTooLargeError)):
                self._failure = failure

    def check(self) -> None:
        """Raises: what went wrong."""
        if self._failure is not None:
            raise self._failure


class KafkaWriter:
    """`Writer` on a real cluster. `send` from any thread; `flush`, `poll` and `close` from one.

    A `flush` answers for the records sent without `on_delivery` since the `flush` before, whether that one failed or
    not: after a failure the caller sends the batch again, and the late answers of the first try no longer matter.
    """

    def __init__(self, kafka: KafkaSettings, *, on_wait: Callable[[], None] = lambda: None) -> None:
        """`on_wait` is called while a call waits for the broker: waiting is not being stuck (`HealthState.beat`)."""
        self._producer = Producer(producer_config(kafka))
        self._on_wait = on_wait
        self._delivery_timeout_s = kafka.delivery_timeout_s
        self._epoch = _Epoch()
        self._epoch_lock = threading.Lock()

    def send(self, record: OutRecord, on_delivery: DeliveryReport | None = None) -> None:
        """Queue a record; serves delivery reports while the queue is full.

        A refusal known at once (too large) is reported like a later one: to `on_delivery`, on this thread, or by `flush`.
        Raises: DeliveryError if the queue stays full for the whole delivery timeout; FencedError when the producer is dead.
        """
        report: Any
        if on_delivery is None:
            with self._epoch_lock:
                epoch = self._epoch
                epoch.sent()
            report = epoch.reported
        else:
            epoch, report = None, _report(on_delivery)
        try:
            self._produce(record, report)
        except RecordTooLargeError as error:
            if on_delivery is not None:
                on_delivery(error, record.partition, -1)
            if epoch is not None:
                epoch.ended(error)
        except EnactError as error:
            if epoch is not None:
                epoch.ended(error)
            raise

    def _produce(self, record: OutRecord, report: Any) -> None:
        deadline = time.monotonic() + self._delivery_timeout_s
        while True:
            try:
                self._producer.produce(
                    record.topic, record.value, record.key, record.partition, headers=list(record.headers), on_delivery=report
                )
                return
            except BufferError as error:
                if time.monotonic() > deadline:
                    raise DeliveryError(
                        f"The queue to the broker stayed full for {self._delivery_timeout_s:g} s: nothing was sent."
                    ) from error
                self._producer.poll(POLL_SLICE_S)
                self._on_wait()
            except KafkaException as error:
                raise translate(error, doing=f"append to {record.topic}[{record.partition}]") from error

    def poll(self) -> None:
        """Serve delivery reports without waiting."""
        self._producer.poll(0)

    def flush(self, timeout_s: float) -> None:
        """Wait until every record sent without `on_delivery` since the last `flush` is acknowledged.

        Raises: DeliveryError (unknown: perhaps in the log), RecordTooLargeError, BrokerError or FencedError.
        """
        with self._epoch_lock:
            epoch, self._epoch = self._epoch, _Epoch()
        deadline = time.monotonic() + timeout_s
        self._producer.poll(0)
        while epoch.pending and (left := deadline - time.monotonic()) > 0:
            self._producer.poll(min(left, POLL_SLICE_S))
            self._on_wait()
        epoch.check()
        if epoch.pending:
            raise DeliveryError(
                f"{epoch.pending} records were not acknowledged within {timeout_s:g} s; they may be in the log all the same."
            )

    def partition_count(self, topic: str) -> int:
        """From broker metadata. Raises: BrokerError if the topic does not exist."""
        try:
            found = self._producer.list_topics(topic, timeout=self._delivery_timeout_s).topics[topic]
        except KafkaException as error:
            raise translate(error, doing=f"ask for the partitions of {topic}") from error
        if found.error is not None:
            raise translate(found.error, doing=f"ask for the partitions of {topic}")
        return len(found.partitions)

    def close(self) -> None:
        """Wait up to 5 s for what is queued, then end; what is left then is unknown."""
        self._producer.flush(CLOSE_S)


def _report(on_delivery: DeliveryReport) -> Any:
    def report(error: KafkaError | None, message: Message) -> None:
        partition, offset = message.partition(), message.offset()
        if error is not None:
            failure = translate(error, doing=f"append to {message.topic()}[{partition}]")
            on_delivery(failure, -1 if partition is None else partition, -1)
        elif partition is None or offset is None:
            on_delivery(BrokerError("The client acknowledged a record without saying where it lies."), -1, -1)
        else:
            on_delivery(None, partition, offset)

    return report
