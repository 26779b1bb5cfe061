import json

import pytest
from msgspec.structs import replace

from enact import ids
from enact.errors import ErrorCode
from enact.intent_text import intent_json
from enact.mapping import map_intent
from enact.records import ToolCall
from enact.records.enums import ApprovalSource
from enact.records.intent import ApprovedIntent, ExecutionPolicy
from enact.records.tool_call import EffectClass
from services.invocation.gate import End, Wait
from services.invocation.request_check import RequestCheck
from tests.factories import make_action_type, make_approval, make_intent, make_registry, make_validated


def make_call() -> ToolCall:
    return map_intent(make_validated(), make_action_type())


def code_for(call: ToolCall) -> ErrorCode | None:
    answer = RequestCheck(make_registry).ask(call)
    assert answer is None or isinstance(answer, End)
    return answer.code if answer else None


def test_a_call_that_is_what_was_approved_passes() -> None:
    assert code_for(make_call()) is None


def respelled() -> dict[str, str]:
    text = make_call().intent
    tree = json.loads(text)
    return {
        "with spaces": json.dumps(tree, sort_keys=True),
        "in another order": json.dumps(dict(reversed(tree.items())), separators=(",", ":")),
        "with an escape that need not be": text.replace("Call Kim", "\\u0043all Kim"),
        "with a field left out": text.replace('"registry_version":null,', ""),
        "with a space in the parameters": text.replace('"subject":', '"subject": '),
        "with the parameters as text": text.replace('{"subject":"Call Kim"}', json.dumps('{"subject":"Call Kim"}')),
        "with a field twice": text.replace('"status":', '"status":"APPROVED","status":'),
        "with a parameter twice": text.replace('"subject":', '"subject":"Call Kim","subject":'),
        "with an unknown field": text.replace('"status":', '"status":"APPROVED","state":'),
        "cut short": text[:-1],
        "empty": "",
    }


@pytest.mark.parametrize("how", list(respelled()))
def test_an_intent_that_is_not_its_canonical_text_is_drift(how: str) -> None:
    assert code_for(replace(make_call(), intent=respelled()[how])) is ErrorCode.REQUEST_DRIFT


@pytest.mark.parametrize(
    "other",
    [
        make_intent(parameters='{"subject":"Pay Kim"}'),
        make_intent(tenant_id="other"),
        make_intent(account_id="other"),
        make_intent(expires_at_epoch=make_intent().expires_at_epoch + 1),
        make_intent(execution_policy=ExecutionPolicy(max_attempts=1)),
        make_intent(registry_version=1),
    ],
)
def test_another_intent_than_the_digest_names_is_drift_also_in_canonical_form(other: ApprovedIntent) -> None:
    assert code_for(replace(make_call(), intent=intent_json(other))) is ErrorCode.REQUEST_DRIFT


@pytest.mark.parametrize(
    "change",
    [
        {"arguments": '{"subject":"Pay Kim"}'},
        {"request_digest": "0" * 64},
        {"intent_sha256": "0" * 64},
        {"idempotency_key": ids.idempotency_key("acme", "int-2", make_call().step)},
        {"timeout_ms": 1},
        {"max_attempts": 99},
        {"effect_class": EffectClass(kind=make_action_type().effect_class.kind)},
        {"expires_at_epoch": 1},
        {"connector": "calendar"},
    ],
)
def test_a_call_that_its_intent_does_not_give_is_drift(change: dict[str, object]) -> None:
    assert code_for(replace(make_call(), **change)) is ErrorCode.REQUEST_DRIFT


@pytest.mark.parametrize("approval", [make_approval(approved_by=" "), make_approval(source=ApprovalSource.UNKNOWN)])
def test_an_intent_that_nobody_approved_is_refused_as_such(approval: object) -> None:
    intent = intent_json(make_intent(approval=approval))

    assert code_for(replace(make_call(), intent=intent)) is ErrorCode.APPROVAL_INVALID


def test_an_entry_that_was_not_read_yet_is_waited_for() -> None:
    assert isinstance(RequestCheck(make_registry).ask(replace(make_call(), registry_version=7)), Wait)
