"""Publish one approved intent in Avro, knowing nothing of enact but its schema file: python publish_avro.py BROKER TOPIC"""

import io
import json
import sys
import time
from pathlib import Path

from confluent_kafka import Producer
from fastavro import schemaless_writer
from fastavro.schema import fingerprint, to_parsing_canonical_form

broker, topic = sys.argv[1:]
schema = json.loads((Path(__file__).parents[2] / "schemas/avro/approved_intent.avsc").read_text())
now = int(time.time())
intent = json.loads((Path(__file__).parent / "crm-task.json").read_text())
intent |= {"action_intent_id": f"from-avro-{now}", "expires_at_epoch": now + 3600, "parameters": json.dumps(intent["parameters"])}
value = io.BytesIO()
value.write(b"\xc3\x01" + bytes.fromhex(fingerprint(to_parsing_canonical_form(schema), "CRC-64-AVRO")))
schemaless_writer(value, schema, intent)
producer = Producer({"bootstrap.servers": broker, "partitioner": "murmur2_random"})
producer.produce(topic, value.getvalue(), key=intent["action_intent_id"])
sys.exit(f"not acknowledged by {broker}" if producer.flush(30) else None)
