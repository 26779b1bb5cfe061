"""A cluster in memory, as far as topics, their settings and groups' offsets go."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from enact.errors import BrokerError
from enact.kafka.admin import TopicDescription, TopicShape
from enact.kafka.transport import NextOffset, TopicPartition


@dataclass(slots=True)
class Cluster:
    """Fulfils `cli.topology_apply.TopicAdmin`. `live_groups` refuse foreign commits, as brokers do."""

    topics: dict[str, TopicDescription] = field(default_factory=dict)
    committed: dict[str, dict[TopicPartition, NextOffset]] = field(default_factory=dict)
    ends: dict[TopicPartition, NextOffset] = field(default_factory=dict)
    begins: dict[TopicPartition, NextOffset] = field(default_factory=dict)
    live_groups: set[str] = field(default_factory=set)
    calls: list[str] = field(default_factory=list)
    first_after: dict[TopicPartition, NextOffset] = field(default_factory=dict)

    def describe_topics(self, names: Sequence[str]) -> dict[str, TopicDescription]:
        return {name: self.topics[name] for name in names if name in self.topics}

    def create_topic(self, spec: TopicShape) -> bool:
        self.calls.append(f"create {spec.name}")
        self.topics[spec.name] = TopicDescription(
            name=spec.name,
            partition_count=spec.partition_count,
            replication_factor=spec.replication_factor,
            configs=dict(spec.configs),
            overrides=dict(spec.configs),
        )
        return True

    def alter_config(self, name: str, config: Mapping[str, str]) -> None:
        self.calls.append(f"alter {name}")
        self.set_config(name, **config)

    def set_config(self, name: str, **config: str) -> None:
        topic = self.topics[name]
        self.topics[name] = replace(topic, configs={**topic.configs, **config})

    def committed_offsets(self, group: str) -> dict[TopicPartition, NextOffset]:
        return dict(self.committed.get(group, {}))

    def set_group_offsets(self, group: str, offsets: Mapping[TopicPartition, NextOffset], *, is_overwriting: bool = False) -> None:
        self.calls.append(f"{'move' if is_overwriting else 'start'} {group}")
        if group in self.live_groups:
            raise BrokerError(f"The group {group} is live.")
        self.committed.setdefault(group, {}).update(offsets)

    def end_offsets(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, NextOffset]:
        return {partition: self.ends.get(partition, NextOffset(0)) for partition in partitions}

    def begin_offsets(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, NextOffset]:
        return {partition: self.begins.get(partition, NextOffset(0)) for partition in partitions}

    def offsets_at(self, partitions: Sequence[TopicPartition], timestamp_ms: int) -> dict[TopicPartition, NextOffset]:
        return {partition: self.first_after[partition] for partition in partitions}
