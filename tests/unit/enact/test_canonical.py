"""RFC 8785: its own vectors, what is stricter here, and the fast path against the slow one."""

import json
import math
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enact import canonical, strict_json
from enact.canonical import (
    canonical_json,
    canonical_text,
    number_text,
    parse_json,
    parse_with_text,
    scalars_sha256,
    sha256_hex,
    sha256_with,
)
from enact.errors import ErrorCode, ValidationError
from enact.records.enums import Step
from tests.unit.enact.records.strategies import JSON_VALUES, TEXTS

# RFC 8785, appendix B.
NUMBER_VECTORS = [
    ("0000000000000000", "0"),
    ("8000000000000000", "0"),
    ("0000000000000001", "5e-324"),
    ("8000000000000001", "-5e-324"),
    ("7fefffffffffffff", "1.7976931348623157e+308"),
    ("ffefffffffffffff", "-1.7976931348623157e+308"),
    ("4340000000000000", "9007199254740992"),
    ("c340000000000000", "-9007199254740992"),
    ("4430000000000000", "295147905179352830000"),
    ("44b52d02c7e14af5", "9.999999999999997e+22"),
    ("44b52d02c7e14af6", "1e+23"),
    ("44b52d02c7e14af7", "1.0000000000000001e+23"),
    ("444b1ae4d6e2ef4e", "999999999999999700000"),
    ("444b1ae4d6e2ef4f", "999999999999999900000"),
    ("444b1ae4d6e2ef50", "1e+21"),
    ("3eb0c6f7a0b5ed8c", "9.999999999999997e-7"),
    ("3eb0c6f7a0b5ed8d", "0.000001"),
    ("41b3de4355555553", "333333333.3333332"),
    ("41b3de4355555554", "333333333.33333325"),
    ("41b3de4355555555", "333333333.3333333"),
    ("41b3de4355555556", "333333333.3333334"),
    ("41b3de4355555557", "333333333.33333343"),
    ("becbf647612f3696", "-0.0000033333333333333333"),
    ("43143ff3c1cb0959", "1424953923781206.2"),
]


@pytest.mark.parametrize(("bits", "text"), NUMBER_VECTORS)
def test_a_double_is_written_as_the_rfc_says(bits: str, text: str) -> None:
    (number,) = struct.unpack(">d", bytes.fromhex(bits))

    assert number_text(number) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_text_reads_back_as_the_same_double(number: float) -> None:
    assert float(number_text(number)) == number


def test_the_rfc_example_of_section_3_2_2_comes_out_as_printed() -> None:
    source = (
        r'{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],'
        r'"string":"\u20ac$\u000F\u000aA\u0027\u0042\u0022\u005c\\\"\/","literals":[null,true,false]}'
    )

    text = canonical_text(source)

    assert text == (
        '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )


def test_keys_are_sorted_by_utf_16_units_as_in_section_3_2_3() -> None:
    keys = ["\u20ac", "\r", "\ufb33", "1", "\U0001f600", "\x80", "\xf6"]

    text = canonical_json(dict.fromkeys(keys, 0)).decode()

    assert list(json.loads(text)) == ["\r", "1", "\x80", "\xf6", "\u20ac", "\U0001f600", "\ufb33"]


def test_every_control_character_is_escaped_as_the_rfc_says() -> None:
    short = {8: "\\b", 9: "\\t", 10: "\\n", 12: "\\f", 13: "\\r", 34: '\\"', 92: "\\\\"}
    expected = "".join(short.get(point, f"\\u{point:04x}" if point < 32 else chr(point)) for point in range(0x100))

    text = canonical_json("".join(map(chr, range(0x100)))).decode()

    assert text == f'"{expected}"'


@given(JSON_VALUES)
def test_the_fast_path_and_the_slow_path_write_the_same_text(value: Any) -> None:
    slow = "".join(canonical._write(value, 80)).encode()

    assert canonical_json(value) == slow


@given(JSON_VALUES)
def test_canonical_text_is_a_fixed_point_and_keeps_the_value(value: Any) -> None:
    text = canonical_json(value)

    assert canonical_text(text).encode() == text
    assert canonical_text(json.dumps(value, indent=1)).encode() == text
    assert parse_json(text) == value


@given(st.dictionaries(TEXTS, JSON_VALUES, max_size=5))
def test_the_order_of_keys_does_not_matter(value: dict[str, Any]) -> None:
    turned = dict(reversed(value.items()))

    assert sha256_hex(turned) == sha256_hex(value)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 2**53, -(2**53), float(2**53), 1e20, 10**30])
def test_a_number_that_would_not_survive_is_refused_with_its_place(value: float) -> None:
    with pytest.raises(ValidationError, match=r"\.price\[1\] is") as caught:
        canonical_json({"price": [1, value]})

    assert caught.value.code is ErrorCode.NUMBER_NOT_EXACT


@pytest.mark.parametrize("value", [{1: "a"}, {"a": b"bytes"}, {"a": {1, 2}}, "\ud800", {"\ud800": 1}, {"a": object()}])
def test_what_is_no_json_value_is_refused(value: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        canonical_json(value)

    assert caught.value.code is ErrorCode.PARAMETERS_INVALID


def test_subclasses_and_tuples_are_written_as_what_they_stand_for() -> None:
    assert canonical_json([Step.EXECUTE, ("a", True), -0.0, 1.0]) == b'["execute",["a",true],0,1]'


@pytest.mark.parametrize(
    "text",
    [
        '{"a":1,"a":1}',
        '{"a":{"b":1,"b":2}}',
        '[{"a":1,"\\u0061":2}]',
        '"\\ud800"',
        '{"\\udc00":1}',
        "{",
        "",
        "[1,]",
        "{'a':1}",
        "\ufeff{}",
        "01",
        b"\xff",
        "\ud800",
        "[" * 65 + "]" * 65,
        "[" * 100_000,
    ],
)
def test_json_that_two_parsers_could_read_differently_is_refused(text: str | bytes) -> None:
    for read in (parse_json, canonical_text):
        with pytest.raises(ValidationError) as caught:
            read(text, code=ErrorCode.MAPPING_FAILED)

        assert caught.value.code is ErrorCode.MAPPING_FAILED


@pytest.mark.parametrize("text", ["NaN", "[Infinity]", "-Infinity", "1e400", "9007199254740992", "-9007199254740992", "1e20", "9" * 5000])
def test_json_numbers_that_would_not_survive_are_refused(text: str) -> None:
    for read in (parse_json, canonical_text):
        with pytest.raises(ValidationError) as caught:
            read(text)

        assert caught.value.code is ErrorCode.NUMBER_NOT_EXACT


def test_the_limits_themselves_are_allowed() -> None:
    assert parse_json("[9007199254740991,-9007199254740991]") == [2**53 - 1, -(2**53) + 1]
    assert canonical_text("[" * 64 + "]" * 64) == "[" * 64 + "]" * 64


def test_a_refusal_names_the_place_and_never_the_value() -> None:
    with pytest.raises(ValidationError) as caught:
        parse_json('{"order":{"lines":[{"secret":"x"},{"iban":"DE89\\ud800"}]}}')

    assert ".order.lines[1].iban" in caught.value.message
    assert "DE89" not in caught.value.message


@given(st.text() | st.binary())
def test_no_text_makes_the_parser_raise_anything_else(text: str | bytes) -> None:
    for read in (parse_json, canonical_text):
        try:
            read(text)
        except ValidationError as error:
            assert error.message  # noqa: PT017 - either outcome is right, another exception is not


def text_of(value: Any) -> str:
    """JSON text of a value whose objects are lists of members, so that a key may stand twice."""
    if isinstance(value, tuple):
        return "{" + ",".join(f"{json.dumps(key)}: {text_of(item)}" for key, item in value) + "}"
    return f"[{' ,'.join(map(text_of, value))}]" if isinstance(value, list) else json.dumps(value, ensure_ascii=False)


KEYS = st.sampled_from(["a", "b", 'q"', "back\\", '\\"', "é"])
NUMBERS = st.integers(-(2**70), 2**70) | st.floats() | st.sampled_from([2**53, 2**64, 10**22, -0.0])
SPELLED = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(max_size=5) | KEYS,
    lambda inner: st.lists(inner, max_size=3) | st.lists(st.tuples(KEYS, inner), max_size=3).map(tuple),
    max_leaves=10,
).map(text_of)


@given(SPELLED)
def test_the_quick_parser_reads_what_the_strict_one_reads_or_leaves_it_to_it(text: str) -> None:
    quick = strict_json._loaded_if_keys_are_single(text.encode())

    strict = json.loads(text, object_pairs_hook=strict_json._object, parse_constant=str)
    assert quick is None or repr(quick) == repr(strict)  # also 1 and 1.0 and True, and no DoubledKeys


def test_the_quick_parser_is_not_always_left_out() -> None:
    for text in ('{"b": "x\\ny", "a": [1, {"c": "\\"q\\\\"}]}', '{"a":{"a":{"a":null}}}'):
        assert strict_json._loaded_if_keys_are_single(text.encode()) == json.loads(text)


@given(st.lists(st.text(st.characters(codec=None)) | st.integers() | st.none(), max_size=5))
def test_texts_and_whole_numbers_have_the_digest_that_every_array_has(items: list[str | int | None]) -> None:
    try:
        expected = sha256_hex(items)
    except ValidationError as error:
        with pytest.raises(ValidationError) as caught:
            scalars_sha256(*items)
        assert caught.value.code is error.code  # noqa: PT017 - the two must refuse alike
    else:
        assert scalars_sha256(*items) == expected


ITEMS = st.lists(TEXTS | st.integers(-(2**54), 2**54) | st.none() | st.just({"a": 1, "b": "x"}), min_size=1, max_size=4)


@given(ITEMS, JSON_VALUES, st.data())
def test_an_item_at_hand_as_text_gives_the_digest_that_the_item_gives(items: list[Any], item: Any, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(items) - 1))
    whole = [*items[:at], item, *items[at + 1 :]]
    try:
        expected = sha256_hex(whole)
    except ValidationError as error:
        with pytest.raises(ValidationError) as caught:
            sha256_with(items, at, canonical_json(item).decode())
        assert caught.value.code is error.code  # noqa: PT017 - the two must refuse alike
    else:
        assert sha256_with(items, at, canonical_json(item).decode()) == expected


@given(JSON_VALUES)
def test_a_text_is_parsed_and_written_at_once_as_one_after_the_other(value: Any) -> None:
    spelled = json.dumps(value, indent=1)

    assert parse_with_text(spelled) == (parse_json(spelled), canonical_text(spelled))
    assert parse_with_text(canonical_text(spelled)) == (value, canonical_text(spelled))
