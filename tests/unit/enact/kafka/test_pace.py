"""A turn takes what it can do in a tenth of a second: fewer records on a slow machine, and soon more again."""

from enact.clock import ManualClock
from enact.kafka.pace import GATHER_S, MAX_BATCH, MIN_BATCH, TURN_S, Pace


def turn(pace: Pace, clock: ManualClock, *, record_s: float) -> int:
    records = pace.max_records
    pace.begin()
    clock.advance(records * record_s)
    pace.end(records)
    return pace.max_records


def test_a_quick_stage_takes_full_batches() -> None:
    clock = ManualClock()
    pace = Pace(clock)

    assert turn(pace, clock, record_s=0.0001) == MAX_BATCH


def test_a_slow_stage_takes_what_fits_into_a_turn() -> None:
    clock = ManualClock()
    pace = Pace(clock)

    assert turn(pace, clock, record_s=0.004) == TURN_S / 0.004
    assert turn(pace, clock, record_s=1.0) == MIN_BATCH


def test_after_a_slow_turn_the_batches_grow_again_step_by_step() -> None:
    clock = ManualClock()
    pace = Pace(clock)
    turn(pace, clock, record_s=1.0)

    assert [turn(pace, clock, record_s=0.0001) for _ in range(6)] == [40, 80, 160, 320, 500, 500]


def test_one_record_that_took_no_time_teaches_nothing_wrong() -> None:
    clock = ManualClock()
    pace = Pace(clock)

    pace.begin()
    pace.end(1)

    assert pace.max_records == MAX_BATCH


def busy(clock: ManualClock, *, per_turn: int, every_s: float, turns: int) -> Pace:
    pace = Pace(clock)
    for _ in range(turns):
        clock.advance(every_s)
        pace.begin()
        pace.end(per_turn)
    return pace


def test_few_records_are_never_kept_waiting() -> None:
    assert busy(ManualClock(), per_turn=2, every_s=0.005, turns=400).gather_s() == 0.0


def test_many_records_gather_first() -> None:
    clock = ManualClock()
    pace = busy(clock, per_turn=8, every_s=0.005, turns=400)

    assert abs(pace.gather_s() - GATHER_S) < 1e-9
    clock.advance(0.03)
    assert abs(pace.gather_s() - 0.01) < 1e-9
    clock.advance(0.03)
    assert pace.gather_s() == 0.0


def test_a_stage_that_was_busy_and_is_not_any_more_keeps_nothing_waiting() -> None:
    clock = ManualClock()
    pace = busy(clock, per_turn=500, every_s=0.05, turns=20)

    clock.advance(10.0)
    pace.begin()
    pace.end(1)

    assert pace.gather_s() == 0.0
