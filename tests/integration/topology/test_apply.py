"""`topics apply` on a real broker: what is declared is what the broker says afterwards."""

from uuid import uuid4

import pytest

from cli.topology_apply import topology_apply, topology_plan
from enact.errors import ConfigurationError
from enact.kafka.admin import KafkaAdmin
from enact.kafka.transport import NextOffset, TopicPartition
from enact.settings import KafkaSettings
from topology.plan import AlterConfig
from topology.spec import Sizing, topic_specs
from topology.topics import topic_name


@pytest.fixture(scope="module")
def admin(broker_bootstrap: str) -> KafkaAdmin:
    """An administrator of the real broker."""
    return KafkaAdmin(KafkaSettings(bootstrap_servers=broker_bootstrap))


@pytest.fixture(scope="module")
def sizing(admin: KafkaAdmin) -> Sizing:
    """A set of topics of this module's own, applied once."""
    made = Sizing(prefix=f"apply-{uuid4().hex[:8]}", partition_count=2, replication_factor=1)
    topology_apply(admin, made)
    return made


def test_every_topic_stands_with_its_settings_and_a_second_apply_does_nothing(admin: KafkaAdmin, sizing: Sizing) -> None:
    specs = {spec.name: spec for spec in topic_specs(sizing)}

    described = admin.describe_topics(list(specs))

    assert set(described) == set(specs)
    assert described[topic_name("executions", sizing.prefix)].overrides["flush.messages"] == "1"
    assert topology_plan(admin, sizing).is_empty
    assert topology_apply(admin, sizing).done == ()


def test_the_groups_of_new_logs_start_at_offset_zero(admin: KafkaAdmin, sizing: Sizing) -> None:
    for log, stage in (("admissions", "validation"), ("executions", "invocation"), ("outcomes", "recording")):
        name = topic_name(log, sizing.prefix)

        committed = admin.committed_offsets(f"{sizing.prefix}.{stage}")

        assert committed == {TopicPartition(name, partition): NextOffset(0) for partition in range(2)}


def test_drift_is_found_and_set_back(admin: KafkaAdmin, sizing: Sizing) -> None:
    name = topic_name("ledger", sizing.prefix)
    admin.alter_config(name, {"retention.ms": "60000"})

    done = topology_apply(admin, sizing).done

    assert done == (AlterConfig(topic=name, name="retention.ms", actual="60000", desired=str(400 * 86_400_000)),)
    assert topology_plan(admin, sizing).is_empty


def test_another_partition_count_is_explained_and_changes_nothing(admin: KafkaAdmin, sizing: Sizing) -> None:
    wider = Sizing(prefix=sizing.prefix, partition_count=3, replication_factor=1)

    with pytest.raises(ConfigurationError, match="run with 2 partitions"):
        topology_apply(admin, wider)

    assert topology_plan(admin, sizing).is_empty
