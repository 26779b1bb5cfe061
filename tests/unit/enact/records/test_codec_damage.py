"""Damaged bytes: every damage is named, nothing else is ever raised."""

import struct
import time
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from enact.errors import ErrorCode, ValidationError
from enact.records import (
    ApprovedIntent,
    Backoff,
    Notification,
    NotificationKind,
    ToolCall,
)
from enact.records.codec import SCHEMA_NAMES, decode, encode, encode_json
from enact.records.schema import schemas_of
from tests.unit.enact.records.factories import a_call, an_intent, an_intent_tree
from tests.unit.enact.records.refusals import CODES, as_json, refusal_of
from tests.unit.enact.records.strategies import any_record

CLASSES: list[type] = list(SCHEMA_NAMES)


@pytest.mark.parametrize(
    ("value", "code", "said"),
    [
        (b"", ErrorCode.MALFORMED_RECORD, "empty"),
        (b"\x00\x00\x00\x00\x01abc", ErrorCode.UNKNOWN_SCHEMA, "no schema registry is configured here"),
        (b"\xc3", ErrorCode.MALFORMED_RECORD, "1 bytes hold no whole header"),
        (b"\xc3\x01\x00", ErrorCode.MALFORMED_RECORD, "3 bytes hold no whole header"),
        (b"\xc3\x02" + b"\x00" * 20, ErrorCode.MALFORMED_RECORD, "no whole header"),
        (b"\xc3\x01" + b"\xab" * 8, ErrorCode.UNKNOWN_SCHEMA, "abababababababab"),
        (b"hello", ErrorCode.MALFORMED_RECORD, "begins with byte 68"),
        (b" {}", ErrorCode.MALFORMED_RECORD, "begins with byte 20"),
        (b"{", ErrorCode.MALFORMED_RECORD, "is not JSON"),
        (b'{"a":"\xff"}', ErrorCode.MALFORMED_RECORD, "not valid UTF-8"),
        (b"{}{}", ErrorCode.MALFORMED_RECORD, "is not JSON"),
        (b'{"a":' * 100_000, ErrorCode.MALFORMED_RECORD, "nested deeper"),
        (b'{"action_intent_id":NaN}', ErrorCode.NUMBER_NOT_EXACT, ".action_intent_id is NaN"),
    ],
)
def test_what_is_no_record_is_refused_with_what_was_found(value: bytes, code: ErrorCode, said: str) -> None:
    error = refusal_of(ApprovedIntent, value)

    assert error.code is code
    assert said in error.message


def test_every_cut_of_an_avro_value_is_malformed() -> None:
    value = encode(an_intent())

    for length in range(len(value)):
        assert refusal_of(ApprovedIntent, value[:length]).code is ErrorCode.MALFORMED_RECORD


def test_a_list_of_two_hundred_thousand_items_is_read_in_time_that_grows_with_it_and_not_faster() -> None:
    value = encode(an_intent(edited_fields=("",) * 200_000))

    started_s = time.thread_time()
    record = decode(ApprovedIntent, value)
    took_s = time.thread_time() - started_s

    assert len(record.edited_fields) == 200_000
    assert took_s < 2.0


def test_a_number_that_is_cut_short_is_malformed() -> None:
    value = encode(a_call(backoff=Backoff(factor=1.5)))
    cut = value[: value.index(struct.pack("<d", 1.5)) + 3]

    assert "cut short" in refusal_of(ToolCall, cut).message


def test_bytes_after_the_record_are_malformed() -> None:
    error = refusal_of(ApprovedIntent, encode(an_intent()) + b"\x00\x00")

    assert error.code is ErrorCode.MALFORMED_RECORD
    assert ": 2 of " in error.message


def test_bad_utf_8_in_avro_is_malformed() -> None:
    value = encode(Notification(notification_id="n", kind=NotificationKind.HELD, tenant_id="acme", text="hello", at_ms=1))

    error = refusal_of(Notification, value.replace(b"hello", b"hel\xffo"))

    assert error.code is ErrorCode.MALFORMED_RECORD
    assert "UTF-8" in error.message


def test_a_record_of_another_class_is_an_unknown_schema() -> None:
    assert refusal_of(ToolCall, encode(an_intent())).code is ErrorCode.UNKNOWN_SCHEMA


def test_a_wrong_value_is_not_written_and_not_shown() -> None:
    for broken in (
        a_call(tenant_id=7),
        a_call(timeout_ms="secret"),
        a_call(timeout_ms=2**70),
        a_call(step="secret"),
        a_call(tenant_id="\ud800"),
    ):
        with pytest.raises(ValidationError) as caught:
            encode(broken)

        assert caught.value.code is ErrorCode.MALFORMED_RECORD
        assert "secret" not in caught.value.message
        assert caught.value.__cause__ is None


def test_parameters_that_cannot_be_shown_are_refused_by_the_json_form() -> None:
    with pytest.raises(ValidationError, match=r"ApprovedIntent\.parameters") as caught:
        encode_json(an_intent(parameters="{"))

    assert caught.value.code is ErrorCode.PARAMETERS_INVALID


@given(st.sampled_from(CLASSES), st.binary(max_size=300))
@example(ApprovedIntent, b'{"parameters":{"a":1,"a":1}}')
def test_no_body_makes_a_reader_raise_anything_else(cls: type, body: bytes) -> None:
    header = b"\xc3\x01" + schemas_of(cls).current.fingerprint
    for value in (body, header + body, b"{" + body):
        try:
            record: object = decode(cls, value)
        except ValidationError as error:
            assert error.code in CODES  # noqa: PT017 - a refusal and a record are both right, another exception is not
        else:
            assert type(record) is cls


@settings(max_examples=150)
@given(any_record(), st.data())
def test_no_damage_to_a_value_makes_a_reader_raise_anything_else(record: Any, data: st.DataObject) -> None:
    for value in (encode(record), encode_json(record)):
        position = data.draw(st.integers(0, len(value) - 1))
        damaged = value[:position] + data.draw(st.binary(max_size=3)) + value[position + data.draw(st.integers(0, 3)) :]
        try:
            decode(type(record), damaged)
        except ValidationError as error:
            assert error.code in CODES  # noqa: PT017 - as above


@settings(max_examples=50)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_no_json_in_any_field_makes_a_reader_raise_anything_else(junk: Any) -> None:
    for name in an_intent_tree():
        try:
            decode(ApprovedIntent, as_json({**an_intent_tree(), name: junk}))
        except ValidationError as error:
            assert error.code in CODES  # noqa: PT017 - as above
