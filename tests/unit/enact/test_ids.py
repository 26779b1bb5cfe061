"""Ids and digests are functions of what they stand for, and of nothing else."""

import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enact import ids
from enact.canonical import canonical_json
from enact.errors import ErrorCode, ValidationError
from enact.intent_text import intent_from_json, intent_json
from enact.records import Approval, ApprovalSource, ApprovedIntent, ExecutionPolicy, LedgerType, NotificationKind, SignalType, Step, Target
from enact.records.codec import decode, encode, encode_json
from tests.unit.enact.records.factories import an_intent, an_intent_tree
from tests.unit.enact.records.strategies import TEXTS, records


@given(st.lists(TEXTS, max_size=5))
def test_a_key_gives_back_its_parts(parts: list[str]) -> None:
    assert ids.parts_of(ids.key_of(*parts)) == tuple(parts)


def test_keys_show_length_and_text_of_each_part() -> None:
    assert ids.key_of("acme", "int-1", "é") == b"4:acme5:int-12:\xc3\xa9"


def test_parts_cannot_be_shifted_into_each_other() -> None:
    assert ids.key_of("a", "bc") != ids.key_of("ab", "c")
    assert ids.key_of("4:acme") != ids.key_of("acme")


@pytest.mark.parametrize("key", [b"acme", b"5:acme", b"04:acme", b"4:acmex", b"-1:", b":a", b"2:\xff\xff", b"99999999999:a", b"1\n:a"])
def test_a_key_made_by_nobody_is_refused(key: bytes) -> None:
    with pytest.raises(ValidationError) as caught:
        ids.parts_of(key)

    assert caught.value.code is ErrorCode.KEY_MISMATCH


@given(st.binary(max_size=30))
def test_bytes_are_a_key_only_if_they_are_the_key_of_their_parts(key: bytes) -> None:
    try:
        parts = ids.parts_of(key)
    except ValidationError:
        return

    assert ids.key_of(*parts) == key


def test_half_of_a_surrogate_pair_makes_no_key() -> None:
    with pytest.raises(ValidationError):
        ids.key_of("\ud800")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A.b_c:d-9", True),
        ("x" * 128, True),
        ("x" * 129, False),
        ("", False),
        ("a b", False),
        ("a\n", False),
        ("é", False),
        (".", False),
        ("..", False),
        ("...", True),
        (".a", True),
    ],
)
def test_an_id_is_1_to_128_plain_characters(text: str, expected: bool) -> None:
    assert ids.is_id(text) is expected


def test_the_intent_digest_is_the_sha256_of_the_array_in_the_design() -> None:
    intent = an_intent(registry_version=7)

    digest = ids.intent_sha256(intent)

    array = [
        "acme",
        "acc-1",
        "CREATE_CRM_TASK",
        {"entity_type": "OPPORTUNITY", "entity_id": "006A"},
        {"due": "2026-12-01", "subject": "Call Zoë"},
        1_790_000_000,
        7,
        {"max_attempts": 2, "timeout_seconds": None},
    ]
    assert digest == hashlib.sha256(canonical_json(array)).hexdigest()
    assert digest == "a5af6b102187eb61921f277d765ed75abc8f88053d26055ce21c8d02065cd62a"


def test_json_and_avro_of_one_intent_give_the_same_digest() -> None:
    spaced = '{ "subject" : "Call Zo\\u00eb",\n "due" : "2026-12-01" }'
    forms = [
        canonical_json(an_intent_tree()),
        canonical_json(an_intent_tree(parameters=spaced)),
        encode(an_intent()),
        encode(an_intent(parameters=spaced)),
        encode_json(an_intent()),
    ]

    digests = {ids.intent_sha256(decode(ApprovedIntent, form)) for form in forms}

    assert digests == {ids.intent_sha256(an_intent())}


@given(records(ApprovedIntent))
def test_the_digest_survives_every_form(intent: ApprovedIntent) -> None:
    assert ids.intent_sha256(decode(ApprovedIntent, encode(intent))) == ids.intent_sha256(intent)
    assert ids.intent_sha256(decode(ApprovedIntent, encode_json(intent))) == ids.intent_sha256(intent)
    assert intent_from_json(intent_json(intent)) == intent


@pytest.mark.parametrize(
    "changes",
    [
        {"tenant_id": "other"},
        {"account_id": "other"},
        {"action_type": "OTHER"},
        {"target": Target(entity_type="OPPORTUNITY", entity_id="other")},
        {"parameters": '{"subject":"other"}'},
        {"expires_at_epoch": 1},
        {"registry_version": 1},
        {"execution_policy": None},
        {"execution_policy": ExecutionPolicy(max_attempts=3)},
    ],
)
def test_every_approved_field_changes_the_digest(changes: dict[str, Any]) -> None:
    assert ids.intent_sha256(an_intent(**changes)) != ids.intent_sha256(an_intent())


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "WITHDRAWN"},
        {"decision_trace_id": "other"},
        {"edited_fields": ("subject",)},
        {"approval": Approval(source=ApprovalSource.POLICY, approved_by="p", approved_at=1, decision_id="d", proposal_id="p")},
    ],
)
def test_what_is_said_about_the_approval_does_not_change_the_digest(changes: dict[str, Any]) -> None:
    assert ids.intent_sha256(an_intent(**changes)) == ids.intent_sha256(an_intent())


def test_a_digest_of_broken_parameters_is_refused() -> None:
    with pytest.raises(ValidationError) as caught:
        ids.intent_sha256(an_intent(parameters="{"))

    assert caught.value.code is ErrorCode.PARAMETERS_INVALID


def test_the_idempotency_key_depends_on_tenant_id_and_step_alone() -> None:
    key = ids.idempotency_key("acme", "int-1", Step.EXECUTE)

    assert key == hashlib.sha256(b'["acme","int-1","execute"]').hexdigest()
    assert key != ids.idempotency_key("acme", "int-1", Step.COMPENSATE)


def test_the_request_digest_is_the_same_for_text_and_value() -> None:
    digest = ids.request_digest("crm.create_task", 3, {"b": 1, "a": [2.0]})

    assert digest == ids.request_digest("crm.create_task", 3, '{"a": [2], "b": 1}')
    assert digest != ids.request_digest("crm.create_task", 4, {"b": 1, "a": [2.0]})
    assert digest != ids.request_digest("crm.update_field", 3, {"b": 1, "a": [2.0]})


def test_derived_ids_are_stable_and_differ_where_their_parts_do() -> None:
    entry = ids.entry_id("acme", "int-1", 1, LedgerType.ATTEMPT_CLAIMED, Step.EXECUTE, 1, "e-1")
    others = {
        ids.entry_id("acme", "int-1", 2, LedgerType.ATTEMPT_CLAIMED, Step.EXECUTE, 1, "e-1"),
        ids.entry_id("acme", "int-1", 1, LedgerType.ATTEMPT_CONCLUDED, Step.EXECUTE, 1, "e-1"),
        ids.entry_id("acme", "int-1", 1, LedgerType.ATTEMPT_CLAIMED, None, None, "e-1"),
        ids.entry_id("acme", "int-1", 1, LedgerType.ATTEMPT_CLAIMED, Step.EXECUTE, 1, "e-2"),
        ids.signal_id("acme", "acc-1", "int-1", 1, SignalType.ACTION_EXECUTED),
        ids.signal_id("acme", "acc-1", "int-1", 1, SignalType.ACTION_FAILED),
        ids.notification_id("acme", "int-1", NotificationKind.HELD, "e-1"),
        ids.notification_id("acme", None, NotificationKind.HELD, "e-1"),
    }

    assert entry == ids.entry_id("acme", "int-1", 1, LedgerType.ATTEMPT_CLAIMED, Step.EXECUTE, 1, "e-1")
    assert len(others) == 8
    assert entry not in others


def test_execution_id_and_trace_id_need_nobody_to_be_asked() -> None:
    assert ids.execution_id("int-1") == "exec-int-1"
    assert len(bytes.fromhex(ids.execution_trace_id("acme", "int-1"))) == 16
    assert ids.execution_trace_id("acme", "int-1") != ids.execution_trace_id("acme", "int-2")


def test_an_intent_text_that_cannot_be_encoded_is_refused() -> None:
    with pytest.raises(ValidationError) as caught:
        intent_from_json('{"a":"\ud800"}')

    assert caught.value.code is ErrorCode.MALFORMED_RECORD
