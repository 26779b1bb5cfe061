"""A global table on a real broker."""

from enact.kafka.admin import KafkaAdmin, NewTopicShape
from enact.kafka.client import KafkaWriter, LogReader
from enact.kafka.global_table import GlobalTable
from enact.kafka.transport import NextOffset, OutRecord
from enact.settings import KafkaSettings


def test_the_table_holds_what_was_written_before_and_after_its_start(kafka: KafkaSettings, admin: KafkaAdmin, topic: str) -> None:
    table_topic = f"{topic}-table"
    admin.create_topic(NewTopicShape(name=table_topic, configs={"cleanup.policy": "compact"}))
    writer = KafkaWriter(kafka)
    for key, value in ((b"a", b"1"), (b"b", b"1"), (b"a", b"2"), (b"b", None)):
        writer.send(OutRecord(table_topic, 0, key, value))
    writer.flush(10)
    seen: list[int] = []
    table = GlobalTable(table_topic, lambda: LogReader(kafka), on_record=lambda record: seen.append(record.offset))

    table.start()
    assert table.wait_complete(20)
    assert {key: tuple(entry) for key, entry in table.view.items()} == {b"a": (b"2", 2)}
    writer.send(OutRecord(table_topic, 0, b"c", b"3"))
    writer.flush(10)
    assert table.wait_until(NextOffset(5), 20)
    table.stop()

    assert table.view[b"c"].value == b"3"
    assert seen == [0, 1, 2, 3, 4]
    assert table.age_s < 20
