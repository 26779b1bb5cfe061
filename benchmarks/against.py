"""This tree against an earlier commit of it: the saturated load, the two in turn, so that both meet the same machine.

python -m benchmarks.against d1adb8e --rounds 3

Each block starts a broker and a pipeline of its own from a work tree of its commit, and warms both. What is compared is the median
over all loads of all blocks; the spread says how much of the difference is the machine's.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks.arithmetic import spread
from benchmarks.program import tell

ROOT: Final = Path(__file__).resolve().parents[1]
LOADS: Final = 3
WANTED: Final = 0.90
_RATE = re.compile(r"^saturated \d+: ([\d,.]+)/s", re.MULTILINE)


def rates_of(printed: str) -> list[float]:
    """Executions per second of each load that `python -m benchmarks` printed, warm-ups left out."""
    return [float(rate.replace(",", "")) for rate in _RATE.findall(printed)]


def verdict(before: list[float], after: list[float]) -> tuple[float, str]:
    """The ratio of the medians, and a sentence. Raises: ValueError if one side has no rates."""
    if not before or not after:
        raise ValueError("a side has no rates: look at what its block printed")
    ratio = median(after) / median(before)
    sentence = (
        f"before {median(before):.0f}/s (spread {spread(before):.2f}), after {median(after):.0f}/s (spread {spread(after):.2f}): "
        f"ratio {ratio:.3f}, wanted {WANTED}"
    )
    return ratio, sentence


def main() -> int:
    """0 if this tree keeps at least nine tenths of the earlier commit's rate, else 1."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.against", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("commit", help="the earlier commit")
    parser.add_argument("--rounds", type=int, default=3, help="blocks of each side, in turn")
    parser.add_argument("--count", type=int, default=5_000, help="executions of one load")
    options = parser.parse_args()
    before: list[float] = []
    after: list[float] = []
    with _work_tree(options.commit) as earlier:
        for number in range(options.rounds):
            # Who goes first changes: a machine that gets slower or warmer meets both alike.
            sides = [("before", earlier, before), ("after", ROOT, after)]
            for name, tree, rates in sides if number % 2 == 0 else sides[::-1]:
                found = _block(tree, options.count)
                rates.extend(found)
                tell(f"{name}: {', '.join(f'{rate:.0f}' for rate in found)} executions/s")
    ratio, sentence = verdict(before, after)
    tell(sentence)
    return 0 if ratio >= WANTED else 1


def _block(tree: Path, count: int) -> list[float]:
    """The rates of one block. Raises: RuntimeError if it failed, with what it said last."""
    command = [sys.executable, "-m", "benchmarks", "--load", "saturated", "--count", str(count), "--repeat", str(LOADS)]
    run = subprocess.run(command, cwd=tree, env={**os.environ, "PYTHONPATH": str(tree)}, capture_output=True, text=True, check=False)
    rates = rates_of(run.stdout)
    if run.returncode or len(rates) != LOADS:
        message = (
            f"the block in {tree} ended with {run.returncode} and {len(rates)} rates; it said last: {(run.stderr or run.stdout)[-2000:]}"
        )
        raise RuntimeError(message)
    return rates


@contextmanager
def _work_tree(commit: str) -> Iterator[Path]:
    """A checkout of the earlier commit, removed at the end."""
    with tempfile.TemporaryDirectory(prefix="enact-before-") as folder:
        tree = Path(folder) / "tree"
        subprocess.run(["git", "worktree", "add", "--quiet", "--detach", str(tree), commit], cwd=ROOT, check=True)
        try:
            yield tree
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", str(tree)], cwd=ROOT, check=True)


if __name__ == "__main__":
    sys.exit(main())
