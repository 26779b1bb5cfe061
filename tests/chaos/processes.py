"""A look at processes from outside: memory, threads and descriptors as the system counts them."""

import os
from pathlib import Path
from typing import Any

from tests.e2e.world import World

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def all_processes(world: World) -> dict[str, int]:
    """Every process of a world by name: stages, practice world, broker if it is its own."""
    supervisor, broker = world.platform.supervisor, world.platform.broker
    found = {child.name: child.pid for child in supervisor.children if child.pid is not None} if supervisor is not None else {}
    if broker is not None and broker.pid is not None:
        found["broker"] = broker.pid
    return found


def look(pid: int) -> dict[str, Any] | None:
    """`rss` (bytes), `threads` and `fds` of a process now; None if it is gone."""
    folder = Path("/proc") / str(pid)
    try:
        pages = int((folder / "statm").read_text(encoding="ascii").split()[1])
        return {"rss": pages * _PAGE_BYTES, "threads": len(list((folder / "task").iterdir())), "fds": len(list((folder / "fd").iterdir()))}
    except OSError:
        return None
