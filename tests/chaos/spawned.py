"""A stage as production starts it, in a process that a run can tell apart and whose wall clock it can move.

`python -m tests.chaos.spawned invocation.0 services.invocation`. Two patches, before the stage is imported: its Kafka clients
are called `enact.invocation.0`, and `enact.clock.SystemClock`, the one place where the product asks for the time of day, adds
what stands in the clock file. Time that passes (`boot_s`) stays true: clocks of machines jump, time does not.
"""

import mmap
import os
import runpy
import struct
import sys
import time
from pathlib import Path
from typing import Final

from enact import clock
from enact.kafka import client_config

CLOCK_VARIABLE: Final = "CHAOS_CLOCK_FILE"
_OFFSET = struct.Struct("<q")


class ClockFile:
    """How far one process's wall clock is off, in milliseconds; read by it at every look at the clock."""

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(_OFFSET.pack(0))

    def set_offset(self, offset_ms: int) -> None:
        """Move the clock of whoever runs under this file; 0 = right again."""
        with self.path.open("r+b") as file:
            file.write(_OFFSET.pack(offset_ms))


def move_the_clock(path: Path) -> None:
    """From now on this process's wall clock is off by what the file says."""
    with path.open("rb") as file:
        seen = mmap.mmap(file.fileno(), _OFFSET.size, access=mmap.ACCESS_READ)

    def wall_ms(_clock: clock.SystemClock) -> int:
        return time.time_ns() // 1_000_000 + int(_OFFSET.unpack_from(seen)[0])

    clock.SystemClock.wall_ms = wall_ms  # type: ignore[assignment,method-assign]


def name_the_clients(name: str) -> None:
    """From now on this process's Kafka clients say who they are."""
    named = tuple(s._replace(value=f"enact.{name}") if s.name == "client.id" else s for s in client_config.SHARED)
    client_config.SHARED = named  # type: ignore[assignment]


def main(arguments: list[str]) -> None:
    """Become the stage. `arguments`: the process's name, the stage's module."""
    name, module = arguments
    name_the_clients(name)
    given = os.environ.get(CLOCK_VARIABLE)
    if given is not None:
        move_the_clock(Path(given))
    sys.argv = [module]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(sys.argv[1:])
