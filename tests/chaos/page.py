"""What all decided runs together say: figures, coverage, and what was broken; as text and as docs/chaos.md."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.chaos.checker.reached import never_reached
from tests.chaos.lane import result_of
from tests.chaos.matrix import cells as all_cells

PAGE = Path(__file__).resolve().parents[2] / "docs" / "chaos.md"
INTRODUCTION = """# Under faults

<!-- Written by `make chaos` from the results of its runs. Do not edit. -->

`make chaos` plays runs in which everything goes wrong that a seed chooses, and lets a checker in a process of its own decide
each one. The checker trusts nothing that enact says about itself: it joins what was published and acknowledged, what the
practice world received and applied, and a dump of every topic. A run is *ok*, a *violation*, or *unknown* where the evidence
does not tell; unknown is counted and never folded into ok.

A **random run** publishes {intents} intents of several tenants and effect classes within half a minute, some expiring, some
unapproved, some twice, while stage processes are killed and frozen, the broker is killed or frozen, a proxy in front of it
delays, drops, cuts and half-opens by Kafka API and client, wall clocks jump (a test-only offset on the one place where the product
reads the time of day), the practice world loses answers, fails, throttles, hangs and dies, and people stop, release,
cancel and resolve. Then everything heals, lag must end within 90 s, and a minute later the world is looked at again.
A **matrix cell** kills or stops each stage at one failpoint, in a world that answers and in one that loses and delays answers.

`python -m tests.chaos --named random-0017 --folder build/again` plays one run again; the seed decides what is published and done,
the machine when exactly it happens. What no run does: break a disk, lose an acknowledged record, part brokers from each other
(there is one), or leave a wrong answer of a person standing.
"""


@dataclass
class Group:
    """The runs of one kind."""

    results: Counter[str] = field(default_factory=Counter)
    figures: list[Mapping[str, Any]] = field(default_factory=list)
    commits: Counter[str] = field(default_factory=Counter)
    harmed: Counter[str] = field(default_factory=Counter)
    commands: Counter[str] = field(default_factory=Counter)
    published: int = 0
    lost: int = 0
    doubled: int = 0


@dataclass
class Summary:
    """All runs: by kind (`random`, `matrix`), what they met, and what was not ok."""

    groups: dict[str, Group] = field(default_factory=dict)
    reached: list[dict[str, Counter[str]]] = field(default_factory=list)
    broken: Counter[str] = field(default_factory=Counter)
    unknown: Counter[str] = field(default_factory=Counter)
    acted: int = 0
    cells_without_act: list[str] = field(default_factory=list)


def summary(folder: Path) -> Summary:
    """Add up what lies in the results' folder."""
    found = Summary()
    for path in sorted(folder.iterdir()) if folder.exists() else ():
        result = result_of(path)
        if result is not None:
            _add(found, path, result)
    return found


def _add(found: Summary, path: Path, result: Mapping[str, Any]) -> None:
    run = json.loads((path / "run.json").read_text(encoding="utf-8"))
    group = found.groups.setdefault(run["kind"], Group())
    group.results[result["result"]] += 1
    group.figures.append(result["figures"])
    group.commits[run["commit"]] += 1
    group.harmed.update(run.get("frames_harmed", {}))
    group.commands.update(_commands(path))
    group.published += sum(1 for _ in _lines(path / "published.jsonl"))
    group.lost += _violations(result, "every_intent_has_one_verdict")
    group.doubled += _violations(result, "applies_at_most_once")
    found.reached.append({kind: Counter(counts) for kind, counts in result["reached"].items()})
    for name, tally in result["invariants"].items():
        found.broken[name] += tally["violation"]
        found.unknown[name] += tally["unknown"]
    if run["kind"] == "matrix":
        wanted = f"{run['failpoint']}={run['action'].partition('(')[0]}"
        if any(action.partition(":")[2] == wanted for action in result["reached"]["actions"]):
            found.acted += 1
        else:
            found.cells_without_act.append(path.name)


def _violations(result: Mapping[str, Any], invariant: str) -> int:
    return int(result["invariants"].get(invariant, {}).get("violation", 0))


def _lines(file: Path) -> Iterator[Any]:
    for line in file.read_text(encoding="utf-8").splitlines() if file.exists() else ():
        yield json.loads(line)


def _commands(path: Path) -> Iterator[str]:
    for command in _lines(path / "commands.jsonl"):
        yield f"{command['kind']}, {'acknowledged' if command['acked_ms'] is not None else 'not acknowledged'}"


def rendered(found: Summary) -> str:
    """The page."""
    most = max((figure["intents"] for group in found.groups.values() for figure in group.figures), default=0)
    parts = [INTRODUCTION.format(intents=most or "some hundred")]
    for kind, title in (("random", "Random runs"), ("matrix", "The failpoint matrix")):
        group = found.groups.get(kind)
        if group is not None:
            parts.append(f"## {title}\n\n{_table(_figures(group))}")
    if found.groups.get("matrix"):
        parts.append(_cells(found))
    parts.append(f"## Invariants\n\n{_table(_invariants(found))}")
    missing = never_reached(found.reached) if found.reached else {}
    told = "; ".join(f"{kind}: {', '.join(names)}" for kind, names in missing.items())
    parts.append(
        f"## What must be met sometimes\n\nNever met: {told or 'nothing: every failpoint, error class, world mode and status was'}.\n"
    )
    return "\n".join(parts)


def _figures(group: Group) -> Iterator[tuple[str, str]]:
    def total(name: str) -> int:
        return sum(figure[name] for figure in group.figures)

    def added(name: str) -> Counter[str]:
        return sum((Counter(figure[name]) for figure in group.figures), Counter())

    recoveries = sorted(figure["recovery_s"] for figure in group.figures if figure["recovery_s"] is not None)
    stops = [figure["engage_to_last_call_ms"] for figure in group.figures if figure["engage_to_last_call_ms"] is not None]
    yield "runs", _counted(group.results)
    yield "commits", _counted(group.commits)
    yield "intents", f"{total('intents'):,}"
    yield "publications (some intents more than once)", f"{group.published:,}"
    yield "lost", f"{group.lost:,}"
    yield "effects doubled", f"{group.doubled:,}"
    yield "ended as", _counted(added("statuses"))
    yield "calls that the practice world received", f"{total('calls'):,}"
    yield "of them repeated (same key, or after a definite no)", f"{total('repeated_calls'):,}"
    yield "in doubt by effect class", _counted(added("in_doubt_by_class")) or "none"
    yield "faults by kind", _counted(added("faults"))
    yield "frames harmed by the proxy", f"{group.harmed.total():,}"
    yield "commands", _counted(group.commands)
    yield "healed until no lag, p50 and p99", f"{_at(recoveries, 0.5)} s, {_at(recoveries, 0.99)} s"
    yield "engage acknowledged until the last call, longest", f"{max(stops)} ms" if stops else "no engage"


def _cells(found: Summary) -> str:
    cells = found.acted + len(found.cells_without_act)
    text = f"The rule acted in {found.acted} of {cells} cells. The whole matrix has {len(list(all_cells()))}.\n"
    if found.cells_without_act:
        text += f"\nNot passed often enough for the rule to act: {', '.join(found.cells_without_act)}.\n"
    return text


def _invariants(found: Summary) -> Iterator[tuple[str, str]]:
    for name in found.broken:
        yield name.replace("_", " "), f"{found.broken[name]} violations, {found.unknown[name]} unknown"


def _table(rows: Iterable[tuple[str, str]]) -> str:
    return "| | |\n|---|---|\n" + "".join(f"| {name} | {value} |\n" for name, value in rows)


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in sorted(counts.items(), key=lambda item: -item[1]))


def _at(values: list[float], share: float) -> str:
    return f"{values[min(len(values) - 1, int(share * len(values)))]:.1f}" if values else "–"
