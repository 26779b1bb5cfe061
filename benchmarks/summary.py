"""From rounds to a result: medians by column and load, ratios against the bare loop, budgets; one JSON document."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from benchmarks.arithmetic import medians, ratio, spread
from benchmarks.budgets import PER_RECORD_US, judge
from benchmarks.machine import provenance
from benchmarks.measure import Measured
from topology.stages import RUNNING_STAGES

if TYPE_CHECKING:
    from benchmarks.whole import Found

FORMAT = 1


def summary(found: "Found", *, kind: str, partitions: int, bare_absent: str | None) -> dict[str, Any]:
    """The result. Medians are over rounds; `rounds` keeps each of them as it was measured."""
    columns = {name: column_medians(rounds) for name, rounds in found.columns.items()}
    bare = {load: medians([_numbers(one[load]) for one in found.bare]) for load in (found.bare[0] if found.bare else {})}
    result: dict[str, Any] = {
        "format": FORMAT,
        "kind": kind,
        **provenance(),
        "partitions": partitions,
        "columns": columns,
        "bare": bare or None,
        "bare_absent_because": bare_absent,
        "ratios": ratios(columns, bare),
        "spread": {name: spread([one["saturated"].executions_per_s for one in rounds]) for name, rounds in found.columns.items()},
        "at_rest": at_rest(found),
        "cpu_us": work(columns.get("P", {}).get("saturated", {})),
        "up": found.up,
        "restore": found.restore,
        "rounds": {
            "columns": {
                name: [{load: one.as_json() for load, one in each.items()} for each in rounds] for name, rounds in found.columns.items()
            },
            "bare": found.bare,
            "idle": found.idle,
        },
    }
    return with_budgets(result)


def with_budgets(result: dict[str, Any]) -> dict[str, Any]:
    """The result with its budgets judged anew."""
    return {**result, "budgets": [verdict.as_json() for verdict in judge(result)]}


def column_medians(rounds: Sequence[Mapping[str, Measured]]) -> dict[str, dict[str, float]]:
    """Load to the median of every number."""
    return {load: medians([_numbers(one[load].as_json()) for one in rounds]) for load in rounds[0]}


def ratios(columns: Mapping[str, Mapping[str, Mapping[str, float]]], bare: Mapping[str, Mapping[str, float]]) -> dict[str, float | None]:
    """What the project may quote. The bare loop is class P, whatever our column's class."""

    def rate(column: str, load: str) -> float | None:
        return columns.get(column, {}).get(load, {}).get("executions_per_s")

    def theirs(load: str, name: str) -> float | None:
        return bare.get(load, {}).get(name)

    floor = theirs("saturated", "exec_per_s")
    cpu = columns.get("P", {}).get("saturated", {}).get("cpu_us.all")
    their_cpu = theirs("saturated", "cpu_ms_per_exec")
    return {
        "throughput": ratio(rate("P", "saturated"), floor),
        "throughput_without_api": ratio(rate("P-no-api", "saturated"), floor),
        "throughput_class_d": ratio(rate("D", "saturated"), floor),
        "class_d_to_class_p": ratio(rate("D", "saturated"), rate("P", "saturated")),
        "slow_tool": ratio(rate("P", "slow tool"), rate("P", "saturated")),
        "slow_tool_of_bare": ratio(theirs("slow tool", "exec_per_s"), floor),
        "cpu": ratio(cpu, their_cpu * 1000 if their_cpu is not None else None),
        "unloaded_p50": ratio(columns.get("P", {}).get("unloaded", {}).get("latency.p50"), theirs("unloaded", "p50_ms")),
        "at_200_p99": ratio(columns.get("P", {}).get("at 200/s", {}).get("latency.p99"), theirs("at 200/s", "p99_ms")),
    }


def work(saturated: Mapping[str, float]) -> dict[str, float | None]:
    """CPU as DESIGN budgets it, in microseconds: of each stage per record it took, of the call, and of the api's fold per execution.

    `call`: what invocation takes beyond `PER_RECORD_US` for each of its records, since nobody can tell the two apart from outside.
    """
    found: dict[str, float | None] = {}
    for stage in ("validation", "tool_mapping", "recording", "invocation"):
        cpu = saturated.get(f"cpu_us.{stage}")
        records = saturated.get(f"stages.{stage}.records_per_execution")
        found[stage] = round(cpu / records, 1) if cpu is not None and records else None
        if stage == "invocation" and cpu is not None and records:
            found["call"] = round(max(0.0, cpu - PER_RECORD_US * records), 1)
    dearest = [found[stage] for stage in ("validation", "tool_mapping", "recording")]
    found["dearest_stage"] = max((each for each in dearest if each is not None), default=None)
    return found | {"api": saturated.get("cpu_us.api")}


def at_rest(found: "Found") -> dict[str, Any]:
    """Idle CPU and memory: of `enact up` where it was measured, else of the pipeline before its first load."""
    if found.up is not None:
        cpu, memory, source = found.up["idle_cpu"], found.up["memory"], "enact up --sandbox"
    else:
        first = next(iter(found.idle.values()))[0]
        cpu, memory, source = first["cpu"], first["memory"], "the pipeline; memory before its first load, CPU after its last"
    stages = {name: memory[name]["rss"] for name in RUNNING_STAGES if name in memory}
    return {"of": source, "cpu": cpu, "memory": memory, "largest_stage_mb": max(stages.values(), default=None)}


def _numbers(tree: Mapping[str, Any], outer: str = "") -> dict[str, float]:
    """The numbers of a tree by dotted name."""
    found: dict[str, float] = {}
    for name, value in tree.items():
        if isinstance(value, Mapping):
            found |= _numbers(value, f"{outer}{name}.")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            found[f"{outer}{name}"] = value
    return found
