"""Two instances of every stage, every intent three times, shuffled: one outcome, one object, one receipt, one signal each."""

import random
from collections import Counter

from enact.records import Status
from tests.e2e.checker import incomplete_ledgers, violations
from tests.e2e.conftest import MakeWorld
from tests.e2e.intents import TENANTS, make_intent

INTENTS = 2_000


def test_intents_published_three_times_have_one_effect_each(make_world: MakeWorld) -> None:
    world = make_world(instances=2)
    intents = [make_intent(n, tenant_id=TENANTS[n % 3]) for n in range(INTENTS)]
    copies = intents * 3
    random.Random(7).shuffle(copies)

    world.publish(copies)
    outcomes = world.wait_for_outcomes(INTENTS, 240)
    world.wait_for_quiet()

    assert {o.status for o in outcomes.values()} == {Status.SUCCEEDED}
    assert len(outcomes) == INTENTS
    assert len(world.receipts()) == INTENTS
    assert len(world.sandbox.objects(object_type="Task")) == INTENTS
    assert Counter(a["operation"] for a in world.sandbox.applications()) == {"create": INTENTS}
    assert len(world.signals()) == INTENTS
    assert violations(world, intents) == []
    assert incomplete_ledgers(world, intents) == {}
