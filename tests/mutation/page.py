"""docs/mutation.md: the tally of a run and each survivor with its sentence."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.mutation.explained import EXPLAINED
from tests.mutation.mutants import Mutant

PAGE = Path(__file__).resolve().parents[2] / "docs/mutation.md"
MODULES = ("enact.execution", "enact.next_action")
FAST = "the fast tests"
MODEL = "the model check"


@dataclass(frozen=True, kw_only=True)
class Tally:
    """What a run found about one module."""

    module: str
    mutants: int
    killed: dict[str, int]
    survivors: list[Mutant]


def summary(tally: Tally) -> str:
    """One line."""
    killed = ", ".join(f"{count} killed by {tier}" for tier, count in tally.killed.items())
    return f"{tally.module}: {tally.mutants} mutants, {killed}, {len(tally.survivors)} survive"


def rendered(tallies: Sequence[Tally], *, day: str, commit: str) -> str:
    """The whole page."""
    lines = [
        "# Mutation run",
        "",
        "`make mutation` plants small bugs in the pure modules of the fold, one at a time: another comparison, `and` for `or`, a dropped",
        "condition, argument, element or assignment, a number one off, another member of an enum, another text, no return value.",
        "A bug that a test sees is killed. The fast tests of the fold meet it first (`tests/unit/enact/test_execution*.py` without the",
        "model, and `test_next_action.py`), and the model check if it still lives. What survives both is listed here with the reason why",
        "it is no bug; `tests/architecture/test_mutation.py` fails when a listed place no longer stands in the source.",
        "",
        f"Last run {day}, of the source at commit `{commit}`.",
        "",
        "| module | mutants | killed by the fast tests | killed by the model check | survive |",
        "|---|---:|---:|---:|---:|",
    ]
    for tally in tallies:
        fast, model = tally.killed.get(FAST, 0), tally.killed.get(MODEL, 0)
        lines.append(f"| `{tally.module}` | {tally.mutants} | {fast} | {model} | {len(tally.survivors)} |")
    for tally in tallies:
        if tally.survivors:
            lines += ["", f"## Survivors in `{tally.module}`", "", "| in | was | mutant | why it is no bug |", "|---|---|---|---|"]
        for mutant in tally.survivors:
            why = EXPLAINED[tally.module].get(mutant.name, "**not explained**")
            nth = f" (place {mutant.nth})" if mutant.nth > 1 else ""
            lines.append(f"| `{mutant.function}` | {_code(mutant.was)}{nth} | {_code(mutant.now)} | {why} |")
    return "\n".join(lines) + "\n"


def _code(text: str) -> str:
    return "`" + text.replace("|", "\\|") + "`"
