"""All invariants over one run, as data and as a table."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from tests.chaos.checker.cross_check import folds_agree
from tests.chaos.checker.effects import (
    applies_at_most_once,
    calls_are_approved,
    receipts_are_permitted,
    released_claims_never_called,
    succeeded_means_applied,
)
from tests.chaos.checker.evidence import Evidence
from tests.chaos.checker.finding import Check, Result, Tally
from tests.chaos.checker.healing import lag_ends_after_healing, no_partition_stays_paused, nothing_grows, recovery_s
from tests.chaos.checker.reached import Reached, reached_in
from tests.chaos.checker.stops import last_calls_ms, no_call_after_a_stop, no_call_without_a_broker
from tests.chaos.checker.verdicts import (
    every_intent_has_one_verdict,
    every_record_is_accounted_for,
    logs_are_readable,
    outcomes_have_signal_and_ledger,
)

INVARIANTS: tuple[Check, ...] = (
    every_intent_has_one_verdict,
    every_record_is_accounted_for,
    applies_at_most_once,
    receipts_are_permitted,
    released_claims_never_called,
    calls_are_approved,
    succeeded_means_applied,
    no_call_after_a_stop,
    no_call_without_a_broker,
    outcomes_have_signal_and_ledger,
    lag_ends_after_healing,
    no_partition_stays_paused,
    nothing_grows,
    logs_are_readable,
    folds_agree,
)


@dataclass(frozen=True)
class Report:
    """What the checker says about one run."""

    tallies: list[Tally]
    figures: dict[str, Any]
    reached: Reached

    @property
    def result(self) -> Result:
        """The worst of all."""
        results = {tally.result for tally in self.tallies}
        return next((r for r in (Result.VIOLATION, Result.UNKNOWN) if r in results), Result.OK)

    def shown(self) -> dict[str, Any]:
        """As JSON."""
        invariants = {tally.name: tally.shown() for tally in self.tallies}
        return {"result": self.result, "invariants": invariants, "figures": self.figures, "reached": self.reached}

    def table(self) -> str:
        """For people: one line for each invariant, then what was wrong, then the figures."""
        wide = max(len(tally.name) for tally in self.tallies)
        lines = [f"{'':{wide}}  {'ok':>7} {'broken':>7} {'unknown':>7}"]
        for tally in self.tallies:
            counts = " ".join(f"{tally.counts[r]:>7}" for r in (Result.OK, Result.VIOLATION, Result.UNKNOWN))
            lines.append(f"{tally.name.replace('_', ' '):{wide}}  {counts}")
        lines += [f"  {tally.name}: {example}" for tally in self.tallies for example in tally.examples[:5]]
        lines += [f"{name.replace('_', ' ')}: {value}" for name, value in self.figures.items()]
        return "\n".join([*lines, f"result: {self.result}"])


def check(evidence: Evidence) -> Report:
    """Decide every invariant. Raises: UnreadableRunError."""
    tallies = [Tally.of(invariant.__name__, invariant(evidence)) for invariant in INVARIANTS]
    return Report(tallies, _figures(evidence), reached_in(evidence))


def _figures(evidence: Evidence) -> dict[str, Any]:
    """The numbers that people want beside the verdicts."""
    doubts = Counter(
        evidence.published[key][0]["effect_class"]
        for key, outcome in evidence.final.items()
        if outcome["status"] == "IN_DOUBT" and key in evidence.published
    )
    calls = Counter((receipt.key, receipt.claim.step if receipt.claim else "") for receipt in evidence.receipts)
    recovered_s, stops_ms = recovery_s(evidence), last_calls_ms(evidence)
    return {
        "intents": len(evidence.published),
        "statuses": dict(Counter(str(outcome["status"]) for outcome in evidence.final.values())),
        "calls": len(evidence.receipts),
        "repeated_calls": sum(count - 1 for count in calls.values()),
        "in_doubt_by_class": dict(doubts),
        "faults": dict(Counter(str(fault["kind"]) for fault in evidence.faults)),
        "recovery_s": recovered_s,
        "engage_to_last_call_ms": max(stops_ms, default=None),
    }
