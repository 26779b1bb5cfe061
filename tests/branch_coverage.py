"""Branch coverage by root, branches alone: `python -m tests.branch_coverage coverage.json` fails when a root is below the budget.

Coverage's own limit mixes lines and branches of all roots; this one does not let an easy root pay for a hard one.
"""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

ROOTS = ("enact", "topology", "services", "connectors")
BUDGET_RATIO = 0.95


@dataclass(frozen=True, kw_only=True)
class Branches:
    """How many branches a root has, and how many were taken."""

    root: str
    taken: int
    total: int

    @property
    def ratio(self) -> float:
        """A root without branches has none untaken."""
        return self.taken / self.total if self.total else 1.0


def by_root(report: Mapping[str, Any]) -> list[Branches]:
    """From the JSON report of coverage.

    Raises:
        ValueError: a root is not in the report, or the report was measured without branches.
    """
    counted = []
    for root in ROOTS:
        summaries = [file["summary"] for path, file in report["files"].items() if PurePosixPath(path).parts[0] == root]
        if not summaries or not report["meta"]["branch_coverage"]:
            raise ValueError(f"the report says nothing about the branches of {root}")
        counted.append(
            Branches(root=root, taken=sum(s["covered_branches"] for s in summaries), total=sum(s["num_branches"] for s in summaries))
        )
    return counted


def main(arguments: list[str]) -> int:
    """Print one line for each root; 1 if one of them is below the budget."""
    counted = by_root(json.loads(Path(arguments[0]).read_text()))
    for one in counted:
        below = "" if one.ratio >= BUDGET_RATIO else f"  below {BUDGET_RATIO:.0%}"
        print(f"{one.root:12} {one.taken:5} of {one.total:5} branches {one.ratio:7.2%}{below}")
    return 1 if any(one.ratio < BUDGET_RATIO for one in counted) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
