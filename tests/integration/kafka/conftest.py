import uuid

import pytest

from enact.kafka.admin import KafkaAdmin, NewTopicShape
from enact.settings import KafkaSettings


@pytest.fixture
def kafka(broker_bootstrap: str) -> KafkaSettings:
    return KafkaSettings(bootstrap_servers=broker_bootstrap)


@pytest.fixture
def admin(kafka: KafkaSettings) -> KafkaAdmin:
    return KafkaAdmin(kafka)


@pytest.fixture
def topic(admin: KafkaAdmin) -> str:
    name = f"door-{uuid.uuid4().hex[:12]}"
    admin.create_topic(NewTopicShape(name=name, partition_count=4, configs={"message.timestamp.type": "LogAppendTime"}))
    return name
