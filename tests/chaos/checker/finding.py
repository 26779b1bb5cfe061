"""What the checker says about one promise in one case, and the sum over a run."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

from tests.chaos.checker.evidence import Evidence

MAX_EXAMPLES = 20


class Result(StrEnum):
    """Whether a promise was kept."""

    OK = "ok"
    VIOLATION = "violation"
    UNKNOWN = "unknown"


class Finding(NamedTuple):
    """One promise in one case. `what` says what was found; empty for ok."""

    result: Result
    what: str = ""


OK = Finding(Result.OK)


def violation(what: str) -> Finding:
    """The promise was broken."""
    return Finding(Result.VIOLATION, what)


def unknown(what: str) -> Finding:
    """The folder does not tell."""
    return Finding(Result.UNKNOWN, what)


Check = Callable[[Evidence], Iterator[Finding]]


@dataclass
class Tally:
    """All findings about one invariant."""

    name: str
    counts: Counter[Result] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, name: str, findings: Iterable[Finding]) -> "Tally":
        """Count, and keep the first of what is not ok; violations before unknowns."""
        tally = cls(name)
        kept: list[Finding] = []
        for finding in findings:
            tally.counts[finding.result] += 1
            if finding.result is not Result.OK and (len(kept) < MAX_EXAMPLES or finding.result is Result.VIOLATION):
                kept.append(finding)
        kept.sort(key=lambda finding: finding.result is not Result.VIOLATION)
        tally.examples = [f"{finding.result}: {finding.what}" for finding in kept[:MAX_EXAMPLES]]
        return tally

    @property
    def result(self) -> Result:
        """Violation beats unknown beats ok."""
        if self.counts[Result.VIOLATION]:
            return Result.VIOLATION
        return Result.UNKNOWN if self.counts[Result.UNKNOWN] else Result.OK

    def shown(self) -> dict[str, Any]:
        """For the JSON report."""
        return {"result": self.result, **{r.value: self.counts[r] for r in Result}, "examples": self.examples}
