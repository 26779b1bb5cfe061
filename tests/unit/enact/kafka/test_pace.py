"""A turn takes what it can do in a fifth of a second: fewer records on a slow machine, and soon more again."""

from enact.clock import ManualClock
from enact.kafka.pace import MAX_BATCH, MIN_BATCH, TURN_S, Pace


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
