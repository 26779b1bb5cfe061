"""Time as an argument: nothing that decides reads a clock by itself."""

import time
from typing import Protocol


class Clock(Protocol):
    """Two clocks: the wall for deadlines, boot time for elapsed time (it runs on through a suspend)."""

    def wall_ms(self) -> int:
        """Milliseconds since the epoch."""

    def boot_s(self) -> float:
        """Seconds since boot; never goes back, never stops while suspended."""


class SystemClock:
    """The machine's clocks."""

    def wall_ms(self) -> int:
        """Milliseconds since the epoch."""
        return time.time_ns() // 1_000_000

    def boot_s(self) -> float:
        """Seconds since boot, `CLOCK_BOOTTIME` where the system has it."""
        return time.clock_gettime(BOOT_CLOCK)


class ManualClock:
    """A clock for tests: stands still until moved."""

    def __init__(self, wall_ms: int = 1_790_000_000_000, boot_s: float = 1_000.0) -> None:
        self.now_ms = wall_ms
        self.now_s = boot_s

    def wall_ms(self) -> int:
        """The set wall time."""
        return self.now_ms

    def boot_s(self) -> float:
        """The set boot time."""
        return self.now_s

    def advance(self, seconds: float) -> None:
        """Move both clocks forward."""
        self.now_ms += round(seconds * 1000)
        self.now_s += seconds


BOOT_CLOCK: int = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
