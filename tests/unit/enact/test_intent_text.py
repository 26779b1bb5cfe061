import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from enact.canonical import canonical_json
from enact.errors import ErrorCode, ValidationError
from enact.intent_text import intent_from_json, intent_json, read_written, written
from enact.records.codec import decode, encode_json
from enact.records.intent import ApprovedIntent, ExecutionPolicy
from tests.factories import intent_json_tree, make_approval, make_intent
from tests.unit.enact.records.strategies import records

INTENTS = records(ApprovedIntent)


def codec_says(text: str) -> ApprovedIntent | tuple[ErrorCode, str]:
    try:
        return decode(ApprovedIntent, text.encode())
    except ValidationError as error:
        return error.code, error.message


def short_way_says(text: str) -> ApprovedIntent | tuple[ErrorCode, str]:
    try:
        return intent_from_json(text)
    except ValidationError as error:
        return error.code, error.message


@given(INTENTS)
def test_the_short_way_writes_the_bytes_of_the_codec(intent: ApprovedIntent) -> None:
    text = intent_json(intent)

    assert text.encode() == encode_json(intent)
    assert written(intent).text == text


@given(INTENTS)
def test_what_was_written_is_read_back_with_its_text_known(intent: ApprovedIntent) -> None:
    text = intent_json(intent)

    carried = read_written(text)

    assert (carried.intent, carried.known_text) == (intent, text)
    assert type(carried.intent) is ApprovedIntent
    assert carried.parameters == json.loads(intent.parameters)
    assert carried.parameters_text == intent.parameters


@given(INTENTS, st.data())
def test_a_damaged_text_is_read_and_refused_as_the_codec_does(intent: ApprovedIntent, data: st.DataObject) -> None:
    text = intent_json(intent)
    at = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(at, min(len(text), at + 3)))
    damaged = text[:at] + data.draw(st.text('{}[]",:\\u019ae.-', max_size=3)) + text[end:]

    assert short_way_says(damaged) == codec_says(damaged)


def other_spellings() -> dict[str, str]:
    text, tree = intent_json(make_intent()), intent_json_tree()
    return {
        "with spaces": json.dumps(tree, sort_keys=True),
        "in another order": json.dumps(dict(reversed(tree.items())), separators=(",", ":")),
        "with an escape that need not be": text.replace("Call Kim", "\\u0043all Kim"),
        "with an optional field left out": canonical_json({k: v for k, v in tree.items() if k != "registry_version"}).decode(),
        "with the parameters as text": canonical_json({**tree, "parameters": '{"subject":"Call Kim"}'}).decode(),
        "with the parameters spelled otherwise": text.replace('{"subject":', '{"subject": '),
    }


@pytest.mark.parametrize("how", list(other_spellings()))
def test_another_spelling_is_the_same_intent_but_not_its_text(how: str) -> None:
    carried = read_written(other_spellings()[how])

    assert carried.intent == make_intent()
    assert carried.known_text is None
    assert carried.text == intent_json(make_intent())


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('{"account_id":"evil",' + intent_json(make_intent())[1:], ErrorCode.MALFORMED_RECORD),
        (intent_json(make_intent()).replace('"subject":', '"subject":"x","subject":'), ErrorCode.PARAMETERS_INVALID),
        (intent_json(make_intent()).replace('"Call Kim"', "9007199254740993"), ErrorCode.NUMBER_NOT_EXACT),
        (intent_json(make_intent()).replace('"Call Kim"', "NaN"), ErrorCode.NUMBER_NOT_EXACT),
        (intent_json(make_intent()).replace("Call Kim", "\\ud800"), ErrorCode.PARAMETERS_INVALID),
        (intent_json(make_intent()).replace('"Call Kim"', "[" * 65 + "]" * 65), ErrorCode.PARAMETERS_INVALID),
        (intent_json(make_intent()).replace('{"subject":"Call Kim"}', "[1]"), ErrorCode.PARAMETERS_INVALID),
        (intent_json(make_intent()).replace('"registry_version":null', '"registry_version":9007199254740993'), ErrorCode.NUMBER_NOT_EXACT),
        (intent_json(make_intent()).replace('"status":', '"state":'), ErrorCode.MALFORMED_RECORD),
        (intent_json(make_intent())[:-1], ErrorCode.MALFORMED_RECORD),
        ("", ErrorCode.MALFORMED_RECORD),
        ("[" * 100_000, ErrorCode.MALFORMED_RECORD),
    ],
)
def test_what_is_no_exact_intent_is_refused(text: str, code: ErrorCode) -> None:
    for read in (intent_from_json, read_written):
        with pytest.raises(ValidationError) as raised:
            read(text)

        assert raised.value.code is code


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"parameters": '{"a":1,"a":2}'}, ErrorCode.PARAMETERS_INVALID),
        ({"parameters": '{"a":1e400}'}, ErrorCode.NUMBER_NOT_EXACT),
        ({"expires_at_epoch": 2**53}, ErrorCode.NUMBER_NOT_EXACT),
        ({"execution_policy": ExecutionPolicy(max_attempts=2**60)}, ErrorCode.NUMBER_NOT_EXACT),
        ({"account_id": "\ud800"}, ErrorCode.PARAMETERS_INVALID),
    ],
)
def test_an_intent_without_a_canonical_form_is_not_written(changes: dict[str, Any], code: ErrorCode) -> None:
    with pytest.raises(ValidationError) as raised:
        intent_json(make_intent(**changes))

    assert raised.value.code is code


def test_parameters_are_written_in_canonical_form_whatever_the_record_holds() -> None:
    spaced = make_intent(parameters='{ "b" : 1.0 , "a" : "x" }')

    assert intent_json(spaced) == intent_json(make_intent(parameters='{"a":"x","b":1}'))
    assert written(spaced).text == intent_json(spaced)


def test_parameters_that_are_no_object_are_refused_by_type_and_length() -> None:
    with pytest.raises(ValidationError, match="parameters: found an array of 1 items") as raised:
        written(make_intent(parameters='["secret"]'))

    assert "secret" not in raised.value.message


def test_the_text_of_an_intent_carries_its_approval() -> None:
    intent = make_intent(approval=make_approval(jws="a.b.c"))

    assert intent_from_json(intent_json(intent)).approval.jws == "a.b.c"
    assert read_written(intent_json(replace(intent, approval=make_approval()))).intent.approval.jws is None
