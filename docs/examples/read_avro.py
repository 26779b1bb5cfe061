"""Print every outcome and signal as a line of JSON, knowing nothing of enact but its schema files.

python read_avro.py BROKER TOPIC...
"""

import io
import json
import sys
from pathlib import Path

from avro.io import BinaryDecoder, DatumReader
from avro.schema import parse
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition

broker, *topics = sys.argv[1:]
forms = [parse(path.read_text()) for path in (Path(__file__).parents[2] / "schemas/avro").rglob("*.avsc")]
by_fingerprint = {form.fingerprint("CRC-64-AVRO"): form for form in forms}

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
    value = record.value()
    if value is not None:  # single-object encoding: C3 01, eight bytes of fingerprint, the body
        reader = DatumReader(by_fingerprint[value[2:10]])
        print(json.dumps(reader.read(BinaryDecoder(io.BytesIO(value[10:])))))
consumer.close()
