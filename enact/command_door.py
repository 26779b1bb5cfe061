"""What every command works through: one value instead of six arguments each."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass

from enact.appending import append, ledger_record
from enact.clock import Clock
from enact.kafka.partitioner import partition_of
from enact.kafka.transport import InRecord, OutRecord, Reader, TopicPartition, Writer
from enact.reading import read_to_end
from enact.records import LedgerEntry

ACK_TIMEOUT_S = 30.0
READ_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandTopics:
    """Full names of the topics that commands read and write."""

    ledger: str
    executions: str
    switches: str
    registry: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandDoor:
    """A cluster for somebody's commands. The writer stays the caller's; every reader is opened and closed by who asks for it.

    `actor` is who stands in the log and the ledger, `stage` what they spoke through.
    `pause` waits so many seconds between two looks for an acknowledgement.
    """

    writer: Writer
    open_reader: Callable[[], Reader]
    topics: CommandTopics
    clock: Clock
    actor: str
    stage: str = "cli"
    pause: Callable[[float], None] = time.sleep

    def append(self, record: OutRecord) -> int:
        """Append and wait for the acknowledgement; returns the offset. Raises: as `enact.appending.append`."""
        return append(self.writer, record, clock=self.clock, timeout_s=ACK_TIMEOUT_S, pause=self.pause)

    def tell(self, entry: LedgerEntry) -> None:
        """Append an entry to the ledger, in the partition of the id it is about. Raises: as `append`, and BrokerError."""
        topic = self.topics.ledger
        with closing(self.open_reader()) as reader:
            partition = partition_of(entry.action_intent_id, reader.partition_count(topic))
        self.append(ledger_record(entry, topic=topic, partition=partition))

    def table(self, topic: str) -> Iterator[InRecord]:
        """Every record of a topic with one partition, to the end it has now. Raises: BrokerError if that is not reached in time."""
        with closing(self.open_reader()) as reader:
            yield from read_to_end(reader, TopicPartition(topic, 0), clock=self.clock, timeout_s=READ_TIMEOUT_S)
