"""`make chaos`: the failpoint matrix and the random runs; see docs/chaos.md.

What is decided is kept in build/chaos and skipped next time (`--fresh` begins anew); after a violation no new run begins,
unless `--keep-going`. Ends with 1 if a promise was broken or a run could not be played, else 0.
"""

import argparse
import os
import random
import signal
import sys
from pathlib import Path

from tests.chaos.matrix import cells
from tests.chaos.page import PAGE, Summary, rendered, summary
from tests.chaos.runner import Runner, forget, lanes_of_this_machine

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "build" / "chaos"


def main(arguments: list[str]) -> int:
    """Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--runs", type=int, default=100, help="random runs (seeds from --seed on)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--lanes", type=int, default=lanes_of_this_machine(), help="runs at a time, each lane on a broker of its own")
    parser.add_argument("--only", choices=("matrix", "random"))
    parser.add_argument("--named", nargs="+", default=[], metavar="RUN", help="just these runs")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="begin no run after so long")
    parser.add_argument("--keep-going", action="store_true")
    parser.add_argument("--fresh", action="store_true", help="forget what was decided")
    parser.add_argument("--write", action="store_true", help="write docs/chaos.md from the results")
    parser.add_argument("--folder", type=Path, default=RESULTS)
    given = parser.parse_args(arguments)
    os.chdir(ROOT)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # the lanes must end with us
    if given.fresh:
        forget(given.folder)
    runner = Runner(given.folder, lanes=given.lanes, keeps_going=given.keep_going, within_s=given.minutes * 60)
    outcome = runner.play(given.named or _names(given.only, given.seed, given.runs))
    found: Summary = summary(given.folder)
    print(rendered(found))
    if given.write:
        PAGE.write_text(rendered(found), encoding="utf-8")
    return 0 if outcome.is_clean else 1


def _names(only: str | None, seed: int, runs: int) -> list[str]:
    """All runs, random ones and cells mixed, so that whoever stops early has seen some of both."""
    names = [f"random-{number:04}" for number in range(seed, seed + runs)] if only != "matrix" else []
    names += [cell.name for cell in cells()] if only != "random" else []
    random.Random(seed).shuffle(names)
    return names


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
