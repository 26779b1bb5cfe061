"""The tests keep their own rules: packages everywhere, nothing skipped, sentences for names."""

import ast
from collections.abc import Iterable
from pathlib import PurePosixPath

import pytest

from tests.architecture.tree import ROOT, Module, modules, sample, spell

ESCAPES = {"skip", "skipif", "xfail", "importorskip", "skipUnless", "skipIf", "SkipTest"}
MIN_WORDS = 3


def folders_without_package(paths: Iterable[PurePosixPath]) -> list[str]:
    """Folders of tests in which, or below which, Python lies and no `__init__.py` does."""
    given = set(paths)
    folders = {parent for path in given for parent in path.parents if parent.parts[:1] == ("tests",)}
    return sorted(f"{folder} has no __init__.py" for folder in folders if folder / "__init__.py" not in given)


def escapes(given: Iterable[Module]) -> list[str]:
    return [
        f"{module.path}:{node.lineno} uses {node.attr}"
        for module in given
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Attribute) and node.attr in ESCAPES
    ] + [
        f"{module.path}:{node.lineno} imports {alias.name}"
        for module in given
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.name in ESCAPES
    ]


def short_names(given: Iterable[Module]) -> list[str]:
    """A test's name is a sentence: at least three words after `test_`."""
    return [
        f"{module.path}:{function.lineno} {function.name} is no sentence"
        for module in given
        if module.path.name.startswith("test_")
        for function in module.functions()
        if function.name.startswith("test_") and len(function.name.split("_")) <= MIN_WORDS
    ]


def naps(given: Iterable[Module]) -> list[str]:
    """Real sleeping in unit tests: time is moved there, not waited for."""
    return [
        f"{module.path}:{node.lineno} sleeps"
        for module in given
        if module.path.parts[:2] == ("tests", "unit")
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "time.sleep"
    ]


def test_every_folder_of_tests_is_a_package() -> None:
    found = folders_without_package(module.path for module in modules("tests"))

    assert not found, spell(found)


def test_no_test_is_skipped_or_expected_to_fail() -> None:
    found = escapes(modules("tests"))

    assert not found, spell(found)


def test_every_test_s_name_is_a_sentence() -> None:
    found = short_names(modules("tests"))

    assert not found, spell(found)


def test_no_unit_test_sleeps() -> None:
    found = naps(modules("tests"))

    assert not found, spell(found)


def test_unit_tests_mirror_the_roots() -> None:
    folders = {path.name for path in (ROOT / "tests/unit").iterdir() if path.is_dir() and path.name != "__pycache__"}

    assert folders <= {"enact", "topology", "connectors", "services", "cli", "schemas", "benchmarks"}


def test_a_folder_without_its_package_file_is_caught() -> None:
    paths = [PurePosixPath(path) for path in ("tests/__init__.py", "tests/unit/enact/test_x.py", "tests/unit/__init__.py")]

    assert folders_without_package(paths) == ["tests/unit/enact has no __init__.py"]


@pytest.mark.parametrize(
    "text",
    [
        "import pytest\n@pytest.mark.skip\ndef test_x(): ...",
        "import pytest\n@pytest.mark.skipif(True, reason='')\ndef test_x(): ...",
        "import pytest\n@pytest.mark.xfail\ndef test_x(): ...",
        "import pytest\ndef test_x():\n    pytest.skip('no broker')",
        "from pytest import importorskip",
        "import unittest\n@unittest.skipUnless(False, '')\ndef test_x(): ...",
    ],
)
def test_an_escape_is_caught(text: str) -> None:
    assert escapes([sample("tests/unit/test_x.py", text)])


def test_a_name_that_says_nothing_and_a_nap_are_caught() -> None:
    bad = sample("tests/unit/test_x.py", "import time\ndef test_fold_ok():\n    time.sleep(1)")

    assert short_names([bad]) == ["tests/unit/test_x.py:2 test_fold_ok is no sentence"]
    assert naps([bad]) == ["tests/unit/test_x.py:3 sleeps"]
