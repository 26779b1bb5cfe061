"""Read partitions from one offset to another, without a group."""

from collections.abc import Iterator, Mapping

from enact.clock import Clock
from enact.errors import BrokerError
from enact.kafka.transport import InRecord, NextOffset, Reader, TopicPartition

MAX_RECORDS = 2_000
WAIT_S = 0.2


def read_to_end(reader: Reader, partition: TopicPartition, *, clock: Clock, timeout_s: float) -> Iterator[InRecord]:
    """Every record that lies in the partition when this begins; afterwards the reader stands at that end or a little beyond it.

    Records that arrive meanwhile may be among them.
    Raises: BrokerError if the end is not reached in time.
    """
    position = int(reader.begin_offsets([partition])[partition])
    end = int(reader.end_offsets([partition])[partition])
    reader.assign({partition: NextOffset(position)})
    deadline_s = clock.boot_s() + timeout_s
    while position < end:
        batch = reader.take(MAX_RECORDS, WAIT_S)
        for record in batch.records:
            position = record.offset + 1
            yield record
        position = max(position, batch.ends.get(partition, NextOffset(0)))
        if position < end and clock.boot_s() > deadline_s:
            raise BrokerError(
                f"{partition.topic}[{partition.partition}] was not read to its end within {timeout_s:g} s "
                f"({end - position} records are left): check that the cluster answers, then try again."
            )


def read_between(
    reader: Reader, ranges: Mapping[TopicPartition, tuple[NextOffset, NextOffset]], *, clock: Clock, timeout_s: float
) -> Iterator[InRecord]:
    """Every record of these partitions from the first offset (which the log must hold) to the second, which is not included.

    Raises: BrokerError if that is not reached in time.
    """
    left = {one: end for one, (start, end) in ranges.items() if start < end}
    if not left:
        return
    reader.assign({one: ranges[one][0] for one in left})
    deadline_s = clock.boot_s() + timeout_s
    while left:
        batch = reader.take(MAX_RECORDS, WAIT_S)
        for record in batch.records:
            one = TopicPartition(record.topic, record.partition)
            if one in left and record.offset < left[one]:
                yield record
            if one in left and record.offset + 1 >= left[one]:
                del left[one]
        left = {one: end for one, end in left.items() if batch.ends.get(one, NextOffset(0)) < end}
        if left and clock.boot_s() > deadline_s:
            raise BrokerError(f"{len(left)} partitions were not read to the end within {timeout_s:g} s: check that the cluster answers.")
