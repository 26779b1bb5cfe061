"""The mutation run: it makes the mutants that it says, the tests see a planted one, and what it lists as no bug is still in the source."""

import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.architecture.tree import ROOT
from tests.mutation import page
from tests.mutation.explained import EXPLAINED
from tests.mutation.mutants import Mutant, mutants_of
from tests.mutation.planting import plant
from tests.mutation.results import Result, Results


def mutants_of_module(name: str) -> list[Mutant]:
    return mutants_of((ROOT / (name.replace(".", "/") + ".py")).read_text())


def stale(explained: dict[str, dict[str, str]], text: str) -> list[str]:
    """Explanations of mutants that the source no longer has, or that the page does not show."""
    return [
        name
        for module, sentences in explained.items()
        for name, sentence in sentences.items()
        if name not in {mutant.name for mutant in mutants_of_module(module)} or sentence not in text
    ]


def now(source: str) -> list[str]:
    return [mutant.source for mutant in mutants_of(source)]


def test_every_explained_survivor_is_still_a_mutant_of_the_source_and_on_the_page() -> None:
    text = page.PAGE.read_text()

    assert stale(EXPLAINED, text) == []
    assert "not explained" not in text


def test_an_explanation_of_a_line_that_is_gone_is_caught() -> None:
    assert stale({"enact.next_action": {"next_action: 41 → 42": "It is the answer."}}, "It is the answer.") == ["next_action: 41 → 42"]


def test_names_of_mutants_are_unique() -> None:
    for module in page.MODULES:
        names = [mutant.name for mutant in mutants_of_module(module)]
        assert len(set(names)) == len(names) > 50


@pytest.mark.parametrize(
    ("source", "mutants"),
    [
        ("a < b", ["(a <= b)", "(a >= b)"]),
        ("a is not b", ["(a is b)"]),
        ("a and b", ["(a or b)", "(b)", "(a)"]),
        ("not a", ["(a)"]),
        ("a + 2", ["(a - 2)", "a + 3", "a + (1)"]),
        ("f(a, x=b)", ["(f(a))"]),
        ("any(a)", ["all(a)"]),
        ("x = a", ["pass"]),
        ("x = a if b else c", ["pass", "x = (a)", "x = (c)"]),
        ("[a for a in b if a]", ["[a for a in b if True]"]),
        ("{a: b, c: d}", ["({c: d})", "({a: b})"]),
        ("{a.b, c.d}", ["({c.d})", "({a.b})"]),
        ("a.lease_end_ms", ["(a.settled_ms)"]),
        ("Step.EXECUTE", ["Step.COMPENSATE"]),
        ("f'{a + 1}'", ["'another text'"]),
        ("if a:\n    b", ["if True:\n    b", "if False:\n    b"]),
        ("def f():\n    return a", ["def f():\n    return None"]),
        ("match a:\n    case 1 | 2:\n        b", ["match a:\n    case 2:\n        b", "match a:\n    case 1:\n        b"]),
    ],
)
def test_each_kind_of_small_bug_is_made(source: str, mutants: list[str]) -> None:
    made = now(source)

    assert [mutant for mutant in mutants if mutant not in made] == []


def test_nothing_that_does_not_run_is_mutated() -> None:
    assert now('"""Doc."""\nimport a\n\n\ndef f(x: int | None = a.b) -> "str":\n    """Doc."""\n') == []


def test_a_planted_mutant_counts_also_where_its_name_was_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    source = "LIMIT = 3\n\n\ndef is_over(count, *, slack=1):\n    return count > LIMIT + slack\n"
    module, importer = ModuleType("planted_here"), ModuleType("imported_there")
    for one in (module, importer):
        monkeypatch.setitem(sys.modules, one.__name__, one)
    exec(source, vars(module))
    vars(importer).update(is_over=vars(module)["is_over"], LIMIT=vars(module)["LIMIT"])

    plant(module, source, source.replace("slack=1", "slack=0"))
    plant(module, source, source.replace("LIMIT = 3", "LIMIT = 2"))

    assert vars(importer)["is_over"](3)
    assert vars(importer)["LIMIT"] == 2
    with pytest.raises(ValueError, match="0 statements differ"):
        plant(module, source, source)


def test_a_run_that_was_stopped_goes_on_with_what_it_had_found(tmp_path: Path) -> None:
    one, other = mutants_of("a < b")
    Results(tmp_path / "new" / "kept.jsonl").put(one, Result(killer=None, tier=None, against="tests"))
    Results(tmp_path / "new" / "kept.jsonl").put(one, Result(killer="test_a", tier="fast", against="tests"))

    again = Results(tmp_path / "new" / "kept.jsonl")

    assert again.get(one) == Result(killer="test_a", tier="fast", against="tests")
    assert again.get(other) is None


def test_a_mutant_that_the_tests_see_is_killed_and_one_that_changes_nothing_lives() -> None:
    judged = subprocess.run([sys.executable, "-c", _TWO_MUTANTS], capture_output=True, text=True, cwd=ROOT, check=True)

    assert judged.stdout.splitlines()[-1] == "test_an_open_claim_is_taken_over_at_the_end_of_its_lease None"


_TWO_MUTANTS = """
from pathlib import Path
from tests.mutation.judge import Judge, run_in_session
from tests.mutation.planting import plant
seen = []
def judge(items):
    from enact import next_action
    source = Path(next_action.__file__).read_text()
    judge = Judge(items, cpu_limit_s=30)
    for was, now in (("attempt.lease_end_ms", "attempt.claimed_ms"), ("(state, 0)", "(state, -1)")):
        seen.append(judge.killer_of(lambda: plant(next_action, source, source.replace(was, now))))
run_in_session(["tests/unit/enact/test_next_action.py"], judge)
print(*seen)
"""
