"""A member of a consumer group (KIP-848, range): who owns what is ours to know, not the client's to guess.

Traps this door closes (measured, librdkafka 2.16): a live member can commit partitions it no longer owns; a partition
that comes back can come back paused; an exception in the assignment callback leaves the partitions assigned and records
flowing; a group without a committed offset starts where a default says; `close` can hang.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException
from confluent_kafka import TopicPartition as ClientPartition

from enact.errors import EnactError
from enact.kafka.client_config import Config, group_config, patient, with_statistics
from enact.kafka.client_errors import OffsetOutOfRangeError, translate
from enact.kafka.consumption import Consumption, client_partition
from enact.kafka.transport import AssignmentListener, Batch, InRecord, NextOffset, TopicPartition
from enact.log import get_logger
from enact.settings import KafkaSettings

COMMIT_ANSWER_S = 30.0
LEAVE_S = 5.0

_log = get_logger("kafka")


class GroupReader:
    """`Reader` with `subscribe`. Every method on one thread; the listener is called inside `take` and `close`."""

    def __init__(
        self,
        kafka: KafkaSettings,
        group: str,
        *,
        on_statistics: Callable[[str], None] | None = None,
        on_wait: Callable[[], None] = lambda: None,
        is_patient: bool = False,
    ) -> None:
        """`on_wait` is called while a call waits for the broker: waiting is not being stuck (`HealthState.beat`).

        `is_patient`: let records gather at the broker, a second at most.
        """
        self.group = group
        settings = group_config(kafka, group)
        config: Config | dict[str, Any] = {**(patient(settings) if is_patient else settings), "on_commit": self._on_commit}
        if on_statistics is not None:
            config = {**with_statistics(config), "stats_cb": on_statistics}
        self._consumption = Consumption(config, request_timeout_s=kafka.request_timeout_s, on_wait=on_wait)
        self._listener: AssignmentListener | None = None
        self._owned: set[TopicPartition] = set()
        self._paused: set[TopicPartition] = set()
        self._starts: dict[TopicPartition, NextOffset] = {}
        self._committed: dict[TopicPartition, NextOffset] = {}
        self._commit_sent_s: float | None = None
        self._fatal: BaseException | None = None
        self._is_closed = False

    @property
    def owned(self) -> frozenset[TopicPartition]:
        """What this member owns, as far as it has been told."""
        return frozenset(self._owned)

    def subscribe(self, topics: Sequence[str], listener: AssignmentListener) -> None:
        """Join the group; partitions arrive during `take`."""
        self._listener = listener
        try:
            self._consumption.consumer.subscribe(list(topics), on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost)
        except KafkaException as error:
            raise translate(error, doing=f"subscribe {self.group}") from error

    @property
    def is_member(self) -> bool:
        """True while the group counts us in: the broker has given us an epoch, with partitions or without any."""
        return self._consumption.member_epoch > 0

    def assign(self, starts: Mapping[TopicPartition, NextOffset]) -> None:
        """Raises: ValueError, always: a member of a group is assigned by the group."""
        raise ValueError("A GroupReader is assigned by its group: use a LogReader to read named partitions.")

    def take(self, max_records: int, wait_s: float) -> Batch:
        """What has arrived, of owned partitions only, in offset order per partition.

        A partition that was (re)assigned while records of it were being collected is read again from its start.
        Raises: whatever the listener raised, from then on at every call (the process must end);
        OffsetOutOfRangeError naming the partition; BrokerError; FencedError.
        """
        self._check()
        self._starts.clear()
        try:
            records, ends = self._consumption.fetch(max_records, wait_s)
        except OffsetOutOfRangeError as error:
            if error.partition in self._owned:
                raise
            records, ends = [], {}
        finally:
            self._check()
        mixed = {TopicPartition(record.topic, record.partition) for record in records} & self._starts.keys()
        for partition in sorted(mixed & self._owned):
            self._consumption.seek(partition, self._starts[partition])
        return Batch(
            [record for record in records if self._is_ours(record, mixed)],
            {partition: end for partition, end in ends.items() if partition in self._owned and partition not in mixed},
        )

    def _is_ours(self, record: InRecord, mixed: set[TopicPartition]) -> bool:
        partition = TopicPartition(record.topic, record.partition)
        return partition in self._owned and partition not in mixed

    def _check(self) -> None:
        if self._fatal is not None:
            raise self._fatal

    def _on_assign(self, _consumer: Consumer, given: list[ClientPartition]) -> None:
        partitions = _ours(given)
        try:
            answered = dict(self._listening().on_assign(partitions))
            starts = {**self._default_starts([one for one in partitions if one not in answered]), **answered}
            consumer = self._consumption.consumer
            consumer.incremental_assign([client_partition(one, starts[one]) for one in partitions])
            self._owned.update(partitions)
            self._starts.update((one, starts[one]) for one in partitions)
            self._consumption.resume([one for one in partitions if one not in self._paused])
            self._consumption.pause([one for one in partitions if one in self._paused])
            _log.info("partitions_assigned", group=self.group, partitions=_names(partitions))
        except BaseException as error:  # noqa: BLE001 - the client would swallow it and go on; `take` raises it
            self._fatal = self._fatal or error

    def _default_starts(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, NextOffset]:
        """The committed offset; the beginning of the log for a group that has none there yet. Never "latest"."""
        committed = self._consumption.committed(partitions)
        fresh = [one for one in partitions if committed.get(one) is None]
        starts = {one: low for one, (low, _) in self._consumption.watermarks(fresh).items()}
        return starts | {one: offset for one, offset in committed.items() if offset is not None}

    def _on_revoke(self, _consumer: Consumer, given: list[ClientPartition]) -> None:
        partitions = _ours(given)
        try:
            self._listening().on_revoke(partitions)
        except BaseException as error:  # noqa: BLE001 - as in `_on_assign`
            self._fatal = self._fatal or error
        self._forget(partitions)
        _log.info("partitions_revoked", group=self.group, partitions=_names(partitions))

    def _on_lost(self, _consumer: Consumer, given: list[ClientPartition]) -> None:
        partitions = _ours(given)
        self._forget(partitions)
        _log.warning("partitions_lost", group=self.group, partitions=_names(partitions))
        try:
            self._listening().on_lost(partitions)
        except BaseException as error:  # noqa: BLE001 - as in `_on_assign`
            self._fatal = self._fatal or error

    def _forget(self, partitions: Sequence[TopicPartition]) -> None:
        self._owned.difference_update(partitions)
        for one in partitions:
            self._committed.pop(one, None)
            self._starts.pop(one, None)

    def _listening(self) -> AssignmentListener:
        if self._listener is None:
            raise ValueError("Partitions arrived before `subscribe`.")
        return self._listener

    def seek(self, partition: TopicPartition, next_offset: NextOffset) -> None:
        """Continue reading an owned partition from there; silently nothing for one that is gone."""
        if partition in self._owned:
            self._consumption.seek(partition, next_offset)

    def pause(self, partitions: Sequence[TopicPartition]) -> None:
        """Stop reading these; remembered for partitions that are yet to come or come back."""
        self._paused.update(partitions)
        self._consumption.pause([one for one in partitions if one in self._owned])

    def resume(self, partitions: Sequence[TopicPartition]) -> None:
        """Read these again."""
        self._paused.difference_update(partitions)
        self._consumption.resume([one for one in partitions if one in self._owned])

    def end_offsets(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, NextOffset]:
        """The high watermarks now."""
        return {one: high for one, (_, high) in self._consumption.watermarks(partitions).items()}

    def begin_offsets(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, NextOffset]:
        """The log start offsets now."""
        return {one: low for one, (low, _) in self._consumption.watermarks(partitions).items()}

    def committed(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, NextOffset | None]:
        """The group's committed offsets; None where there is none."""
        return self._consumption.committed(partitions)

    def commit(self, offsets: Mapping[TopicPartition, NextOffset], *, is_async: bool) -> None:
        """Commit what is owned of this. An asynchronous one while another is in flight is dropped silently.

        Raises: EnactError on a synchronous failure (FencedError: no longer a member).
        """
        wanted = [client_partition(one, offset) for one, offset in offsets.items() if one in self._owned]
        if not wanted or (is_async and self._is_commit_in_flight()):
            return
        doing = f"commit offsets of {self.group}"
        if not is_async:
            self._note(self._consumption.commit(wanted, doing=doing), is_raised=True)
            return
        try:
            self._consumption.consumer.commit(offsets=wanted, asynchronous=True)
        except KafkaException as error:
            raise translate(error, doing=doing) from error
        self._commit_sent_s = time.monotonic()

    def _is_commit_in_flight(self) -> bool:
        return self._commit_sent_s is not None and time.monotonic() - self._commit_sent_s < COMMIT_ANSWER_S

    def _on_commit(self, error: KafkaError | None, partitions: list[ClientPartition]) -> None:
        self._commit_sent_s = None
        if error is not None:
            _log.warning("commit_failed", group=self.group, code=error.name())
            return
        self._note(partitions, is_raised=False)

    def _note(self, answers: Sequence[ClientPartition], *, is_raised: bool) -> None:
        failed: EnactError | None = None
        for answer in answers:
            partition = TopicPartition(answer.topic, answer.partition)
            if answer.error is not None:
                failed = translate(answer.error, doing=f"commit {partition.topic}[{partition.partition}]")
                _log.warning("commit_failed", failed, group=self.group, topic=partition.topic, partition=partition.partition)
            elif partition in self._owned and answer.offset >= 0:
                self._committed[partition] = NextOffset(answer.offset)
        if failed is not None and is_raised:
            raise failed

    def committed_by_us(self) -> Mapping[TopicPartition, NextOffset]:
        """What our own successful commits have reached, of partitions owned since."""
        return dict(self._committed)

    def partition_count(self, topic: str) -> int:
        """From broker metadata. Raises: BrokerError if the topic does not exist."""
        return self._consumption.partition_count(topic)

    def close(self) -> None:
        """Leave the group: the listener sees `on_revoke` on this thread; then end, within 15 s."""
        if self._is_closed:
            return
        self._is_closed = True
        if self._listener is not None:
            self._consumption.consumer.unsubscribe()
            deadline = time.monotonic() + LEAVE_S
            while self._owned and time.monotonic() < deadline:
                self._consumption.consumer.poll(0.1)
        self._consumption.close()
        self._check()


def _ours(partitions: Sequence[ClientPartition]) -> list[TopicPartition]:
    return [TopicPartition(one.topic, one.partition) for one in partitions]


def _names(partitions: Sequence[TopicPartition]) -> list[str]:
    return [f"{one.topic}[{one.partition}]" for one in partitions]
