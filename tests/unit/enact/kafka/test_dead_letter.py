"""A dead letter keeps the record whole and says why, without a value."""

from enact.errors import DeliveryError, ErrorCode, ValidationError
from enact.kafka.dead_letter import dead_letter_record, letter_for
from enact.kafka.stage import DeadLetter
from enact.kafka.transport import InRecord, Offset, OutRecord
from enact.records.intent import Header, Original


def record() -> InRecord:
    headers = (("traceparent", b"00-1"), ("enact-error-code", b"OLD"))
    return InRecord(topic="in", partition=7, offset=Offset(42), timestamp_ms=1, key=b"id", value=b"\x00raw", headers=headers)


def written(letter: DeadLetter) -> OutRecord:
    return dead_letter_record(letter, record(), topic="in.dlq", stage="validation", at_ms=1_790_000_000_123)


def test_the_record_is_kept_whole_in_its_own_partition_with_the_reason_in_headers() -> None:
    letter = DeadLetter(code=ErrorCode.KEY_MISMATCH, message="The key is wrong.", generation=3, exception_class="ValidationError")

    found = written(letter)

    assert (found.topic, found.partition, found.key, found.value) == ("in.dlq", 7, b"id", b"\x00raw")
    assert found.headers == (
        ("traceparent", b"00-1"),
        ("__connect.errors.topic", b"in"),
        ("__connect.errors.partition", b"7"),
        ("__connect.errors.offset", b"42"),
        ("__connect.errors.stage", b"validation"),
        ("__connect.errors.exception.class.name", b"ValidationError"),
        ("__connect.errors.exception.message", b"The key is wrong."),
        ("enact-error-code", b"KEY_MISMATCH"),
        ("enact-generation", b"3"),
        ("enact-failed-at-ms", b"1790000000123"),
    )


def test_an_original_given_by_the_stage_stands_for_the_record() -> None:
    original = Original(key=b"other", value=None, headers=(Header(name="h", value=b"1"),))

    found = written(DeadLetter(code=ErrorCode.NOT_APPROVED, message="No.", original=original, headers=(("extra", b"2"),)))

    assert (found.key, found.value) == (b"other", None)
    assert found.headers[:2] == (("h", b"1"), ("extra", b"2"))


def test_an_enact_error_keeps_its_code_and_sentence() -> None:
    letter = letter_for(ValidationError("Field x is missing.", code=ErrorCode.FIELD_MISSING))

    assert (letter.code, letter.message, letter.exception_class) == (ErrorCode.FIELD_MISSING, "Field x is missing.", "ValidationError")
    assert letter_for(DeliveryError()).message == DeliveryError.__doc__


def test_a_foreign_error_keeps_only_its_type_because_its_message_may_quote_values() -> None:
    letter = letter_for(KeyError("secret"))

    assert (letter.code, letter.exception_class) == (ErrorCode.UNEXPECTED_ERROR, "KeyError")
    assert b"secret" not in b"".join(value for _, value in written(letter).headers)
