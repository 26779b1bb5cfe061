"""Every boundary that has a name is passed somewhere, and every one that is passed has a name."""

import ast
from collections.abc import Iterable

from enact.failpoints import Failpoint
from tests.architecture.tree import PRODUCT, Module, modules, sample, spell


def passed(given: Iterable[Module]) -> set[str]:
    """The members of Failpoint that some code hands to `hit`."""
    return {
        node.args[0].attr
        for module in given
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "hit"
        and node.args
        and isinstance(node.args[0], ast.Attribute)
    }


def test_every_failpoint_is_passed_somewhere() -> None:
    unused = {point.name for point in Failpoint} - passed(modules(*PRODUCT))

    assert not unused, spell(sorted(unused))


def test_a_failpoint_that_nobody_passes_is_caught() -> None:
    module = sample("enact/one.py", "hit(Failpoint.AFTER_READ)\nmiss(Failpoint.BEFORE_CLAIM)\n")

    assert passed([module]) == {"AFTER_READ"}
