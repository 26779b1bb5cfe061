"""What a run is made of follows from its seed alone, is as much as it should be, and stays within its bounds."""

import random

from enact.failpoints import LOOP, Failpoint
from tests.approvals import Pair
from tests.chaos.journal import effect_class_of
from tests.chaos.matrix import ACTIONS, WORLDS, cells
from tests.chaos.plan import AT_MOST, KINDS, Act, plan_acts
from tests.chaos.proxy.faults import Harm
from tests.chaos.traffic import Planned, plan_traffic
from tests.e2e.intents import TENANTS

NAMES = ("invocation.0", "recording.0", "tool_mapping.0", "validation.0")


def acts_of(seed: int) -> list[Act]:
    return plan_acts(random.Random(seed), names=NAMES, over_s=30, count=22)


def traffic_of(seed: int) -> list[Planned]:
    return plan_traffic(random.Random(seed), Pair(), count=520, over_s=28, run="r")


def test_one_seed_plans_one_run_and_another_seed_another() -> None:
    assert acts_of(5) == acts_of(5)
    assert acts_of(5) != acts_of(6)
    assert [(p.at_s, p.intent.action_intent_id) for p in traffic_of(5)] == [(p.at_s, p.intent.action_intent_id) for p in traffic_of(5)]


def test_acts_come_in_order_end_by_themselves_and_stay_within_their_bounds() -> None:
    for seed in range(200):
        acts = acts_of(seed)
        assert [act.at_s for act in acts] == sorted(act.at_s for act in acts)
        assert all(0 <= act.at_s <= 35 and act.for_s <= 9 for act in acts)
        assert all(act.for_s >= 1 for act in acts if act.kind == "stop")
        for kind, most in AT_MOST.items():
            assert sum(act.kind == kind for act in acts) <= most


def test_a_hundred_seeds_use_every_kind_of_act_and_every_harm_upon_every_stage() -> None:
    acts = [act for seed in range(100) for act in acts_of(seed)]

    assert {act.kind for act in acts} == set(KINDS)
    assert {act.fault.harm for act in acts if act.fault is not None} == set(Harm)
    assert {act.target for act in acts if act.kind == "kill"} == set(NAMES)
    assert {act.target for act in acts if act.kind == "clock"} == set(NAMES)
    assert {act.target for act in acts if act.kind == "engage"} >= {"global", *(f"tenant:{tenant}" for tenant in TENANTS)}
    assert any(act.detail["mode"] == "REJECT" for act in acts if act.kind == "engage")


def test_traffic_has_every_effect_class_tenants_duplicates_and_intents_that_must_not_be_fulfilled() -> None:
    planned = traffic_of(1)
    ids = [one.intent.action_intent_id for one in planned]

    assert len(set(ids)) == 520
    assert 540 < len(ids) < 640
    assert {effect_class_of(one.intent.action_type) for one in planned} == {"UPSERT", "IDEMPOTENT", "LOOKUP", "NONE"}
    assert {one.intent.tenant_id for one in planned} == set(TENANTS)
    assert 10 <= len({one.intent.action_intent_id for one in planned if not one.is_approved}) <= 60
    lifetimes_s = {one.intent.expires_at_epoch - one.intent.approval.approved_at for one in planned}
    assert any(lifetime_s < 60 for lifetime_s in lifetimes_s)


def test_a_duplicate_is_the_same_intent_to_the_letter() -> None:
    by_id: dict[str, set[str]] = {}
    for one in traffic_of(2):
        by_id.setdefault(one.intent.action_intent_id, set()).add(repr(one.intent))

    assert {len(forms) for forms in by_id.values()} == {1}


def test_the_matrix_has_every_failpoint_with_every_action_in_every_world() -> None:
    names = [cell.name for cell in cells()]

    assert len(names) == len(set(names)) == len(Failpoint) * len(ACTIONS) * len(WORLDS)
    assert {cell.failpoint for cell in cells()} == set(Failpoint) > set(LOOP)
