"""Two trees in turn: which lines count, and what is said of them."""

import pytest

from benchmarks.against import WANTED, rates_of, verdict
from benchmarks.report import shown


def test_only_measured_loads_count_and_warm_ups_do_not() -> None:
    first = f"saturated 5000: {shown(1234.5)}/s, steady {shown(1300.0)}/s"
    printed = f"warm-up 500: 700/s, steady 800/s\n    CPU µs: x 1\n{first}\nsaturated 5000: 998/s\n"

    rates = rates_of(printed)

    assert rates == [float(shown(1234.5).replace(",", "")), 998.0]


def test_the_ratio_is_of_the_medians() -> None:
    ratio, sentence = verdict([1000.0, 900.0, 5000.0], [850.0, 100.0, 900.0])

    assert ratio == pytest.approx(0.85)
    assert ratio < WANTED
    assert "ratio 0.850" in sentence


def test_a_side_without_rates_is_no_ratio() -> None:
    with pytest.raises(ValueError, match="no rates"):
        verdict([], [1.0])
