"""What can be asked of a cluster about itself: its nodes, a broker's settings, who is in a group. Changes nothing.

Every call waits for its answer (`KafkaSettings.request_timeout_s`). Safe on any thread.
"""

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import ConfigResource
from confluent_kafka.admin._resource import ResourceType

from enact.errors import BrokerError
from enact.kafka.client_config import admin_config
from enact.kafka.client_errors import no_answer, translate
from enact.settings import KafkaSettings

A = TypeVar("A")
SLACK_S = 1.0
_EMPTY_GROUP = "DEAD"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterFacts:
    """A cluster as it describes itself. `node_id` is one of its brokers."""

    cluster_id: str
    node_count: int
    node_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupFacts:
    """A consumer group. A group that nobody ever joined has no members and `exists` is False. `hosts`: where its members are."""

    exists: bool
    state: str
    member_count: int
    assignor: str
    assigned_count: int
    hosts: tuple[str, ...] = ()


class Inspection:
    """Asks one cluster. Raises: BrokerError from every method if it does not answer or refuses."""

    def __init__(self, kafka: KafkaSettings) -> None:
        config: dict[str, Any] = dict(admin_config(kafka))
        self._client = AdminClient(config)
        self._timeout_s = kafka.request_timeout_s
        self._cluster = kafka.require_bootstrap_servers()

    def cluster(self) -> ClusterFacts:
        """Who answers."""
        found = self._answer(self._client.describe_cluster(request_timeout=self._timeout_s), "ask the cluster who it is")
        return ClusterFacts(cluster_id=found.cluster_id or "", node_count=len(found.nodes), node_id=found.nodes[0].id)

    def broker_settings(self, node_id: int) -> dict[str, str]:
        """What is in force on one broker."""
        resource = ConfigResource(ResourceType.BROKER, str(node_id))
        asked = self._client.describe_configs([resource], request_timeout=self._timeout_s)
        entries = self._answer(next(iter(asked.values())), "read the settings of a broker")
        return {name: entry.value for name, entry in entries.items() if entry.value is not None}

    def groups(self, names: Sequence[str]) -> dict[str, GroupFacts]:
        """Each of these groups, also those that do not exist."""
        asked = self._client.describe_consumer_groups(list(names), request_timeout=self._timeout_s)
        return {name: _group(self._answer(answer, f"describe the group {name}")) for name, answer in asked.items()}

    def _answer(self, answer: "Future[A]", doing: str) -> A:
        try:
            return answer.result(self._timeout_s + SLACK_S)
        except KafkaException as error:
            found = translate(error, doing=doing)
            raise (found if isinstance(found, BrokerError) else self._silence(doing)) from error
        except TimeoutError as error:
            raise self._silence(doing) from error

    def _silence(self, doing: str) -> BrokerError:
        return BrokerError(no_answer(doing, self._timeout_s, cluster=self._cluster))


def _group(found: Any) -> GroupFacts:
    members = found.members or []
    return GroupFacts(
        exists=found.state.name != _EMPTY_GROUP,
        state=found.state.name,
        member_count=len(members),
        assignor=found.partition_assignor or "",
        assigned_count=sum(len(one.assignment.topic_partitions) for one in members if one.assignment is not None),
        hosts=tuple(sorted({str(one.host).lstrip("/") for one in members})),
    )
