"""Processes die, freeze and lose their broker while intents keep coming: nothing is lost, nothing happens twice."""

import os
import random
import signal
import threading
import time
from collections import Counter
from pathlib import Path

from enact.errors import EnactError
from enact.execution import apply, verdict
from enact.execution_state import Execution
from enact.records import ApprovedIntent, ExecutionEvent, Status
from enact.records.codec import decode
from tests.e2e.checker import violations
from tests.e2e.conftest import MakeWorld
from tests.e2e.intents import TENANTS, make_intent
from tests.e2e.world import STAGES_WITH_GROUPS, World

RATE_PER_S = 30
KILLS = 20
KILL_EVERY_S = 3.0


class Upstream:
    """Publishes a steady stream until told to stop."""

    def __init__(self, world: World, *, first: int = 0) -> None:
        self.published: list[ApprovedIntent] = []
        self._world, self._first = world, first
        self._is_ending = False
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ends after the batch in hand is acknowledged."""
        self._is_ending = True
        self._thread.join()

    def _run(self) -> None:
        number = self._first
        while not self._is_ending:
            time.sleep(0.5)
            batch = []
            for _ in range(RATE_PER_S // 2):
                kind = "CREATE_INTERNAL_NOTE" if number % 4 == 0 else "CREATE_CRM_TASK"
                batch.append(make_intent(number, kind, tenant_id=TENANTS[number % 3]))
                number += 1
            self.published += batch
            while not self._try(batch):
                time.sleep(0.5)

    def _try(self, batch: list[ApprovedIntent]) -> bool:
        """An upstream repeats what was not acknowledged, as it would after any outage."""
        try:
            self._world.publish(batch)
        except EnactError:
            return False
        return True


def assert_everything_ended(world: World, published: list[ApprovedIntent], timeout_s: float) -> None:
    """Every execution SUCCEEDED or was stopped by a dead letter; nothing twice; nothing left open in the log."""
    stopped = {record.key or b"" for stage in STAGES_WITH_GROUPS for record in world.dead_letters(stage)}
    expected = [i for i in published if i.action_intent_id.encode() not in stopped]
    outcomes = world.wait_for_outcomes(len(expected), timeout_s)
    world.wait_for_quiet()
    print(f"published {len(published)}, dead letters {sorted(stopped)}, outcomes {Counter(o.status for o in outcomes.values())}")
    assert violations(world, expected) == []
    assert {outcomes[i.tenant_id, i.action_intent_id].status for i in expected} == {Status.SUCCEEDED}
    assert open_executions(world) == []


def open_executions(world: World) -> list[str]:
    """Executions that the log leaves neither ended nor in doubt."""
    folded: dict[bytes, Execution] = {}
    for record in world.dump("executions"):
        assert record.key is not None
        assert record.value is not None
        folded[record.key] = apply(folded.get(record.key), decode(ExecutionEvent, record.value), log_ms=record.timestamp_ms)
    ended = {Status.SUCCEEDED, Status.FAILED, Status.EXPIRED, Status.CANCELLED, Status.IN_DOUBT}
    return [str(key) for key, execution in folded.items() if verdict(execution.execute).status not in ended]


def test_random_stages_killed_every_three_seconds_lose_nothing_and_repeat_nothing(make_world: MakeWorld) -> None:
    world = make_world()
    upstream = Upstream(world)
    choose = random.Random(11)
    kills: Counter[str] = Counter()

    upstream.start()
    while sum(kills.values()) < KILLS:
        time.sleep(KILL_EVERY_S)
        name = choose.choice(sorted(world.pids()))
        world.signal(name, signal.SIGKILL)
        kills[name] += 1
    upstream.stop()

    print(f"kills {dict(kills)}")
    assert_everything_ended(world, upstream.published, 120)


def test_a_stage_frozen_past_its_session_and_continued_repeats_nothing(make_world: MakeWorld) -> None:
    world = make_world(instances=2)
    upstream = Upstream(world)

    upstream.start()
    for name in ("invocation.0", "validation.0"):
        time.sleep(2)
        world.signal(name, signal.SIGSTOP)
        time.sleep(9)
        world.signal(name, signal.SIGCONT)
    time.sleep(3)
    upstream.stop()

    assert_everything_ended(world, upstream.published, 120)


def test_a_broker_killed_and_restarted_loses_nothing(tmp_path: Path) -> None:
    world = World(tmp_path, "e2e-broker", bootstrap=None)
    world.start()
    try:
        upstream = Upstream(world)
        upstream.start()
        for _ in range(2):
            time.sleep(5)
            assert world.platform.broker is not None
            assert world.platform.broker.pid is not None
            os.kill(world.platform.broker.pid, signal.SIGKILL)
            world.wait_until(world.platform.broker.is_ready, 60, "the broker serves again")
        time.sleep(3)
        upstream.stop()

        assert_everything_ended(world, upstream.published, 120)
    finally:
        world.stop()
