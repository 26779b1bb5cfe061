"""When the partitions of a killed process work again: by arithmetic on the times of outcomes."""

import pytest

from benchmarks.take_over import recovered_ms, silent_partitions

KILLED_MS = 100_000


def steady(first_ms: int, last_ms: int, every_ms: int = 40) -> list[int]:
    return list(range(first_ms, last_ms, every_ms))


def test_the_partitions_of_the_killed_are_those_that_fall_silent() -> None:
    times = {0: steady(90_000, 120_000), 1: [*steady(90_000, 100_300), *steady(106_500, 120_000)], 2: steady(90_000, 99_000)}

    assert silent_partitions(times, KILLED_MS) == [1, 2]


def test_recovered_is_when_the_last_second_brought_nine_tenths_of_the_rate_before() -> None:
    times = [*steady(90_000, 100_000), *steady(106_000, 120_000)]

    assert recovered_ms(times, KILLED_MS) == pytest.approx(6_880, abs=80)


def test_a_slow_beginning_is_not_yet_a_recovery() -> None:
    times = [*steady(90_000, 100_000), *steady(106_000, 110_000, every_ms=80), *steady(110_000, 120_000)]

    assert recovered_ms(times, KILLED_MS) == pytest.approx(10_800, abs=160)


def test_what_waited_and_comes_at_once_is_a_recovery() -> None:
    times = [*steady(90_000, 100_000), *[106_000 + n for n in range(150)]]

    assert recovered_ms(times, KILLED_MS) == pytest.approx(6_022, abs=30)


def test_what_was_under_way_at_the_kill_is_no_recovery() -> None:
    assert recovered_ms([*steady(90_000, 100_000), *steady(100_000, 100_800, every_ms=20)], KILLED_MS) is None


def test_without_a_rate_before_there_is_nothing_to_compare() -> None:
    with pytest.raises(ValueError, match="before the kill"):
        recovered_ms(steady(101_000, 110_000), KILLED_MS)
