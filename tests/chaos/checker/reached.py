"""*Sometimes* checks: what a set of runs must have met at least once, or they prove less than they seem to."""

from collections import Counter
from collections.abc import Iterable

from connectors.sandbox.modes import Behaviour
from enact.failpoints import Failpoint
from tests.chaos.checker.avro import symbols
from tests.chaos.checker.evidence import Evidence

Reached = dict[str, Counter[str]]


def reached_in(evidence: Evidence) -> Reached:
    """What one run met, by kind."""
    hits = evidence.lines("failpoints.jsonl")
    facts = [r.tree["data"] for r in evidence.topic("executions") if r.tree is not None and r.tree["type"] == "FACT"]
    return {
        "failpoints": Counter(str(line["failpoint"]) for line in hits if line["what"] == "passed"),
        "actions": Counter(f"{line['stage']}:{line['failpoint']}={line['what']}" for line in hits if line["what"] != "passed"),
        "error_classes": Counter(str(fact["error"]["error_class"]) for fact in facts if fact["error"] is not None),
        "world_modes": Counter(str(line["mode"]) for line in evidence.lines("receipts.jsonl") if line["mode"]),
        "statuses": Counter(str(outcome["status"]) for outcome in evidence.final.values()),
        "faults": Counter(str(fault["kind"]) for fault in evidence.faults),
        "effect_classes": Counter(str(lines[0]["effect_class"]) for lines in evidence.published.values()),
    }


def never_reached(runs: Iterable[Reached]) -> dict[str, list[str]]:
    """What should have been met and never was, over all runs, by kind."""
    wanted = {
        "failpoints": [str(point) for point in Failpoint],
        "error_classes": list(symbols("action_outcome", "ErrorClass")),
        "world_modes": [str(mode) for mode in Behaviour],
        "statuses": ["SUCCEEDED", "FAILED", "EXPIRED", "CANCELLED", "IN_DOUBT"],
    }
    met: Reached = {}
    for run in runs:
        for kind, counts in run.items():
            met.setdefault(kind, Counter()).update(Counter(counts))
    return {kind: missing for kind, names in wanted.items() if (missing := [name for name in names if not met.get(kind, Counter())[name]])}
