import uuid
from collections.abc import Callable, Iterator

import pytest

from enact.kafka.transport import Reader, Writer
from tests.contract.brokers.factories import BrokerFactory, KafkaFactory, LocalFactory


@pytest.fixture(params=["local", "kafka"])
def factory(request: pytest.FixtureRequest) -> BrokerFactory:
    if request.param == "local":
        return LocalFactory()
    return KafkaFactory(request.getfixturevalue("broker_bootstrap"))


@pytest.fixture
def topic(factory: BrokerFactory) -> str:
    name = f"contract-{uuid.uuid4().hex[:12]}"
    factory.create_topic(name, 3)
    return name


@pytest.fixture
def writer(factory: BrokerFactory) -> Iterator[Writer]:
    made = factory.writer()
    yield made
    made.close()


@pytest.fixture
def log_reader(factory: BrokerFactory) -> Iterator[Reader]:
    made = factory.log_reader()
    yield made
    made.close()


@pytest.fixture
def join(factory: BrokerFactory) -> Iterator[Callable[[str], Reader]]:
    made: list[Reader] = []

    def reader(group: str) -> Reader:
        made.append(factory.group_reader(group))
        return made[-1]

    yield reader
    for one in made:
        one.close()
