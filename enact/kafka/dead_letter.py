"""Dead letters: the original bytes with the reason in headers, in the stage's own topic.

Headers are Kafka Connect's `__connect.errors.*` plus `enact-error-code`, `enact-generation` and
`enact-failed-at-ms`. The record keeps its key and its source's partition number, so that a redrive finds its
way back; messages name fields and findings, never values.
"""

from enact.errors import EnactError, ErrorCode
from enact.kafka.stage import DeadLetter
from enact.kafka.transport import InRecord, OutRecord
from enact.records.intent import SourcePosition

_UNEXPECTED = "Something unexpected happened while this record was handled: see the stage's log at this offset, then redrive it."


def dead_letter_record(letter: DeadLetter, record: InRecord, *, topic: str, stage: str, at_ms: int) -> OutRecord:
    """The record to append to the dead-letter topic `topic` for `record`, which was read at `at_ms`."""
    original = letter.original
    key, value = (record.key, record.value) if original is None else (original.key, original.value)
    kept = record.headers if original is None else tuple((h.name, h.value) for h in original.headers)
    source = letter.source or SourcePosition(topic=record.topic, partition=record.partition, offset=record.offset)
    reasons = {
        "__connect.errors.topic": source.topic,
        "__connect.errors.partition": str(source.partition),
        "__connect.errors.offset": str(source.offset),
        "__connect.errors.stage": stage,
        "__connect.errors.exception.class.name": letter.exception_class,
        "__connect.errors.exception.message": letter.message,
        "enact-error-code": letter.code.value,
        "enact-generation": str(letter.generation),
        "enact-failed-at-ms": str(at_ms),
    }
    headers = (*((n, v) for n, v in kept if n not in reasons), *letter.headers, *((n, v.encode()) for n, v in reasons.items()))
    return OutRecord(topic=topic, partition=record.partition, key=key, value=value, headers=headers)


def letter_for(error: Exception) -> DeadLetter:
    """The dead letter of a record whose handling raised `error`; a foreign error keeps only its type."""
    if isinstance(error, EnactError):
        return DeadLetter(code=error.code, message=error.message, exception_class=type(error).__name__)
    return DeadLetter(code=ErrorCode.UNEXPECTED_ERROR, message=_UNEXPECTED, exception_class=type(error).__name__)
