"""The two brokers behind one interface, so that one suite runs against both."""

from typing import Protocol

from enact.clock import SystemClock
from enact.kafka.admin import KafkaAdmin, NewTopicShape
from enact.kafka.client import GroupReader, KafkaWriter, LogReader
from enact.kafka.local import LocalBroker
from enact.kafka.transport import NextOffset, Reader, TopicPartition, Writer
from enact.settings import KafkaSettings


class BrokerFactory(Protocol):
    """What the suite needs of a broker."""

    def create_topic(self, name: str, partitions: int) -> None: ...

    def writer(self) -> Writer: ...

    def log_reader(self) -> Reader: ...

    def group_reader(self, group: str) -> Reader: ...

    def committed_offsets(self, group: str) -> dict[TopicPartition, NextOffset]: ...


class LocalFactory:
    def __init__(self) -> None:
        self.broker = LocalBroker(SystemClock(), max_wait_s=0.05)

    def create_topic(self, name: str, partitions: int) -> None:
        self.broker.create_topic(name, partitions)

    def writer(self) -> Writer:
        return self.broker.writer()

    def log_reader(self) -> Reader:
        return self.broker.log_reader()

    def group_reader(self, group: str) -> Reader:
        return self.broker.reader(group)

    def committed_offsets(self, group: str) -> dict[TopicPartition, NextOffset]:
        return self.broker.commits.get(group, {})


class KafkaFactory:
    def __init__(self, bootstrap_servers: str) -> None:
        self.settings = KafkaSettings(bootstrap_servers=bootstrap_servers)
        self.admin = KafkaAdmin(self.settings)

    def create_topic(self, name: str, partitions: int) -> None:
        config = {"message.timestamp.type": "LogAppendTime", "max.message.bytes": "1048576"}
        self.admin.create_topic(NewTopicShape(name=name, partition_count=partitions, configs=config))

    def writer(self) -> Writer:
        return KafkaWriter(self.settings)

    def log_reader(self) -> Reader:
        return LogReader(self.settings)

    def group_reader(self, group: str) -> Reader:
        return GroupReader(self.settings, group)

    def committed_offsets(self, group: str) -> dict[TopicPartition, NextOffset]:
        return self.admin.committed_offsets(group)
