"""Run the model check by hand: `python -m tests.unit.enact.execution_model [--deep]`."""

import sys
import time

from tests.unit.enact.execution_model.scenarios import DEEP, UNIT
from tests.unit.enact.execution_model.search import search


def main(arguments: list[str]) -> int:
    """Search every scenario, print its size and what broke; 1 if anything did."""
    scenarios = (*UNIT, *DEEP) if "--deep" in arguments else UNIT
    is_broken, worlds = False, 0
    for scenario in scenarios:
        started_s = time.perf_counter()
        found = search(scenario)
        worlds += found.worlds
        print(f"{scenario.name:50} {found.worlds:9,} worlds {found.logs:8,} logs {time.perf_counter() - started_s:7.1f} s", flush=True)
        for name, story in found.broken.items():
            is_broken = True
            print(f"  BROKEN: {name}", *story, sep="\n    ")
    print(f"{worlds:,} worlds; {'BROKEN' if is_broken else 'nothing broke'}")
    return 1 if is_broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
