"""What an administrator asks of the cluster: topics, their settings, a group's offsets. Deletes nothing.

Every call waits for its answer (`KafkaSettings.request_timeout_s`) and may run on any thread.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, KafkaError, KafkaException, TopicCollection
from confluent_kafka import TopicPartition as ClientPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import AlterConfigOpType, ConfigEntry, ConfigResource, ConfigSource
from confluent_kafka.admin._listoffsets import OffsetSpec
from confluent_kafka.admin._resource import ResourceType
from confluent_kafka.cimpl import NewTopic

from enact.errors import BrokerError, DeliveryError, EnactError
from enact.kafka.client_config import admin_config, group_config
from enact.kafka.client_errors import code_of, no_answer, translate
from enact.kafka.transport import NextOffset, TopicPartition
from enact.settings import KafkaSettings

A = TypeVar("A")

OURS = frozenset({ConfigSource.DYNAMIC_TOPIC_CONFIG.value})
COORDINATOR_IS_COMING = frozenset(
    {KafkaError.NOT_COORDINATOR, KafkaError.COORDINATOR_LOAD_IN_PROGRESS, KafkaError.COORDINATOR_NOT_AVAILABLE}
)
COORDINATOR_PAUSE_S = 0.1
SLACK_S = 1.0
"""The client answers by itself when a request's time is over; only if even that fails, waiting ends here."""


class TopicShape(Protocol):
    """A topic to create; `topology.spec.TopicSpec` is one."""

    @property
    def name(self) -> str:
        """Full name."""

    @property
    def partition_count(self) -> int:
        """How many partitions."""

    @property
    def replication_factor(self) -> int:
        """How many copies of each."""

    @property
    def configs(self) -> Mapping[str, str]:
        """Every setting that matters, explicitly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTopicShape:
    """A topic to create, for those who do not declare it in the topology (tests, tools)."""

    name: str
    partition_count: int = 1
    replication_factor: int = 1
    configs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicDescription:
    """A topic as the cluster has it. `configs` is what is in force; `overrides` what was set on the topic itself."""

    name: str
    partition_count: int
    replication_factor: int
    configs: Mapping[str, str]
    overrides: Mapping[str, str]


class KafkaAdmin:
    """The administration client. Raises: EnactError subclasses as `client_errors.translate` names them."""

    def __init__(self, kafka: KafkaSettings) -> None:
        config: dict[str, Any] = dict(admin_config(kafka))
        self._client = AdminClient(config)
        self._member_of: Callable[[str], Consumer] = lambda group: Consumer(dict(group_config(kafka, group)))
        self._timeout_s = kafka.request_timeout_s
        self._patience_s = kafka.request_timeout_s + SLACK_S
        self._cluster = kafka.require_bootstrap_servers()

    def describe_topics(self, names: Sequence[str]) -> dict[str, TopicDescription]:
        """Those of `names` that exist."""
        if not names:
            return {}
        shapes: dict[str, tuple[int, int]] = {}
        for name, answer in self._client.describe_topics(TopicCollection(list(names)), request_timeout=self._timeout_s).items():
            try:
                found = self._answer(answer, f"describe {name}")
            except EnactError as error:
                if _is_about(error, KafkaError.UNKNOWN_TOPIC_OR_PART):
                    continue
                raise
            shapes[name] = (len(found.partitions), min((len(one.replicas) for one in found.partitions), default=0))
        configs = self._configs(list(shapes))
        return {
            name: TopicDescription(
                name=name, partition_count=partitions, replication_factor=replicas, configs=configs[name][0], overrides=configs[name][1]
            )
            for name, (partitions, replicas) in shapes.items()
        }

    def _configs(self, names: Sequence[str]) -> dict[str, tuple[dict[str, str], dict[str, str]]]:
        if not names:
            return {}
        resources = [ConfigResource(ResourceType.TOPIC, name) for name in names]
        found: dict[str, tuple[dict[str, str], dict[str, str]]] = {}
        for resource, answer in self._client.describe_configs(resources, request_timeout=self._timeout_s).items():
            entries = self._answer(answer, f"read the settings of {resource.name}")
            in_force = {name: entry.value for name, entry in entries.items() if entry.value is not None}
            found[resource.name] = (in_force, {name: in_force[name] for name, entry in entries.items() if _is_override(entry)})
        return found

    def create_topic(self, spec: TopicShape) -> bool:
        """Create it and wait until the cluster shows it. False if it existed already (its shape is not compared)."""
        topic = NewTopic(
            spec.name, num_partitions=spec.partition_count, replication_factor=spec.replication_factor, config=dict(spec.configs)
        )
        answer = self._client.create_topics([topic], request_timeout=self._timeout_s, operation_timeout=self._timeout_s)[spec.name]
        try:
            self._answer(answer, f"create the topic {spec.name}", is_change=True)
        except EnactError as error:
            if _is_about(error, KafkaError.TOPIC_ALREADY_EXISTS):
                return False
            raise
        return True

    def alter_config(self, name: str, config: Mapping[str, str]) -> None:
        """Set these settings of a topic, leave the others."""
        entries = [ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET) for key, value in config.items()]
        resource = ConfigResource(ResourceType.TOPIC, name, incremental_configs=entries)
        for answer in self._client.incremental_alter_configs([resource], request_timeout=self._timeout_s).values():
            self._answer(answer, f"alter the settings of {name}", is_change=True)

    def committed_offsets(self, group: str) -> dict[TopicPartition, NextOffset]:
        """What a group has committed; empty for one that does not exist.

        Asked as a member that never joins: the library's own request for it ends the whole process when the group's
        coordinator is still loading or has just moved (confluent-kafka-javascript issue 374; met after a broker's restart).
        """
        return self._once_coordinated(lambda: self._committed(group))

    def _committed(self, group: str) -> dict[TopicPartition, NextOffset]:
        consumer, doing = self._member_of(group), f"read the offsets of {group}"
        try:
            known = consumer.list_topics(timeout=self._timeout_s).topics
            wanted = [ClientPartition(name, number) for name, topic in known.items() for number in topic.partitions]
            found = consumer.committed(wanted, timeout=self._timeout_s) if wanted else []
        except KafkaException as error:
            raise self._unanswered(error, doing) from error
        finally:
            consumer.close()
        return {TopicPartition(one.topic, one.partition): NextOffset(one.offset) for one in found if one.offset >= 0}

    def _once_coordinated(self, ask: Callable[[], A]) -> A:
        """The answer, asked for again while the group's coordinator is still loading or moving."""
        deadline_s = time.monotonic() + self._timeout_s
        while True:
            try:
                return ask()
            except EnactError as error:
                if not any(_is_about(error, code) for code in COORDINATOR_IS_COMING) or time.monotonic() > deadline_s:
                    raise
            time.sleep(COORDINATOR_PAUSE_S)

    def set_group_offsets(self, group: str, offsets: Mapping[TopicPartition, NextOffset], *, is_overwriting: bool = False) -> None:
        """Commit for a group that has no members (it need not exist yet).

        Raises: BrokerError if the group is live, or if a partition has an offset already and not `is_overwriting`.
        """
        if not offsets:
            return
        held = {} if is_overwriting else {one: at for one, at in self.committed_offsets(group).items() if one in offsets}
        if held:
            names = ", ".join(f"{one.topic}[{one.partition}]" for one in sorted(held))
            raise BrokerError(f"The group {group} has committed offsets already for {names}: nothing was changed.")
        wanted = [ClientPartition(one.topic, one.partition, at) for one, at in offsets.items()]
        self._once_coordinated(lambda: self._set(group, wanted))

    def _set(self, group: str, wanted: Sequence[ClientPartition]) -> None:
        asked = self._client.alter_consumer_group_offsets(
            [ConsumerGroupTopicPartitions(group, list(wanted))], request_timeout=self._timeout_s
        )
        done = self._answer(asked[group], f"set the offsets of {group} (is it live? stop its stage first)", is_change=True)
        for one in done.topic_partitions or ():
            if one.error is not None:
                doing = f"set the offset of {group} in {one.topic}[{one.partition}] (is it live?)"
                raise translate(one.error, doing=doing) from KafkaException(one.error)

    def end_offsets(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, NextOffset]:
        """The high watermarks now."""
        return self._offsets(partitions, OffsetSpec.latest())  # type: ignore[no-untyped-call]

    def begin_offsets(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, NextOffset]:
        """The log start offsets now."""
        return self._offsets(partitions, OffsetSpec.earliest())  # type: ignore[no-untyped-call]

    def offsets_at(self, partitions: Sequence[TopicPartition], timestamp_ms: int) -> dict[TopicPartition, NextOffset]:
        """Of each the first record taken at or after that time (epoch milliseconds); its end where there is none."""
        found = self._offsets(partitions, OffsetSpec.for_timestamp(timestamp_ms))
        ends = self.end_offsets([one for one, offset in found.items() if offset < 0])
        return {one: ends.get(one, offset) for one, offset in found.items()}

    def _offsets(self, partitions: Sequence[TopicPartition], spec: OffsetSpec) -> dict[TopicPartition, NextOffset]:
        if not partitions:
            return {}
        asked = self._client.list_offsets({ClientPartition(*one): spec for one in partitions}, request_timeout=self._timeout_s)
        return {
            TopicPartition(one.topic, one.partition): NextOffset(self._answer(answer, f"ask for offsets of {one.topic}").offset)
            for one, answer in asked.items()
        }

    def _answer(self, answer: "Future[A]", doing: str, *, is_change: bool = False) -> A:
        """The answer. No answer: a change may have been made all the same (DeliveryError), a question was just not answered."""
        try:
            return answer.result(self._patience_s)
        except KafkaException as error:
            raise (translate(error, doing=doing) if is_change else self._unanswered(error, doing)) from error
        except TimeoutError as error:
            if is_change:
                raise DeliveryError(f"Could not {doing}: no answer within {self._timeout_s:g} s; it may have been done.") from error
            raise self._silence(doing) from error

    def _unanswered(self, error: KafkaException, doing: str) -> EnactError:
        """What the failure of a question is: nothing can have been changed by it."""
        found = translate(error, doing=doing)
        return self._silence(doing) if isinstance(found, DeliveryError) else found

    def _silence(self, doing: str) -> BrokerError:
        return BrokerError(no_answer(doing, self._timeout_s, cluster=self._cluster))


def _is_about(error: EnactError, code: int) -> bool:
    """Whether the client's own error behind this one has the code."""
    return isinstance(error.__cause__, KafkaException) and code_of(error.__cause__) == code


def _is_override(entry: ConfigEntry) -> bool:
    source: Any = entry.source
    return entry.value is not None and (source.value if isinstance(source, ConfigSource) else source) in OURS
