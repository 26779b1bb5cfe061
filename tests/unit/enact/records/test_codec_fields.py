"""A field that is missing, wrong or inexact is named with its path, and never with its value."""

import json
from typing import Any

import pytest

from enact.errors import ErrorCode, ValidationError
from enact.records import (
    ApprovalSource,
    ApprovedIntent,
    CancelRequested,
    EventType,
    ExecutionEvent,
    ToolCall,
)
from enact.records.codec import decode, encode, encode_json
from tests.unit.enact.records.factories import a_call, a_claim_event, an_intent, an_intent_tree
from tests.unit.enact.records.refusals import as_json, refusal_of


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
