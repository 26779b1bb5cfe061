"""The source tree as the architecture tests see it: parsed modules, and checks as functions of them that return findings.

A check never knows the disk, so each test can also feed it a bad sample and see it caught.
"""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = ("enact", "topology", "connectors", "services", "cli")
NOT_OURS = {".git", ".venv", ".enact", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis", ".import_linter_cache", "__pycache__"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Module:
    """One Python file: where it lies (from the root) and what it says."""

    path: PurePosixPath
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @property
    def line_count(self) -> int:
        return len(self.text.splitlines())

    def functions(self) -> Iterator[Function]:
        for node in ast.walk(self.tree):
            if isinstance(node, Function):
                yield node

    def imported(self) -> Iterator[str]:
        """Full names of imported modules, wherever the import stands."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module is not None:
                yield node.module


def sample(path: str, text: str) -> Module:
    """A module that exists only in a test."""
    return Module(PurePosixPath(path), text)


def modules(*folders: str) -> list[Module]:
    """Every Python file below these folders of the tree."""
    return [module for folder in folders for module in _below(folder)]


@cache
def _below(folder: str) -> tuple[Module, ...]:
    """Read and parsed once for all checks of a run."""
    return tuple(
        Module(PurePosixPath(path.relative_to(ROOT).as_posix()), path.read_text(encoding="utf-8"))
        for path in sorted((ROOT / folder).rglob("*.py"))
        if not NOT_OURS & set(path.parts)
    )


def files() -> Iterator[tuple[PurePosixPath, str]]:
    """Every text file of the tree, as a fresh clone would have it."""
    for path in sorted(ROOT.rglob("*")):
        inside = path.relative_to(ROOT)
        if not path.is_file() or NOT_OURS & set(inside.parts) or any(part.endswith(".egg-info") for part in inside.parts):
            continue
        try:
            yield PurePosixPath(inside.as_posix()), path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


def length(function: Function) -> int:
    """Lines of a function, its decorators left out."""
    return (function.end_lineno or function.lineno) - function.lineno + 1


def spell(findings: Iterable[str]) -> str:
    """Findings one a line, for an assertion's message."""
    return "\n" + "\n".join(findings)
