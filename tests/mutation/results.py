"""What a run has found out so far, kept below `build/` so that a stopped run goes on where it was."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.mutation.mutants import Mutant


@dataclass(frozen=True, kw_only=True)
class Result:
    """Who killed a mutant, and with which tests; both empty tells that it survived."""

    killer: str | None
    tier: str | None
    against: str
    """Digest of the tests that it met: other tests, another chance for a survivor."""


class Results:
    """One file of JSON lines for each module; the last line about a mutant counts."""

    def __init__(self, path: Path) -> None:
        self._path, self._known = path, {}
        if path.exists():
            for line in path.read_text().splitlines():
                row = json.loads(line)
                mutant = row.pop("mutant")
                self._known[mutant] = Result(**row)

    _known: dict[str, Result]

    def get(self, mutant: Mutant) -> Result | None:
        """What is known about exactly this source; None if nothing is."""
        return self._known.get(_key(mutant))

    def put(self, mutant: Mutant, result: Result) -> None:
        """Written at once."""
        self._known[_key(mutant)] = result
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a") as file:
            file.write(json.dumps({"mutant": _key(mutant), **asdict(result)}) + "\n")


def _key(mutant: Mutant) -> str:
    return hashlib.sha256(mutant.source.encode()).hexdigest()


def digest_of(tests: Path, chosen: Iterable[str]) -> str:
    """One digest over all Python files below a folder of tests, and the names of those that are run."""
    total = hashlib.sha256("\n".join(chosen).encode())
    for path in sorted(tests.rglob("*.py")):
        total.update(path.as_posix().encode() + path.read_bytes())
    return total.hexdigest()
