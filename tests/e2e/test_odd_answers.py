"""A system that is too slow, says too much, says it badly or points elsewhere: what each means for the execution, and for the world."""

import json
from dataclasses import dataclass, field
from typing import Any

from enact.ids import idempotency_key
from enact.records import ActionOutcome, ApprovedIntent, ExecutionPolicy, InternalObject, Status, Step, Target
from tests.e2e.checker import violations
from tests.e2e.intents import make_intent
from tests.e2e.world import World

ACCOUNT = "001Sb000000001A"
"""The account of acme that the sandbox has from the beginning."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One intent and the answer that awaits it. `calls`: writes received; `made`: objects that lie there for it at the end."""

    name: str
    action_type: str
    answer: dict[str, Any]
    end: tuple[Status, str | None]
    calls: int
    made: int
    parameters: dict[str, Any] = field(default_factory=dict)
    changes: dict[str, Any] = field(default_factory=dict)

    @property
    def intent(self) -> ApprovedIntent:
        """Ready to be published."""
        named = {"CREATE_CRM_TASK": "subject", "CREATE_OPPORTUNITY": "name", "SANDBOX_FIRE_ONCE": "label"}.get(self.action_type)
        parameters = {**({named: self.name} if named else {}), **self.parameters}
        return make_intent(self.name, self.action_type, parameters_=parameters, **self.changes)

    @property
    def key(self) -> str:
        """What its receipts bear."""
        return idempotency_key("acme", self.intent.action_intent_id, Step.EXECUTE)


DONE, IN_DOUBT, REFUSED = (Status.SUCCEEDED, None), (Status.IN_DOUBT, "OUTCOME_UNKNOWN"), (Status.FAILED, "TOOL_REJECTED")
SHORT = {"execution_policy": ExecutionPolicy(timeout_seconds=2)}
DEAL = {"stage_name": "Prospecting", "close_date": "2030-03-31"}

ROWS = (
    Row(name="slow", action_type="CREATE_CRM_TASK", answer={"behaviour": "slow", "hang_s": 4}, end=DONE, calls=2, made=1, changes=SHORT),
    Row(name="slow-once", action_type="SANDBOX_FIRE_ONCE", answer={"behaviour": "slow", "hang_s": 4}, end=IN_DOUBT, calls=1, made=1,
        changes=SHORT),
    Row(name="huge", action_type="CREATE_OPPORTUNITY", answer={"behaviour": "huge"}, end=DONE, calls=2, made=1, parameters=DEAL),
    Row(name="huge-once", action_type="SANDBOX_FIRE_ONCE", answer={"behaviour": "huge"}, end=IN_DOUBT, calls=1, made=1),
    Row(name="broken", action_type="CREATE_OPPORTUNITY", answer={"behaviour": "broken_json"}, end=DONE, calls=2, made=1, parameters=DEAL),
    Row(name="broken-once", action_type="SANDBOX_FIRE_ONCE", answer={"behaviour": "broken_json"}, end=IN_DOUBT, calls=1, made=1),
    Row(name="moved", action_type="CREATE_CRM_TASK", answer={"behaviour": "redirect"}, end=REFUSED, calls=1, made=0),
    Row(name="moved-once", action_type="SANDBOX_FIRE_ONCE", answer={"behaviour": "redirect", "status": 308}, end=REFUSED, calls=1, made=0),
    Row(name="see-other", action_type="SANDBOX_FIRE_ONCE", answer={"behaviour": "redirect", "status": 303}, end=IN_DOUBT, calls=1, made=0),
)  # fmt: skip
"""Each answer is given once, to the intent whose name it bears."""


TOOLS = {"SANDBOX_FIRE_ONCE": "sandbox.fire_once", "CREATE_CRM_TASK": "crm.create_task", "CREATE_OPPORTUNITY": "crm.create_opportunity"}


def difference(world: World, row: Row, outcome: ActionOutcome) -> str | None:
    """What is not as the row says; None = nothing."""
    calls = world.sandbox.receipts(kind="write", idempotency_key=row.key)
    objects = {application["object_id"] for application in world.sandbox.applications(idempotency_key=row.key)}
    found = (outcome.status, outcome.error_code), len(calls), len(objects)
    return None if found == (row.end, row.calls, row.made) else f"{row.name}: {found}, expected {(row.end, row.calls, row.made)}"


def test_each_odd_answer_has_its_consequence(world: World) -> None:
    for row in ROWS:
        world.sandbox.set_mode(**{**row.answer, "subject": row.name, "tool": TOOLS[row.action_type], "tenant": "acme", "count": 1})
    intents = [row.intent for row in ROWS]

    world.publish(intents)
    outcomes = world.wait_for_outcomes(len(ROWS), 90)
    world.wait_until(lambda: all(receipt["mode"] is not None or receipt["status"] for receipt in world.receipts()), 30, "the slow answers")
    world.wait_for_quiet()

    assert [problem for row in ROWS if (problem := difference(world, row, outcomes["acme", row.intent.action_intent_id]))] == []
    assert {letter.key for letter in world.dead_letters("invocation")} == {b"int-moved", b"int-moved-once"}
    assert violations(world, intents) == []


def test_the_further_action_types_have_one_effect_each_however_often_they_are_published(world: World) -> None:
    target = Target(entity_type="Account", entity_id=ACCOUNT)
    field_ = make_intent("field", "UPDATE_CRM_FIELD", parameters_={"field": "Industry", "value": "Energy"}, target=target)
    deal = make_intent("deal", "CREATE_OPPORTUNITY", parameters_={"name": "Seats", **DEAL, "amount": 2400.5}, target=target)
    brief = make_intent("brief", "ATTACH_BRIEF", parameters_={"title": "Before the call", "body": "Two seats more."}, target=target)
    forbidden = make_intent(
        "owner", "UPDATE_CRM_FIELD", parameters_={"field": "Website", "value": "x"}, target=Target(entity_type="Task", entity_id=ACCOUNT)
    )
    world.sandbox.set_mode("drop_after", object="Account", count=1)

    world.publish([field_, deal, brief, forbidden] * 3)
    outcomes = world.wait_for_outcomes(4, 60)
    world.wait_for_quiet()

    assert [outcomes["acme", one.action_intent_id].status for one in (field_, deal, brief)] == [Status.SUCCEEDED] * 3
    assert outcomes["acme", "int-field"].attempt_count == 2, "the answer was lost, and the value was written again"
    refused = outcomes["acme", "int-owner"]
    assert (refused.status, refused.error_code) == (Status.FAILED, "MAPPING_FAILED")
    assert "arguments.field" in (refused.error_message or "")
    (account,) = world.sandbox.objects(tenant="acme", object_type="Account")
    (opportunity,) = world.sandbox.objects(object_type="Opportunity")
    assert account["fields"]["Industry"] == "Energy"
    assert (opportunity["fields"]["AccountId"], opportunity["fields"]["Amount"]) == (ACCOUNT, 2400.5)
    (kept,) = {one.object_id: one for one in world.records("internal-objects", InternalObject)}.values()
    assert (kept.object_type, kept.object_id) == ("brief", f"brief-{idempotency_key('acme', 'int-brief', Step.EXECUTE)}")
    assert json.loads(kept.fields)["entity_id"] == ACCOUNT
    assert len(world.receipts()) == 3
    assert violations(world, [field_, deal, brief, forbidden]) == []
