"""What processes used: CPU, memory and disk, from /proc and the folders themselves (Linux)."""

import os
from collections.abc import Mapping
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PROC = Path("/proc")


def cpu_s(pid: int, proc: Path = PROC) -> float:
    """User and system time of a process with all its threads, in seconds; 0 for one that has ended."""
    try:
        fields = (proc / str(pid) / "stat").read_text().rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def memory_mb(pid: int, proc: Path = PROC) -> dict[str, float]:
    """`rss` now and `peak` since it started, in megabytes (10⁶); `pss` divides shared pages. Empty for one that has ended."""
    try:
        status = (proc / str(pid) / "status").read_text()
        rollup = (proc / str(pid) / "smaps_rollup").read_text()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return {}
    found = {
        "rss": _kib(status, "VmRSS:"),
        "peak": _kib(status, "VmHWM:"),
        "pss": _kib(rollup, "Pss:"),
    }
    return {name: round(value * 1024 / 1e6, 1) for name, value in found.items()}


def cpu_of(pids: Mapping[str, int]) -> dict[str, float]:
    """CPU seconds so far, by name."""
    return {name: cpu_s(pid) for name, pid in pids.items()}


def memory_of(pids: Mapping[str, int]) -> dict[str, dict[str, float]]:
    """Memory now, by name."""
    return {name: memory_mb(pid) for name, pid in pids.items()}


def folder_bytes(folder: Path) -> int:
    """Bytes of all files below a folder; files that go away meanwhile count as nothing."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except FileNotFoundError:
            continue
    return total


def log_bytes(log_dir: Path, topic: str) -> int:
    """Bytes of a topic's records on the broker's disk, over its partitions; index files left out."""
    return sum(path.stat().st_size for folder in log_dir.glob(f"{topic}-[0-9]*") for path in folder.glob("*.log"))


def _kib(text: str, name: str) -> int:
    for line in text.splitlines():
        if line.startswith(name):
            return int(line.split()[1])
    return 0
