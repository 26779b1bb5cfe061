"""Bytes to records and back: every record survives, every damage is named, nothing else is ever raised."""

import base64
import json
from dataclasses import fields, is_dataclass, replace
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from enact.errors import ErrorCode, ValidationError
from enact.records import (
    Admission,
    ApprovalSource,
    ApprovedIntent,
    CancelRequested,
    Decision,
    EventType,
    ExecutionEvent,
    Header,
    LedgerEntry,
    LedgerType,
    Notification,
    NotificationKind,
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
from tests.unit.enact.records.strategies import any_record, records

CLASSES: list[type] = list(SCHEMA_NAMES)
CODES = {
    ErrorCode.MALFORMED_RECORD,
    ErrorCode.UNKNOWN_SCHEMA,
    ErrorCode.FIELD_MISSING,
    ErrorCode.PARAMETERS_INVALID,
    ErrorCode.NUMBER_NOT_EXACT,
}


def refusal_of(cls: type, value: bytes) -> ValidationError:
    with pytest.raises(ValidationError) as caught:
        decode(cls, value)
    return caught.value


def types_of(value: Any) -> Any:
    """Equality does not tell an enum member from its text; this does."""
    if is_dataclass(value):
        return type(value), [types_of(getattr(value, field.name)) for field in fields(value)]
    if isinstance(value, tuple):
        return [types_of(item) for item in value]
    return type(value)


def as_json(tree: Any) -> bytes:
    return json.dumps(tree).encode()


@pytest.mark.parametrize("cls", CLASSES)
def test_every_class_survives_both_forms(cls: type) -> None:
    @settings(max_examples=40, deadline=None)
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


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ("{", ErrorCode.PARAMETERS_INVALID),
        ("", ErrorCode.PARAMETERS_INVALID),
        ('{"a":1,"a":2}', ErrorCode.PARAMETERS_INVALID),
        ('{"a":"\\ud800"}', ErrorCode.PARAMETERS_INVALID),
        ("[1]", ErrorCode.PARAMETERS_INVALID),
        ("null", ErrorCode.PARAMETERS_INVALID),
        ('{"a":' * 65 + "1" + "}" * 65, ErrorCode.PARAMETERS_INVALID),
        ('{"a":NaN}', ErrorCode.NUMBER_NOT_EXACT),
        ('{"a":9007199254740992}', ErrorCode.NUMBER_NOT_EXACT),
    ],
)
def test_bad_parameters_are_the_parameters_fault_in_every_form(parameters: str, code: ErrorCode) -> None:
    head, tail = as_json(an_intent_tree(parameters=0)).split(b'"parameters": 0')
    in_place = head + b'"parameters": ' + (parameters.encode() or b'""') + tail
    forms = [encode(an_intent(parameters=parameters)), as_json(an_intent_tree(parameters=parameters))]
    if parameters != "{":
        forms.append(in_place)

    for form in forms:
        error = refusal_of(ApprovedIntent, form)

        assert error.code is code


def test_a_doubled_key_is_malformed_in_the_envelope_and_invalid_in_the_parameters() -> None:
    envelope = as_json(an_intent_tree()).replace(b'"tenant_id"', b'"account_id": "x", "tenant_id"')
    nested = as_json(an_intent_tree()).replace(b'"entity_type"', b'"entity_id": "x", "entity_type"')
    parameters = as_json(an_intent_tree()).replace(b'"subject"', b'"due": "x", "subject"')

    assert refusal_of(ApprovedIntent, envelope).code is ErrorCode.MALFORMED_RECORD
    assert "ApprovedIntent.target has one key twice" in refusal_of(ApprovedIntent, nested).message
    assert refusal_of(ApprovedIntent, parameters).code is ErrorCode.PARAMETERS_INVALID
    assert "ApprovedIntent.parameters has one key twice" in refusal_of(ApprovedIntent, parameters).message


@pytest.mark.parametrize("path", ["tenant_id", "parameters", "approval", "approval.approved_by", "target.entity_id"])
def test_a_missing_field_is_named_with_its_path(path: str) -> None:
    tree = an_intent_tree()
    *outer, last = path.split(".")
    holder = tree[outer[0]] if outer else tree
    del holder[last]

    error = refusal_of(ApprovedIntent, as_json(tree))

    assert error.code is ErrorCode.FIELD_MISSING
    assert f"ApprovedIntent.{path} is missing" in error.message


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"tenant_id": 7}, ".tenant_id is an integer where a string"),
        ({"tenant_id": None}, ".tenant_id is null where a string"),
        ({"expires_at_epoch": "1790000000"}, ".expires_at_epoch is a string where an integer"),
        ({"expires_at_epoch": 1.5}, ".expires_at_epoch is a number with a fraction where an integer"),
        ({"expires_at_epoch": True}, ".expires_at_epoch is true or false where an integer"),
        ({"target": []}, ".target is a list where an object"),
        ({"edited_fields": "subject"}, ".edited_fields is a string where a list"),
        ({"edited_fields": ["subject", 4]}, ".edited_fields[1] is an integer where a string"),
        ({"colour": "red"}, ".colour is no field of ApprovedIntent"),
        ({"target": {"entity_type": "a", "entity_id": "b", "x": 1}}, ".target.x is no field of Target"),
        ({"tenant_id": "a\ud800"}, ".tenant_id holds half of a surrogate pair"),
    ],
)
def test_a_wrong_field_is_malformed_and_said_so_without_its_value(changes: dict[str, Any], said: str) -> None:
    error = refusal_of(ApprovedIntent, as_json(an_intent_tree(**changes)))

    assert error.code is ErrorCode.MALFORMED_RECORD
    assert f"ApprovedIntent{said}" in error.message


@pytest.mark.parametrize("number", [2**53, -(2**53), 10**400])
def test_an_integer_of_the_envelope_beyond_2_to_53_is_not_exact(number: int) -> None:
    error = refusal_of(ApprovedIntent, as_json(an_intent_tree(expires_at_epoch=number)))

    assert error.code is ErrorCode.NUMBER_NOT_EXACT


def test_parameters_of_a_wrong_json_type_are_invalid() -> None:
    for parameters in (None, 3, [1], True, 1.5):
        assert refusal_of(ApprovedIntent, as_json(an_intent_tree(parameters=parameters))).code is ErrorCode.PARAMETERS_INVALID


def test_an_unknown_enum_symbol_in_json_is_unknown_where_the_set_is_open_and_refused_where_it_is_not() -> None:
    tree = an_intent_tree()
    tree["approval"]["source"] = "ORACLE"
    event = json.loads(encode_json(a_claim_event()))

    assert decode(ApprovedIntent, as_json(tree)).approval.source is ApprovalSource.UNKNOWN
    assert refusal_of(ExecutionEvent, as_json({**event, "type": "TELEPORTED"})).code is ErrorCode.MALFORMED_RECORD
    assert refusal_of(ToolCall, as_json({**json.loads(encode_json(a_call())), "step": "undo"})).code is ErrorCode.MALFORMED_RECORD


def test_the_type_of_an_event_decides_how_its_data_is_read_in_json() -> None:
    event = json.loads(encode_json(a_claim_event()))

    as_cancel = {**event, "type": "CANCEL_REQUESTED", "data": {"command_id": "c", "reason": "r"}}

    assert decode(ExecutionEvent, as_json(as_cancel)).data == CancelRequested(command_id="c", reason="r")
    assert refusal_of(ExecutionEvent, as_json({**event, "type": "EXPIRED"})).code is ErrorCode.MALFORMED_RECORD
    assert refusal_of(ExecutionEvent, as_json({name: event[name] for name in event if name != "data"})).code is ErrorCode.FIELD_MISSING
    assert refusal_of(ExecutionEvent, as_json({name: event[name] for name in event if name != "type"})).code is ErrorCode.FIELD_MISSING


def test_an_event_whose_type_does_not_name_its_data_is_neither_written_nor_read() -> None:
    liar = a_claim_event(type=EventType.FOLD_VERSION)
    honest = encode(a_claim_event())
    symbols = [member.value for member in EventType]
    claimed, fold_version = (bytes([2 * symbols.index(name)]) for name in ("CLAIMED", "FOLD_VERSION"))
    forged = honest.replace(b"\x06e-1" + claimed, b"\x06e-1" + fold_version)

    with pytest.raises(ValidationError, match=r"ExecutionEvent\.data is a Claimed, but type says FOLD_VERSION"):
        encode(liar)
    assert forged != honest
    assert "ExecutionEvent.data is a Claimed, but type says FOLD_VERSION" in refusal_of(ExecutionEvent, forged).message


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
        (b'{"tenant_id":NaN}', ErrorCode.NUMBER_NOT_EXACT, "NaN"),
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


@settings(max_examples=300)
@given(any_record(), st.data())
def test_no_damage_to_a_value_makes_a_reader_raise_anything_else(record: Any, data: st.DataObject) -> None:
    for value in (encode(record), encode_json(record)):
        position = data.draw(st.integers(0, len(value) - 1))
        damaged = value[:position] + data.draw(st.binary(max_size=3)) + value[position + data.draw(st.integers(0, 3)) :]
        try:
            decode(type(record), damaged)
        except ValidationError as error:
            assert error.code in CODES  # noqa: PT017 - as above


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
