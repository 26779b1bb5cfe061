"""A reader of named partitions, without a group: for global tables, restores, tools."""

from collections.abc import Mapping, Sequence
from typing import NoReturn

from confluent_kafka import KafkaException

from enact.errors import ConfigurationError
from enact.kafka.client_config import log_reader_config
from enact.kafka.client_errors import translate
from enact.kafka.consumption import Consumption, client_partition
from enact.kafka.transport import AssignmentListener, Batch, NextOffset, TopicPartition
from enact.settings import KafkaSettings


class LogReader:
    """`Reader` with `assign`; it belongs to no group, so it neither subscribes nor commits."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._consumption = Consumption(log_reader_config(kafka), request_timeout_s=kafka.request_timeout_s)
        self._assigned: set[TopicPartition] = set()
        self._paused: set[TopicPartition] = set()

    def subscribe(self, topics: Sequence[str], listener: AssignmentListener) -> None:
        """Raises: ConfigurationError, always."""
        _no_group()

    @property
    def is_member(self) -> bool:
        """False, ever."""
        return False

    def assign(self, starts: Mapping[TopicPartition, NextOffset]) -> None:
        """Read these partitions, and only these, from these offsets. Pauses outlive it."""
        try:
            self._consumption.consumer.assign([client_partition(one, offset) for one, offset in starts.items()])
            self._assigned = set(starts)
            self._consumption.resume(sorted(self._assigned - self._paused))
            self._consumption.pause(sorted(self._assigned & self._paused))
        except KafkaException as error:
            raise translate(error, doing="assign partitions") from error

    def take(self, max_records: int, wait_s: float) -> Batch:
        """What has arrived. Raises: OffsetOutOfRangeError (assign the partition anew), BrokerError."""
        records, ends = self._consumption.fetch(max_records, wait_s)
        return Batch(records, ends)

    def seek(self, partition: TopicPartition, next_offset: NextOffset) -> None:
        """Continue reading from there."""
        self._consumption.seek(partition, next_offset)

    def pause(self, partitions: Sequence[TopicPartition]) -> None:
        """Stop reading these."""
        self._paused.update(partitions)
        self._consumption.pause([one for one in partitions if one in self._assigned])

    def resume(self, partitions: Sequence[TopicPartition]) -> None:
        """Read these again."""
        self._paused.difference_update(partitions)
        self._consumption.resume([one for one in partitions if one in self._assigned])

    def end_offsets(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, NextOffset]:
        """The high watermarks now."""
        return {one: high for one, (_, high) in self._consumption.watermarks(partitions).items()}

    def begin_offsets(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, NextOffset]:
        """The log start offsets now."""
        return {one: low for one, (low, _) in self._consumption.watermarks(partitions).items()}

    def committed(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, NextOffset | None]:
        """Raises: ConfigurationError, always."""
        _no_group()

    def commit(self, offsets: Mapping[TopicPartition, NextOffset], *, is_async: bool) -> None:
        """Raises: ConfigurationError, always."""
        _no_group()

    def committed_by_us(self) -> Mapping[TopicPartition, NextOffset]:
        """Nothing, ever."""
        return {}

    def partition_count(self, topic: str) -> int:
        """From broker metadata. Raises: BrokerError if the topic does not exist."""
        return self._consumption.partition_count(topic)

    def close(self) -> None:
        """End."""
        self._consumption.close()


def _no_group() -> NoReturn:
    raise ConfigurationError("A LogReader belongs to no group: use a GroupReader to subscribe or commit.")
