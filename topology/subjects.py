"""Under which subject of a schema registry each schema stands. Names only; `enact.kafka.schema_registry` does the rest."""

from collections.abc import Mapping

from enact.records.schema import schemas_of
from topology.stages import DEFAULT_PREFIX
from topology.topics import TOPICS, topic_name


def subjects(prefix: str = DEFAULT_PREFIX) -> Mapping[str, type]:
    """Subject → record class, for every topic whose records are ours.

    `<topic>-value` where a topic holds one kind of record (the registry's TopicNameStrategy), `<topic>-<full name of the record>`
    where it holds several (TopicRecordNameStrategy): schemas of different records are no versions of each other.
    """
    found: dict[str, type] = {}
    for short, topic in TOPICS.items():
        name = topic_name(short, prefix)
        for cls in topic.records:
            subject = f"{name}-value" if len(topic.records) == 1 else f"{name}-{schemas_of(cls).current.name}"
            found[subject] = cls
    return found
