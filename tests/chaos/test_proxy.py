"""The proxy in front of a real broker, with the real client: what it does to requests, and that clients stay behind it."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from tests.chaos.cluster import Lane
from tests.chaos.proxy.faults import Fault, Harm
from tests.chaos.proxy.frames import Api

RECORDS = 200


@pytest.fixture(scope="module")
def lane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lane]:
    started = Lane(tmp_path_factory.mktemp("lane"), seed=3)
    started.start()
    yield started
    started.stop()


@pytest.fixture
def topic(lane: Lane, request: pytest.FixtureRequest) -> Iterator[str]:
    """A topic with one partition; nothing goes wrong before and after."""
    name = f"t-{abs(hash(request.node.name))}"
    create(lane, name)
    yield name
    lane.proxy.heal()


def create(lane: Lane, name: str) -> None:
    """Make a topic with one partition."""
    admin = AdminClient({"bootstrap.servers": lane.direct})
    admin.create_topics([NewTopic(name, 1, 1)])[name].result(20)


def producer(lane: Lane, client: str = "writer", **more: Any) -> Producer:
    """Idempotent, behind the proxy."""
    return Producer(
        {
            "bootstrap.servers": lane.proxy.address,
            "client.id": client,
            "enable.idempotence": True,
            "broker.address.family": "v4",
            "reconnect.backoff.max.ms": 500,
            **more,
        }
    )


def reader(servers: str, topic: str, client: str = "reader") -> Consumer:
    """A plain reader from the beginning."""
    config = {"bootstrap.servers": servers, "client.id": client, "group.id": "plain", "enable.auto.commit": False}
    consumer = Consumer({**config, "broker.address.family": "v4", "reconnect.backoff.max.ms": 500})
    consumer.assign([TopicPartition(topic, 0, 0)])
    return consumer


def read(consumer: Consumer, count: int, timeout_s: float = 40) -> list[bytes]:
    """The next values, fewer if they do not come in time."""
    values: list[bytes] = []
    deadline = time.monotonic() + timeout_s
    while len(values) < count and time.monotonic() < deadline:
        message = consumer.poll(0.2)
        value = None if message is None or message.error() else message.value()
        if value is not None:
            values.append(value)
    return values


def write(to: Producer, topic: str, count: int = RECORDS) -> None:
    """Write so many records and wait for their acknowledgements."""
    for number in range(count):
        to.produce(topic, str(number).encode(), partition=0)
        if number % 20 == 0:
            to.flush(0.01)
    assert to.flush(60) == 0, "not everything was acknowledged"


def test_clients_are_sent_back_to_the_proxy_and_others_straight_to_the_broker(lane: Lane) -> None:
    behind = AdminClient({"bootstrap.servers": lane.proxy.address, "client.id": "looker"}).list_topics(timeout=20)
    straight = AdminClient({"bootstrap.servers": lane.direct}).list_topics(timeout=20)

    assert {broker.port for broker in behind.brokers.values()} == {lane.proxy.port}
    assert {f"127.0.0.1:{broker.port}" for broker in straight.brokers.values()} == {lane.direct}


@pytest.mark.parametrize("harm", [Harm.DROP_REQUEST, Harm.DROP_RESPONSE, Harm.CUT_BEFORE, Harm.CUT_AFTER, Harm.HALF_OPEN])
def test_whatever_befalls_produce_an_idempotent_producer_writes_each_record_once(lane: Lane, topic: str, harm: Harm) -> None:
    writer = producer(lane)
    write(writer, topic, 1)
    before = lane.proxy.met()

    lane.proxy.add(Fault(harm=harm, for_s=2, apis=frozenset({Api.PRODUCE}), client="writer", share=0.5))
    write(writer, topic)

    met = lane.proxy.met() - before
    assert met[harm, "produce"] >= 1
    assert {api for _, api in met} == {"produce"}
    values = read(reader(lane.direct, topic), RECORDS + 1)
    assert [int(value) for value in values] == [0, *range(RECORDS)]


def test_a_delay_comes_on_top_of_every_request_of_that_api(lane: Lane, topic: str) -> None:
    writer = producer(lane)
    write(writer, topic, 1)

    lane.proxy.add(Fault(harm=Harm.DELAY, for_s=20, apis=frozenset({Api.PRODUCE}), client="writer", delay_ms=700))
    began_s = time.monotonic()
    write(writer, topic, 1)
    late_s = time.monotonic() - began_s
    lane.proxy.heal()
    began_s = time.monotonic()
    write(writer, topic, 1)

    assert late_s >= 0.7
    assert time.monotonic() - began_s < 0.7


def test_a_reader_whose_fetches_are_cut_misses_nothing_and_reads_nothing_twice(lane: Lane, topic: str) -> None:
    write(producer(lane), topic)

    lane.proxy.add(Fault(harm=Harm.CUT_AFTER, for_s=2, apis=frozenset({Api.FETCH}), client="reader", share=0.7))
    values = read(reader(lane.proxy.address, topic), RECORDS)

    assert [int(value) for value in values] == list(range(RECORDS))


def test_a_half_open_client_hears_nothing_while_another_goes_on_and_hears_all_afterwards(lane: Lane, topic: str) -> None:
    frozen, other = reader(lane.proxy.address, topic, "frozen"), reader(lane.proxy.address, topic, "other")
    writer = producer(lane)
    write(writer, topic, 10)
    assert len(read(frozen, 10)) == len(read(other, 10)) == 10

    lane.proxy.add(Fault(harm=Harm.HALF_OPEN, for_s=30, client="frozen"))
    time.sleep(1)
    write(writer, topic, 10)

    assert len(read(other, 10)) == 10
    assert read(frozen, 1, timeout_s=2) == []
    assert lane.proxy.clients()["other"] >= 1
    lane.proxy.heal()
    assert len(read(frozen, 10)) == 10


def test_only_the_named_api_is_harmed_commits_get_lost_while_fetches_go_on(lane: Lane, topic: str) -> None:
    write(producer(lane), topic, 5)
    consumer = reader(lane.proxy.address, topic, "committer")
    assert len(read(consumer, 5)) == 5
    before = lane.proxy.met()

    lane.proxy.add(Fault(harm=Harm.DROP_REQUEST, for_s=6, apis=frozenset({Api.OFFSET_COMMIT}), client="committer"))
    consumer.commit(offsets=[TopicPartition(topic, 0, 5)], asynchronous=True)
    write(producer(lane), topic, 5)

    assert len(read(consumer, 5)) == 5
    assert lane.proxy.met() - before == {(Harm.DROP_REQUEST, "offset_commit"): 1}


def test_a_broker_killed_and_restarted_is_found_again_behind_the_proxy(lane: Lane, topic: str) -> None:
    writer = producer(lane)
    write(writer, topic, 10)

    lane.kill_broker(0.2)
    write(writer, topic, 10)

    assert len(read(reader(lane.proxy.address, topic), 20)) == 20


def test_a_lane_leaves_its_folder_to_the_next(tmp_path: Path) -> None:
    first = Lane(tmp_path)
    first.start()
    create(first, "kept")
    first.stop()

    second = Lane(tmp_path)
    second.start()
    found = AdminClient({"bootstrap.servers": second.proxy.address}).list_topics(timeout=20)
    second.stop()

    assert "kept" in found.topics
