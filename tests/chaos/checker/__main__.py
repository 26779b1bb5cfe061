"""`python -m tests.chaos.checker RUN_DIR`: decides one run; writes `result.json` into its folder and a table to the terminal.

`python -m tests.chaos.checker --reached RUN_DIR…`: what none of these decided runs ever met.
Exit status: 0 ok, 1 violation, 2 unknown only (or something never met), 3 the folder cannot be read.
"""

import argparse
import json
import sys
from pathlib import Path

from tests.chaos.checker.evidence import Evidence, UnreadableRunError
from tests.chaos.checker.finding import Result
from tests.chaos.checker.reached import never_reached
from tests.chaos.checker.report import check

RESULT = "result.json"
STATUS = {Result.OK: 0, Result.VIOLATION: 1, Result.UNKNOWN: 2}
UNREADABLE = 3


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.checker", description="Decides whether a run kept the promises.")
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN_DIR")
    parser.add_argument("--reached", action="store_true", help="what none of these decided runs ever met")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    given = parser.parse_args(arguments)
    try:
        if given.reached:
            return _tell_reached(given.runs)
        return max((_decide(run, is_json=given.json) for run in given.runs), key=[0, 2, 1].index)
    except (UnreadableRunError, OSError) as error:
        sys.stderr.write(f"cannot decide: {error}\n")
        return UNREADABLE


def _decide(run: Path, *, is_json: bool) -> int:
    report = check(Evidence(run))
    text = json.dumps(report.shown(), indent=2)
    (run / RESULT).write_text(text, encoding="utf-8")
    print(text if is_json else f"{run}\n{report.table()}")
    return STATUS[report.result]


def _tell_reached(runs: list[Path]) -> int:
    missing = never_reached(json.loads((run / RESULT).read_text(encoding="utf-8"))["reached"] for run in runs)
    for kind, names in missing.items():
        print(f"{kind} never met: {', '.join(names)}")
    return STATUS[Result.UNKNOWN] if missing else STATUS[Result.OK]


if __name__ == "__main__":
    sys.exit(main())
