"""The Confluent framing in the codec: five bytes in front, the writer's schema by its id, and what happens without one."""

import json
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pytest
from fastavro import parse_schema, schemaless_writer
from hypothesis import given, settings
from hypothesis import strategies as st

from enact.errors import BrokerError, ConfigurationError, ErrorCode, ValidationError
from enact.records import ApprovedIntent, Probe, Switch, SwitchMode, SwitchState, ToolCall
from enact.records.codec import decode, decode_switch_record, encode, encode_json
from enact.records.framing import framed_by, header_for
from enact.records.schema import SCHEMA_NAMES, Schema, schema_from, schema_text, schemas_of
from tests.unit.enact.records.factories import a_call, an_intent, an_intent_tree
from tests.unit.enact.records.refusals import CODES, refusal_of
from tests.unit.enact.records.strategies import any_record

FIRST_ID = 0x01020304


class Table:
    """A schema registry as a table: our classes from FIRST_ID on, in the order of their declaration, and what a test adds."""

    def __init__(self) -> None:
        self.ids = {cls: FIRST_ID + place for place, cls in enumerate(SCHEMA_NAMES)}
        self.schemas: dict[int, Schema] = {number: schemas_of(cls).current for cls, number in self.ids.items()}
        self.is_away = False

    def header_of(self, cls: type) -> bytes:
        if cls not in self.ids:
            raise ConfigurationError(cls.__name__)
        return header_for(self.ids[cls])

    def schema_of(self, schema_id: int) -> Schema | None:
        if self.is_away:
            raise BrokerError("The schema registry does not answer.")
        return self.schemas.get(schema_id)


@pytest.fixture
def table() -> Iterator[Table]:
    given_table = Table()
    with framed_by(given_table):
        yield given_table


def foreign_value(table: Table, schema_id: int, declaration: dict[str, Any], tree: dict[str, Any]) -> bytes:
    """A value of a writer with a schema of its own, which the registry knows."""
    table.schemas[schema_id] = schema_from(declaration)
    out = BytesIO(header_for(schema_id))
    out.seek(0, 2)
    schemaless_writer(out, parse_schema(declaration), tree)
    return out.getvalue()


def own_declaration() -> dict[str, Any]:
    declared: dict[str, Any] = json.loads(schema_text(ApprovedIntent))
    return declared


def avro_tree() -> dict[str, Any]:
    tree = an_intent_tree()
    return tree | {"parameters": json.dumps(tree["parameters"]), "execution_policy": None}


def test_the_header_is_a_zero_and_the_id_with_its_highest_byte_first() -> None:
    assert header_for(FIRST_ID) == b"\x00\x01\x02\x03\x04"
    assert header_for(2**31 - 1) == b"\x00\x7f\xff\xff\xff"


def test_with_a_schema_registry_the_body_is_the_same_and_only_the_header_changes(table: Table) -> None:
    framed = encode(an_intent())

    assert framed[:5] == header_for(table.ids[ApprovedIntent])
    with framed_by(Table()):
        assert encode(an_intent()) == framed
    assert decode(ApprovedIntent, framed) == an_intent()


def test_outside_of_the_framing_values_are_single_object_again() -> None:
    before = encode(an_intent())

    with framed_by(Table()):
        framed = encode(an_intent())

    assert encode(an_intent()) == before
    assert before[:2] == b"\xc3\x01"
    assert before[10:] == framed[5:]


@settings(deadline=None)
@given(any_record())
def test_every_record_survives_the_confluent_framing(record: object) -> None:
    with framed_by(Table()):
        assert decode(type(record), encode(record)) == record


def test_values_of_the_other_framings_are_still_read(table: Table) -> None:
    as_json = encode_json(an_intent())
    with framed_by(table):
        framed = encode(an_intent())
    single_object = b"\xc3\x01" + schemas_of(ApprovedIntent).current.fingerprint + framed[5:]

    assert decode(ApprovedIntent, as_json) == decode(ApprovedIntent, single_object) == decode(ApprovedIntent, framed)


def test_a_writer_s_own_schema_is_resolved_to_ours(table: Table) -> None:
    declared = own_declaration()
    left_out = {"execution_policy", "registry_version", "decision_trace_id", "edited_fields", "supersedes_action_intent_id"}
    declared["namespace"] = "com.example.upstream"
    declared["fields"] = [
        {"name": "shard", "type": "int"},
        *reversed([field for field in declared["fields"] if field["name"] not in left_out]),
    ]

    value = foreign_value(table, 7, declared, avro_tree() | {"shard": 3})

    assert decode(ApprovedIntent, value) == an_intent(execution_policy=None)


def test_a_writer_s_schema_that_lacks_a_required_field_is_refused(table: Table) -> None:
    declared = own_declaration()
    declared["fields"] = [field for field in declared["fields"] if field["name"] != "tenant_id"]

    error = refusal_of(ApprovedIntent, foreign_value(table, 7, declared, avro_tree()))

    assert error.code is ErrorCode.MALFORMED_RECORD
    assert "cannot take in" in error.message


def test_another_class_s_schema_is_refused(table: Table) -> None:
    error = refusal_of(ToolCall, encode(an_intent()))

    assert error.code is ErrorCode.MALFORMED_RECORD


def test_an_id_that_the_registry_does_not_know_is_named(table: Table) -> None:
    error = refusal_of(ApprovedIntent, header_for(99) + encode(an_intent())[5:])

    assert error.code is ErrorCode.UNKNOWN_SCHEMA
    assert "schema id 99" in error.message


def test_an_id_with_its_lowest_byte_first_is_not_guessed(table: Table) -> None:
    value = encode(an_intent())

    error = refusal_of(ApprovedIntent, b"\x00" + value[4:0:-1] + value[5:])

    assert error.code is ErrorCode.UNKNOWN_SCHEMA
    assert f"schema id {0x04030201}" in error.message


def test_without_a_schema_registry_the_framing_is_refused_with_the_variable_to_set() -> None:
    error = refusal_of(ApprovedIntent, b"\x00\x00\x00\x00\x01abc")

    assert error.code is ErrorCode.UNKNOWN_SCHEMA
    assert "ENACT_SCHEMA_REGISTRY__URL" in error.message


def test_every_cut_of_a_framed_value_is_malformed(table: Table) -> None:
    value = encode(an_intent())

    for length in range(len(value)):
        assert refusal_of(ApprovedIntent, value[:length]).code is ErrorCode.MALFORMED_RECORD
    assert refusal_of(ApprovedIntent, value + b"\x00").code is ErrorCode.MALFORMED_RECORD


@settings(deadline=None)
@given(st.sampled_from(list(SCHEMA_NAMES)), st.sampled_from(list(SCHEMA_NAMES)), st.binary(max_size=60))
def test_whatever_follows_the_header_nothing_but_a_refusal_is_raised(cls: type, written_as: type, body: bytes) -> None:
    table, refusal = Table(), None
    record: object = None

    with framed_by(table):
        try:
            record = decode(cls, header_for(table.ids[written_as]) + body)
        except ValidationError as error:
            refusal = error.code

    assert refusal in CODES if record is None else isinstance(record, cls)


def test_a_registry_that_does_not_answer_is_no_fault_of_the_record(table: Table) -> None:
    value = encode(an_intent())
    table.is_away = True

    with pytest.raises(BrokerError) as caught:
        decode(ApprovedIntent, value)

    assert not isinstance(caught.value, ValidationError)


def test_of_two_classes_the_writer_s_record_name_decides(table: Table) -> None:
    switch = Switch(scope="global", engagement_id="e", state=SwitchState.ENGAGED, mode=SwitchMode.HOLD, actor="kim", reason="look", at_ms=1)
    probe = Probe(slot="s", incarnation="i", nonce="n", sent_ms=1)

    assert decode_switch_record(encode(switch)) == switch
    assert decode_switch_record(encode(probe)) == probe


def test_a_value_of_a_third_class_is_refused_where_two_are_expected(table: Table) -> None:
    with pytest.raises(ValidationError, match="Switch"):
        decode_switch_record(encode(a_call()))


def test_a_class_without_a_subject_is_not_written(table: Table) -> None:
    del table.ids[ToolCall]

    with pytest.raises(ConfigurationError, match="ToolCall"):
        encode(a_call())
