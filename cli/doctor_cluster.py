"""`enact doctor`, the cluster: who answers, how groups work there, the topics, and the clock. Reads only."""

import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Protocol

from cli.doctor_finding import Finding, fail, ok, warn
from cli.topology_apply import TopicAdmin, topology_plan
from enact.kafka.inspection import ClusterFacts
from enact.kafka.transport import NextOffset, Reader, TopicPartition
from topology.plan import AlterConfig, CreateTopic, Plan, StartLog
from topology.spec import Sizing
from topology.topics import topic_name

SESSION = "group.consumer.session.timeout.ms"
PROTOCOLS = "group.coordinator.rebalance.protocols"
LONG_TAKE_OVER_S = 30
COPIES = 3
_SKEW_OK_S, _SKEW_BAD_S = 1.0, 5.0
_SHOWN = 3


class Asked(Protocol):
    """What is needed of `enact.kafka.inspection.Inspection`."""

    def cluster(self) -> ClusterFacts:
        """Who answers."""

    def broker_settings(self, node_id: int) -> Mapping[str, str]:
        """What is in force."""


def broker(facts: ClusterFacts, address: str, kafka_version: str | None) -> Finding:
    """Who answers; `kafka_version` is known of the broker that `enact up` started."""
    nodes = f"{facts.node_count} node{'' if facts.node_count == 1 else 's'}"
    what = "your cluster" if kafka_version is None else f"Apache Kafka {kafka_version}, started by `enact up`"
    return ok("broker", f"{address} answers: {what}, {nodes}, cluster {facts.cluster_id}")


def group_protocol(settings: Mapping[str, str]) -> Iterator[Finding]:
    """Whether the new group protocol (KIP-848) is spoken, and how long a dead stage's work waits."""
    protocols = settings.get(PROTOCOLS)
    if protocols is None and SESSION not in settings:
        step = "enact needs Apache Kafka 4.0 or later. If yours is, let this principal describe the cluster's settings, and look again."
        yield warn("group protocol", "the cluster does not tell its settings", step)
        return
    if protocols is not None and "consumer" not in protocols.split(","):
        step = f"Add `consumer` to {PROTOCOLS} on the brokers: no stage can join its group without it."
        yield fail("group protocol", f"the brokers speak {protocols} only, not KIP-848", step)
        return
    yield ok("group protocol", "KIP-848 is spoken (Apache Kafka 4.0 or later)")
    session_s = int(settings.get(SESSION, 45_000)) / 1_000
    text = f"the work of a stage that dies moves to another instance after about {session_s:g} s ({SESSION})"
    if session_s > LONG_TAKE_OVER_S:
        yield warn("take-over", text, "If that is too long: lower it, and its `min`, on the brokers. enact's own broker has 6 s.")
    else:
        yield ok("take-over", text)


def topics(admin: TopicAdmin, *, prefix: str, is_practice: bool, enact: str) -> Iterator[Finding]:
    """The topics against the declaration, with as many partitions and copies as there are: P never changes.

    `is_practice`: one copy is what a broker of `enact up` has.
    """
    first = topic_name("intents.approved", prefix)
    described = admin.describe_topics([first])
    if not described:
        step = f"`{enact} topics plan` says what would be made, `{enact} topics apply` makes it."
        yield fail("topics", f"{first} does not exist", step)
        return
    count, copies = described[first].partition_count, described[first].replication_factor
    plan = topology_plan(admin, Sizing(prefix=prefix, partition_count=count, replication_factor=copies))
    yield from _differences(plan, f"{enact} topics apply --partitions {count} --replication-factor {copies}")
    if plan.is_empty:
        yield ok("topics", "each as declared in topology/")
    yield ok("partitions", f"P = {count}, fixed for the life of the cluster")
    if copies < COPIES and not is_practice:
        step = f"For production, move the topics to {COPIES} copies (kafka-reassign-partitions), then `{enact} topics apply`."
        yield warn("copies", f"{copies} of each partition: an acknowledged claim can be lost with a disk", step)


def _differences(plan: Plan, command: str) -> Iterator[Finding]:
    missing = [action.spec.name for action in plan.actions if isinstance(action, CreateTopic)]
    if missing:
        yield fail("topics", f"{len(missing)} missing: {_few(missing)}", f"`{command}` makes them.")
    drifted = [action for action in plan.actions if isinstance(action, AlterConfig)]
    if drifted:
        said = [f"{one.name} of {one.topic} is {one.actual or 'not set'}, declared is {one.desired}" for one in drifted]
        yield fail("topics", f"{len(drifted)} settings differ: {'; '.join(_first(said))}", f"`{command}` sets them back.")
    unstarted = [action.topic for action in plan.actions if isinstance(action, StartLog) and action.topic not in missing]
    if unstarted:
        yield warn("topics", f"not started at offset 0: {_few(unstarted)}", f"`{command}` starts them; a running stage does it itself.")
    for problem in plan.problems:
        yield fail("topics", problem, "No command mends this: it needs your decision.")


def clock(reader: Reader, *, prefix: str, is_probed: bool, wait_s: float) -> Finding:
    """This machine's clock against the broker's: a record that arrives while we look has the broker's time of now.

    Invocation's probes of the switches arrive every half second; where it does not run, nothing can be said without writing.
    """
    partition = TopicPartition(topic_name("switches", prefix), 0)
    with closing(reader):
        reader.assign({partition: NextOffset(reader.end_offsets([partition])[partition])})
        deadline_s = time.monotonic() + (wait_s if is_probed else 0.0)
        while time.monotonic() < deadline_s:
            records = reader.take(1, 0.1).records
            if records:
                return skew(records[0].timestamp_ms / 1_000 - time.time())
    step = "Start the stages, then look again: a running invocation makes it measurable."
    return warn("clock", "cannot be compared with the broker's while no invocation runs", step)


def skew(ahead_s: float) -> Finding:
    """What a difference means: deadlines are judged by both clocks."""
    size_s = abs(ahead_s)
    text = f"the broker's is {size_s:.1f} s {'ahead of' if ahead_s > 0 else 'behind'} this machine's"
    step = "Let both machines follow one time server: deadlines and waits are off by this much."
    if size_s <= _SKEW_OK_S:
        return ok("clock", f"agrees with the broker's within {_SKEW_OK_S:g} s")
    return (fail if size_s > _SKEW_BAD_S else warn)("clock", text, step)


def _few(names: list[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _first(said: list[str]) -> list[str]:
    return [*said[:_SHOWN], *([f"and {len(said) - _SHOWN} more"] if len(said) > _SHOWN else [])]
