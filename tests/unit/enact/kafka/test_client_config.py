"""The client is told what LIBRARIES-grade measurements say, each setting with its reason."""

import logging

import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient

from enact.errors import ConfigurationError
from enact.kafka import client_config
from enact.kafka.client_config import Setting, admin_config, group_config, log_reader_config, patient, producer_config, with_statistics
from enact.kafka.pace import MAX_BATCH
from enact.settings import KafkaSettings, load
from enact.settings import KernelSettings as Kernel

KAFKA = KafkaSettings(bootstrap_servers="127.0.0.1:1", delivery_timeout_s=12.5)


def test_a_reader_prefetches_no_more_than_one_batch() -> None:
    """A stage reads what it decided behind whatever it has prefetched of its inputs, and calls wait for that."""
    for config in (group_config(KAFKA, "enact.invocation"), log_reader_config(KAFKA)):
        assert int(str(config["queued.min.messages"])) <= MAX_BATCH
        assert int(str(config["queued.max.messages.kbytes"])) <= 1024


def test_a_group_member_is_safe_by_configuration() -> None:
    config = group_config(KAFKA, "enact.validation")

    assert config["group.id"] == "enact.validation"
    assert config["group.protocol"] == "consumer"
    assert config["group.remote.assignor"] == "range"
    assert config["auto.offset.reset"] == "error"
    assert config["enable.auto.commit"] is False
    assert config["enable.auto.offset.store"] is False
    assert config["enable.partition.eof"] is True
    assert config["fetch.queue.backoff.ms"] == 5
    assert config["isolation.level"] == "read_committed"
    assert not {"group.instance.id", "session.timeout.ms", "heartbeat.interval.ms", "partition.assignment.strategy"} & config.keys()


def test_the_producer_neither_loses_nor_repeats() -> None:
    config = producer_config(KAFKA)

    assert config["enable.idempotence"] is True
    assert config["acks"] == "all"
    assert config["linger.ms"] == 0
    assert config["delivery.timeout.ms"] == 12_500
    assert "transactional.id" not in config


def test_the_library_accepts_every_configuration() -> None:
    Producer(producer_config(KAFKA))
    Consumer(group_config(KAFKA, "g")).close()
    Consumer(with_statistics(log_reader_config(KAFKA))).close()
    Consumer(patient(group_config(KAFKA, "g"))).close()
    AdminClient(dict(admin_config(KAFKA)))  # type: ignore[arg-type]


def test_every_setting_has_a_reason_and_is_given_once() -> None:
    tables = {name: value for name, value in vars(client_config).items() if isinstance(value, tuple) and isinstance(value[0], Setting)}

    assert set(tables) == {"SHARED", "LOOPBACK", "PRODUCER", "READER", "PATIENT", "GROUP", "ADMIN"}
    for settings in tables.values():
        assert all(len(setting.reason) > 20 for setting in settings)
        assert len({setting.name for setting in settings}) == len(settings)


@pytest.mark.parametrize(
    ("servers", "is_v4"),
    [("127.0.0.1:9092", True), ("localhost:1,127.0.0.1:2", True), ("kafka-1:9092", False), ("localhost:1,kafka:2", False)],
)
def test_only_loopback_is_forced_to_the_old_addresses(servers: str, is_v4: bool) -> None:
    config = admin_config(KafkaSettings(bootstrap_servers=servers))

    assert ("broker.address.family" in config) is is_v4


def test_credentials_reach_the_client_and_nothing_else() -> None:
    settings = load(
        Kernel,
        {
            "ENACT_KAFKA__BOOTSTRAP_SERVERS": "kafka:9093",
            "ENACT_KAFKA__SECURITY_PROTOCOL": "SASL_SSL",
            "ENACT_KAFKA__SASL_MECHANISM": "SCRAM-SHA-512",
            "ENACT_KAFKA__SASL_USERNAME": "enact.validation",
            "ENACT_KAFKA__SASL_PASSWORD": "hunter2",
            "ENACT_KAFKA__SSL_CA_LOCATION": "/etc/ca.pem",
        },
    )

    config = producer_config(settings.kafka)

    assert config["sasl.password"] == "hunter2"
    assert (config["security.protocol"], config["sasl.mechanism"], config["sasl.username"], config["ssl.ca.location"]) == (
        "SASL_SSL",
        "SCRAM-SHA-512",
        "enact.validation",
        "/etc/ca.pem",
    )
    assert "hunter2" not in repr(settings)


def test_the_librarys_own_words_go_to_our_log() -> None:
    assert admin_config(KAFKA)["logger"] is logging.getLogger("librdkafka")


def test_without_an_address_there_is_no_configuration() -> None:
    with pytest.raises(ConfigurationError, match="KAFKA_BOOTSTRAP_SERVERS"):
        producer_config(KafkaSettings())
