"""Invariants about the time after the faults: lag goes to nothing, nothing stays paused, nothing grows."""

from collections.abc import Iterator
from typing import Any

from tests.chaos.checker.evidence import Evidence, grouped
from tests.chaos.checker.finding import OK, Finding, unknown, violation

MIN_LOOKS = 6
"""Enough for a median of four and a last one; a run of a few seconds has no more."""


def lag_ends_after_healing(evidence: Evidence) -> Iterator[Finding]:
    """After the faults ended every group's lag is 0 within 90 s."""
    if evidence.run.get("healed_ms") is None:
        yield unknown("the run does not say when the faults ended")
        return
    took_s, limit_s = recovery_s(evidence), evidence.bounds["heal_s"]
    if took_s is not None:
        yield OK if took_s <= limit_s else violation(f"the lag took {took_s:.0f} s to end")
    elif not evidence.lines("groups.jsonl"):
        yield unknown("nobody looked at the lag")
    else:
        watched_s = (max(line["t_ms"] for line in evidence.lines("groups.jsonl")) - evidence.run["healed_ms"]) / 1000
        what = f"the lag did not end in the {watched_s:.0f} s that were watched"
        yield violation(what) if watched_s >= limit_s else unknown(what)


def recovery_s(evidence: Evidence) -> float | None:
    """Seconds from the end of the faults to the first look at which no group had any lag; None if there was none."""
    healed_ms = evidence.run.get("healed_ms")
    looks = grouped((line["t_ms"], int(line["lag"])) for line in evidence.lines("groups.jsonl"))
    at_ms = next((t_ms for t_ms in sorted(looks) if healed_ms is not None and t_ms >= healed_ms and not sum(looks[t_ms])), None)
    return None if at_ms is None or healed_ms is None else (at_ms - healed_ms) / 1000


def no_partition_stays_paused(evidence: Evidence) -> Iterator[Finding]:
    """At the last look no partition of any group has records that nobody takes."""
    by_partition = grouped(((line["group"], line["topic"], line["partition"]), line) for line in evidence.lines("groups.jsonl"))
    if not by_partition:
        yield unknown("nobody looked at the lag")
    for (group, topic, partition), looks in by_partition.items():
        last = max(looks, key=lambda line: int(line["t_ms"]))
        what = f"{group} leaves {last['lag']} records in {topic}[{partition}]"
        is_told = last["t_ms"] >= evidence.run.get("healed_ms", 0) + evidence.bounds["heal_s"] * 1000
        yield OK if not last["lag"] else violation(what) if is_told else unknown(f"{what}; nobody looked again within the bound")


def nothing_grows(evidence: Evidence) -> Iterator[Finding]:
    """Threads, descriptors and memory of the processes that live at the end are no more than while they worked, or little more."""
    looks = evidence.lines("processes.jsonl")
    if not looks:
        yield unknown("nobody looked at the processes")
        return
    end_ms = max(line["t_ms"] for line in looks)
    for name, seen in grouped((line["name"], line) for line in looks).items():
        if seen[-1]["t_ms"] < end_ms - 5_000 or name.startswith(("broker", "sandbox")):
            continue
        if len(seen) < MIN_LOOKS:
            yield unknown(f"{name}: only {len(seen)} looks")
        else:
            yield from _grown(evidence, name, seen)


def _grown(evidence: Evidence, name: str, seen: list[dict[str, Any]]) -> Iterator[Finding]:
    """The last look, when all is quiet, against the most in the first two thirds of all lives of this name: work costs more than rest.

    Not the median: a run on a busy machine looks at starting processes most of the time, and those have few threads yet.
    """
    bounds, late = evidence.bounds, seen[-1]
    early = {what: max(int(line[what]) for line in seen[: len(seen) * 2 // 3]) for what in ("rss", "threads", "fds")}
    limits = {
        "threads": early["threads"] + bounds["threads"],
        "fds": early["fds"] + bounds["fds"],
        "rss": early["rss"] * bounds["rss_ratio"] + bounds["rss_bytes"],
    }
    for what, limit in limits.items():
        yield violation(f"{name}: {what} grew from {early[what]:.0f} to {late[what]:.0f}") if late[what] > limit else OK
