"""The client library's producer and consumer with answers given by the test: faults that no broker shows on demand."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaError, KafkaException


class FakeMessage:
    """A message, or an event in its place."""

    def __init__(self, offset: int | None = 0, *, code: int | None = None, topic: str | None = "t", partition: int | None = 0) -> None:
        self._offset, self._code, self._topic, self._partition = offset, code, topic, partition
        self.given_headers: Any = None

    def error(self) -> KafkaError | None:
        return None if self._code is None else KafkaError(self._code)

    def topic(self) -> str | None:
        return self._topic

    def partition(self) -> int | None:
        return self._partition

    def offset(self) -> int | None:
        return self._offset

    def leader_epoch(self) -> int:
        return 3

    def timestamp(self) -> tuple[int, int]:
        return 1, 7

    def key(self) -> bytes:
        return b"k"

    def value(self) -> bytes:
        return b"v"

    def headers(self) -> Any:
        return self.given_headers


def refusing(code: int, *, times: int = 10_000, then: Any = None) -> Callable[..., Any]:
    """A call that raises this error so often, then answers."""
    left = [times]

    def call(*_: object, **__: object) -> Any:
        if left[0]:
            left[0] -= 1
            raise KafkaException(KafkaError(code))
        return then

    return call


@dataclass(frozen=True)
class FakeTopic:
    """One topic of the cluster's metadata."""

    partitions: Mapping[int, None]
    error: KafkaError | None


@dataclass(frozen=True)
class FakeMetadata:
    """The cluster's metadata."""

    topics: Mapping[str, FakeTopic]


@dataclass(frozen=True)
class FakeCommitted:
    """The committed offset of one partition."""

    offset: int
    error: KafkaError | None = None
    topic: str = "t"
    partition: int = 0


def answering(*, code: int | None = None) -> FakeMetadata:
    """Metadata with the topic t, of three partitions, or with what is wrong with it."""
    return FakeMetadata({"t": FakeTopic(dict.fromkeys(range(3)), None if code is None else KafkaError(code))})
