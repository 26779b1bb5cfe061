"""How stages worked, from their own metrics before and after."""

from pathlib import Path

from benchmarks.bare import BareLoop
from benchmarks.measure import batching


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
