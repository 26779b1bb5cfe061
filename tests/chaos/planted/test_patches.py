"""Every planted bug still fits the product that it is planted into, and every one has its scenario and its line in the docs."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.chaos.checker.report import INVARIANTS
from tests.chaos.planted.bugs import BUGS
from tests.chaos.planted.patching import plant
from tests.chaos.planted.scenarios import SCENARIOS

PLANTS_EACH = """
import os
from tests.chaos.planted.bugs import BUGS
from tests.chaos.planted.conditions import CONDITIONS
for name, patch in {**BUGS, **CONDITIONS}.items():
    if os.fork() == 0:
        patch()
        os._exit(0)
    print(name, os.waitstatus_to_exitcode(os.wait()[1]))
"""
DOCS = Path(__file__).parents[3] / "docs" / "planted-bugs.md"


def test_every_patch_finds_the_place_that_it_changes() -> None:
    ended = subprocess.run([sys.executable, "-c", PLANTS_EACH], capture_output=True, text=True, check=True)

    planted = dict(line.split() for line in ended.stdout.splitlines())
    assert planted.keys() > BUGS.keys()
    assert set(planted.values()) == {"0"}, ended.stderr


def test_every_bug_has_a_scenario_that_breaks_promises_which_there_are() -> None:
    invariants = {check.__name__ for check in INVARIANTS}

    assert SCENARIOS.keys() == BUGS.keys()
    assert len(BUGS) >= 15
    assert {name for scenario in SCENARIOS.values() for name in scenario.breaks} <= invariants


def test_every_bug_is_told_in_the_docs() -> None:
    told = DOCS.read_text(encoding="utf-8")

    assert [name for name in BUGS if f"`{name}`" not in told] == []


def test_a_patch_of_what_is_not_there_fails() -> None:
    with pytest.raises(AttributeError, match="nowhere"):
        plant(DOCS, "nowhere", None)
