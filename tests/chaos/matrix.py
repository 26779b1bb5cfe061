"""The failpoint matrix: at every boundary, a stage is killed and stopped there, in a world that answers and in one that does not.

A cell is a short run in which every stage meets the rule once, at its own passage of that boundary. Intents of every class
are under way, some in the hands of an owner that dies, some held, some expiring, so that rare boundaries are passed too;
some boundaries need more, and get it.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from enact.failpoints import LOOP, Failpoint
from tests.chaos.cluster import Lane
from tests.chaos.nemesis import Run, Size
from tests.chaos.plan import Act
from tests.chaos.proxy.faults import Fault, Harm
from tests.chaos.proxy.frames import Api

ACTIONS = ("kill", "stop(8)")
WORLDS = ("answers", "silent")
CELL = Size(intents=48, over_s=7.0, acts=0, afterwards_s=4.0, look_every_s=0.3, last_looks=10, has_api=False)
PASSAGE = {
    Failpoint.ON_ASSIGN: 1,
    Failpoint.ON_LIVE: 1,
    Failpoint.ON_REVOKE: 1,
    Failpoint.AFTER_REWIND: 1,
    Failpoint.BEFORE_LETTER_FLUSH: 1,
    Failpoint.AFTER_LETTER_FLUSH: 1,
    Failpoint.BEFORE_LOOK_UP: 1,
    Failpoint.BEFORE_RELEASE: 1,
    Failpoint.BEFORE_TAKE_OVER: 1,
    Failpoint.AFTER_TAKE_OVER: 1,
    Failpoint.BEFORE_EXPIRE: 1,
    Failpoint.AFTER_EXPIRE: 1,
    Failpoint.BEFORE_HOLD: 2,
    Failpoint.AFTER_HOLD: 2,
    Failpoint.BEFORE_PROBE: 12,
    Failpoint.AFTER_PROBE: 12,
}
"""At which passage of a process's life the rule acts; 5 elsewhere, when intents are under way."""
USUAL_PASSAGE = 5
NEED_TWO = frozenset({Failpoint.ON_REVOKE})
LOST_ANSWERS: tuple[dict[str, Any], ...] = (
    {"behaviour": "drop_after", "count": 6},
    {"behaviour": "slow", "hang_s": 1.0, "count": 8},
    {"behaviour": "hang_after", "hang_s": 2.5, "count": 4},
)


@dataclass(frozen=True, slots=True)
class Cell:
    """One place of the matrix."""

    failpoint: Failpoint
    action: str
    world: str

    @property
    def name(self) -> str:
        """Names its folder: `matrix-after-claim-kill-silent`."""
        return "-".join(("matrix", self.failpoint.replace("_", "-"), self.action.partition("(")[0], self.world))


def cells() -> Iterator[Cell]:
    """Every place of the matrix."""
    for failpoint in Failpoint:
        for action in ACTIONS:
            for world in WORLDS:
                yield Cell(failpoint, action, world)


class CellRun(Run):
    """A run of one cell."""

    def __init__(self, lane: Lane, path: Path, cell: Cell) -> None:
        self.cell = cell
        seed = random.Random(cell.name).randrange(1 << 30)
        size = Size(
            intents=CELL.intents, over_s=CELL.over_s, instances=2 if cell.failpoint in NEED_TWO else 1, afterwards_s=CELL.afterwards_s
        )
        super().__init__(lane, path, seed=seed, size=size)

    def failpoints(self) -> str:
        passage = PASSAGE.get(self.cell.failpoint, USUAL_PASSAGE)
        stage = "*" if self.cell.failpoint in LOOP else "invocation"
        return f"{stage}:{self.cell.failpoint}={self.cell.action}@{passage}"

    def environ(self) -> dict[str, str]:
        return {"ENACT_KAFKA__DELIVERY_TIMEOUT_S": "3"} if self.cell.failpoint is Failpoint.AFTER_REWIND else {}

    def facts(self) -> dict[str, Any]:
        return {
            "kind": "matrix",
            "intents": self.size.intents,
            "failpoint": self.cell.failpoint,
            "action": self.cell.action,
            "world_mode": self.cell.world,
            "bounds": {"watch_s": CELL.afterwards_s},
        }

    def acts(self, names: Sequence[str]) -> list[Act]:
        acts = [
            Act(at_s=1.0, kind="engage", target="tenant:globex", for_s=5.0, detail={"mode": "HOLD"}),
            Act(at_s=3.0, kind="cancel", detail={"choice": 0.9}),
            Act(at_s=5.0, kind="kill", target="invocation.0"),
        ]
        if self.cell.world == "silent":
            acts += [Act(at_s=0.0, kind="world", target="sandbox", detail=dict(rule)) for rule in LOST_ANSWERS]
        return sorted([*acts, *_provocations(self.cell.failpoint)], key=lambda act: act.at_s)


def _provocations(failpoint: Failpoint) -> list[Act]:
    """What else a boundary needs in order to be passed."""
    match failpoint:
        case Failpoint.ON_REVOKE:
            return [Act(at_s=at_s, kind="kill", target=f"{stage}.1") for at_s, stage in ((2.0, "validation"), (3.0, "recording"))]
        case Failpoint.AFTER_REWIND:
            fault = Fault(harm=Harm.DROP_REQUEST, for_s=6.0, apis=frozenset({Api.PRODUCE}), client="enact.*")
            return [
                Act(at_s=2.0, kind="proxy", target="enact.*", for_s=6.0, fault=fault, detail={"harm": "drop_request", "apis": "produce"})
            ]
        case Failpoint.BEFORE_RELEASE:
            return [Act(at_s=2.5, kind="clock", target="invocation.0", for_s=2.0, detail={"offset_ms": 5_000})]
        case Failpoint.BEFORE_TAKE_OVER | Failpoint.AFTER_TAKE_OVER:  # calls are under way when their process is killed
            return [Act(at_s=4.0, kind="world", target="sandbox", detail={"behaviour": "slow", "hang_s": 2.0, "count": 6})]
        case Failpoint.BEFORE_EXPIRE | Failpoint.AFTER_EXPIRE:  # what has little time is held until it has none
            return [Act(at_s=0.5, kind="engage", target="global", for_s=6.5, detail={"mode": "HOLD"})]
        case Failpoint.BEFORE_LOOK_UP:
            return [Act(at_s=1.0, kind="world", target="sandbox", detail={"behaviour": "drop_after", "count": 6})]
        case _:
            return []
