"""The example programs are what a stranger can write: short, and without anything of ours."""

import ast
from collections.abc import Iterable

import pytest

from tests.architecture.tree import PRODUCT, Module, modules, sample, spell

MAX_LINES = 20
OURS = {*PRODUCT, "schemas", "tests", "benchmarks"}
SHORT = {"docs/examples/publish_avro.py", "docs/examples/publish_confluent.py"}


def imports_of_ours(given: Iterable[Module]) -> list[str]:
    return [f"{module.path} imports {name}" for module in given for name in module.imported() if name.split(".")[0] in OURS]


def code_lines(module: Module) -> int:
    """Lines that are neither empty nor the docstring."""
    docstring = module.tree.body[0]
    assert isinstance(docstring, ast.Expr)
    lines = module.text.splitlines()[docstring.end_lineno :]
    return sum(bool(line.strip()) for line in lines)


def test_no_example_imports_anything_of_enact() -> None:
    given = modules("docs/examples")

    assert len(given) == 4
    assert not imports_of_ours(given), spell(imports_of_ours(given))


def test_publishing_takes_twenty_lines() -> None:
    found = {str(module.path): code_lines(module) for module in modules("docs/examples") if str(module.path) in SHORT}

    assert set(found) == SHORT
    assert max(found.values()) <= MAX_LINES, found


@pytest.mark.parametrize("line", ["import enact", "from enact.records import codec", "def f():\n    from schemas import avro"])
def test_an_example_that_imports_enact_is_caught(line: str) -> None:
    assert imports_of_ours([sample("docs/examples/x.py", line)])
