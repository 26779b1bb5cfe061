"""The compiled writer: its bytes are the general writer's, and what it cannot write the general writer judges."""

from io import BytesIO
from typing import Any

import pytest
from fastavro import schemaless_writer
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from enact.errors import ErrorCode, ValidationError
from enact.records import LedgerEntry, LedgerType, Owner
from enact.records.avro_form import tree_writer
from enact.records.avro_writing import CANNOT_WRITE, compiled_writer, long_bytes
from enact.records.codec import SCHEMA_NAMES, decode, encode
from enact.records.schema import schemas_of
from enact.records.shape import shape_of
from tests.unit.enact.records.factories import a_claim_event, an_intent
from tests.unit.enact.records.strategies import any_record
from tests.unit.services.api.ledger_entries import entry

WRITERS = {cls: compiled_writer(cls, schemas_of(cls).current.parsed) for cls in SCHEMA_NAMES}


def by_the_general_writer(record: Any) -> bytes:
    cls: type = type(record)
    out = BytesIO()
    schemaless_writer(out, schemas_of(cls).current.parsed, tree_writer(shape_of(cls))(record))
    return out.getvalue()


@settings(deadline=None, max_examples=300)
@given(any_record())
def test_its_bytes_are_the_general_writers(record: Any) -> None:
    assert WRITERS[type(record)](b"header", record) == b"header" + by_the_general_writer(record)


@given(st.integers(-(2**63), 2**63 - 1))
@example(2**63 - 1)
@example(-(2**63))
@example(64)
def test_numbers_are_the_general_writers(number: int) -> None:
    out = BytesIO()
    schemaless_writer(out, {"type": "long"}, number)

    assert long_bytes(number) == out.getvalue()


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1])
def test_a_number_beyond_64_bits_is_refused(number: int) -> None:
    with pytest.raises(OverflowError, match="64 bits"):
        long_bytes(number)


@pytest.mark.parametrize("length", [0, 63, 64, 4095, 4096, 70_000])
def test_texts_of_any_length_come_back(length: int) -> None:
    told = entry(LedgerType.ACTION_EXECUTED, actor="ä" * length)

    assert WRITERS[LedgerEntry](b"", told) == by_the_general_writer(told)
    assert decode(LedgerEntry, encode(told)) == told


WRONG = [
    replace(an_intent(), tenant_id=7),
    replace(an_intent(), tenant_id=b"acme"),
    replace(an_intent(), expires_at_epoch="soon"),
    replace(an_intent(), expires_at_epoch=2**63),
    replace(an_intent(), tenant_id="\ud800"),
    replace(an_intent(), target=None),
    replace(a_claim_event(), data=Owner(boot_id="b", instance_id="i", incarnation_id="l")),
    replace(entry(LedgerType.ACTION_EXECUTED), details={"k": 1}),
    replace(entry(LedgerType.ACTION_EXECUTED), type="NO_SUCH_TYPE"),
]


@pytest.mark.parametrize("record", WRONG, ids=lambda one: type(one).__name__)
def test_what_a_type_does_not_allow_is_judged_by_the_general_writer(record: Any) -> None:
    with pytest.raises(CANNOT_WRITE):
        WRITERS[type(record)](b"", record)

    with pytest.raises(ValidationError) as caught:
        encode(record)
    assert caught.value.code is ErrorCode.MALFORMED_RECORD
