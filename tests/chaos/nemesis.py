"""One run: an enact of its own on a lane, some hundred intents, and everything that can go wrong, from one seed.

Publish and harm; heal; wait until nothing lags; let people resolve some of what is in doubt; let a minute pass; collect;
have it checked by a process that knows nothing of this one.
"""

import random
import subprocess
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from enact.errors import EnactError
from enact.failpoints import Failpoint
from enact.lifecycle import TERMINAL
from enact.records import ApprovedIntent, Status
from tests.approvals import AUDIENCE, ISSUER, Pair, write_keys
from tests.chaos.acts import Stage
from tests.chaos.cluster import ChaosWorld, Lane
from tests.chaos.journal import Journal, now_ms
from tests.chaos.people import People
from tests.chaos.plan import Act, plan_acts
from tests.chaos.traffic import Planned, plan_traffic

ROOT = Path(__file__).resolve().parents[2]
LAG_S = 90.0
SETTLED_S = 180.0
MINUTE_S = 61.0
BATCH_S = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much happens in a run."""

    intents: int = 520
    over_s: float = 28.0
    acts: int = 22
    instances: int = 1
    afterwards_s: float = MINUTE_S
    look_every_s: float = 2.0
    last_looks: int = 0
    has_api: bool = True


class Run:
    """Use in order: `start`, `harm`, `settle`, then, when the minute is over, `finish`. The journal's folder is the evidence."""

    def __init__(self, lane: Lane, path: Path, *, seed: int, size: Size) -> None:
        self.seed, self.size, self.name = seed, size, path.name
        self._random = random.Random(seed)
        self.journal = Journal(path)
        self._lane = lane
        self.failpoints_told = self.failpoints()
        self._pair = Pair()
        environ = {"ENACT_FAILPOINTS": self.failpoints_told, **self._approvals(path), **self.environ()}
        self._world = ChaosWorld(
            lane, path / "world", f"c{path.name}", instances=size.instances, has_api=size.has_api, stage_environ=environ
        )
        self._people = People(self._world, self.journal)
        self._published: list[ApprovedIntent] = []
        self._settled_s = 0.0
        self._over = ExitStack()

    def failpoints(self) -> str:
        """What happens at the boundaries of the stages, from the seed: always told, and now and then something happens."""
        rules = ["watch"]
        for _ in range(self._random.choice((0, 1, 2, 3))):
            point, number = self._random.choice(list(Failpoint)), self._random.randint(1, 60)
            stop, delay = f"stop({self._random.randint(1, 9)})@{number}", f"delay(0.2)@0.05/{self.seed}"
            action = self._random.choice((f"kill@{number}", stop, delay, f"hang@{number}"))
            rules.append(f"*:{point}={action}")
        return ";".join(rules)

    def environ(self) -> dict[str, str]:
        """Further settings of the stages."""
        return {}

    def _approvals(self, path: Path) -> dict[str, str]:
        """Whose signatures count."""
        file = write_keys(path / "keys.json", self._pair.jwk())
        return {"ENACT_APPROVAL__KEYS_FILE": str(file), "ENACT_APPROVAL__AUDIENCE": AUDIENCE, "ENACT_APPROVAL__ISSUERS": ISSUER}

    def facts(self) -> dict[str, Any]:
        """What the journal says of this run from the beginning."""
        return {"kind": "random", "intents": self.size.intents}

    def start(self) -> None:
        """Start this run's enact, unharmed."""
        self.journal.run(seed=self.seed, commit=commit(), began_ms=now_ms(), failpoints=self.failpoints_told, **self.facts())
        self._world.start()
        self._over.enter_context(self.journal.sampling(self._world, every_s=self.size.look_every_s))

    def harm(self) -> None:
        """Publish and do harm, then heal."""
        traffic = plan_traffic(self._random, self._pair, count=self.size.intents, over_s=self.size.over_s, run=f"r{self.seed}")
        names = sorted(self._world.pids())
        acts = self.acts(names)
        stage = Stage(self._lane, self._world, self.journal, self._people, self._published)
        publishing = threading.Thread(target=self._publish, args=(traffic,), daemon=True)
        harmed_before = self._lane.proxy.met()
        publishing.start()
        stage.play(acts)
        publishing.join()
        stage.heal()
        harm = self._lane.proxy.met() - harmed_before
        self.journal.run(
            healed_ms=now_ms(),
            planned=[f"{act.at_s:.1f} {act.kind} {act.target}" for act in acts],
            frames_harmed={f"{kind}/{api}": count for (kind, api), count in sorted(harm.items())},
            acts_failed=stage.failed,
        )

    def acts(self, names: Sequence[str]) -> list[Act]:
        """What is done to stage processes of these names, and to all around them."""
        return plan_acts(self._random, names=names, over_s=self.size.over_s + 2, count=self.size.acts)

    def settle(self) -> None:
        """Wait until nothing lags and everything published has ended, is in doubt, or takes too long; then people resolve."""
        is_caught_up = self.journal.wait_for_no_lag(self._world, LAG_S)
        self.journal.run(is_caught_up=is_caught_up, caught_up_ms=now_ms())
        left = self._wait_until_ended(SETTLED_S)
        self.journal.run(quiet_ms=now_ms(), unended=sorted("/".join(key) for key in left)[:50])
        resolved = self._people.resolve_some(self._random, 0.5)
        self.journal.run(resolved=resolved, settled_ms=now_ms())
        self._settled_s = time.monotonic()

    @property
    def waits_s(self) -> float:
        """What is left of the minute, seconds."""
        return max(0.0, self._settled_s + self.size.afterwards_s - time.monotonic())

    def finish(self) -> None:
        """Wait for the rest of the minute, collect, and stop this run's enact."""
        time.sleep(self.waits_s)
        self._over.close()
        for _ in range(self.size.last_looks):
            self.journal.sample_processes(self._world)
            time.sleep(self.size.look_every_s)
        self.journal.sample_lag(self._world)
        self.journal.collect(self._world)
        self.journal.run(ended_ms=now_ms())
        self.stop()

    def stop(self) -> None:
        """End this run's enact at once, whatever state it is in, and forget its topics."""
        self._over.close()
        self._world.end()

    def _publish(self, traffic: Sequence[Planned]) -> None:
        began_s, waiting = time.monotonic(), list(traffic)
        while waiting:
            passed_s = time.monotonic() - began_s
            due = [one for one in waiting if one.at_s <= passed_s][:100]
            waiting = waiting[len(due) :]
            for is_approved in (True, False):
                chosen = [one.intent for one in due if one.is_approved is is_approved]
                if chosen:
                    self._publish_until_acknowledged(chosen, is_approved=is_approved)
                    if is_approved:
                        self._published += chosen
            time.sleep(BATCH_S)

    def _publish_until_acknowledged(self, intents: Sequence[ApprovedIntent], *, is_approved: bool) -> None:
        """An upstream repeats what was not acknowledged, for a while."""
        for _ in range(5):
            try:
                if self.journal.publish(self._world, intents, is_approved=is_approved) == len(intents):
                    return
            except EnactError:
                time.sleep(0.5)

    def _wait_until_ended(self, timeout_s: float) -> set[tuple[str, str]]:
        """Keys of approved intents that have no end and are in no doubt after so long."""
        wanted = {(intent.tenant_id, intent.action_intent_id) for intent in self._published}
        deadline_s = time.monotonic() + timeout_s
        while True:
            ended = {key for key, outcome in self._world.outcomes().items() if outcome.status in TERMINAL | {Status.IN_DOUBT}}
            if wanted <= ended or time.monotonic() > deadline_s:
                return wanted - ended
            time.sleep(2.0)


def commit() -> str:
    """What is being tested; with a plus sign if the tree differs from it."""
    head = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()
    changes = subprocess.run(["git", "status", "--porcelain", "-uno"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()
    return head + ("+" if changes else "")
