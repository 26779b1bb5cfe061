"""How stages worked, from their own metrics before and after."""

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.bare import BareLoop
from benchmarks.measure import batching, require_success
from benchmarks.profiled import profile_report, profiled_environment
from enact.records import ActionOutcome, Status
from enact.records.codec import encode
from tests.unit.benchmarks.results import measured


def test_batching_counts_only_what_happened_meanwhile() -> None:
    before = {"validation": {"enact_batch_records_count": 10.0, "enact_batch_records_sum": 10.0, "enact_flush_seconds_count": 5.0}}
    series = {"enact_batch_records_count": 30.0, "enact_batch_records_sum": 210.0, "enact_flush_seconds_count": 25.0}
    after = {"validation": {**series, "enact_flush_seconds_sum": 0.1}}

    found = batching(before, after, 100)

    assert found["validation"] == {"batches_per_execution": 0.2, "records_per_execution": 2.0, "records_per_batch": 10.0, "flush_ms": 5.0}


def test_a_stage_that_did_nothing_has_no_figures() -> None:
    assert batching({}, {"recording": {"enact_batch_records_count": 0.0}}, 100) == {"recording": {}}


def test_a_bare_loop_that_is_not_there_is_told_with_what_to_do(tmp_path: Path) -> None:
    missing = BareLoop.find(tmp_path / "bare_loop.py")
    (tmp_path / "there.py").write_text("")

    assert missing.program is None
    assert "--bare-loop" in (missing.absent_because or "")
    assert BareLoop.find(tmp_path / "there.py").absent_because is None


def outcomes(count: int, status: Status) -> list[bytes]:
    """Encoded outcomes of so many executions."""
    one = ActionOutcome(
        tenant_id="tenant-1",
        account_id="account-1",
        action_intent_id="intent-1",
        status=status,
        version=1,
        generation=1,
        attempt_count=1,
        tool_name="crm.create_task",
        tool_schema_version="1",
        registry_version=1,
        execution_trace_id="0" * 32,
        decision_trace_id="trace",
    )
    return [encode(one)] * count


def test_a_load_counts_if_all_succeeded_with_one_call_each() -> None:
    require_success(measured("saturated"), outcomes(100, Status.SUCCEEDED))


@pytest.mark.parametrize(
    ("values", "tool", "told"),
    [
        (outcomes(99, Status.SUCCEEDED) + outcomes(1, Status.FAILED), {}, "1 FAILED"),
        (outcomes(99, Status.SUCCEEDED), {}, "99 SUCCEEDED"),
        (outcomes(100, Status.SUCCEEDED), {"calls": 101, "duplicates": 1}, "101"),
        (outcomes(100, Status.SUCCEEDED), {"calls": 99}, "99"),
    ],
)
def test_a_failure_or_a_second_call_makes_the_figures_worthless(values: list[bytes], tool: dict[str, int], told: str) -> None:
    load = measured("saturated")
    load.tool |= tool

    with pytest.raises(RuntimeError, match=told):
        require_success(load, values)


CODE = "import threading; t = threading.Thread(target=lambda: [ord(chr(n)) for n in range(9000)], name='busy'); t.start(); t.join()"


@pytest.mark.parametrize(("profiled", "is_seen"), [("recording", True), ("validation", False)])
def test_only_the_named_stage_is_profiled_in_every_thread_that_does_something(tmp_path: Path, profiled: str, is_seen: bool) -> None:
    subprocess.run([sys.executable, "-c", CODE, "services.recording"], env=profiled_environment(profiled, tmp_path), check=True)

    report = profile_report(tmp_path, lines=5)
    assert ("thread busy" in report) is is_seen
    assert ("no profile" in report) is not is_seen
