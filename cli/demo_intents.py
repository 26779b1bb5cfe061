"""What the demo publishes: a mixed set of intents, the trouble that awaits some of them, and how each must end."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from enact.records import Approval, ApprovalSource, ApprovedIntent, Status, Target

ACCOUNT = "account-1"
LIFETIME_S = 3_600


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One intent of the demo. `trouble` is a rule for the sandbox (`connectors.sandbox.modes.Rule`).

    `code` None: any. `calls` and `made`: how many writes for it must have reached the sandbox, and how many objects
    they must have made there.
    """

    title: str
    intent: ApprovedIntent
    end: Status
    code: str | None = None
    through: tuple[Status, ...] = ()
    calls: int = 0
    made: int = 0
    copies: int = 1
    trouble: Mapping[str, Any] = field(default_factory=dict)
    is_published_while_stopped: bool = False
    is_cancelled: bool = False

    @property
    def id(self) -> str:
        """Its action_intent_id."""
        return self.intent.action_intent_id


def scenarios(now_s: int) -> tuple[Scenario, ...]:
    """All of them, in the order in which they are shown; `now_s` in epoch seconds."""
    return (*_that_just_work(now_s), *_that_may_not_run(now_s), *_in_trouble(now_s), *_that_are_stopped(now_s))


def intent(
    now_s: int, name: str, action_type: str, parameters: Mapping[str, Any], *, tenant: str = "acme", **changes: Any
) -> ApprovedIntent:
    """An approved intent as an upstream service would publish it."""
    fields: dict[str, Any] = {
        "action_intent_id": f"demo-{name}",
        "tenant_id": tenant,
        "account_id": ACCOUNT,
        "action_type": action_type,
        "target": Target(entity_type="Account", entity_id="001Sb000000001A"),
        "parameters": json.dumps(parameters),
        "expires_at_epoch": now_s + LIFETIME_S,
        "status": "APPROVED",
        "approval": Approval(
            source=ApprovalSource.HUMAN, approved_by=f"kim@{tenant}.example", approved_at=now_s - 60, decision_id="demo", proposal_id="demo"
        ),
        "decision_trace_id": "demo",
    }
    return ApprovedIntent(**(fields | changes))


def _that_just_work(now_s: int) -> tuple[Scenario, ...]:
    note = intent(now_s, "note", "CREATE_INTERNAL_NOTE", {"title": "Renewal due in spring"})
    todo = intent(now_s, "todo", "CREATE_INTERNAL_TASK", {"title": "Prepare the offer", "assignee": "lee"}, tenant="globex")
    calls = {"acme": "Call Kim", "globex": "Call Lee", "initech": "Call Bo"}
    tasks = {tenant: intent(now_s, f"crm-{tenant}", "CREATE_CRM_TASK", {"subject": text}, tenant=tenant) for tenant, text in calls.items()}
    deal = {"name": "Two more seats", "stage_name": "Prospecting", "close_date": "2030-03-31", "amount": 2400}
    brief = intent(now_s, "brief", "ATTACH_BRIEF", {"title": "Before the call", "body": "Kim wants two seats more."})
    seats = intent(now_s, "seats", "CREATE_OPPORTUNITY", deal)
    industry = intent(now_s, "field", "UPDATE_CRM_FIELD", {"field": "Industry", "value": "Energy"})
    thrice = intent(now_s, "thrice", "CREATE_CRM_TASK", {"subject": "Send the contract"})
    return (
        Scenario(title="a note inside enact", intent=note, end=Status.SUCCEEDED),
        Scenario(title="a task inside enact", intent=todo, end=Status.SUCCEEDED),
        Scenario(title="a brief inside enact", intent=brief, end=Status.SUCCEEDED),
        Scenario(title="an opportunity in the CRM", intent=seats, end=Status.SUCCEEDED, calls=1, made=1),
        Scenario(title="a field of a CRM account", intent=industry, end=Status.SUCCEEDED, calls=1),
        *(Scenario(title=f"a CRM task for {name}", intent=one, end=Status.SUCCEEDED, calls=1, made=1) for name, one in tasks.items()),
        Scenario(title="one, published 3 times", intent=thrice, copies=3, end=Status.SUCCEEDED, calls=1, made=1),
    )


def _that_may_not_run(now_s: int) -> tuple[Scenario, ...]:
    def task(name: str, **changes: Any) -> ApprovedIntent:
        return intent(now_s, name, "CREATE_CRM_TASK", {"subject": f"Never made: {name}"}, **changes)

    incomplete = intent(now_s, "incomplete", "CREATE_CRM_TASK", {"priority": "High"})
    unknown = intent(now_s, "unknown", "LAUNCH_ROCKET", {"to": "the moon"})
    return (
        Scenario(title="a parameter is missing", intent=incomplete, end=Status.FAILED, code="PARAMETERS_INVALID"),
        Scenario(title="not approved", intent=task("unapproved", status="PENDING"), end=Status.FAILED, code="NOT_APPROVED"),
        Scenario(title="comes too late", intent=task("late", expires_at_epoch=now_s - 60), end=Status.EXPIRED, code="DEADLINE_PASSED"),
        Scenario(title="an unknown action type", intent=unknown, end=Status.FAILED, code="UNKNOWN_ACTION_TYPE"),
    )


def _in_trouble(now_s: int) -> tuple[Scenario, ...]:
    refused, down, lost = "Refuse me", "Try again later", "Lose my answer"
    return (
        Scenario(
            title="the CRM refuses it",
            intent=intent(now_s, "refused", "CREATE_CRM_TASK", {"subject": refused}, tenant="globex"),
            trouble={"behaviour": "reject", "subject": refused},
            end=Status.FAILED,
            code="TOOL_REJECTED",
            calls=1,
        ),
        Scenario(
            title="the CRM is down for 2 calls",
            intent=intent(now_s, "down", "CREATE_CRM_TASK", {"subject": down}, tenant="initech"),
            trouble={"behaviour": "fail_before", "status": 503, "subject": down, "count": 2},
            end=Status.SUCCEEDED,
            through=(Status.RETRYING,),
            calls=3,
            made=1,
        ),
        Scenario(
            title="done, but the answer is lost",
            intent=intent(now_s, "lost", "CREATE_CRM_TASK", {"subject": lost}),
            trouble={"behaviour": "drop_after", "subject": lost, "count": 1},
            end=Status.SUCCEEDED,
            through=(Status.RETRYING,),
            calls=2,
            made=1,
        ),
        Scenario(
            title="lost, and no way to ask",
            intent=intent(now_s, "doubt", "SANDBOX_FIRE_ONCE", {"label": "Send the parcel"}),
            trouble={"behaviour": "drop_after", "subject": "Send the parcel", "count": 1},
            end=Status.IN_DOUBT,
            calls=1,
            made=1,
        ),
    )


def _that_are_stopped(now_s: int) -> tuple[Scenario, ...]:
    waits = intent(now_s, "held", "CREATE_CRM_TASK", {"subject": "Wait for the release"}, tenant="globex")
    cancelled = intent(now_s, "cancelled", "CREATE_CRM_TASK", {"subject": "Changed my mind"}, tenant="initech")
    return (
        Scenario(
            title="stopped, and released",
            intent=waits,
            end=Status.SUCCEEDED,
            through=(Status.HELD,),
            calls=1,
            made=1,
            is_published_while_stopped=True,
        ),
        Scenario(
            title="stopped, and cancelled",
            intent=cancelled,
            end=Status.CANCELLED,
            through=(Status.HELD,),
            is_published_while_stopped=True,
            is_cancelled=True,
        ),
    )
