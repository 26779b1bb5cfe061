"""Print every record of some topics as a line of JSON, with a schema registry's own deserializer.

python read_confluent.py BROKER REGISTRY TOPIC...
"""

import json
import sys

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

broker, registry, *topics = sys.argv[1:]
deserialize = AvroDeserializer(SchemaRegistryClient({"url": registry}))

consumer = Consumer({"bootstrap.servers": broker, "group.id": "reader", "enable.auto.commit": False, "enable.partition.eof": True})
described = consumer.list_topics(timeout=30).topics
open_ends = {(topic, partition) for topic in topics for partition in described[topic].partitions}
consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for topic, partition in open_ends])
while open_ends:
    record = consumer.poll(30)
    if record is None:
        sys.exit(f"{broker} is silent")
    failure = record.error()
    if failure is not None:
        if failure.code() != KafkaError._PARTITION_EOF:
            raise KafkaException(failure)
        open_ends.remove((str(record.topic()), record.partition()))
        continue
    if record.value() is not None:
        print(json.dumps(deserialize(record.value(), SerializationContext(str(record.topic()), MessageField.VALUE))))
consumer.close()
