"""Publish one approved intent with a schema registry's own serializer: python publish_confluent.py BROKER REGISTRY TOPIC"""

import json
import sys
import time
from pathlib import Path

from confluent_kafka import Producer
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

broker, registry, topic = sys.argv[1:]
schema = (Path(__file__).parents[2] / "schemas/avro/approved_intent.avsc").read_text()
serialize = AvroSerializer(SchemaRegistryClient({"url": registry}), schema)
now = int(time.time())
intent = json.loads((Path(__file__).parent / "crm-task.json").read_text())
intent |= {"action_intent_id": f"from-registry-{now}", "expires_at_epoch": now + 3600, "parameters": json.dumps(intent["parameters"])}
value = serialize(intent, SerializationContext(topic, MessageField.VALUE))
producer = Producer({"bootstrap.servers": broker, "partitioner": "murmur2_random"})
producer.produce(topic, value, key=intent["action_intent_id"])
sys.exit(f"not acknowledged by {broker}" if producer.flush(30) else None)
