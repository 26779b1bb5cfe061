"""How large a run becomes on a fast and on a slow machine."""

import pytest

from benchmarks.sizes import ALL, BARE, FULL, QUICK, SATURATED, SLOW, UNLOADED


@pytest.mark.parametrize(("per_s", "count"), [(None, 15_000), (9_000.0, 15_000), (700.0, 7_000), (20.0, 1_000)])
def test_a_slow_machine_gets_fewer_executions_and_never_too_few(per_s: float | None, count: int) -> None:
    loads = {load.name: load for load in FULL.loads_of("P", per_s=per_s)}

    assert loads[SATURATED].count == count
    assert loads[SLOW].count == count
    assert loads[UNLOADED].count == FULL.unloaded


def test_the_bare_loop_always_gets_all_of_them() -> None:
    assert {load.count for load in FULL.loads_of(BARE) if load.rate is None} == {FULL.saturated}
    assert [load.name for load in FULL.loads_of(BARE)] == list(ALL)


def test_some_columns_get_fewer_loads() -> None:
    assert [load.name for load in FULL.loads_of("P-no-api")] == [UNLOADED, SATURATED]
    assert [load.name for load in QUICK.loads_of(BARE)] == [UNLOADED, SATURATED]
    assert [load.name for load in FULL.loads_of("D")] == list(ALL)
