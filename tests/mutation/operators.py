"""The small bugs that one place of a module can have: what stands there, and what a tired hand might have written instead."""

import ast
from collections.abc import Iterator
from copy import deepcopy
from enum import StrEnum
from itertools import cycle, islice
from typing import TypeVar

from enact import records
from enact.errors import ErrorCode
from enact.execution_state import AttemptState

One = TypeVar("One")
Node = TypeVar("Node", bound=ast.AST)
Place = ast.expr | ast.stmt | ast.pattern
Change = tuple[Place, str]
"""The node whose text is replaced, and the text that replaces it."""

ENUMS: dict[str, list[str]] = {
    name: [member.name for member in kind]
    for name, kind in (("AttemptState", AttemptState), ("ErrorCode", ErrorCode), *vars(records).items())
    if isinstance(kind, type) and issubclass(kind, StrEnum)
}
COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.Pow: ast.Mult}
CALLS = {"min": "max", "max": "min", "any": "all", "all": "any"}
ATTRIBUTES = {
    "lease_end_ms": "settled_ms",
    "settled_ms": "lease_end_ms",
    "used_attempts": "attempts",
    "unsettled_attempts": "unknown_attempts",
    "unknown_attempts": "unsettled_attempts",
    "ending": "bar",
    "bar": "ending",
}


def changes(node: ast.AST, *, turn: int) -> Iterator[Change]:
    """Every small bug of this node itself, not of what is inside it; `turn` picks an enum's other member."""
    match node:
        case ast.Compare(ops=[operator]):
            for other in COMPARISONS[type(operator)]:
                yield node, _spelled(_with(node, ops=[other()]))
        case ast.BoolOp():
            other_word = ast.Or() if isinstance(node.op, ast.And) else ast.And()
            yield node, _spelled(_with(node, op=other_word))
            for rest in _each_dropped(node.values):
                yield node, _spelled(_with(node, values=rest) if len(rest) > 1 else rest[0])
        case ast.UnaryOp(op=ast.Not()):
            yield node, _spelled(node.operand)
        case ast.BinOp() if type(node.op) in ARITHMETIC:
            yield node, _spelled(_with(node, op=ARITHMETIC[type(node.op)]()))
        case ast.IfExp():
            yield node, _spelled(node.body)
            yield node, _spelled(node.orelse)
        case ast.If():
            yield node.test, "True"
            yield node.test, "False"
        case ast.comprehension():
            for condition in node.ifs:
                yield condition, "True"
        case ast.Constant(value=value):
            yield from ((node, text) for text in _other_values(value))
        case ast.JoinedStr():
            yield node, "'another text'"
        case ast.Attribute(value=ast.Name(id=name), attr=member) if member in ENUMS.get(name, ()):
            others = [one for one in ENUMS[name] if one != member]
            yield node, f"{name}.{next(islice(cycle(others), turn, None))}"
        case ast.Attribute(attr=attribute) if attribute in ATTRIBUTES:
            yield node, _spelled(_with(node, attr=ATTRIBUTES[attribute]))
        case ast.Call():
            yield from _of_call(node)
        case ast.Set(elts=elements) | ast.Tuple(elts=elements) if len(elements) > 1 and not any(
            isinstance(one, ast.Name) for one in elements
        ):
            yield from ((node, _spelled(_with(node, elts=rest))) for rest in _each_dropped(elements))
        case ast.Dict():
            for keys, values in zip(_each_dropped(node.keys), _each_dropped(node.values), strict=True):
                yield node, _spelled(_with(node, keys=keys, values=values))
        case ast.MatchOr():
            yield from ((node, " | ".join(map(ast.unparse, rest))) for rest in _each_dropped(node.patterns))
        case ast.Return(value=ast.expr() as value) if not (isinstance(value, ast.Constant) and value.value is None):
            yield node, "return None"
        case ast.Assign():
            yield node, "pass"


def _of_call(node: ast.Call) -> Iterator[Change]:
    if isinstance(node.func, ast.Name) and node.func.id in CALLS:
        yield node.func, CALLS[node.func.id]
    if node.args or len(node.keywords) > 1:
        yield from ((node, _spelled(_with(node, keywords=rest))) for rest in _each_dropped(node.keywords))


def _other_values(value: object) -> list[str]:
    if isinstance(value, bool):
        return [str(not value)]
    if isinstance(value, int):
        return [str(value + 1), f"({value - 1})"]
    return ["'another text'"] if isinstance(value, str) else []


def _each_dropped(given: list[One]) -> list[list[One]]:
    return [given[:at] + given[at + 1 :] for at in range(len(given))]


def _with(node: Node, **fields: object) -> Node:
    changed = deepcopy(node)
    for name, value in fields.items():
        setattr(changed, name, value)
    return changed


def _spelled(node: ast.AST) -> str:
    return f"({ast.unparse(node)})"
