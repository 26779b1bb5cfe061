"""Read one partition from its beginning to the end it has now, without a group."""

from collections.abc import Iterator

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
