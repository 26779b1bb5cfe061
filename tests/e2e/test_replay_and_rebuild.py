"""Rewound groups and lost local state: no call is made again, and everybody still says the same."""

import shutil

from enact.records import ApprovedIntent, Status
from tests.e2e.checker import violations
from tests.e2e.conftest import MakeWorld
from tests.e2e.intents import TENANTS, make_intent
from tests.e2e.world import STAGES_WITH_GROUPS, World

INTENTS = 60


def _run_some(world: World) -> list[ApprovedIntent]:
    kinds = ("CREATE_CRM_TASK", "CREATE_INTERNAL_NOTE")
    intents = [make_intent(n, kinds[n % 2], tenant_id=TENANTS[n % 3]) for n in range(INTENTS)]
    world.publish(intents)
    outcomes = world.wait_for_outcomes(INTENTS, 60)
    assert {o.status for o in outcomes.values()} == {Status.SUCCEEDED}
    world.wait_for_quiet()
    return intents


def test_groups_rewound_one_by_one_and_together_make_no_call_and_change_no_outcome(make_world: MakeWorld) -> None:
    world = make_world()
    intents = _run_some(world)
    before = world.outcomes()
    receipts = len(world.receipts())
    ledger, signals = set(world.ledger()), set(world.signals())

    for stages in [*((name,) for name in STAGES_WITH_GROUPS), STAGES_WITH_GROUPS]:
        world.stop()
        world.reset_to_beginning(stages)
        world.start()
        world.wait_for_quiet()

        assert len(world.receipts()) == receipts, f"{stages} rewound: calls were made"
        assert world.outcomes() == before, f"{stages} rewound: outcomes changed"
        assert set(world.ledger()) == ledger
        assert set(world.signals()) == signals
    assert violations(world, intents) == []


def test_deleted_local_state_is_rebuilt_from_the_topics_with_the_same_answers(make_world: MakeWorld) -> None:
    world = make_world()
    intents = _run_some(world)
    before, receipts = world.outcomes(), len(world.receipts())

    world.stop()
    shutil.rmtree(world.data_dir / "stages")
    shutil.rmtree(world.data_dir / "api")
    world.start()
    world.publish(intents)
    world.wait_for_quiet()

    assert world.outcomes() == before
    assert len(world.receipts()) == receipts
