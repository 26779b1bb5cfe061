"""What upstreams publish in a run, from a seed: every effect class, several tenants, good and bad intents, some twice."""

import random
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from enact.records import ApprovedIntent, Target
from tests.approvals import Pair
from tests.e2e.intents import TENANTS, make_intent
from tests.hostile.approvals import HOSTILE_APPROVALS

SHARES = {
    "CREATE_CRM_TASK": 24,
    "CREATE_INTERNAL_NOTE": 16,
    "SANDBOX_FIRE_ONCE": 14,
    "SANDBOX_FIRE_NAMED": 14,
    "SANDBOX_FIRE_KEYED": 12,
    "CREATE_OPPORTUNITY": 8,
    "CREATE_INTERNAL_TASK": 6,
    "UPDATE_CRM_FIELD": 6,
}
"""How often an intent asks for what: in this order UPSERT, IDEMPOTENT, NONE, LOOKUP, IDEMPOTENT, UPSERT, IDEMPOTENT, UPSERT."""
FORGERIES = tuple(hostile for hostile in HOSTILE_APPROVALS if hostile.name != "not signed at all")
"""Signed approvals that must not count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """One publication: what, when (seconds into the run), and whether its approval is worth anything."""

    at_s: float
    intent: ApprovedIntent
    is_approved: bool = True


def plan_traffic(chosen: random.Random, pair: Pair, *, count: int, over_s: float, run: str) -> list[Planned]:
    """`count` intents spread over `over_s` seconds, and one in ten of them again later; in order of time.

    Stages trust the key pair: good approvals are signed with it or not signed at all, as the development profile allows.
    """
    planned: list[Planned] = []
    for number in range(count):
        one = _one(chosen, pair, f"{run}-{number}", at_s=chosen.uniform(0, over_s))
        planned.append(one)
        if chosen.random() < 0.1:
            planned += [replace(one, at_s=min(one.at_s + chosen.uniform(0, 10), over_s)) for _ in range(chosen.choice((1, 1, 2)))]
    return sorted(planned, key=lambda one: one.at_s)


def _one(chosen: random.Random, pair: Pair, name: str, *, at_s: float) -> Planned:
    action_type = chosen.choices(list(SHARES), list(SHARES.values()))[0]
    tenant_id = chosen.choice(TENANTS)
    more: dict[str, Any] = _particulars(chosen, action_type, name)
    fate, is_signed = chosen.random(), chosen.random() < 0.5
    if fate < 0.05:
        more["lifetime_s"], is_signed = round(at_s) + chosen.randint(2, 12), False
    elif fate < 0.07:
        more["parameters_"] = {"nothing": "that the action type knows"}
    intent = make_intent(name, action_type, tenant_id=tenant_id, **more)
    if 0.07 <= fate < 0.12:
        of_acme = msgspec.structs.replace(intent, tenant_id="acme")  # whose approvals the table of forgeries is about
        return Planned(at_s=at_s, intent=_unapproved(chosen, pair, of_acme), is_approved=False)
    return Planned(at_s=at_s, intent=pair.approve(intent) if is_signed else intent)


def _unapproved(chosen: random.Random, pair: Pair, intent: ApprovedIntent) -> ApprovedIntent:
    """The same, asked for by somebody who may not."""
    approval = intent.approval
    if chosen.random() < 0.7:
        return chosen.choice(FORGERIES).make(pair, intent)
    return chosen.choice(
        (
            msgspec.structs.replace(intent, status="PROPOSED"),
            msgspec.structs.replace(intent, status="REJECTED"),
            msgspec.structs.replace(intent, approval=msgspec.structs.replace(approval, approved_by="")),
            msgspec.structs.replace(intent, approval=msgspec.structs.replace(approval, decision_id="")),
        )
    )


def _particulars(chosen: random.Random, action_type: str, name: str) -> dict[str, Any]:
    match action_type:
        case "CREATE_OPPORTUNITY":
            deal = {"name": f"Deal {name}", "stage_name": "Prospecting", "close_date": "2027-03-01", "amount": chosen.randint(1, 9) * 1000}
            return {"parameters_": deal}
        case "SANDBOX_FIRE_NAMED" | "SANDBOX_FIRE_KEYED":
            return {"parameters_": {"label": f"fire {name}"}}
        case "CREATE_INTERNAL_TASK":
            return {"parameters_": {"title": f"Task {name}"}}
        case "UPDATE_CRM_FIELD":
            return {
                "target": Target(entity_type="Account", entity_id="001Sb000000001A"),
                "parameters_": {"field": "Website", "value": f"https://{name}.example"},
            }
        case _:
            return {}
