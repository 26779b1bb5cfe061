"""DESIGN's budgets as data: what is promised, what was found, by how much it is missed."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

Figures = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """One promise. `at_least`: more is better; otherwise less is. `find` gives None where nothing was measured."""

    name: str
    limit: float
    unit: str
    at_least: bool = False
    find: Callable[[Figures], float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A budget and what was found. `room` above 1: kept with so much room; below 1: missed by so much."""

    name: str
    limit: float
    unit: str
    found: float | None
    is_kept: bool | None
    room: float | None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def at(*path: str) -> Callable[[Figures], float | None]:
    """Finds a number by its path in the result; None if any part is missing."""

    def find(figures: Figures) -> float | None:
        here: Any = figures
        for name in path:
            if not isinstance(here, Mapping) or here.get(name) is None:
                return None
            here = here[name]
        return float(here)

    return find


def of_a_million(name: str) -> Callable[[Figures], float | None]:
    """A figure of the restore, if it was one of as many executions as the budget speaks of."""
    found, executions = at("restore", name), at("restore", "executions")
    return lambda figures: found(figures) if (executions(figures) or 0) >= MILLION else None


def judge(figures: Figures) -> list[Verdict]:
    """Every budget against a result."""
    return [_verdict(budget, budget.find(figures)) for budget in BUDGETS]


def _verdict(budget: Budget, found: float | None) -> Verdict:
    is_kept = room = None
    if found is not None:
        is_kept = found >= budget.limit if budget.at_least else found <= budget.limit
        numbers = (found, budget.limit) if budget.at_least else (budget.limit, found)
        room = round(numbers[0] / numbers[1], 2) if numbers[1] else None
    return Verdict(name=budget.name, limit=budget.limit, unit=budget.unit, found=found, is_kept=is_kept, room=room)


P: Final = ("columns", "P")
MILLION: Final = 1_000_000
PER_RECORD_US: Final = 80.0

BUDGETS: Final = (
    Budget(name="throughput against the bare loop", limit=0.30, unit="ratio", at_least=True, find=at("ratios", "throughput")),
    Budget(name="latency unloaded, p50", limit=15, unit="ms", find=at(*P, "unloaded", "latency.p50")),
    Budget(name="latency unloaded, p99", limit=60, unit="ms", find=at(*P, "unloaded", "latency.p99")),
    Budget(name="latency at 200/s, p99", limit=100, unit="ms", find=at(*P, "at 200/s", "latency.p99")),
    Budget(name="slow tool against instant tool", limit=0.80, unit="ratio", at_least=True, find=at("ratios", "slow_tool")),
    Budget(name="CPU per record of the dearest stage", limit=PER_RECORD_US, unit="µs", find=at("cpu_us", "dearest_stage")),
    Budget(name="CPU of the HTTP call (invocation beyond its records)", limit=200, unit="µs", find=at("cpu_us", "call")),
    Budget(name="CPU of the api's fold per execution", limit=60, unit="µs", find=at("cpu_us", "api")),
    Budget(name="idle CPU, everything together", limit=0.15, unit="cores", find=at("at_rest", "cpu", "all")),
    Budget(name="memory of the largest stage at rest", limit=90, unit="MB", find=at("at_rest", "largest_stage_mb")),
    Budget(name="enact up, ready", limit=12, unit="s", find=at("up", "ready_s")),
    Budget(name="restore of 10⁶ executions, empty folder", limit=60, unit="s", find=of_a_million("empty_folder_s")),
    Budget(name="restore of 10⁶ executions, local state", limit=3, unit="s", find=of_a_million("local_state_s")),
)
