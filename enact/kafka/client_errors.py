"""What the Kafka client says, in enact's words: translated once, by code, never by message text."""

from typing import Any

from confluent_kafka import KafkaError, KafkaException

from enact.errors import BrokerError, ConfigurationError, DeliveryError, EnactError, FencedError, RecordTooLargeError, StateLostError
from enact.kafka.transport import TopicPartition
from enact.settings import BOOTSTRAP

OFFSET_OUT_OF_RANGE = frozenset({KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE})  # noqa: SLF001 - public codes, named so

TOO_LARGE = frozenset({KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_MSG_SIZE, KafkaError.RECORD_LIST_TOO_LARGE})

FENCED = frozenset(
    {
        KafkaError._FATAL,  # noqa: SLF001
        KafkaError._FENCED,  # noqa: SLF001
        KafkaError.INVALID_PRODUCER_EPOCH,
        KafkaError.PRODUCER_FENCED,
        KafkaError.FENCED_INSTANCE_ID,
        KafkaError.UNRELEASED_INSTANCE_ID,
        KafkaError.FENCED_MEMBER_EPOCH,
        KafkaError.STALE_MEMBER_EPOCH,
        KafkaError.UNKNOWN_MEMBER_ID,
        KafkaError.ILLEGAL_GENERATION,
    }
)

UNKNOWN_DELIVERY = frozenset(
    {
        KafkaError._MSG_TIMED_OUT,  # noqa: SLF001
        KafkaError._TIMED_OUT,  # noqa: SLF001
        KafkaError._TIMED_OUT_QUEUE,  # noqa: SLF001
        KafkaError._TRANSPORT,  # noqa: SLF001
        KafkaError._ALL_BROKERS_DOWN,  # noqa: SLF001
        KafkaError._PURGE_INFLIGHT,  # noqa: SLF001
        KafkaError._PURGE_QUEUE,  # noqa: SLF001
        KafkaError._DESTROY,  # noqa: SLF001
        KafkaError.REQUEST_TIMED_OUT,
        KafkaError.NOT_ENOUGH_REPLICAS,
        KafkaError.NOT_ENOUGH_REPLICAS_AFTER_APPEND,
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.NETWORK_EXCEPTION,
    }
)

HEALS = frozenset(
    {
        KafkaError._TRANSPORT,  # noqa: SLF001
        KafkaError._ALL_BROKERS_DOWN,  # noqa: SLF001
        KafkaError._RESOLVE,  # noqa: SLF001
        KafkaError._TIMED_OUT,  # noqa: SLF001
        KafkaError._WAIT_COORD,  # noqa: SLF001
        KafkaError._MAX_POLL_EXCEEDED,  # noqa: SLF001
        KafkaError._ASSIGNMENT_LOST,  # noqa: SLF001
        KafkaError.REQUEST_TIMED_OUT,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.NOT_COORDINATOR,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.NETWORK_EXCEPTION,
    }
)
"""Events of a consumer that the client mends by itself: logged, never raised."""

_MISSING = "the topic does not exist or has no such partition: run `enact topics apply`"
_DENIED = "the principal of this process may not do this: grant it the rights of its stage (`enact topics render` lists them)"
_IDENTITY = "the cluster refused our identity: check ENACT_KAFKA__SASL_* and ENACT_KAFKA__SECURITY_PROTOCOL"

WHAT_TO_DO = {
    KafkaError.UNKNOWN_TOPIC_OR_PART: _MISSING,
    KafkaError._UNKNOWN_TOPIC: _MISSING,  # noqa: SLF001
    KafkaError._UNKNOWN_PARTITION: _MISSING,  # noqa: SLF001
    KafkaError.TOPIC_AUTHORIZATION_FAILED: _DENIED,
    KafkaError.GROUP_AUTHORIZATION_FAILED: _DENIED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED: _DENIED,
    KafkaError._AUTHENTICATION: _IDENTITY,  # noqa: SLF001
    KafkaError.SASL_AUTHENTICATION_FAILED: _IDENTITY,
    KafkaError._SSL: _IDENTITY,  # noqa: SLF001
    KafkaError.UNSUPPORTED_VERSION: "the cluster is too old: enact needs Apache Kafka 4.0 or later (consumer groups by KIP-848)",
    KafkaError.NON_EMPTY_GROUP: "the group is live: stop its stage first",
    KafkaError.TOPIC_ALREADY_EXISTS: "the topic exists already",
}


class OffsetOutOfRangeError(StateLostError):
    """The log no longer holds (or does not yet hold) the offset we wanted to read; the partition stays silent until it is assigned anew."""

    def __init__(self, partition: TopicPartition, message: str | None = None) -> None:
        super().__init__(
            message
            or f"{partition.topic}[{partition.partition}] does not hold the offset this reader is at: "
            "rebuild its state from the beginning, or let an operator look at what was cut off."
        )
        self.partition = partition


def code_of(error: KafkaError | KafkaException) -> int:
    """The numeric code, also of an exception that wraps an error."""
    return kafka_error(error).code()


def kafka_error(error: KafkaError | KafkaException) -> KafkaError:
    """The error inside an exception of the client."""
    return error.args[0] if isinstance(error, KafkaException) else error


def translate(error: KafkaError | KafkaException, *, doing: str, partition: TopicPartition | None = None) -> EnactError:
    """The EnactError for what the client reported while `doing` something ("append to x[3]").

    A timeout or a lost connection means *unknown*: the request may have been carried out (`DeliveryError`).
    """
    inner: Any = kafka_error(error)
    if not isinstance(inner, KafkaError):
        return BrokerError(f"Could not {doing}: the client reported {type(inner).__name__}.")
    code, name = inner.code(), inner.name()
    if code in TOO_LARGE:
        return RecordTooLargeError(f"Could not {doing}: the record is larger than the topic accepts ({name}).")
    if inner.fatal() or code in FENCED:
        return FencedError(f"Could not {doing}: the cluster no longer accepts this client ({name}); this process must stop.")
    if code in OFFSET_OUT_OF_RANGE:
        return OffsetOutOfRangeError(partition) if partition is not None else StateLostError(f"Could not {doing}: no such offset ({name}).")
    if code in UNKNOWN_DELIVERY or code in HEALS:
        return DeliveryError(f"Could not {doing}: no answer ({name}); it may have been carried out all the same.")
    if code == KafkaError._INVALID_ARG:  # noqa: SLF001
        return ConfigurationError(f"Could not {doing}: the client refuses the configuration ({name}).")
    return BrokerError(f"Could not {doing}: {WHAT_TO_DO.get(code, 'the cluster refused it')} ({name}).")


def no_answer(doing: str, timeout_s: float, *, cluster: str = "") -> str:
    """What a question that nobody answered in time is told as: it changed nothing, so it does not alarm."""
    whose = f" from {cluster}" if cluster else ""
    return f"Could not {doing}: no answer{whose} within {timeout_s:g} s. Is the cluster running, and does {BOOTSTRAP} name it?"
