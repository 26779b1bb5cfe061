"""Numbers in, numbers out."""

import pytest

from benchmarks.arithmetic import latency_ms, medians, percentile, rate_of_all, ratio, spread, steady_rate


@pytest.mark.parametrize(("share", "value"), [(0.0, 1), (0.5, 51), (0.99, 100), (1.0, 100)])
def test_a_percentile_is_the_value_at_its_place(share: float, value: int) -> None:
    assert percentile(range(1, 101), share) == value


def test_a_percentile_of_nothing_and_of_unsorted_values_is_refused() -> None:
    with pytest.raises(ValueError, match="no values"):
        percentile([], 0.5)
    with pytest.raises(ValueError, match="sorted"):
        percentile([3, 2, 1], 0.5)


def test_the_rate_of_all_counts_from_the_first_publication() -> None:
    assert rate_of_all(100.0, [101.0, 104.0, 102.0, 103.0]) == 1.0


def test_the_steady_part_leaves_a_slow_ramp_and_a_slow_tail_out() -> None:
    ramp, steady, tail = [0.0, 5.0], [10.0 + number / 10 for number in range(16)], [30.0, 60.0]

    found = steady_rate([*tail, *steady, *ramp])

    assert found == pytest.approx(10.0)
    assert rate_of_all(0.0, [*ramp, *steady, *tail]) < 1.0


@pytest.mark.parametrize("ends", [[], [1.0], [1.0, 2.0], [5.0] * 100])
def test_there_is_no_steady_part_of_one_moment(ends: list[float]) -> None:
    assert steady_rate(ends) is None


def test_latencies_are_milliseconds_from_sent_to_ended() -> None:
    sent = {str(number): 10.0 for number in range(100)}
    ended = {str(number): 10.0 + number / 1000 for number in range(100)}

    assert latency_ms(sent, ended) == {"p50": 50.0, "p90": 90.0, "p99": 99.0, "max": 99.0}


def test_one_that_never_ended_is_no_latency() -> None:
    with pytest.raises(KeyError):
        latency_ms({"a": 1.0, "b": 1.0}, {"a": 2.0})


def test_the_median_is_taken_of_each_number_over_the_rounds_that_have_it() -> None:
    assert medians([{"a": 1.0, "b": 5.0}, {"a": 9.0}, {"a": 2.0, "b": 7.0}]) == {"a": 2.0, "b": 6.0}
    assert medians([]) == {}


@pytest.mark.parametrize(
    ("ours", "theirs", "found"), [(1000.0, 4000.0, 0.25), (None, 4000.0, None), (1000.0, None, None), (1.0, 0.0, None)]
)
def test_a_ratio_needs_both_sides(ours: float | None, theirs: float | None, found: float | None) -> None:
    assert ratio(ours, theirs) == found


def test_the_spread_says_how_far_rounds_lie_apart() -> None:
    assert spread([900.0, 1000.0, 1300.0]) == 0.4
    assert spread([1000.0]) == 0.0
    assert spread([]) == 0.0
