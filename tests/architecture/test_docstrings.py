"""Every public name says what it promises."""

import ast
from collections.abc import Iterable, Iterator

import pytest

from tests.architecture.tree import PRODUCT, Function, Module, modules, sample, spell

Named = ast.ClassDef | Function


def undocumented(given: Iterable[Module]) -> list[str]:
    found = []
    for module in given:
        if module.text.strip() and ast.get_docstring(module.tree) is None:
            found.append(f"{module.path}: the module has no docstring")
        found += [f"{module.path}:{node.lineno} {name} has no docstring" for name, node in _public(module.tree)]
    return found


def _public(body: ast.Module | ast.ClassDef, outer: str = "") -> Iterator[tuple[str, Named]]:
    """Public classes, functions and methods without one; what is overloaded or a property's setter speaks at its first place."""
    for node in body.body:
        if not isinstance(node, Named) or node.name.startswith("_") or _speaks_elsewhere(node):
            continue
        name = f"{outer}{node.name}"
        if ast.get_docstring(node) is None:
            yield name, node
        if isinstance(node, ast.ClassDef):
            yield from _public(node, f"{name}.")


def _speaks_elsewhere(node: Named) -> bool:
    marks = {ast.unparse(mark).rsplit(".", maxsplit=1)[-1] for mark in node.decorator_list}
    return bool(marks & {"overload", "setter", "override"})


def test_every_public_name_has_a_docstring() -> None:
    found = undocumented(modules(*PRODUCT))

    assert not found, spell(found)


@pytest.mark.parametrize(
    "text",
    [
        "x = 1",
        '"""M."""\ndef f(): ...',
        '"""M."""\nasync def f(): ...',
        '"""M."""\nclass C: ...',
        '"""M."""\nclass C:\n    """C."""\n    def m(self): ...',
    ],
)
def test_a_public_name_without_a_docstring_is_caught(text: str) -> None:
    assert len(undocumented([sample("enact/x.py", text)])) == 1


def test_private_names_and_empty_packages_need_none() -> None:
    assert not undocumented([sample("enact/__init__.py", ""), sample("enact/x.py", '"""M."""\ndef _f(): ...\nclass _C: ...')])
