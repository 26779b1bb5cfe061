"""The log actions that a runbook names are logged somewhere, and every runbook is found from the list of them.

Commands, metrics and codes of runbooks: tests/unit/cli/test_runbooks.py.
"""

import ast
import re
from pathlib import Path

import pytest

from tests.architecture.tree import ROOT

RUNBOOKS = sorted((ROOT / "docs/runbooks").glob("*.md"))
LOGGED = ("enact", "services", "connectors", "cli")
FIELDS = {"next_offset", "begin_offset"}
"""Fields of a log line that a runbook explains."""

_WORD = re.compile(r"`([a-z]+(?:_[a-z]+)+)`")


def actions_named(text: str) -> set[str]:
    """Words with underscores in backquotes that are no metric and no field: log actions."""
    return {word for word in _WORD.findall(text) if not word.startswith("enact_")} - FIELDS


def actions_in_the_code() -> set[str]:
    """The first argument of every call of a logger."""
    found: set[str] = set()
    for root in LOGGED:
        for path in (ROOT / root).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
                    first = node.args[0]
                    if node.func.attr in {"info", "warning", "error", "critical"} and isinstance(first, ast.Constant):
                        found.add(str(first.value))
    return found


@pytest.mark.parametrize("path", RUNBOOKS, ids=lambda path: path.stem)
def test_every_log_action_of_a_runbook_is_logged_somewhere(path: Path) -> None:
    assert actions_named(path.read_text(encoding="utf-8")) - actions_in_the_code() == set()


def test_a_log_action_that_does_not_exist_is_caught() -> None:
    assert actions_named("`partition_quarantined`, `enact_held`, `no_such_action`") - actions_in_the_code() == {"no_such_action"}


def test_every_runbook_is_in_the_list_of_runbooks() -> None:
    listed = set(re.findall(r"\]\(([a-z-]+\.md)\)", (ROOT / "docs/runbooks/README.md").read_text(encoding="utf-8")))

    assert listed == {path.name for path in RUNBOOKS} - {"README.md"}
