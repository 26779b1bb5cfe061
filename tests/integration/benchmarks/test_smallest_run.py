"""The benchmark itself on a real broker, as small as it goes: every figure is there, nothing is left behind. No figure is judged."""

from pathlib import Path

import pytest

from benchmarks.bare import BareLoop
from benchmarks.report import markdown
from benchmarks.sizes import Size
from benchmarks.whole import Bench
from enact.broker.pid_file import PidFile

SMALLEST = Size(
    kind="smallest",
    saturated=100,
    unloaded=5,
    at_200=40,
    load_s=1.0,
    least=100,
    warm_broker_s=(0.1, 0.2),
    first_warm_s=0.0,
    warm_s=0.0,
    warm_count=20,
    idle_s=0.2,
    rounds={"P": 1},
    has_up=False,
)


@pytest.mark.timeout(300)  # half a minute on a quiet machine
def test_the_smallest_run_measures_everything_and_leaves_nothing_behind(tmp_path: Path) -> None:
    lines: list[str] = []

    result = Bench(SMALLEST, BareLoop(program=None, absent_because="a test"), tmp_path, partitions=2, restored=50, tell=lines.append).run()

    loads = result["columns"]["P"]
    assert list(loads) == ["unloaded", "at 200/s", "saturated", "slow tool"]
    for load in loads.values():
        assert load["executions_per_s"] > 0
        assert load["latency.p50"] > 0
        assert load["tool.duplicates"] == 0
        assert load["bytes_per_execution.ledger"] > 0
        assert load["records_per_execution.admissions"] == 1
    assert loads["slow tool"]["tool.in_flight_max"] > 1
    assert {"cpu_us.validation", "cpu_us.broker", "cpu_us.api", "memory.invocation.rss"} <= loads["saturated"].keys()
    assert result["restore"]["events"] >= 2 * result["restore"]["executions"] == 100
    assert result["restore"]["rounds"]["local_state"]["state_bytes"] > 0
    assert result["ratios"]["throughput"] is None
    assert "a test" in markdown(result)
    assert "enact-bench" not in markdown(result)
    assert PidFile(tmp_path / "broker" / "broker.pid.json").read() == ()
    assert not [path for path in tmp_path.glob("*/enact.pid.json") if PidFile(path).read()]
