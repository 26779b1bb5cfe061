"""What is published: intents of the right size, of every tenant, with ids of their own."""

from collections import Counter

from benchmarks.load import TENANTS, intent, intent_records
from enact.kafka.partitioner import partition_of
from enact.records import ApprovedIntent
from enact.records.codec import decode

TOPIC = "bench.intents.approved.v1"


def test_records_are_avro_intents_in_their_partitions() -> None:
    records = intent_records(128, "b1", topic=TOPIC, partitions=4)

    assert len(records) == 128
    for key, record in records.items():
        assert record.key == key.encode()
        assert record.partition == partition_of(key, 4)
        assert decode(ApprovedIntent, record.value or b"").action_intent_id == key


def test_an_intent_is_as_large_as_an_approved_intent_is() -> None:
    sizes = [len(record.value or b"") for record in intent_records(10, "b1", topic=TOPIC, partitions=4).values()]

    assert all(350 <= size <= 700 for size in sizes), sizes


def test_tenants_take_turns_so_that_no_quarter_of_the_window_is_a_limit() -> None:
    found = Counter(intent(number, "b1", 1_700_000_000).tenant_id for number in range(640))

    assert found == dict.fromkeys(TENANTS, 10)


def test_two_loads_have_no_id_in_common() -> None:
    first, second = (intent_records(50, tag, topic=TOPIC, partitions=4) for tag in ("b1", "b11"))

    assert not first.keys() & second.keys()
