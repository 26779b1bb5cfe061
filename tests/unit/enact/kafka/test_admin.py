"""Whatever the administration client answers, or does not answer, is one of our errors and one clear line."""

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka import TopicPartition as ClientPartition
from confluent_kafka.admin._metadata import ClusterMetadata, PartitionMetadata, TopicMetadata

from enact.errors import BrokerError, DeliveryError, EnactError
from enact.kafka.admin import KafkaAdmin, NewTopicShape
from enact.kafka.transport import NextOffset, TopicPartition
from enact.settings import KafkaSettings

PARTITION = TopicPartition("t", 0)


class Client:
    """Every call is answered in one way: with an error of the cluster, or never."""

    def __init__(self, code: int | None) -> None:
        self.code = code

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return self._asked

    def _asked(self, subject: Any, **_: Any) -> dict[Any, "Future[Any]"]:
        asked = subject.topic_names if hasattr(subject, "topic_names") else subject
        return {self._name(one): self._answer() for one in asked}

    @staticmethod
    def _name(one: Any) -> Any:
        return one.group_id if hasattr(one, "group_id") else one.topic if type(one).__name__ == "NewTopic" else one

    def _answer(self) -> "Future[Any]":
        answer: Future[Any] = Future()
        if self.code is not None:
            answer.set_exception(KafkaException(KafkaError(self.code)))
        return answer


class Member:
    """A member of a group that never joins: fails with these codes in turn, then tells the offset 7 of `t`."""

    def __init__(self, *codes: int) -> None:
        self.codes = list(codes)
        self.closed = 0

    def list_topics(self, timeout: float) -> ClusterMetadata:
        known = ClusterMetadata()
        known.topics = {"t": TopicMetadata()}
        known.topics["t"].partitions = {0: PartitionMetadata()}
        return known

    def committed(self, wanted: list[ClientPartition], timeout: float) -> list[ClientPartition]:
        if self.codes:
            raise KafkaException(KafkaError(self.codes.pop(0)))
        return [ClientPartition(one.topic, one.partition, 7) for one in wanted]

    def close(self) -> None:
        self.closed += 1


def admin_with(code: int | None) -> KafkaAdmin:
    admin = KafkaAdmin(KafkaSettings(bootstrap_servers="127.0.0.1:1", request_timeout_s=3))
    admin._client = Client(code)  # type: ignore[assignment]
    admin._member_of = lambda _: Member(KafkaError._TIMED_OUT if code is None else code)  # type: ignore[assignment,return-value]
    admin._patience_s = 0.0
    return admin


QUESTIONS: dict[str, Callable[[KafkaAdmin], object]] = {
    "describe t": lambda admin: admin.describe_topics(["t"]),
    "read the settings of t": lambda admin: admin._configs(["t"]),
    "read the offsets of g": lambda admin: admin.committed_offsets("g"),
    "ask for offsets of t": lambda admin: admin.end_offsets([PARTITION]),
}
CHANGES: dict[str, Callable[[KafkaAdmin], object]] = {
    "create the topic t": lambda admin: admin.create_topic(NewTopicShape(name="t")),
    "alter the settings of t": lambda admin: admin.alter_config("t", {"retention.ms": "1"}),
    "set the offsets of g": lambda admin: admin.set_group_offsets("g", {PARTITION: NextOffset(0)}, is_overwriting=True),
}
SILENCES = [None, KafkaError._TIMED_OUT, KafkaError._TRANSPORT]


def refusal(act: Callable[[KafkaAdmin], object], code: int | None) -> EnactError:
    with pytest.raises(EnactError) as caught:
        act(admin_with(code))
    return caught.value


@pytest.mark.parametrize("code", SILENCES)
@pytest.mark.parametrize("doing", QUESTIONS)
def test_a_question_without_an_answer_names_the_cluster_and_the_variable(doing: str, code: int | None) -> None:
    error = refusal(QUESTIONS[doing], code)

    assert type(error) is BrokerError
    assert error.message.startswith(f"Could not {doing}: no answer from 127.0.0.1:1 within 3 s.")
    assert "ENACT_KAFKA__BOOTSTRAP_SERVERS" in error.message
    assert "\n" not in error.message


@pytest.mark.parametrize("code", SILENCES)
@pytest.mark.parametrize("doing", CHANGES)
def test_a_change_without_an_answer_may_have_been_made(doing: str, code: int | None) -> None:
    error = refusal(CHANGES[doing], code)

    assert type(error) is DeliveryError
    assert error.message.startswith(f"Could not {doing}")
    assert "may have been" in error.message


@pytest.mark.parametrize("doing", [*QUESTIONS, *CHANGES])
def test_a_refusal_of_the_cluster_says_what_to_do(doing: str) -> None:
    error = refusal({**QUESTIONS, **CHANGES}[doing], KafkaError.TOPIC_AUTHORIZATION_FAILED)

    assert type(error) is BrokerError
    assert "grant it the rights of its stage" in error.message


def test_what_is_not_there_is_an_answer_too() -> None:
    assert admin_with(KafkaError.UNKNOWN_TOPIC_OR_PART).describe_topics(["t"]) == {}
    assert admin_with(KafkaError.TOPIC_ALREADY_EXISTS).create_topic(NewTopicShape(name="t")) is False


def test_nobody_is_asked_about_nothing() -> None:
    admin = admin_with(KafkaError.TOPIC_AUTHORIZATION_FAILED)

    assert (admin.describe_topics([]), admin.end_offsets([]), admin.begin_offsets([])) == ({}, {}, {})
    admin.set_group_offsets("g", {})


def test_offsets_are_asked_for_again_while_the_coordinator_is_loading_or_moving(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("enact.kafka.admin.COORDINATOR_PAUSE_S", 0.0)
    member = Member(KafkaError.NOT_COORDINATOR, KafkaError.COORDINATOR_LOAD_IN_PROGRESS, KafkaError.COORDINATOR_NOT_AVAILABLE)
    admin = admin_with(None)
    admin._member_of = lambda _: member  # type: ignore[assignment,return-value]

    found = admin.committed_offsets("g")

    assert found == {PARTITION: 7}
    assert member.closed == 4
