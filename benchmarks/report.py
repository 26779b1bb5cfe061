"""A result as tables: the same rows on the terminal and in markdown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

LOADS = ("unloaded", "at 200/s", "saturated", "slow tool")
PROCESSES = ("validation", "tool_mapping", "invocation", "recording", "reconciliation", "api", "broker", "tool", "driver", "all")


@dataclass(frozen=True, slots=True)
class Table:
    """A title, column names, rows of text."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def tables(result: Mapping[str, Any]) -> list[Table]:
    """Every table of a result, the most asked for first."""
    found = [
        _budgets(result),
        _rates(result),
        _latencies(result),
        _cpu(result),
        _stages(result),
        _memory(result),
        _bytes(result),
        _restore(result),
    ]
    return [table for table in found if table.rows]


def markdown(result: Mapping[str, Any], *, plot: str | None = None) -> str:
    """The whole result as a page."""
    machine, versions = result["machine"], result["versions"]
    changed = " with uncommitted changes" if result["has_uncommitted_changes"] else ""
    where = f"{machine['cores']} cores, {machine['processor']}, {machine['memory_gb']} GB, {machine['system']}"
    state = f"load before the run {machine['load_before']}; {result['partitions']} partitions"
    lines = [
        f"# Benchmark, {result['kind']} run of {result['date']}",
        "",
        f"Commit `{result['commit']}`{changed}; {where}; {state}.",
        "",
        ", ".join(f"{name} {number}" for name, number in versions.items()) + ".",
        "",
        bare_line(result),
        "",
    ]
    if plot is not None:
        lines += [f"![Rates, latencies, CPU and bytes]({plot})", ""]
    for table in tables(result):
        lines += [f"## {table.title}", "", _row(table.columns), _row(["---"] * len(table.columns)), *map(_row, table.rows), ""]
    return "\n".join(lines).rstrip() + "\n"


def bare_line(result: Mapping[str, Any]) -> str:
    """Whether there is something to compare with."""
    if result["bare_absent_because"]:
        return f"No ratios against the bare loop: {result['bare_absent_because']}."
    return "The bare loop ran in turn with column P, on the same broker: its figures are medians of the same rounds."


def shown(value: float | None, *, digits: int = 3) -> str:
    """A number with so many significant digits, thousands with a comma; – for none."""
    if value is None:
        return "–"
    if value == 0:
        return "0"
    if abs(value) >= 10 ** (digits - 1):
        return f"{value:,.0f}"
    return f"{float(f'{value:.{digits}g}'):g}"


def bare_cpu_us(bare: Mapping[str, float]) -> dict[str, float]:
    """The bare loop's CPU per execution by the names of our processes, and of all of them."""
    theirs = {"validation": "validate", "tool_mapping": "map", "invocation": "invoke", "recording": "record"}
    found = {process: bare.get(f"cpu_s.{theirs.get(process, process)}") for process in PROCESSES[:-1]}
    each = {process: cpu_s * 1e6 / bare["n"] for process, cpu_s in found.items() if cpu_s is not None}
    return each | {"all": bare["cpu_ms_per_exec"] * 1000}


def _budgets(result: Mapping[str, Any]) -> Table:
    words = {True: "kept", False: "MISSED", None: "not measured"}
    rows = tuple(
        (one["name"], shown(one["limit"]), shown(one["found"]), one["unit"], words[one["is_kept"]], shown(one["room"]))
        for one in result["budgets"]
    )
    return Table("Budgets (class P)", ("budget", "limit", "found", "unit", "", "room ×"), rows)


def _columns(result: Mapping[str, Any]) -> list[str]:
    return list(result["columns"])


def _rates(result: Mapping[str, Any]) -> Table:
    rows: list[tuple[str, ...]] = []
    bare = result["bare"] or {}
    for load in ("saturated", "slow tool"):
        floor = bare.get(load, {}).get("exec_per_s")
        for name in _columns(result):
            one = result["columns"][name].get(load, {})
            rate = one.get("executions_per_s")
            by = None if not floor or rate is None else rate / floor
            rows.append((load, name, shown(rate), shown(one.get("steady_per_s")), shown(by), shown(one.get("tool.in_flight_max") or None)))
        if floor:
            rows.append((load, "bare loop", shown(floor), "–", "1", "–"))
    return Table("Executions per second", ("load", "column", "all", "steady part", "× bare loop", "calls in flight, max"), tuple(rows))


def _latencies(result: Mapping[str, Any]) -> Table:
    rows: list[tuple[str, ...]] = []
    bare = result["bare"] or {}
    for load in LOADS[:3]:
        for name in _columns(result):
            one = result["columns"][name].get(load, {})
            ours = [shown(one.get(f"latency.{p}")) for p in ("p50", "p90", "p99", "max")]
            rows.append((load, name, *ours, *(shown(one.get(f"latency_broker.{p}")) for p in ("p50", "p99"))))
        if load in bare:
            rows.append((load, "bare loop", *(shown(bare[load].get(f"{p}_ms")) for p in ("p50", "p90", "p99")), "–", "–", "–"))
    return Table("Publish → outcome, ms", ("load", "column", "p50", "p90", "p99", "max", "p50 broker's clock", "p99"), tuple(rows))


def _cpu(result: Mapping[str, Any]) -> Table:
    rows = []
    for name in _columns(result):
        one = result["columns"][name].get("saturated", {})
        rows.append((name, *(shown(one.get(f"cpu_us.{process}")) for process in PROCESSES)))
    bare = (result["bare"] or {}).get("saturated", {})
    if bare:
        each = bare_cpu_us(bare)
        rows.append(("bare loop", *(shown(each.get(process)) for process in PROCESSES)))
    return Table("CPU, µs per execution, saturated", ("column", *PROCESSES), tuple(rows))


def _stages(result: Mapping[str, Any]) -> Table:
    names = ("records_per_execution", "batches_per_execution", "records_per_batch", "flush_ms", "read_back_ms")
    rows: list[tuple[str, ...]] = []
    for load in LOADS:
        one = result["columns"].get("P", {}).get(load, {})
        stages = [stage for stage in PROCESSES[:6] if f"stages.{stage}.records_per_batch" in one]
        rows += [(load, stage, *(shown(one.get(f"stages.{stage}.{name}")) for name in names)) for stage in stages]
    titles = ("records per execution", "batches per execution", "records per batch", "flush, ms", "read back, ms")
    return Table("How the stages worked, column P", ("load", "stage", *titles), tuple(rows))


def _memory(result: Mapping[str, Any]) -> Table:
    rest = result["at_rest"]["memory"]
    load = result["columns"].get("P", {}).get("saturated", {})
    idle = result["at_rest"]["cpu"]
    names = [name for name in rest if name != "all"]

    def row(name: str) -> tuple[str, ...]:
        now = (shown(rest[name].get("rss")), shown(rest[name].get("pss")))
        return (name, *now, shown(load.get(f"memory.{name}.rss")), shown(100 * idle.get(name, 0.0)))

    sums = [shown(sum(rest[name].get(kind, 0.0) for name in names)) for kind in ("rss", "pss")]
    rows = (*map(row, names), ("all", *sums, "–", shown(100 * idle["all"])))
    return Table(
        f"Memory in MB and idle CPU, at rest: {result['at_rest']['of']}",
        ("process", "RSS", "PSS (shared pages divided)", "RSS after the saturated load, column P", "idle CPU, % of a core"),
        rows,
    )


def _bytes(result: Mapping[str, Any]) -> Table:
    one = result["columns"].get("P", {}).get("saturated", {})
    prefix = "bytes_per_execution."
    rows = tuple(
        (name.removeprefix(prefix), shown(one.get(f"records_per_execution.{name.removeprefix(prefix)}")), shown(value))
        for name, value in one.items()
        if name.startswith(prefix)
    )
    return Table("On the broker, per execution", ("topic", "records", "bytes"), rows)


def _restore(result: Mapping[str, Any]) -> Table:
    found = result["restore"]
    rows: list[tuple[str, ...]] = []
    for name, words in (("empty_folder", "an empty folder"), ("local_state", "its local state")) if found else ():
        one = found["rounds"][name]
        numbers = (one["ready_s"], one["cpu_s"], one["memory"].get("rss"), one["state_bytes"] / found["executions"])
        rows.append((words, shown(float(found["executions"])), shown(float(found["events"])), *map(shown, numbers)))
    columns = ("from", "executions", "events", "ready, s", "CPU, s", "RSS, MB", "state on disk, bytes per execution")
    return Table("Restore of ended executions by invocation", columns, tuple(rows))


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
