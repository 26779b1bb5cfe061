"""A whole result, as a run would have made it, from numbers that are easy to follow."""

from typing import Any

from benchmarks.measure import Measured
from benchmarks.summary import summary
from benchmarks.whole import Found

RATES = {"unloaded": 20.0, "at 200/s": 200.0, "saturated": 0.0, "slow tool": 0.0}


def measured(load: str, *, per_s: float = 1000.0, p99: float = 40.0) -> Measured:
    """One load of a column."""
    return Measured(
        load=load,
        count=100,
        rate=RATES[load] or None,
        delay_ms=20.0 if load == "slow tool" else 0.0,
        executions_per_s=per_s,
        steady_per_s=per_s * 1.1,
        latency={"p50": 10.0, "p90": 20.0, "p99": p99, "max": 80.0},
        latency_broker={"p50": 9.0, "p90": 18.0, "p99": 37.0, "max": 70.0},
        cpu_us={"validation": 100.0, "invocation": 300.0, "broker": 200.0, "all": 600.0},
        memory={"validation": {"rss": 80.0, "peak": 81.0, "pss": 50.0}},
        bytes_per_execution={"ledger": 3000.0, "outcomes": 400.0, "all": 3400.0},
        records_per_execution={"ledger": 5.0, "outcomes": 1.0},
        stages={"validation": {"batches_per_execution": 0.1, "records_per_batch": 10.0, "flush_ms": 2.0}},
        tool={"calls": 100, "duplicates": 0, "in_flight_max": 500 if load == "slow tool" else 0},
    )


def bare(*, per_s: float = 4000.0) -> dict[str, Any]:
    """What the bare loop says of one load."""
    cpu_s = {"validate": 0.01, "map": 0.01, "invoke": 0.02, "record": 0.01, "broker": 0.04, "tool": 0.01, "driver": 0.01}
    return {
        "loop": "log",
        "n": 100,
        "exec_per_s": per_s,
        "p50_ms": 5.0,
        "p90_ms": 7.0,
        "p99_ms": 20.0,
        "cpu_ms_per_exec": 0.3,
        "cpu_s": cpu_s,
    }


def found(*, has_bare: bool = True, has_up: bool = True, executions: int = 0) -> Found:
    """Three rounds of P, one of D and one without the api; the second round of P is the middle one."""
    idle = {"cpu": {"validation": 0.01, "broker": 0.05, "all": 0.06}, "memory": {"validation": {"rss": 80.0, "pss": 50.0}}}
    columns = {
        "P": [{load: measured(load, per_s=per_s) for load in RATES} for per_s in (900.0, 1000.0, 1300.0)],
        "D": [{load: measured(load, per_s=800.0) for load in RATES}],
        "P-no-api": [{load: measured(load, per_s=1200.0) for load in RATES}],
    }
    started = {"ready_s": 30.0, "cpu_s": 28.0, "memory": {"rss": 200.0}, "state_bytes": 1000 * executions}
    return Found(
        columns=columns,
        idle={name: [idle] for name in columns},
        bare=[{load: bare() for load in RATES}] if has_bare else [],
        up={
            "first_s": 9.0,
            "ready_s": 8.0,
            "idle_cpu": {"all": 0.1, "validation": 0.02},
            "memory": {"validation": {"rss": 70.0, "pss": 45.0}},
        }
        if has_up
        else None,
        restore={
            "executions": executions,
            "events": 2 * executions,
            "empty_folder_s": 30.0,
            "local_state_s": 2.0,
            "rounds": {"empty_folder": started, "local_state": started},
        }
        if executions
        else None,
    )


def result(**changes: Any) -> dict[str, Any]:
    """The result of `found(**changes)`."""
    absent = None if changes.get("has_bare", True) else "there is no bare_loop.py"
    return summary(found(**changes), kind="full", partitions=4, bare_absent=absent)
