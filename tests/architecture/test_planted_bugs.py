"""docs/planted-bugs.md names tests that exist."""

import re
from pathlib import Path

from tests.architecture.tree import ROOT

PAGE = ROOT / "docs" / "planted-bugs.md"
NAMED = re.compile(r"`(tests/[a-z0-9_/]+\.py)::(test_[a-z0-9_]+)`(?: \(\"([^\"]+)\"\))?")


def missing_tests(page: str, root: Path) -> list[str]:
    """Tests that the page names and the tree does not have; for the model, also mutants that do not exist."""
    mutants = (root / "tests/unit/enact/execution_model/mutants.py").read_text()
    missing = []
    for file, test, mutant in NAMED.findall(page):
        path = root / file
        if not path.exists() or f"def {test}(" not in path.read_text():
            missing.append(f"{file}::{test}")
        elif mutant and f'name="{mutant}"' not in mutants:
            missing.append(mutant)
    return missing


def test_every_test_named_on_the_page_exists() -> None:
    page = PAGE.read_text()

    assert len(NAMED.findall(page)) >= 20
    assert missing_tests(page, ROOT) == []


def test_a_page_that_names_a_test_that_is_gone_is_caught() -> None:
    page = "| x | `tests/unit/enact/test_execution_model.py::test_that_never_was` | |"

    assert missing_tests(page, ROOT) == ["tests/unit/enact/test_execution_model.py::test_that_never_was"]
