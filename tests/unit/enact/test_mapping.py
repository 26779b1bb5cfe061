import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from enact import ids
from enact.canonical import canonical_json
from enact.errors import ErrorCode, MappingError, ValidationError
from enact.intent_text import intent_from_json
from enact.mapping import map_arguments, map_intent, remap
from enact.records import codec
from enact.records.action_type import MappingRule
from enact.records.enums import Step
from enact.records.intent import ExecutionPolicy, Target
from enact.records.tool_call import Refusal
from tests.factories import make_action_type, make_approval, make_intent, make_validated

ANYTHING = "{}"


def mapped(rule: MappingRule, parameters: Any = None, **changes: Any) -> dict[str, Any]:
    intent = make_intent(parameters=json.dumps(parameters if parameters is not None else {}), **changes)
    return map_arguments(intent, (rule,))


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (MappingRule(argument="a", source="parameters.name"), "Kim"),
        (MappingRule(argument="a", source="parameters.name", transform="UPPERCASE"), "KIM"),
        (MappingRule(argument="a", source="parameters.name", transform="LOWERCASE"), "kim"),
        (MappingRule(argument="a", transform="CONSTANT", value='{"x":[1,true,null]}'), {"x": [1, True, None]}),
        (MappingRule(argument="a", transform="TEMPLATE", template="Call {parameters.name} of {target.entity_id}"), "Call Kim of 001A"),
        (MappingRule(argument="a", transform="TEMPLATE", template="{{{parameters.name}}}"), "{Kim}"),
        (MappingRule(argument="a", transform="TEMPLATE", template="{parameters.n}/{parameters.f}/{parameters.yes}"), "3/2.5/true"),
        (MappingRule(argument="a", source="parameters.lines.1.sku"), "B"),
        (MappingRule(argument="a", source="parameters.nested"), {"deep": None}),
        (MappingRule(argument="a", source="parameters.nested.deep", is_required=True), None),
        (MappingRule(argument="a", source="target.entity_type"), "Account"),
        (MappingRule(argument="a", source="intent.account_id"), "account-1"),
        (MappingRule(argument="a", source="parameters.absent", default='"fallback"'), "fallback"),
        (MappingRule(argument="a", source="parameters.absent", transform="UPPERCASE", default='"as is"'), "as is"),
        (MappingRule(argument="a", transform="TEMPLATE", template="{parameters.absent}", default="[]"), []),
    ],
)
def test_each_transform_gives_its_argument(rule: MappingRule, expected: object) -> None:
    parameters = {"name": "Kim", "n": 3, "f": 2.5, "yes": True, "lines": [{"sku": "A"}, {"sku": "B"}], "nested": {"deep": None}}

    assert mapped(rule, parameters) == {"a": expected}


@pytest.mark.parametrize(
    "source",
    [
        "parameters.absent",
        "parameters.lines.2",
        "parameters.lines.99999999999999999999",
        "parameters.lines.x",
        "parameters.name.deeper",
        "target.other",
    ],
)
def test_an_absent_optional_argument_is_left_out(source: str) -> None:
    assert mapped(MappingRule(argument="a", source=source), {"lines": [1, 2], "name": "x"}) == {}


@pytest.mark.parametrize(
    "rule",
    [
        MappingRule(argument="a", source="parameters.absent", is_required=True),
        MappingRule(argument="a", transform="TEMPLATE", template="{parameters.absent}", is_required=True),
    ],
)
def test_an_absent_required_argument_is_refused_by_name(rule: MappingRule) -> None:
    with pytest.raises(MappingError, match=r"arguments\.a is required, but parameters\.absent is missing"):
        mapped(rule)


@pytest.mark.parametrize(
    "rule",
    [
        MappingRule(argument="a", source="parameters.number", transform="UPPERCASE"),
        MappingRule(argument="a", source="parameters.object", transform="LOWERCASE"),
        MappingRule(argument="a", transform="TEMPLATE", template="{parameters.object}"),
        MappingRule(argument="a", transform="TEMPLATE", template="{parameters.nothing}"),
        MappingRule(argument="a", transform="CONSTANT"),
        MappingRule(argument="a", transform="TEMPLATE"),
        MappingRule(argument="a"),
        MappingRule(argument="a", transform="SHOUT", source="parameters.number"),
    ],
)
def test_a_rule_that_cannot_be_met_is_a_mapping_failure_that_shows_no_value(rule: MappingRule) -> None:
    with pytest.raises(MappingError) as raised:
        mapped(rule, {"number": 778812, "object": {"a": 778812}, "nothing": None})

    assert raised.value.code is ErrorCode.MAPPING_FAILED
    assert "arguments.a" in raised.value.message
    assert "778812" not in raised.value.message


@pytest.mark.parametrize("value", ["{bad", "9007199254740993"])
def test_a_constant_that_is_no_exact_json_is_refused(value: str) -> None:
    with pytest.raises(ValidationError):
        mapped(MappingRule(argument="a", transform="CONSTANT", value=value))


def test_an_index_of_thousands_of_digits_names_nothing() -> None:
    rule = MappingRule(argument="x", source=f"parameters.list.{'9' * 5000}")

    assert mapped(rule, {"list": ["a"]}) == {}


def test_what_a_value_contains_is_never_read_as_a_mark() -> None:
    rule = MappingRule(argument="a", transform="TEMPLATE", template="{parameters.name}!")

    assert mapped(rule, {"name": "{intent.tenant_id} {{"}) == {"a": "{intent.tenant_id} {{!"}


@pytest.mark.parametrize(
    "path", ["intent.approval", "intent.decision_trace_id", "intent.status", "approval.approved_by", "entry.tool_name"]
)
def test_a_mapping_reads_nothing_that_the_approved_digest_does_not_cover(path: str) -> None:
    assert mapped(MappingRule(argument="a", source=path)) == {}


def test_the_call_carries_identity_limits_and_the_whole_intent() -> None:
    intent, entry = make_intent(), make_action_type()

    call = map_intent(make_validated(intent, entry, generation=3), entry)

    assert (call.tenant_id, call.account_id, call.action_intent_id, call.generation, call.step) == (
        "acme",
        "account-1",
        "int-1",
        3,
        Step.EXECUTE,
    )
    assert (call.tool_name, call.connector, call.registry_version, call.tool_schema_version) == ("crm.create_task", "crm", 1, "1")
    assert call.arguments == '{"priority":"Normal","related_id":"001A","subject":"Call Kim"}'
    assert call.idempotency_key == ids.idempotency_key("acme", "int-1", Step.EXECUTE)
    assert call.request_digest == ids.request_digest("crm.create_task", 1, call.arguments)
    assert (call.effect_class, call.backoff, call.expires_at_epoch) == (entry.effect_class, entry.backoff, intent.expires_at_epoch)
    assert intent_from_json(call.intent) == intent
    assert call.intent_sha256 == ids.intent_sha256(intent)
    assert call.is_full


@pytest.mark.parametrize(
    ("policy", "attempts", "timeout_ms"),
    [
        (None, 5, 10_000),
        (ExecutionPolicy(), 5, 10_000),
        (ExecutionPolicy(max_attempts=2, timeout_seconds=3), 2, 3_000),
        (ExecutionPolicy(max_attempts=50, timeout_seconds=300), 5, 10_000),
    ],
)
def test_the_lower_of_registry_and_policy_limits_holds(policy: ExecutionPolicy | None, attempts: int, timeout_ms: int) -> None:
    call = map_intent(make_validated(make_intent(execution_policy=policy)), make_action_type())

    assert (call.max_attempts, call.timeout_ms) == (attempts, timeout_ms)


def test_arguments_that_do_not_fit_the_tool_are_a_mapping_failure() -> None:
    intent = make_intent(parameters='{"subject":"x","priority":"Urgent"}')

    with pytest.raises(ValidationError) as raised:
        map_intent(make_validated(intent), make_action_type())

    assert raised.value.code is ErrorCode.MAPPING_FAILED
    assert raised.value.message == (
        "arguments.priority: found a string of 6 characters, not allowed by enum High or Normal or Low: "
        "correct the mapping in a new registry version, or the parameters."
    )


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ("[1]", ErrorCode.PARAMETERS_INVALID),
        ('{"a":1,"a":2}', ErrorCode.PARAMETERS_INVALID),
        ('{"a":9007199254740993}', ErrorCode.NUMBER_NOT_EXACT),
    ],
)
def test_parameters_that_are_no_exact_object_are_refused(parameters: str, code: ErrorCode) -> None:
    with pytest.raises(ValidationError) as raised:
        map_arguments(make_intent(parameters=parameters), ())

    assert raised.value.code is code


def test_mapping_again_from_the_carried_intent_gives_the_same_call() -> None:
    intent = make_intent(execution_policy=ExecutionPolicy(max_attempts=2), edited_fields=("subject",), approval=make_approval(jws="a.b.c"))
    call = map_intent(make_validated(intent, generation=2), make_action_type())

    assert remap(call, make_action_type()) == call


def test_mapping_again_shows_a_changed_intent_arguments_or_entry() -> None:
    entry = make_action_type()
    call = map_intent(make_validated(), entry)
    other = map_intent(make_validated(make_intent(parameters='{"subject":"Pay Kim"}')), entry)

    assert remap(replace(call, intent=other.intent), entry).request_digest != call.request_digest
    assert remap(replace(call, arguments='{"subject":"Pay Kim"}'), entry).request_digest == call.request_digest
    assert remap(replace(call, arguments='{"subject":"Pay Kim"}'), entry).arguments == call.arguments
    assert remap(call, replace(entry, registry_version=2)).request_digest != call.request_digest
    assert remap(replace(call, intent_sha256="0" * 64), entry).intent_sha256 == call.intent_sha256
    assert remap(replace(call, idempotency_key="stolen"), entry).idempotency_key == call.idempotency_key


@pytest.mark.parametrize("change", [{"step": Step.COMPENSATE}, {"refusal": Refusal(code="MAPPING_FAILED", message="x")}])
def test_only_a_call_of_the_execute_step_can_be_mapped_again(change: dict[str, Any]) -> None:
    call = replace(map_intent(make_validated(), make_action_type()), **change)

    with pytest.raises(MappingError):
        remap(call, make_action_type())


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="."), min_size=1, max_size=8)
JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(-1e6, 1e6)
    | st.text(st.characters(codec="utf-8"), max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)


@given(parameters=st.dictionaries(NAMES, JSON_VALUES, max_size=4), entity_id=st.text(st.characters(codec="utf-8"), min_size=1, max_size=12))
def test_the_same_intent_and_version_give_the_same_bytes_from_json_and_from_avro(parameters: dict[str, Any], entity_id: str) -> None:
    rules = (MappingRule(argument="all", source="parameters"), MappingRule(argument="id", source="target.entity_id", transform="UPPERCASE"))
    entry = make_action_type(parameter_mapping=rules, arguments_schema=ANYTHING)
    intent = make_intent(parameters=canonical_json(parameters).decode(), target=Target(entity_type="Account", entity_id=entity_id))

    by_avro = map_intent(make_validated(codec.decode(type(intent), codec.encode(intent))), entry)
    by_json = map_intent(make_validated(codec.decode(type(intent), codec.encode_json(intent))), entry)

    assert codec.encode(by_avro) == codec.encode(by_json)
    assert remap(by_avro, entry) == by_avro


@given(parameters=st.dictionaries(NAMES, JSON_VALUES, max_size=4))
def test_the_order_of_parameters_changes_nothing(parameters: dict[str, Any]) -> None:
    entry = make_action_type(parameter_mapping=(MappingRule(argument="all", source="parameters"),), arguments_schema=ANYTHING)
    backwards = dict(reversed(parameters.items()))

    one = map_intent(make_validated(make_intent(parameters=json.dumps(parameters))), entry)
    other = map_intent(make_validated(make_intent(parameters=json.dumps(backwards))), entry)

    assert one.request_digest == other.request_digest
    assert one.arguments == other.arguments
