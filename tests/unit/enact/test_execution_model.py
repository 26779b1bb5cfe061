"""The model check: in bounds, every interleaving of two owners keeps every promise, and every planted bug breaks its own."""

import pytest

from tests.unit.enact.execution_model import properties, scenarios
from tests.unit.enact.execution_model.mutants import MUTANTS, Mutant
from tests.unit.enact.execution_model.scenarios import UNIT, Scenario
from tests.unit.enact.execution_model.search import search


@pytest.mark.parametrize("scenario", UNIT, ids=lambda scenario: scenario.name)
def test_no_interleaving_breaks_a_property(scenario: Scenario) -> None:
    found = search(scenario)

    assert found.broken == {}
    assert found.worlds > 500


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_the_model_catches(mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    if mutant.plant is not None:
        mutant.plant(monkeypatch)

    found = search(mutant.scenario, mutant.rules, stop_at=mutant.breaks)

    assert mutant.breaks in found.broken


def test_every_property_has_a_bug_that_breaks_it() -> None:
    promised = {value for name, value in vars(properties).items() if name.isupper() and not name.startswith("_") and isinstance(value, str)}

    assert promised == {mutant.breaks for mutant in MUTANTS}


def test_every_mutants_scenario_is_searched_without_the_bug_too() -> None:
    assert {mutant.scenario for mutant in MUTANTS} <= set(UNIT)


def test_a_search_sees_the_same_worlds_every_time() -> None:
    first, second = search(scenarios.READ_TWICE), search(scenarios.READ_TWICE)

    assert (first.worlds, first.logs) == (second.worlds, second.logs)
