"""Bytes to records and back: every record survives in both forms, and is what it was."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given, settings
from msgspec import Struct
from msgspec.structs import fields, replace

from enact.errors import ErrorCode, ValidationError
from enact.records import (
    Admission,
    ApprovedIntent,
    Decision,
    Header,
    LedgerEntry,
    LedgerType,
    Original,
    Probe,
    ReturnedIntent,
    SourcePosition,
    Switch,
    SwitchMode,
    SwitchState,
    ToolCall,
    ValidatedIntent,
)
from enact.records.codec import SCHEMA_NAMES, decode, decode_one_of, decode_switch_record, encode, encode_json
from enact.records.schema import schemas_of
from tests.unit.enact.records.factories import a_call, a_claim_event, an_intent, an_intent_tree
from tests.unit.enact.records.refusals import CODES, as_json, refusal_of
from tests.unit.enact.records.strategies import any_record, records

CLASSES: list[type] = list(SCHEMA_NAMES)


def types_of(value: Any) -> Any:
    """Equality does not tell an enum member from its text; this does."""
    if isinstance(value, Struct):
        return type(value), [types_of(getattr(value, field.name)) for field in fields(value)]
    if isinstance(value, tuple):
        return [types_of(item) for item in value]
    return type(value)


@pytest.mark.parametrize("cls", CLASSES)
def test_every_class_survives_both_forms(cls: type) -> None:
    @settings(max_examples=15, deadline=None)
    @given(records(cls))
    def survives(record: object) -> None:
        assert decode(cls, encode(record)) == record
        assert decode(cls, encode_json(record)) == record

    survives()


@settings(deadline=None)
@given(any_record())
def test_types_survive_with_the_values(record: Any) -> None:
    for value in (encode(record), encode_json(record)):
        assert types_of(decode(type(record), value)) == types_of(record)


def test_a_value_begins_with_the_single_object_mark_and_the_fingerprint() -> None:
    value = encode(a_call())

    assert value[:2] == b"\xc3\x01"
    assert value[2:10] == schemas_of(ToolCall).current.fingerprint


def test_the_json_form_is_plain() -> None:
    tree = json.loads(encode_json(an_intent()))

    assert tree["parameters"] == {"due": "2026-12-01", "subject": "Call Zoë"}
    assert tree["approval"]["source"] == "HUMAN"
    assert tree["registry_version"] is None
    assert json.loads(encode_json(a_claim_event()))["data"]["effect_class"]["kind"] == "UPSERT"


def test_bytes_are_base64_text_in_json() -> None:
    record = ReturnedIntent(
        generation=1, cause="redrive", original=Original(key=None, value=b"\x00\xff", headers=(Header(name="h", value=b""),))
    )

    tree = json.loads(encode_json(record))

    assert base64.b64decode(tree["original"]["value"]) == b"\x00\xff"
    assert tree["original"]["headers"] == [{"name": "h", "value": ""}]
    assert decode(ReturnedIntent, encode_json(record)) == record


@pytest.mark.parametrize("text", ["!!!!", "YQ", "Y Q==", "YQ==\n", "é", "_-8="])
def test_bytes_that_are_no_base64_text_are_malformed(text: str) -> None:
    tree = {"generation": 1, "cause": "redrive", "original": {"value": text}}

    error = refusal_of(ReturnedIntent, as_json(tree))

    assert error.code is ErrorCode.MALFORMED_RECORD
    assert "ReturnedIntent.original.value is no base64 text" in error.message


def test_an_intent_as_upstream_writes_it_is_read_with_defaults() -> None:
    assert decode(ApprovedIntent, as_json(an_intent_tree())) == an_intent()


@pytest.mark.parametrize("parameters", ['{"b":1.0, "a":2}', {"b": 1.0, "a": 2}, '{"a":2,"b":1}'])
def test_parameters_come_out_as_canonical_text(parameters: Any) -> None:
    intent = decode(ApprovedIntent, as_json(an_intent_tree(parameters=parameters)))

    assert intent.parameters == '{"a":2,"b":1}'


def test_parameters_come_out_as_canonical_text_of_avro_too() -> None:
    intent = decode(ApprovedIntent, encode(an_intent(parameters='{"b":1.0, "a":2}')))

    assert intent.parameters == '{"a":2,"b":1}'


def test_the_switches_topic_carries_switches_and_probes_in_both_forms() -> None:
    switch = Switch(
        scope="global", engagement_id="g-1", state=SwitchState.ENGAGED, mode=SwitchMode.HOLD, actor="sam", reason="test", at_ms=1
    )
    probe = Probe(slot="s", incarnation="i", nonce="n", sent_ms=2)

    for record in (switch, probe):
        assert decode_switch_record(encode(record)) == record
        assert decode_switch_record(encode_json(record)) == record


@pytest.mark.parametrize("value", [b"", b"\x00", b"\xc3\x01", b"x", b"{", b'{"colour":1}', b"[]", b'{"slot":"a"}'])
def test_what_is_neither_of_several_classes_is_refused(value: bytes) -> None:
    with pytest.raises(ValidationError) as caught:
        decode_one_of((Switch, Probe), value)

    assert caught.value.code in CODES


def test_an_avro_value_of_a_third_class_is_an_unknown_schema() -> None:
    with pytest.raises(ValidationError, match="Switch or Probe") as caught:
        decode_one_of((Switch, Probe), encode(a_call()))

    assert caught.value.code is ErrorCode.UNKNOWN_SCHEMA


@pytest.mark.parametrize(("details", "said"), [({"a": 1}, ".details.a is an integer"), (["a"], ".details is a list")])
def test_details_of_a_ledger_entry_are_strings_by_strings(details: Any, said: str) -> None:
    entry = LedgerEntry(
        entry_id="e",
        tenant_id="acme",
        account_id="acc-1",
        action_intent_id="int-1",
        generation=1,
        version=0,
        type=LedgerType.EXECUTION_STARTED,
        actor="validation",
        at_ms=1,
        stage="validation",
        details={"tool": "crm.create_task"},
        execution_trace_id="t",
        source=SourcePosition(topic="t", partition=0, offset=4),
    )
    tree = {**json.loads(encode_json(entry)), "details": details}

    assert decode(LedgerEntry, encode_json(entry)) == entry
    assert said in refusal_of(LedgerEntry, as_json(tree)).message


def test_an_admission_carries_the_whole_validated_intent_with_canonical_parameters() -> None:
    validated = ValidatedIntent(
        intent=an_intent(parameters='{ "a" : 1 }'),
        generation=1,
        execution_trace_id="t",
        registry_version=1,
        registry_digest="d",
        registry_offset=5,
        admitted_at_ms=1,
        intent_sha256="s",
    )
    admission = Admission(
        tenant_id="acme",
        action_intent_id="int-1",
        generation=1,
        decision=Decision.ADMITTED,
        source=SourcePosition(topic="t", partition=0, offset=4),
        validated=validated,
        decided_at_ms=1,
    )

    assert decode(Admission, encode(admission)).validated == replace(validated, intent=an_intent(parameters='{"a":1}'))
