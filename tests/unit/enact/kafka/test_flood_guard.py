"""The guard trips on a stage that fails on everything, and on nothing less."""

import pytest

from enact.kafka.flood_guard import FloodGuard


def seen(*outcomes: bool) -> FloodGuard:
    guard = FloodGuard()
    for is_unexpected in outcomes:
        guard.saw(is_unexpected=is_unexpected)
    return guard


@pytest.mark.parametrize(("count", "is_tripped"), [(0, False), (99, False), (100, True)])
def test_one_hundred_in_a_row_trip_it(count: int, is_tripped: bool) -> None:
    assert seen(*[True] * count).is_tripped is is_tripped


def test_one_good_record_begins_the_row_again() -> None:
    assert not seen(*[True] * 99, False, *[True] * 50).is_tripped


@pytest.mark.parametrize(("bad", "is_tripped"), [(100, False), (101, True)])
def test_more_than_half_of_the_last_two_hundred_trip_it(bad: int, is_tripped: bool) -> None:
    outcomes = [index % 2 == 0 for index in range(200)]
    outcomes[1] = bad > 100

    assert seen(*outcomes).is_tripped is is_tripped


def test_a_window_that_is_not_full_does_not_count() -> None:
    assert not seen(*[True, True, False] * 60).is_tripped


def test_old_failures_leave_the_window() -> None:
    assert not seen(*[True] * 99, *[False] * 101, *[True] * 50).is_tripped
