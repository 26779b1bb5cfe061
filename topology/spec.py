"""What one cluster makes of the declarations: full names, counts and broker settings, ready to be created or compared."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from topology.stages import DEFAULT_PREFIX, STAGES, group_name
from topology.topic import DAY_MS, Cleanup, Partitions, Retention, Topic
from topology.topics import TOPICS, topic_name

MIN_REPLICATION_FOR_QUORUM = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizing:
    """What a cluster chooses. `partition_count` is P, fixed for the life of the cluster.

    `dedupe_horizon_ms` is D: it must cover the life of an intent plus `input_retention_ms`.
    """

    prefix: str = DEFAULT_PREFIX
    partition_count: int = 12
    replication_factor: int = 3
    dedupe_horizon_ms: int = 30 * DAY_MS
    input_retention_ms: int = 7 * DAY_MS
    dead_letter_retention_ms: int = 14 * DAY_MS

    def __post_init__(self) -> None:
        """Refuse what cannot work, all at once."""
        problems = [
            f"{name} is {value} and must be 1 or more"
            for name, value in (("partition_count", self.partition_count), ("replication_factor", self.replication_factor))
            if value < 1
        ]
        if self.dedupe_horizon_ms <= self.input_retention_ms + 2 * DAY_MS:
            problems.append("dedupe_horizon_ms must be more than input_retention_ms and two days: it covers the input and an intent's life")
        if problems:
            raise ValueError("; ".join(problems))


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicSpec:
    """One topic as the broker is asked for it. `log_of_group` is the group that starts this log at offset 0."""

    name: str
    short: str
    partition_count: int
    replication_factor: int
    configs: Mapping[str, str] = field(default_factory=dict)
    log_of_group: str | None = None


def topic_specs(sizing: Sizing) -> tuple[TopicSpec, ...]:
    """Every declared topic for this cluster, in declaration order."""
    groups = {stage.log: group_name(stage.name, sizing.prefix) for stage in STAGES.values() if stage.log is not None}
    return tuple(
        TopicSpec(
            name=topic_name(topic.short, sizing.prefix),
            short=topic.short,
            partition_count=sizing.partition_count if topic.partitions is Partitions.INTENT else 1,
            replication_factor=sizing.replication_factor,
            configs=_configs(topic, sizing),
            log_of_group=groups.get(topic.short),
        )
        for topic in TOPICS.values()
    )


def retention_ms(topic: Topic, sizing: Sizing) -> int | None:
    """Milliseconds a topic keeps its records; None = for ever."""
    return {
        Retention.INPUT: sizing.input_retention_ms,
        Retention.HORIZON: sizing.dedupe_horizon_ms,
        Retention.DEAD_LETTER: sizing.dead_letter_retention_ms,
        Retention.DAYS_14: 14 * DAY_MS,
        Retention.DAYS_90: 90 * DAY_MS,
        Retention.DAYS_400: 400 * DAY_MS,
        Retention.FOREVER: None,
    }[topic.retention]


def _configs(topic: Topic, sizing: Sizing) -> dict[str, str]:
    configs = {
        "cleanup.policy": topic.cleanup.value,
        "max.message.bytes": str(topic.max_message_bytes),
        # The fold's time and the deadlines are the broker's; a producer's clock decides nothing.
        "message.timestamp.type": "LogAppendTime",
        "min.insync.replicas": "2" if sizing.replication_factor >= MIN_REPLICATION_FOR_QUORUM else "1",
        "segment.ms": str(topic.segment_ms),
        "unclean.leader.election.enable": "false",
    }
    kept_ms = retention_ms(topic, sizing)
    if kept_ms is not None:
        configs["retention.ms"] = str(kept_ms)
    if topic.segment_bytes is not None:
        configs["segment.bytes"] = str(topic.segment_bytes)
    if topic.cleanup is not Cleanup.DELETE:
        configs["min.compaction.lag.ms"] = str(topic.min_compaction_lag_ms)
    if topic.is_decision_log and sizing.replication_factor == 1:
        # No second copy: an acknowledged claim must survive a power cut.
        configs["flush.messages"] = "1"
    return dict(sorted(configs.items()))
