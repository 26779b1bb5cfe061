"""Rewound groups and lost local state: no call is made again, and everybody still says the same."""

import shutil
from datetime import UTC, datetime
from typing import Any

import pytest

from cli.exit_codes import Exit
from enact.records import ApprovedIntent, Status
from tests.e2e.checker import violations
from tests.e2e.command import Enact
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


def _enact(world: World) -> Enact:
    """The command line of this world."""
    return Enact(
        world.data_dir,
        ENACT_KAFKA__BOOTSTRAP_SERVERS=world.platform.kafka.require_bootstrap_servers(),
        ENACT_TOPIC_PREFIX=world.settings.topic_prefix,
    )


def _replay(world: World, stage: str, *arguments: str) -> Any:
    return _enact(world).ask("replay", stage, *(arguments or ("--from-beginning",)))


@pytest.mark.timeout(300)
def test_groups_rewound_one_by_one_and_together_make_no_call_and_change_no_outcome(make_world: MakeWorld) -> None:
    world = make_world()
    intents = _run_some(world)
    before = world.outcomes()
    receipts = len(world.receipts())
    ledger, signals = set(world.ledger()), set(world.signals())

    for stages in [*((name,) for name in STAGES_WITH_GROUPS), STAGES_WITH_GROUPS]:
        world.stop()
        for stage in stages:
            moved = _replay(world, stage)
            assert sum(one["read_again"] for one in moved["partitions"]) >= INTENTS
        world.start()
        world.wait_for_quiet()

        assert len(world.receipts()) == receipts, f"{stages} rewound: calls were made"
        assert world.outcomes() == before, f"{stages} rewound: outcomes changed"
        assert set(world.ledger()) == ledger
        assert set(world.signals()) == signals
    assert violations(world, intents) == []


def test_a_live_group_is_refused_and_a_dry_run_says_what_a_replay_would_meet(make_world: MakeWorld) -> None:
    world = make_world()
    enact = _enact(world)
    began = datetime.now(UTC).isoformat()
    _run_some(world)
    receipts = len(world.receipts())

    told = enact.ask("replay", "invocation", "--from-beginning", exit_code=Exit.REFUSED)
    assert "--without invocation" in told["message"]
    world.stop()
    for stage, words in (("invocation", {"ended": INTENTS}), ("validation", {"admitted": INTENTS}), ("recording", {})):
        dry = _replay(world, stage, "--from-timestamp", began, "--dry-run")
        assert dry["executions"] == words
        assert all(one["reads_from"] == one["log_start"] for one in dry["partitions"])
    calls = [one for one in _replay(world, "invocation", "--from-beginning", "--dry-run")["partitions"] if "tool-calls" in one["topic"]]
    assert sum(one["read_again"] for one in calls) == INTENTS
    assert all(one["committed"] == one["log_end"] for one in calls), "a dry run moved something"
    beyond = calls[0]["log_end"] + 1
    _enact(world).ask("replay", "invocation", "--from-offset", f"0:{beyond}", "--topic", "tool-calls", exit_code=Exit.REFUSED)
    world.start()
    world.wait_for_quiet()

    assert len(world.receipts()) == receipts


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
