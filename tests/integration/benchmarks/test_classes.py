"""Class P and class D differ in one setting of the decision logs, on a real broker."""

import pytest

from benchmarks.pipeline import FLUSH, NEVER, Safety, choose_safety
from cli.topology_apply import topology_apply
from enact.kafka.admin import KafkaAdmin
from enact.settings import KafkaSettings
from topology.spec import Sizing
from topology.topics import TOPICS, topic_name

DECISION_LOGS = {"admissions", "executions"}


@pytest.mark.parametrize(("safety", "flushed"), [(Safety.PROCESS, NEVER), (Safety.POWER, "1")])
def test_only_the_decision_logs_are_flushed_and_only_in_class_d(broker_bootstrap: str, safety: Safety, flushed: str) -> None:
    prefix = f"class-{safety.value.lower()}"
    admin = KafkaAdmin(KafkaSettings(bootstrap_servers=broker_bootstrap))
    topology_apply(admin, Sizing(prefix=prefix, partition_count=1, replication_factor=1))

    choose_safety(safety, admin, lambda short: topic_name(short, prefix))

    found = admin.describe_topics([topic_name(short, prefix) for short in TOPICS])
    assert {short: found[topic_name(short, prefix)].configs[FLUSH] for short in DECISION_LOGS} == dict.fromkeys(DECISION_LOGS, flushed)
    assert {found[topic_name(short, prefix)].configs[FLUSH] for short in TOPICS if short not in DECISION_LOGS} == {NEVER}
