"""One scenario played once, with its bug or without, and judged by the checker in a process of its own."""

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from enact.broker.embedded import EmbeddedBroker
from tests.chaos.checker.__main__ import RESULT, UNREADABLE
from tests.chaos.journal import Journal, now_ms
from tests.chaos.planted.ground import Ground, PlantedWorld
from tests.chaos.planted.scenarios import Scenario

LIVE_S = 12.0
SETTLE_S = 30.0


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What the checker found broken, with an example of each."""

    broken: dict[str, str]
    took_s: float

    def sees(self, scenario: Scenario) -> str | None:
        """The invariant by which the bug is seen; None if it is not."""
        return next((name for name in scenario.breaks if name in self.broken), None)


def run_once(scenario: Scenario, folder: Path, broker: EmbeddedBroker, *, has_bug: bool) -> Judged:
    """Play and judge. Raises: AssertionError if the scenario itself does not come to its point; RuntimeError if nothing can be decided."""
    began_s = time.monotonic()
    patches = ",".join((*scenario.conditions, *((scenario.bug,) if has_bug else ())))
    world = PlantedWorld(
        folder / "world",
        folder.name.replace("_", "-"),
        bootstrap=broker.bootstrap_servers,
        stage=scenario.stage,
        patches=patches,
        instances=scenario.instances,
        environ={"ENACT_FAILPOINTS": scenario.rules, **scenario.environ},
    )
    journal = Journal(folder / "run")
    journal.run(kind="planted", bug=scenario.bug if has_bug else None, began_ms=now_ms(), bounds={"live_s": LIVE_S, "watch_s": 0})
    world.start()
    ground = Ground(world, journal, broker)
    try:
        scenario.play(ground)
        journal.run(healed_ms=now_ms())
        journal.wait_for_no_lag(world, SETTLE_S)
        _settle(ground)
        journal.collect(world)
    finally:
        ground.kill_the_frozen()
        world.stop()
    return Judged(broken=_judge(journal.path), took_s=time.monotonic() - began_s)


def _settle(ground: Ground) -> None:
    """Wait for what ends; what does not end by then has had longer than it may."""
    try:
        ground.wait_for_outcomes(SETTLE_S)
    except AssertionError:
        time.sleep(LIVE_S)
    time.sleep(1.0)


def _judge(path: Path) -> dict[str, str]:
    ended = subprocess.run([sys.executable, "-m", "tests.chaos.checker", str(path)], capture_output=True, text=True, check=False)
    if ended.returncode not in range(UNREADABLE):
        raise RuntimeError(f"the checker cannot decide: {ended.stderr[-2000:]}")
    invariants = json.loads((path / RESULT).read_text(encoding="utf-8"))["invariants"]
    return {name: tally["examples"][0] for name, tally in invariants.items() if tally["violation"]}
