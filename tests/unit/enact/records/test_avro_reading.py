"""The compiled reader: what it takes, the general reader takes too, and makes the same of it."""

from io import BytesIO
from typing import Any

import pytest
from fastavro import schemaless_writer
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec import Struct

from enact.records import LedgerEntry, LedgerType, Status
from enact.records.avro_form import tree_reader
from enact.records.avro_reading import CANNOT_READ, compiled_reader, length_at, long_at
from enact.records.codec import HEADER_BYTES, SCHEMA_NAMES, avro_tree, encode
from enact.records.schema import schemas_of
from enact.records.shape import shape_of
from tests.unit.enact.records.factories import an_intent
from tests.unit.enact.records.strategies import any_record, records
from tests.unit.services.api.ledger_entries import entry

READERS = {cls: compiled_reader(cls, schemas_of(cls).current.parsed) for cls in SCHEMA_NAMES}


class Some(Struct, frozen=True, kw_only=True):
    """A few fields of a ledger entry, from its beginning, middle and end."""

    tenant_id: str
    type: LedgerType
    at_ms: int
    status: Status | None
    execution_trace_id: str


READ_SOME = compiled_reader(LedgerEntry, schemas_of(LedgerEntry).current.parsed, Some)


def by_the_general_reader(cls: type, value: bytes) -> Any:
    return tree_reader(shape_of(cls))(avro_tree(cls, value))


@settings(deadline=None, max_examples=200)
@given(any_record())
def test_it_reads_every_record_as_it_was(record: Any) -> None:
    assert READERS[type(record)](encode(record), HEADER_BYTES) == record


@settings(deadline=None, max_examples=300)
@given(any_record(), st.data())
def test_whatever_it_takes_of_damaged_bytes_the_general_reader_takes_too(record: Any, data: st.DataObject) -> None:
    value = encode(record)
    position = data.draw(st.integers(HEADER_BYTES, len(value) - 1))
    damaged = value[:position] + data.draw(st.binary(max_size=3)) + value[position + data.draw(st.integers(0, 3)) :]

    try:
        found = READERS[type(record)](damaged, HEADER_BYTES)
    except CANNOT_READ:
        return
    assert repr(found) == repr(by_the_general_reader(type(record), damaged))  # a damaged number may be NaN, which equals nothing


@settings(deadline=None)
@given(st.sampled_from(sorted(SCHEMA_NAMES, key=str)), st.binary(max_size=200))
def test_of_any_bytes_it_raises_only_what_it_says(cls: type, body: bytes) -> None:
    try:
        found = READERS[cls](body, 0)
    except CANNOT_READ:
        return
    assert repr(found) == repr(by_the_general_reader(cls, b"\xc3\x01" + schemas_of(cls).current.fingerprint + body))


@settings(deadline=None)
@given(records(LedgerEntry))
def test_a_part_of_the_fields_is_read_like_the_whole(whole: LedgerEntry) -> None:
    some = READ_SOME(encode(whole), HEADER_BYTES)

    assert some == Some(
        tenant_id=whole.tenant_id,
        type=whole.type,
        at_ms=whole.at_ms,
        status=whole.status,
        execution_trace_id=whole.execution_trace_id,
    )


@settings(deadline=None)
@given(records(LedgerEntry))
def test_of_maps_only_the_keys_asked_for_are_kept(whole: LedgerEntry) -> None:
    keys = sorted(whole.details)[:1]
    read = compiled_reader(LedgerEntry, schemas_of(LedgerEntry).current.parsed, map_keys=keys)

    assert read(encode(whole), HEADER_BYTES).details == {key: whole.details[key] for key in keys}


def test_every_cut_is_refused_by_both_readers() -> None:
    value = encode(an_intent())

    for length in range(HEADER_BYTES, len(value)):
        with pytest.raises(CANNOT_READ):
            READERS[type(an_intent())](value[:length], HEADER_BYTES)


def test_blocks_with_a_size_are_left_to_the_general_reader() -> None:
    value = encode_with_sized_block()

    with pytest.raises(CANNOT_READ):
        READERS[LedgerEntry](value, HEADER_BYTES)

    assert by_the_general_reader(LedgerEntry, value).details == {"k": "v"}


@given(st.integers(-(2**63), 2**63 - 1))
@example(2**63 - 1)
@example(-(2**63))
def test_numbers_are_read_as_they_were_written(number: int) -> None:
    out = BytesIO()
    schemaless_writer(out, {"type": "long"}, number)

    assert long_at(out.getvalue(), 0) == (number, len(out.getvalue()))


@pytest.mark.parametrize("text", [b"\xff" * 11, b"\xff" * 9 + b"\x02", b"\x80" * 10 + b"\x00"])
def test_a_number_beyond_64_bits_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match="64 bits"):
        long_at(text, 0)


def test_a_negative_length_is_refused() -> None:
    with pytest.raises(ValueError, match="negative"):
        length_at(b"\x01", 0)


def encode_with_sized_block() -> bytes:
    """An entry whose details are one block with a negative count and its size, as the Avro specification allows."""
    told = entry(LedgerType.ACTION_EXECUTED, details={"k": "v"})
    plain = b"\x02\x02k\x02v\x00"
    value = encode(told)
    assert value.count(plain) == 1
    return value.replace(plain, b"\x01\x08\x02k\x02v\x00")


def test_a_text_of_negative_length_is_refused_in_whatever_bytes_it_is_written() -> None:
    value = encode(entry(LedgerType.ACTION_EXECUTED, actor="hello"))
    assert value.count(b"\x0ahello") == 1

    for negative in (b"\x0bhello", b"\x8b\x00hello"):
        with pytest.raises(CANNOT_READ):
            READERS[LedgerEntry](value.replace(b"\x0ahello", negative), HEADER_BYTES)
