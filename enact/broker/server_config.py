"""The settings of the embedded Kafka node, each with its reason."""

from collections.abc import Mapping
from pathlib import Path

from enact.broker.ports import LOOPBACK

NODE_ID = 1


def server_properties(*, log_dir: Path, port: int, controller_port: int) -> str:
    """The text of `server.properties`: one KRaft node on loopback. `log_dir` is absolute."""
    listeners = f"PLAINTEXT://{LOOPBACK}:{port},CONTROLLER://{LOOPBACK}:{controller_port}"
    settings = {
        "process.roles": "broker,controller",
        "node.id": str(NODE_ID),
        "controller.quorum.bootstrap.servers": f"{LOOPBACK}:{controller_port}",
        "listeners": listeners,
        "advertised.listeners": listeners,
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "PLAINTEXT",
        "controller.listener.names": "CONTROLLER",
        "log.dirs": _escaped(str(log_dir)),
        **node_settings(),
    }
    return "".join(f"{name}={value}\n" for name, value in settings.items())


def node_settings() -> Mapping[str, str]:
    """What is the same wherever a single node of ours runs: everything but its addresses and folders."""
    return {**_TOPICS, **_ONE_COPY, **_GROUPS, **_SMALL_MACHINE}


_TOPICS = {
    # A misspelt topic name must fail, not make a topic with one partition.
    "auto.create.topics.enable": "false",
    "delete.topic.enable": "true",
    "unclean.leader.election.enable": "false",
    "log.message.timestamp.type": "LogAppendTime",
    # Retention and compaction work on closed segments only: small ones, so that both happen on a quiet machine too.
    "log.segment.bytes": str(64 * 1024 * 1024),
    "log.retention.check.interval.ms": "60000",
}

# There is one node: every internal topic has one copy, and few partitions, since each costs files and start time.
_ONE_COPY = {
    "default.replication.factor": "1",
    "min.insync.replicas": "1",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "4",
}

# With the KIP-848 protocol session and heartbeat are the broker's: 6 s is the time until a dead stage's partitions move.
_GROUPS = {
    "group.initial.rebalance.delay.ms": "0",
    "group.consumer.session.timeout.ms": "6000",
    "group.consumer.min.session.timeout.ms": "6000",
    "group.consumer.max.session.timeout.ms": "60000",
    "group.consumer.heartbeat.interval.ms": "1000",
    "group.consumer.min.heartbeat.interval.ms": "1000",
    "group.consumer.max.heartbeat.interval.ms": "15000",
}

_SMALL_MACHINE = {
    # After kill -9 the old registration must run out before the new one counts: 4.8 s until ready instead of 12.7 s.
    # The heartbeat must be at most half of the session.
    "broker.session.timeout.ms": "1500",
    "broker.heartbeat.interval.ms": "500",
    # The cleaner takes this buffer from the heap whole, 128 MB of 256 by default; 16 MB hold 600,000 keys per pass.
    "log.cleaner.dedupe.buffer.size": str(16 * 1024 * 1024),
    "log.index.size.max.bytes": str(2 * 1024 * 1024),
    "num.network.threads": "2",
    "num.io.threads": "4",
    "background.threads": "4",
}


def _escaped(text: str) -> str:
    """A value as Java's property files want it."""
    return text.replace("\\", "\\\\")
