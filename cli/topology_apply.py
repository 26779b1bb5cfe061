"""Brings a cluster to the declared topics: looks, plans (`topology.plan`, pure), acts. Creates and alters; deletes nothing."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, assert_never

from enact.errors import BrokerError, ConfigurationError, EnactError
from enact.kafka.admin import TopicDescription, TopicShape
from enact.kafka.transport import NextOffset, TopicPartition
from topology.plan import Action, ActualTopic, AlterConfig, CreateTopic, Plan, StartLog, plan
from topology.spec import Sizing, TopicSpec, topic_specs

SHOWN_TIMEOUT_S = 30.0


class TopicAdmin(Protocol):
    """What is needed of `enact.kafka.admin.KafkaAdmin`."""

    def describe_topics(self, names: Sequence[str]) -> dict[str, TopicDescription]:
        """Those that exist."""

    def create_topic(self, spec: TopicShape) -> bool:
        """False if it existed already."""

    def alter_config(self, name: str, config: Mapping[str, str]) -> None:
        """Set these settings, leave the others."""

    def committed_offsets(self, group: str) -> dict[TopicPartition, NextOffset]:
        """Empty for a group that does not exist."""

    def set_group_offsets(self, group: str, offsets: Mapping[TopicPartition, NextOffset]) -> None:
        """Raises: EnactError for a live group, or where an offset stands already."""

    def end_offsets(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, NextOffset]:
        """The high watermarks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What was done, in order, and what a person should read. Nothing done and nothing to read: the cluster was as declared."""

    done: tuple[Action, ...]
    warnings: tuple[str, ...]


def topology_plan(admin: TopicAdmin, sizing: Sizing) -> Plan:
    """What would have to change. Raises: EnactError if the cluster does not answer."""
    specs = topic_specs(sizing)
    described = admin.describe_topics([spec.name for spec in specs])
    actual = {
        name: ActualTopic(partition_count=topic.partition_count, replication_factor=topic.replication_factor, configs=topic.configs)
        for name, topic in described.items()
    }
    return plan(specs, actual, unstarted=_unstarted(admin, specs, actual))


def topology_apply(admin: TopicAdmin, sizing: Sizing, *, on_action: Callable[[Action], None] = lambda _: None) -> Applied:
    """Make the cluster as declared. `on_action` hears of each action before it is done. Running it again changes nothing.

    Raises: ConfigurationError before anything is changed, if something differs that cannot be changed (a partition count, too few
    copies); EnactError if the cluster does not answer: what was done stays, run it again.
    """
    wanted = topology_plan(admin, sizing)
    if wanted.problems:
        raise ConfigurationError("\n".join(("The cluster's topics are not as declared, and nothing was changed:", *wanted.problems)))
    # A group's offset in a topic that the brokers do not show yet is refused: logs are started when all of them are there.
    starts = [action for action in wanted.actions if isinstance(action, StartLog)]
    others = [action for action in wanted.actions if not isinstance(action, StartLog)]
    for action in others:
        on_action(action)
        _do(admin, action)
    _wait_until_shown(admin, [action.spec.name for action in wanted.actions if isinstance(action, CreateTopic)])
    warnings: list[str] = []
    for start in starts:
        on_action(start)
        warnings += _start(admin, start)
    return Applied(done=(*others, *starts), warnings=tuple(warnings))


def _wait_until_shown(admin: TopicAdmin, names: Sequence[str]) -> None:
    """A created topic is in the controller's log before the brokers show it; on a busy machine that takes seconds."""
    deadline_s = time.monotonic() + SHOWN_TIMEOUT_S
    while missing := set(names) - set(admin.describe_topics(names)):
        if time.monotonic() > deadline_s:
            raise BrokerError(
                f"Created, but not shown by the cluster after {SHOWN_TIMEOUT_S:g} s: {', '.join(sorted(missing))}. Run it again."
            )
        time.sleep(0.1)


def _do(admin: TopicAdmin, action: CreateTopic | AlterConfig) -> None:
    match action:
        case CreateTopic(spec=spec):
            admin.create_topic(spec)
        case AlterConfig(topic=topic, name=name, desired=desired):
            admin.alter_config(topic, {name: desired})
        case _:
            assert_never(action)


def _start(admin: TopicAdmin, action: StartLog) -> list[str]:
    """A live stage starts an empty log itself (it commits the end before its first append), so a refusal is only told."""
    offsets = {TopicPartition(action.topic, partition): NextOffset(0) for partition in range(action.partition_count)}
    try:
        admin.set_group_offsets(action.group, offsets)
    except EnactError as error:
        return [
            f"{action.group} was not started at offset 0 of {action.topic}: {error.message} A running stage starts an empty log itself."
        ]
    return []


def _unstarted(admin: TopicAdmin, specs: Sequence[TopicSpec], actual: Mapping[str, ActualTopic]) -> list[str]:
    """Logs that exist, are empty and have no committed offset at all."""
    names = []
    for spec in specs:
        if spec.log_of_group is None or spec.name not in actual:
            continue
        partitions = [TopicPartition(spec.name, partition) for partition in range(actual[spec.name].partition_count)]
        committed = admin.committed_offsets(spec.log_of_group)
        if not any(partition in committed for partition in partitions) and not any(admin.end_offsets(partitions).values()):
            names.append(spec.name)
    return names
