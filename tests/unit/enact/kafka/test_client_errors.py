"""What the client reports becomes one of our errors by its code."""

import pytest
from confluent_kafka import KafkaError, KafkaException

from enact.errors import BrokerError, ConfigurationError, DeliveryError, EnactError, FencedError, RecordTooLargeError, StateLostError
from enact.kafka.client_errors import OffsetOutOfRangeError, translate
from enact.kafka.transport import TopicPartition


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (KafkaError.MSG_SIZE_TOO_LARGE, RecordTooLargeError),
        (KafkaError._MSG_TIMED_OUT, DeliveryError),
        (KafkaError._TIMED_OUT, DeliveryError),
        (KafkaError.NOT_ENOUGH_REPLICAS, DeliveryError),
        (KafkaError._ALL_BROKERS_DOWN, DeliveryError),
        (KafkaError._FATAL, FencedError),
        (KafkaError.UNKNOWN_MEMBER_ID, FencedError),
        (KafkaError.UNRELEASED_INSTANCE_ID, FencedError),
        (KafkaError._AUTO_OFFSET_RESET, StateLostError),
        (KafkaError.OFFSET_OUT_OF_RANGE, StateLostError),
        (KafkaError._INVALID_ARG, ConfigurationError),
        (KafkaError.TOPIC_AUTHORIZATION_FAILED, BrokerError),
        (KafkaError.UNKNOWN_TOPIC_OR_PART, BrokerError),
        (KafkaError.POLICY_VIOLATION, BrokerError),
    ],
)
def test_each_code_has_its_class(code: int, expected: type[EnactError]) -> None:
    found = translate(KafkaException(KafkaError(code)), doing="append to x[1]")

    assert type(found) is expected
    assert found.message.startswith("Could not append to x[1]: ")
    assert KafkaError(code).name() in found.message


def test_a_fatal_error_fences_whatever_its_code() -> None:
    assert type(translate(KafkaError(KafkaError._MSG_TIMED_OUT, "x", fatal=True), doing="append")) is FencedError


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        (KafkaError.UNKNOWN_TOPIC_OR_PART, "enact topics apply"),
        (KafkaError.GROUP_AUTHORIZATION_FAILED, "rights"),
        (KafkaError.SASL_AUTHENTICATION_FAILED, "ENACT_KAFKA__SASL_"),
        (KafkaError.UNSUPPORTED_VERSION, "4.0"),
    ],
)
def test_the_message_says_what_to_do(code: int, advice: str) -> None:
    assert advice in translate(KafkaError(code), doing="read").message


def test_lost_state_names_its_partition() -> None:
    found = translate(KafkaError(KafkaError._AUTO_OFFSET_RESET), doing="read", partition=TopicPartition("enact.executions.v1", 3))

    assert isinstance(found, OffsetOutOfRangeError)
    assert found.partition == TopicPartition("enact.executions.v1", 3)
    assert "enact.executions.v1[3]" in found.message


def test_the_text_of_the_library_decides_nothing_and_is_not_repeated() -> None:
    found = translate(KafkaError(KafkaError.UNKNOWN, "MSG_SIZE_TOO_LARGE secret"), doing="append")

    assert type(found) is BrokerError
    assert "secret" not in found.message
