"""When the last call came after a stop, and whether the others went on: by arithmetic on times."""

import pytest

from benchmarks.stops import Stop, last_calls, rate_while_stopped

FIRST = Stop(asked_ms=1_000, appended_ms=1_005, acknowledged_ms=1_010, released_ms=4_000)
SECOND = Stop(asked_ms=6_000, appended_ms=6_001, acknowledged_ms=6_002, released_ms=9_000)


def test_the_last_call_of_each_stop_is_told_from_its_append_and_its_acknowledgement() -> None:
    calls = [900, 1_001, 1_500, 4_000, 4_900, 5_000, 9_500]

    found = last_calls([FIRST, SECOND], calls)

    assert found.after_append_ms == [495, -1_001]
    assert found.after_acknowledgement_ms == [490, -1_002]


def test_a_stop_before_which_nothing_was_called_tells_nothing() -> None:
    assert last_calls([SECOND], [4_999, 9_000]) == ([], [])


def test_a_late_call_is_not_hidden_by_an_earlier_one() -> None:
    assert last_calls([FIRST], [1_020, 3_999, 1_030]).after_acknowledgement_ms == [2_989]


def test_a_steady_rate_is_one_and_a_pause_while_stopped_is_seen() -> None:
    steady = list(range(0, 10_000, 10))
    paused = [at for at in steady if not 2_010 <= at < 4_000]

    assert rate_while_stopped([FIRST, SECOND], steady, settle_ms=500) == pytest.approx(1.0, abs=0.02)
    assert rate_while_stopped([FIRST, SECOND], paused, settle_ms=500) < 0.8


def test_nothing_to_compare_is_said() -> None:
    with pytest.raises(ValueError, match="compare"):
        rate_while_stopped([FIRST], [], settle_ms=0)
    with pytest.raises(ValueError, match="compare"):
        rate_while_stopped([], [1], settle_ms=0)
