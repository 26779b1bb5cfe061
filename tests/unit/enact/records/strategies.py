"""Any record of any class, as hypothesis strategies drawn from the shapes."""

from typing import Any

from hypothesis import strategies as st

from enact.canonical import canonical_json
from enact.records.execution_event import EVENT_TYPES, ExecutionEvent
from enact.records.schema import SCHEMA_NAMES
from enact.records.shape import (
    Enumeration,
    EventUnion,
    ListOf,
    MapOfText,
    Nullable,
    ParametersText,
    RecordOf,
    Scalar,
    Shape,
    shape_of,
)

EXACT_INTEGERS = st.integers(min_value=-(2**53) + 1, max_value=2**53 - 1)
EXACT_FLOATS = st.floats(allow_nan=False, allow_infinity=False).filter(
    lambda value: not value.is_integer() or abs(value) < 2**53 or abs(value) >= 1e21
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
JSON_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | EXACT_INTEGERS | EXACT_FLOATS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)
PARAMETERS = st.dictionaries(TEXTS, JSON_VALUES, max_size=4).map(lambda value: canonical_json(value).decode())
SCALARS: dict[type, st.SearchStrategy[Any]] = {
    str: TEXTS,
    int: EXACT_INTEGERS,
    float: EXACT_FLOATS.map(lambda value: value + 0.0),
    bool: st.booleans(),
    bytes: st.binary(max_size=20),
}


def records(cls: type) -> st.SearchStrategy[Any]:
    """Records of one class, every field drawn."""
    return _values(shape_of(cls))


def any_record() -> st.SearchStrategy[Any]:
    """Records of every top-level class."""
    return st.sampled_from(list(SCHEMA_NAMES)).flatmap(records)


def _values(shape: Shape) -> st.SearchStrategy[Any]:
    match shape:
        case RecordOf(cls, fields):
            drawn = st.fixed_dictionaries({field.name: _values(field.shape) for field in fields})
            if cls is ExecutionEvent:
                drawn = drawn.map(lambda values: {**values, "type": EVENT_TYPES[type(values["data"])]})
            return drawn.map(lambda values: cls(**values))
        case Scalar(kind):
            return SCALARS[kind]
        case Enumeration(cls):
            return st.sampled_from(cls)
        case ListOf(item):
            return st.lists(_values(item), max_size=3).map(tuple)
        case Nullable(item):
            return st.none() | _values(item)
        case MapOfText():
            return st.dictionaries(TEXTS, TEXTS, max_size=3)
        case ParametersText():
            return PARAMETERS
        case EventUnion(branches):
            return st.one_of([_values(branch) for branch in branches])
