import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from enact import ids
from enact.clock import ManualClock
from enact.errors import ErrorCode
from enact.intent_text import intent_json
from enact.mapping import map_intent
from enact.records import Compensation, CompensationStrategy, Step, ToolCall
from enact.records.enums import ApprovalSource
from enact.records.intent import ApprovedIntent, ExecutionPolicy
from enact.records.tool_call import EffectClass
from services.invocation.gate import End, Wait
from services.invocation.request_check import RequestCheck
from tests.approvals import Pair, Production
from tests.factories import NOW_MS, make_action_type, make_approval, make_intent, make_registry, make_validated
from tests.hostile.approvals import HOSTILE_APPROVALS, HostileApproval, hostile_intent


def make_call() -> ToolCall:
    return map_intent(make_validated(), make_action_type())


def code_for(call: ToolCall) -> ErrorCode | None:
    answer = RequestCheck(make_registry, ManualClock()).ask(call)
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


class Signed:
    """The production profile: a key pair, and the check that knows its public half."""

    def __init__(self, folder: Path) -> None:
        self.clock = ManualClock(NOW_MS)
        production = Production(folder, self.clock)
        self.pair, self._check = production.pair, RequestCheck(make_registry, self.clock, production.rules)

    def code_for(self, call: ToolCall) -> ErrorCode | None:
        answer = self._check.ask(call)
        assert answer is None or isinstance(answer, End)
        return answer.code if answer else None


@pytest.fixture
def signed(tmp_path: Path) -> Signed:
    return Signed(tmp_path)


def forged(intent: ApprovedIntent, step: Step = Step.EXECUTE, **changes: object) -> ToolCall:
    """A call that fits its intent in everything, as somebody would write it who knows how."""
    call = map_intent(make_validated(intent), make_action_type())
    return replace(call, step=step, **changes)


def undoing(intent: ApprovedIntent, **changes: object) -> ToolCall:
    return forged(intent, Step.COMPENSATE, tool_name="crm.delete_task", arguments='{"object_id":"00T1"}', **changes)


def test_a_call_with_its_signed_approval_passes(signed: Signed) -> None:
    assert signed.code_for(forged(signed.pair.approve(make_intent()))) is None


@pytest.mark.parametrize("row", HOSTILE_APPROVALS, ids=lambda row: row.name)
def test_a_call_that_was_forged_with_a_hostile_approval_is_refused(signed: Signed, row: HostileApproval) -> None:
    assert signed.code_for(forged(hostile_intent(row, signed.pair))) is ErrorCode.APPROVAL_INVALID


def test_a_good_approval_in_a_call_with_other_arguments_is_drift(signed: Signed) -> None:
    call = forged(signed.pair.approve(make_intent()), arguments='{"priority":"Normal","related_id":"001A","subject":"Pay Kim"}')

    assert signed.code_for(call) is ErrorCode.REQUEST_DRIFT


def test_the_digest_that_a_call_brings_along_is_not_believed(signed: Signed) -> None:
    approved = signed.pair.approve(make_intent())
    changed = replace(approved, parameters='{"subject":"Pay Kim"}')

    assert signed.code_for(forged(changed, intent_sha256=ids.intent_sha256(approved))) is ErrorCode.APPROVAL_INVALID


def test_a_call_that_was_held_past_the_end_of_its_approval_is_refused(signed: Signed) -> None:
    call = forged(signed.pair.approve(make_intent()))
    in_time = signed.code_for(call)

    signed.clock.advance(605)

    assert in_time is None
    assert signed.code_for(call) is ErrorCode.APPROVAL_INVALID


def test_undoing_is_covered_by_the_approval_of_what_is_undone_also_when_that_is_over(signed: Signed) -> None:
    call = undoing(signed.pair.approve(make_intent()))

    signed.clock.advance(100_000)

    assert signed.code_for(call) is None


@pytest.mark.parametrize(
    "change",
    [
        {"tool_name": "crm.create_task"},
        {"tool_name": "crm.delete_account"},
        {"connector": "calendar"},
        {"action_intent_id": "int-2"},
        {"tenant_id": "globex"},
    ],
)
def test_undoing_by_another_tool_or_for_another_intent_is_drift(signed: Signed, change: dict[str, object]) -> None:
    approved = signed.pair.approve(make_intent())

    assert signed.code_for(replace(undoing(approved), **change)) is ErrorCode.REQUEST_DRIFT


def test_undoing_what_cannot_be_undone_is_drift() -> None:
    entry = make_action_type(compensation=Compensation(strategy=CompensationStrategy.NONE, tool_name="crm.delete_task"))

    answer = RequestCheck(lambda: make_registry(entry), ManualClock()).ask(undoing(make_intent()))

    assert isinstance(answer, End)
    assert answer.code is ErrorCode.REQUEST_DRIFT


def test_undoing_what_nobody_approved_is_refused(signed: Signed) -> None:
    assert signed.code_for(undoing(Pair().approve(make_intent()))) is ErrorCode.APPROVAL_INVALID


def test_an_entry_that_was_not_read_yet_is_waited_for() -> None:
    assert isinstance(RequestCheck(make_registry, ManualClock()).ask(replace(make_call(), registry_version=7)), Wait)
