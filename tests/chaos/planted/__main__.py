"""`python -m tests.chaos.planted [NAME…]`: is every planted bug seen, and in how many runs?

Exit status: 0 = each was seen and no run without a bug was found broken; 1 otherwise.
"""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from enact.broker.embedded import EmbeddedBroker
from enact.errors import EnactError
from tests.chaos.planted.run import run_once
from tests.chaos.planted.scenarios import SCENARIOS, Scenario


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.planted", description="Is every planted bug seen?")
    parser.add_argument("names", nargs="*", choices=[[], *SCENARIOS], metavar="NAME", help="bugs; all if none is named")
    parser.add_argument("--runs", type=int, default=3, help="how many runs a bug may take to be seen")
    parser.add_argument("--keep", type=Path, help="folder in which every run is kept")
    given = parser.parse_args(arguments)
    folder = given.keep or Path(tempfile.mkdtemp(prefix="planted-"))
    folder.mkdir(parents=True, exist_ok=True)
    broker = EmbeddedBroker(folder / "broker", port=0, controller_port=0)
    broker.start()
    try:
        broker.wait_ready()
        is_good = [_tell(SCENARIOS[name], folder, broker, given.runs) for name in given.names or SCENARIOS]
    finally:
        broker.stop()
        if given.keep is None:
            shutil.rmtree(folder, ignore_errors=True)
    print(f"{sum(is_good)} of {len(is_good)} planted bugs were seen, each by a checker that found nothing broken without it")
    return 0 if all(is_good) else 1


def _tell(scenario: Scenario, folder: Path, broker: EmbeddedBroker, runs: int) -> bool:
    """One bug: first without it, then with it until it is seen."""
    name = scenario.bug
    try:
        without = run_once(scenario, folder / f"{name}-0", broker, has_bug=False)
        if without.broken:
            print(f"{name}: broken even without the bug: {without.broken}", flush=True)
            return False
        for number in range(1, runs + 1):
            judged = run_once(scenario, folder / f"{name}-{number}", broker, has_bug=True)
            if (seen := judged.sees(scenario)) is not None:
                print(f"{name}: seen in run {number} after {judged.took_s:.0f} s by {seen}: {judged.broken[seen]}", flush=True)
                return True
            print(f"{name}: not seen in run {number}; broken: {judged.broken}", flush=True)
    except (AssertionError, RuntimeError, EnactError) as error:
        print(f"{name}: the scenario did not come to its point: {error}", flush=True)
    return False


if __name__ == "__main__":
    sys.exit(main())
