"""Decisions are functions: clocks, chance and the world come in as arguments."""

import ast
from collections.abc import Iterable

import pytest

from tests.architecture.tree import PRODUCT, Module, modules, sample, spell

PURE_NAMES = {"stage.py", "execution.py", "execution_state.py", "next_action.py", "mapping.py", "canonical.py", "lifecycle.py"}
IMPURE = {"os", "time", "socket", "random", "secrets", "subprocess", "threading", "asyncio"}
CLIENTS = {
    "confluent_kafka",
    "aiokafka",
    "aiohttp",
    "faust",
    "rocksdict",
    "sqlalchemy",
    "requests",
    "httpx",
    "urllib3",
    "prometheus_client",
}
ENVIRONMENT = {"environ", "environb", "getenv", "getenvb"}
READS_ENVIRONMENT = "enact/settings.py"


def is_pure(module: Module) -> bool:
    return module.path.name in PURE_NAMES or module.path.parts[:2] in {("enact", "records"), ("topology", module.path.name)}


def impure_imports(given: Iterable[Module]) -> list[str]:
    return [
        f"{module.path} imports {name}"
        for module in given
        if is_pure(module)
        for name in module.imported()
        if name.split(".")[0] in IMPURE | CLIENTS
    ]


def environment_reads(given: Iterable[Module]) -> list[str]:
    """`os.environ` and its kin outside the one file that reads settings."""
    found = []
    for module in given:
        if str(module.path) == READS_ENVIRONMENT:
            continue
        for node in ast.walk(module.tree):
            is_attribute = isinstance(node, ast.Attribute) and node.attr in ENVIRONMENT and ast.unparse(node.value) == "os"
            is_import = isinstance(node, ast.ImportFrom) and node.module == "os" and ENVIRONMENT & {alias.name for alias in node.names}
            is_disguise = isinstance(node, ast.Import) and any(alias.name == "os" and alias.asname for alias in node.names)
            if is_attribute or is_import or is_disguise:
                found.append(f"{module.path}:{getattr(node, 'lineno', 0)} reads the environment")
    return found


def test_what_decides_imports_no_clock_no_chance_and_no_client() -> None:
    found = impure_imports(modules(*PRODUCT))

    assert not found, spell(found)


def test_the_environment_is_read_in_one_place() -> None:
    found = environment_reads(modules(*PRODUCT))

    assert not found, spell(found)


@pytest.mark.parametrize("path", ["services/validation/stage.py", "enact/execution.py", "enact/records/intent.py", "topology/plan.py"])
@pytest.mark.parametrize("line", ["import time", "from os import path", "import os.path", "def f():\n    import random", "import aiohttp"])
def test_an_impure_import_is_caught(path: str, line: str) -> None:
    assert impure_imports([sample(path, line)])


def test_a_pure_module_and_an_ordinary_one_are_left_alone() -> None:
    assert not impure_imports([sample("services/validation/stage.py", "import json\nfrom enact.clock import Clock")])
    assert not impure_imports([sample("enact/clock.py", "import time")])


@pytest.mark.parametrize(
    "line", ["import os\nx = os.environ['A']", "import os\nx = os.getenv('A')", "from os import environ", "import os as system"]
)
def test_a_look_into_the_environment_is_caught(line: str) -> None:
    assert environment_reads([sample("services/api/settings.py", line)])
    assert not environment_reads([sample(READS_ENVIRONMENT, line)])


def test_a_field_that_is_called_environ_is_left_alone() -> None:
    assert not environment_reads([sample("cli/processes.py", "import os\nx = spec.environ")])
