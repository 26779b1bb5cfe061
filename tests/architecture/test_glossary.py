"""The glossary lists every key that a ledger entry's details may have, and every status."""

import ast
import re
from collections.abc import Iterable, Iterator

import pytest

from enact.records import Status
from tests.architecture.tree import PRODUCT, ROOT, Module, modules, sample

GLOSSARY = ROOT / "docs/glossary.md"
SCRIBE = "_write"
NOT_DETAILS = {"attempt"}


def listed(text: str, heading: str) -> set[str]:
    """First cells of the table below a heading: `keys` in code marks, or SYMBOLS."""
    section = text.split(f"## {heading}\n", maxsplit=1)[1].split("\n## ", maxsplit=1)[0]
    return set(re.findall(r"^\| (?:`(?=\w+`)|(?=[A-Z_]+ ))(\w+)`? \|", section, re.MULTILINE))


def detail_keys(given: Iterable[Module]) -> set[str]:
    """Keys of dict literals that become `details`, and keyword arguments of the scribe that writes entries of the execution log."""
    return {
        key for module in given for node in ast.walk(module.tree) for key in _keys_of(node, is_stage=module.path.parts[0] == "services")
    }


def _keys_of(node: ast.AST, *, is_stage: bool) -> Iterator[str]:
    match node:
        case ast.keyword(arg="details", value=ast.Dict() as given):
            yield from _literal(given)
        case ast.Assign(targets=[ast.Name(id="details")], value=ast.Dict() as given):
            yield from _literal(given)
        case ast.AugAssign(target=ast.Name(id="details"), value=ast.Dict() as given):
            yield from _literal(given)
        case ast.Assign(targets=[ast.Subscript(value=ast.Name(id="details"), slice=ast.Constant(value=str() as key))]):
            yield key
        case ast.FunctionDef(name=name, body=body) if name.endswith("_details"):
            for returned in (inner for inner in body if isinstance(inner, ast.Return) and isinstance(inner.value, ast.Dict)):
                yield from _literal(returned.value)  # type: ignore[arg-type]
        case ast.Call(func=ast.Attribute(attr=called), keywords=keywords) if is_stage and called == SCRIBE:
            yield from (keyword.arg for keyword in keywords if keyword.arg is not None and keyword.arg not in NOT_DETAILS)


def _literal(given: ast.Dict) -> Iterator[str]:
    yield from (key.value for key in given.keys if isinstance(key, ast.Constant) and isinstance(key.value, str))


def test_every_key_of_ledger_details_is_in_the_glossary() -> None:
    used = detail_keys(modules(*PRODUCT))

    assert len(used) > 20
    assert used <= listed(GLOSSARY.read_text(encoding="utf-8"), "Details of a ledger entry")


def test_every_status_is_in_the_glossary() -> None:
    assert listed(GLOSSARY.read_text(encoding="utf-8"), "Status") == {status.value for status in Status if status is not Status.UNKNOWN}


@pytest.mark.parametrize(
    "text",
    [
        "entry = LedgerEntry(details={'news': 'x'})",
        "details = {'news': 'x'}",
        "details |= {'news': 'x'}",
        "details['news'] = 'x'",
        "def call_details():\n    return {'news': 'x'}",
        "self._write(LedgerType.FACT, None, attempt=1, news='x')",
    ],
)
def test_a_key_is_found_wherever_it_is_given(text: str) -> None:
    assert detail_keys([sample("services/x/y.py", text)]) == {"news"}
