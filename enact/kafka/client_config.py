"""Every setting given to the Kafka client, each with its reason. Measured on librdkafka 2.16 with Apache Kafka 4.3.

Sizes and times are librdkafka's: `*.ms` milliseconds, `*.kbytes` KiB, `*.bytes` bytes.
"""

import logging
from typing import NamedTuple

from enact.settings import KafkaSettings

Value = str | int | float | bool
Config = dict[str, Value | logging.Logger]

MAX_RECORD_BYTES = 2 * 1024 * 1024 + 64 * 1024
STATISTICS_INTERVAL_MS = 5000


class Setting(NamedTuple):
    """One setting and why it has this value."""

    name: str
    value: Value
    reason: str


SHARED = (
    Setting("client.id", "enact", "so that broker logs and quotas name us"),
    Setting("socket.nagle.disable", True, "an append of one claim must not wait for a full packet"),
    Setting("reconnect.backoff.ms", 50, "a restarted broker is met again at once"),
    Setting("reconnect.backoff.max.ms", 1000, "the default of 10 s would be added to every broker restart"),
    Setting("topic.metadata.refresh.interval.ms", 30_000, "partition counts are fixed; leaders are refreshed on error anyway"),
    Setting("allow.auto.create.topics", False, "topics come from `enact topics apply` only; a typo must fail"),
    Setting("log.connection.close", False, "idle connections are closed by brokers as a matter of course"),
)

LOOPBACK = (
    Setting("broker.address.family", "v4", "our own brokers listen on 127.0.0.1 only; trying ::1 first costs a refused connection"),
)

PRODUCER = (
    Setting("enable.idempotence", True, "no duplicates, gaps or reordering through broker failures: 50,000 of 50,000 in the test"),
    Setting("acks", "all", "an acknowledged claim must survive the loss of a leader"),
    Setting("max.in.flight.requests.per.connection", 5, "the most that an idempotent producer keeps in order"),
    Setting("linger.ms", 0, "batches grow with load by themselves; nothing waits for more"),
    Setting("partitioner", "murmur2_random", "the partition is always explicit; should it ever not be, agree with Java clients"),
    Setting("message.max.bytes", MAX_RECORD_BYTES, "dead letters take twice an input's size; the topic's own limit decides"),
    Setting("queue.buffering.max.messages", 100_000, "bounded memory; a full queue makes `send` serve reports"),
    Setting("queue.buffering.max.kbytes", 65_536, "64 MiB at most are waiting"),
)

READER = (
    Setting("enable.auto.commit", False, "an offset moves only after its results are acknowledged"),
    Setting("enable.auto.offset.store", False, "as above: the loop says what is done"),
    Setting("auto.offset.reset", "error", "an offset outside the log is lost state, never a jump; the first start of a group is explicit"),
    Setting("isolation.level", "read_committed", "an upstream producer may abort a transaction: those intents were never approved"),
    Setting("enable.partition.eof", True, "restore is complete at the end offset, not after a silence"),
    Setting("check.crcs", True, "a flipped bit must not become a decision"),
    Setting("fetch.wait.max.ms", 100, "no cost when data arrives; 10 ms costs a quarter of a core of idle broker"),
    Setting("fetch.queue.backoff.ms", 5, "the default of 1000 drops the rate from 408,000 to 3,000 records/s"),
    Setting("fetch.error.backoff.ms", 100, "a moved leader is met again at once"),
    Setting("queued.min.messages", 500, "one batch: what is read back in the log waits behind the whole prefetch of the inputs"),
    Setting("queued.max.messages.kbytes", 512, "as above, for large records; 120,000 records of 600 bytes a second all the same"),
    Setting("max.partition.fetch.bytes", 262_144, "many partitions share the prefetch; a larger record still comes through alone"),
)

GROUP = (
    Setting("group.protocol", "consumer", "KIP-848: others go on while a member joins; session times are the broker's"),
    Setting("group.remote.assignor", "range", "only range keeps co-partitioned topics together"),
    Setting("max.poll.interval.ms", 300_000, "the last net; the process ends itself after 10 s without progress"),
)

PATIENT = (
    Setting("fetch.min.bytes", 4_194_304, "a watcher is never urgent: the broker answers seldom, with much"),
    Setting("fetch.wait.max.ms", 1_000, "as above; how old what is watched may be"),
    Setting("queued.min.messages", 10_000, "a turn takes thousands"),
    Setting("queued.max.messages.kbytes", 6_144, "as above: more than a second of a saturated cluster of ours"),
)

ADMIN = (Setting("socket.timeout.ms", 30_000, "one answer of the controller"),)


def producer_config(kafka: KafkaSettings) -> Config:
    """An idempotent producer with `acks=all`. Raises: ConfigurationError without bootstrap servers."""
    return {**_connection(kafka), **_values(PRODUCER), "delivery.timeout.ms": _ms(kafka.delivery_timeout_s)}


def group_config(kafka: KafkaSettings, group: str) -> Config:
    """A member of a consumer group: no instance id (after `kill -9` static membership is fatal), no session timeout (the broker's)."""
    return {**_connection(kafka), **_values(READER), **_values(GROUP), "group.id": group}


def patient(config: Config) -> Config:
    """The same for a reader that lets records gather."""
    return {**config, **_values(PATIENT)}


def log_reader_config(kafka: KafkaSettings) -> Config:
    """A plain reader with `assign`. The library demands a group id; it never joins and never commits."""
    return {**_connection(kafka), **_values(READER), "group.id": "enact-plain-reader", "group.protocol": "consumer"}


def admin_config(kafka: KafkaSettings) -> Config:
    """The administration client."""
    return {**_connection(kafka), **_values(ADMIN)}


def with_statistics(config: Config) -> Config:
    """The same, reporting its statistics (lag, queues) every 5 s to a `stats_cb`."""
    return {**config, "statistics.interval.ms": STATISTICS_INTERVAL_MS}


def _connection(kafka: KafkaSettings) -> Config:
    servers = kafka.require_bootstrap_servers()
    is_loopback = all(server.strip().rsplit(":", 1)[0] in {"127.0.0.1", "localhost"} for server in servers.split(","))
    config: Config = {
        **_values(SHARED),
        **(_values(LOOPBACK) if is_loopback else {}),
        "bootstrap.servers": servers,
        "security.protocol": kafka.security_protocol.value,
        "logger": logging.getLogger("librdkafka"),
    }
    if kafka.sasl_mechanism is not None:
        config["sasl.mechanism"] = kafka.sasl_mechanism
    if kafka.sasl_username is not None:
        config["sasl.username"] = kafka.sasl_username
    if kafka.sasl_password is not None:
        config["sasl.password"] = kafka.sasl_password.get_secret_value()
    if kafka.ssl_ca_location is not None:
        config["ssl.ca.location"] = str(kafka.ssl_ca_location)
    return config


def _values(settings: tuple[Setting, ...]) -> Config:
    return {setting.name: setting.value for setting in settings}


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
