"""When a broker counts as warm."""

import pytest

from benchmarks.warm import is_steady

FIRST = float("inf")


@pytest.mark.parametrize(
    ("costs", "steady"),
    [
        ([FIRST], False),
        ([FIRST, 8.0, 4.0, 2.0, 1.9], False),
        ([FIRST, 8.0, 4.0, 2.0, 1.5, 1.2, 1.0], False),
        ([FIRST, 8.0, 4.0, 1.0, 1.0, 1.1, 1.0, 0.99], True),
        ([FIRST, 8.0, 4.0, 1.0, 1.6, 1.4, 1.2, 1.1], True),
    ],
)
def test_a_broker_is_warm_when_four_seconds_brought_nothing(costs: list[float], steady: bool) -> None:
    assert is_steady(costs) is steady
