"""Names say what a thing is; words that say nothing are not used."""

import ast
import re
from collections.abc import Iterable

import pytest

from tests.architecture.tree import PRODUCT, Module, modules, sample, spell

EMPTY_WORDS = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "base", "impl"}


def words(name: str) -> set[str]:
    """`KafkaManager` and `kafka_manager` have the same words."""
    return {word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+", name)}


def empty_names(given: Iterable[Module]) -> list[str]:
    found = []
    for module in given:
        parts = [part for part in (*module.path.parent.parts, module.path.stem) if words(part) & EMPTY_WORDS]
        found += [f"{module.path}: the name {part!r} says nothing" for part in parts]
        classes = [node for node in ast.walk(module.tree) if isinstance(node, ast.ClassDef)]
        found += [f"{module.path}:{node.lineno} class {node.name} says nothing" for node in classes if words(node.name) & EMPTY_WORDS]
    return found


def test_no_module_folder_or_class_has_an_empty_name() -> None:
    found = empty_names(modules(*PRODUCT, "tests"))

    assert not found, spell(found)


@pytest.mark.parametrize("path", ["enact/utils.py", "enact/kafka_helpers/x.py", "services/common/stage.py", "enact/codec_impl.py"])
def test_an_empty_module_name_is_caught(path: str) -> None:
    assert empty_names([sample(path, "")])


@pytest.mark.parametrize("name", ["StateManager", "BaseStage", "CodecImpl", "KAFKAHelper"])
def test_an_empty_class_name_is_caught(name: str) -> None:
    assert empty_names([sample("enact/state.py", f"class {name}: ...")])


def test_a_word_inside_another_is_not_a_fault() -> None:
    assert not empty_names([sample("enact/database.py", "class Management: ...\nclass Baseline: ...")])
