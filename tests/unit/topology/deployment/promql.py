"""Expressions of the dashboard, parsed, and held against the series that exist."""

from collections.abc import Iterator
from typing import Any

import promql_parser

from tests.unit.topology.deployment.facts import SCRAPED, series

VARIABLES = {"$__rate_interval": "1m", "$stage": ".*"}


def parsed(expression: str) -> Any:
    """Raises: ValueError for what Prometheus would not take."""
    for name, value in VARIABLES.items():
        expression = expression.replace(name, value)
    return promql_parser.parse(expression)


def selectors(node: Any) -> Iterator[Any]:
    """Every selector below this node."""
    match node:
        case promql_parser.VectorSelector():
            yield node
        case promql_parser.MatrixSelector():
            yield node.vector_selector
        case promql_parser.AggregateExpr() | promql_parser.ParenExpr() | promql_parser.UnaryExpr() | promql_parser.SubqueryExpr():
            yield from selectors(node.expr)
        case promql_parser.BinaryExpr():
            yield from selectors(node.lhs)
            yield from selectors(node.rhs)
        case promql_parser.Call():
            for argument in node.args:
                yield from selectors(argument)


def aggregations(node: Any) -> Iterator[Any]:
    """Every `sum by (…)` and its like below this node."""
    match node:
        case promql_parser.AggregateExpr():
            yield node
            yield from aggregations(node.expr)
        case promql_parser.ParenExpr() | promql_parser.UnaryExpr():
            yield from aggregations(node.expr)
        case promql_parser.BinaryExpr():
            yield from aggregations(node.lhs)
            yield from aggregations(node.rhs)
        case promql_parser.Call():
            for argument in node.args:
                yield from aggregations(argument)


def grouped_by(node: Any) -> set[str]:
    """The labels that are left on the result's lines."""
    outermost = next(aggregations(node), None)
    return set(outermost.modifier.labels) if outermost is not None and outermost.modifier is not None else set()


def expression_faults(expression: str) -> Iterator[str]:
    """What in it does not exist: metrics, labels, values."""
    try:
        tree = parsed(expression)
    except ValueError as error:
        yield f"{expression}: {error}"
        return
    for selector in selectors(tree):
        known = series().get(selector.name)
        if known is None:
            yield f"{selector.name} is no metric"
            continue
        for matcher in selector.matchers.matchers:
            if matcher.name not in {*known, *SCRAPED}:
                yield f"{selector.name} has no label {matcher.name}"
            elif matcher.op == promql_parser.MatchOp.Equal and matcher.value not in known.get(matcher.name, {matcher.value}):
                yield f"{selector.name} has no {matcher.name} {matcher.value}"
    for aggregation in aggregations(tree):
        yield from _label_faults(aggregation)


def _label_faults(aggregation: Any) -> Iterator[str]:
    wanted: set[str] = set(aggregation.modifier.labels) if aggregation.modifier is not None else set()
    for selector in selectors(aggregation.expr):
        missing = wanted - {*series().get(selector.name, {}), *SCRAPED}
        yield from (f"{selector.name} has no label {label}" for label in sorted(missing))
