"""What processes used, read from a /proc of the test's own."""

import os
from pathlib import Path

from benchmarks.usage import cpu_s, folder_bytes, log_bytes, memory_mb

STAT = "42 (a (strange) name) S 1 42 42 0 -1 4194304 100 0 0 0 {user} {system} 0 0 20 0 7 0 1000 0 0"
STATUS = "Name:\tpython\nVmHWM:\t  200000 kB\nVmRSS:\t  100000 kB\n"


def process(proc: Path, *, user: int = 0, system: int = 0) -> None:
    folder = proc / "42"
    folder.mkdir()
    (folder / "stat").write_text(STAT.format(user=user, system=system))
    (folder / "status").write_text(STATUS)
    (folder / "smaps_rollup").write_text("Rss: 100000 kB\nPss:   50000 kB\n")


def test_cpu_is_user_and_system_time_whatever_the_process_is_called(tmp_path: Path) -> None:
    ticks = os.sysconf("SC_CLK_TCK")
    process(tmp_path, user=3 * ticks, system=2 * ticks)

    assert cpu_s(42, tmp_path) == 5.0


def test_memory_is_told_in_megabytes_of_a_million(tmp_path: Path) -> None:
    process(tmp_path)

    assert memory_mb(42, tmp_path) == {"rss": 102.4, "peak": 204.8, "pss": 51.2}


def test_a_process_that_has_ended_uses_nothing(tmp_path: Path) -> None:
    assert cpu_s(42, tmp_path) == 0.0
    assert memory_mb(42, tmp_path) == {}


def test_our_own_process_uses_something() -> None:
    assert cpu_s(os.getpid()) > 0
    assert memory_mb(os.getpid())["rss"] > 1


def test_a_topic_s_bytes_are_its_segments_in_all_partitions_and_nobody_else_s(tmp_path: Path) -> None:
    for name in ("bench.ledger.v1-0", "bench.ledger.v1-1", "bench.ledger.v10-0", "bench.ledger-checkpoints.v1-0"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "00000000000000000000.log").write_bytes(b"x" * 10)
        (tmp_path / name / "00000000000000000000.index").write_bytes(b"x" * 1000)

    assert log_bytes(tmp_path, "bench.ledger.v1") == 20
    assert folder_bytes(tmp_path) == 4 * 1010
