"""All mutants of one module: its source with one small bug, where it is and what it says."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from tests.mutation.operators import changes


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """One small bug. `function` and `was` → `now` name it for as long as that place of the source stays as it is."""

    function: str
    line: int
    was: str
    now: str
    nth: int
    """Counts from 1 among those of the same function that read the same."""
    source: str

    @property
    def name(self) -> str:
        """Stays the same when lines move."""
        return f"{self.function}: {self.was} → {self.now}" + (f" #{self.nth}" if self.nth > 1 else "")


def mutants_of(source: str, *, seed: int = 0) -> list[Mutant]:
    """In the source's order. The seed only chooses which other member an enum's place gets."""
    raw, tree = source.encode(), ast.parse(source)
    starts = [0]
    for line in raw.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    made: list[Mutant] = []
    seen: dict[tuple[str, str, str], int] = {}
    texts = {source}
    for turn, (function, node) in enumerate(_places(tree, "module")):
        for place, now in changes(node, turn=turn + seed):
            first, last = starts[place.lineno - 1] + place.col_offset, starts[(place.end_lineno or 0) - 1] + (place.end_col_offset or 0)
            changed = (raw[:first] + now.encode() + raw[last:]).decode()
            if changed in texts:
                continue
            texts.add(changed)
            was = " ".join(raw[first:last].decode().split())
            nth = seen[function, was, now] = seen.get((function, was, now), 0) + 1
            made.append(Mutant(function=function, line=place.lineno, was=was, now=now, nth=nth, source=changed))
    return made


def _places(node: ast.AST, function: str) -> Iterator[tuple[str, ast.AST]]:
    """Every node that runs: no docstring, no annotation, no import, no decorator, nothing inside an f-string."""
    for name, value in ast.iter_fields(node):
        if name in {"annotation", "returns", "decorator_list", "bases", "keywords"} and not isinstance(node, ast.Call):
            continue
        for child in value if isinstance(value, list) else [value]:
            if not isinstance(child, ast.AST) or isinstance(child, ast.Import | ast.ImportFrom):
                continue
            if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant):
                continue
            inner = child.name if isinstance(child, ast.FunctionDef | ast.ClassDef) else function
            yield inner, child
            if not isinstance(child, ast.JoinedStr):
                yield from _places(child, inner)
