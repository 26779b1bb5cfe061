"""How large a run is: which loads each column gets, how many executions, how many rounds."""

from dataclasses import dataclass, field
from typing import Final

from benchmarks.measure import Load

SATURATED: Final = "saturated"
UNLOADED: Final = "unloaded"
AT_200: Final = "at 200/s"
SLOW: Final = "slow tool"
ALL: Final = (UNLOADED, AT_200, SATURATED, SLOW)


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How long everything takes. `rounds`: by column name; the bare loop runs once after each round of P.

    `saturated`: executions of the loads without a rate, of the bare loop always so many; of ours at most, fewer on a machine
    that would need more than `load_s` seconds for them (`least` of them always). `warm_broker_s`: least and most seconds of warming the
    broker, once. `warm_s`: seconds of load at each start of the stages; `first_warm_s` at the first, since the broker has not seen this
    load yet.
    """

    kind: str
    saturated: int
    unloaded: int
    at_200: int
    load_s: float
    least: int = 1_000
    warm_broker_s: tuple[float, float]
    first_warm_s: float
    warm_s: float
    warm_count: int = 500
    idle_s: float
    rounds: dict[str, int]
    loads: dict[str, tuple[str, ...]] = field(default_factory=dict)
    has_up: bool

    def loads_of(self, column: str, *, per_s: float | None = None) -> tuple[Load, ...]:
        """The loads of a column (all, unless `loads` names some), where `per_s` executions a second were seen; None = no matter."""
        most = self.saturated if per_s is None else max(self.least, min(self.saturated, round(per_s * self.load_s)))
        every = (
            Load(name=UNLOADED, count=self.unloaded, rate=20.0),
            Load(name=AT_200, count=self.at_200, rate=200.0),
            Load(name=SATURATED, count=most),
            Load(name=SLOW, count=most, delay_ms=20.0),
        )
        return tuple(load for load in every if load.name in self.loads.get(column, ALL))


BARE: Final = "bare loop"

QUICK: Final = Size(
    kind="quick",
    saturated=4_000,
    unloaded=60,
    at_200=600,
    load_s=4.0,
    warm_broker_s=(8.0, 12.0),
    first_warm_s=6.0,
    warm_s=3.0,
    idle_s=2.0,
    rounds={"P": 1},
    loads={BARE: (UNLOADED, SATURATED)},
    has_up=False,
)
FULL: Final = Size(
    kind="full",
    saturated=15_000,
    unloaded=200,
    at_200=2_000,
    load_s=10.0,
    warm_broker_s=(20.0, 60.0),
    first_warm_s=40.0,
    warm_s=6.0,
    idle_s=5.0,
    rounds={"P": 3, "D": 2, "P-no-api": 2},
    loads={"P-no-api": (UNLOADED, SATURATED)},
    has_up=True,
)
