"""Plant every small bug in the pure modules of the fold and say which no test sees: `python -m tests.mutation [module …]`.

First the fast tests of the fold, then, for what they let live, the model check. A stopped run goes on where it was; `--fresh`
begins anew. `--fast` leaves the model out, `--write` renders docs/mutation.md. Ends with 1 if a survivor is not explained.
"""

import argparse
import importlib
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from tests.mutation import page
from tests.mutation.explained import EXPLAINED
from tests.mutation.judge import Judge, run_in_session
from tests.mutation.mutants import Mutant, mutants_of
from tests.mutation.planting import plant
from tests.mutation.results import Result, Results, digest_of

ROOT = Path(__file__).resolve().parents[2]
UNIT = ROOT / "tests/unit/enact"
SLOWEST_LAST = ("test_execution_properties.py", "test_execution_model.py")
FAST_CPU_S, MODEL_CPU_S = 60, 240
"""Several times what the tests take without a mutant."""


def main(arguments: list[str]) -> int:
    """Judge all mutants of the named modules, by default of the fold; 1 if an unexplained one lives."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("modules", nargs="*", default=list(page.MODULES))
    parser.add_argument("--fast", action="store_true", help="leave the model check out")
    parser.add_argument("--fresh", action="store_true", help="forget what earlier runs found")
    parser.add_argument("--write", action="store_true", help="write docs/mutation.md")
    chosen = parser.parse_args(arguments)
    os.chdir(ROOT)
    tallies: list[page.Tally] = []

    def judge_all(items: Sequence[pytest.Item]) -> None:
        tiers = {page.FAST: Judge([item for item in items if SLOWEST_LAST[-1] not in item.nodeid], cpu_limit_s=FAST_CPU_S)}
        if not chosen.fast:
            # Its own planted bugs are left out: they would be planted on top.
            model = [item for item in items if SLOWEST_LAST[-1] in item.nodeid and "no_interleaving" in item.name]
            tiers[page.MODEL] = Judge(model, cpu_limit_s=MODEL_CPU_S)
        tallies.extend(_judged(module, tiers, is_fresh=chosen.fresh) for module in chosen.modules)

    quick = sorted(path for path in UNIT.glob("test_execution*.py") if path.name not in SLOWEST_LAST)
    run_in_session([str(path) for path in (*quick, UNIT / "test_next_action.py", *(UNIT / name for name in SLOWEST_LAST))], judge_all)
    if chosen.write:
        commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
        page.PAGE.write_text(page.rendered(tallies, day=datetime.now(UTC).date().isoformat(), commit=commit))
    return 1 if any(mutant.name not in EXPLAINED[tally.module] for tally in tallies for mutant in tally.survivors) else 0


def _judged(name: str, tiers: dict[str, Judge], *, is_fresh: bool) -> page.Tally:
    """All mutants of one module, one after the other; survivors are printed as they are found."""
    module, source = importlib.import_module(name), (ROOT / (name.replace(".", "/") + ".py")).read_text()
    kept = ROOT / "build/mutation" / f"{name}.jsonl"
    if is_fresh:
        kept.unlink(missing_ok=True)
    for tier, judge in tiers.items():
        if (failing := judge.killer_of(lambda: None)) is not None:
            raise SystemExit(f"{failing} ({tier}) fails without any mutant: nothing can be said about {name}")
    results, against, mutants = (
        Results(kept),
        digest_of(UNIT, [name for judge in tiers.values() for name in judge.tests]),
        mutants_of(source),
    )
    killed, survivors = dict.fromkeys(tiers, 0), list[Mutant]()
    for number, mutant in enumerate(mutants, start=1):
        result = results.get(mutant)
        if result is None or (result.tier is None and result.against != against):
            result = _met(tiers, partial(plant, module, source, mutant.source), against)
            results.put(mutant, result)
            if result.tier != page.FAST or number % 50 == 0:
                what = "LIVES" if result.tier is None else f"killed by {result.killer}"
                print(f"{time.strftime('%H:%M:%S')} {name} {number}/{len(mutants)} {mutant.line} {mutant.name}: {what}", flush=True)
        if result.tier is None:
            survivors.append(mutant)
        else:
            killed[result.tier] = killed.get(result.tier, 0) + 1
    tally = page.Tally(module=name, mutants=len(mutants), killed=killed, survivors=survivors)
    print(page.summary(tally), flush=True)
    for mutant in survivors:
        print(f"  {'explained' if mutant.name in EXPLAINED[name] else 'LIVES    '} {mutant.line} {mutant.name}", flush=True)
    return tally


def _met(tiers: dict[str, Judge], planting: partial[None], against: str) -> Result:
    for tier, judge in tiers.items():
        if (killer := judge.killer_of(planting)) is not None:
            return Result(killer=killer, tier=tier, against=against)
    return Result(killer=None, tier=None, against=against)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
