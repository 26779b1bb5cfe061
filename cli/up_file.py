"""`up.json` in the data folder: where a running `enact up` has everything, for the other commands."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from enact.broker.pid_file import ProcessMark, is_running

UP_FILE = "up.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """What a running `enact up` says of itself; empty when none runs.

    `pid` and `started` are those of its supervisor (`enact.broker.pid_file`); `health_ports` has each of its processes
    (`validation.0`) and the port of its /readyz.
    """

    pid: int | None = None
    started: str | None = None
    bootstrap_servers: str | None = None
    api_url: str | None = None
    sandbox_url: str | None = None
    topic_prefix: str | None = None
    partitions: int | None = None
    replication_factor: int | None = None
    health_ports: Mapping[str, int] = field(default_factory=dict)


def running(data_dir: Path) -> Running:
    """Read `<data_dir>/up.json`. A file that is missing, not whole, or left behind by a killed enact counts as nothing running."""
    try:
        told: Any = json.loads((data_dir / UP_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return Running()
    if not isinstance(told, dict):
        return Running()
    kinds = {"pid": int, "partitions": int, "replication_factor": int, "health_ports": dict}
    found = Running(**{f.name: told[f.name] for f in fields(Running) if isinstance(told.get(f.name), kinds.get(f.name, str))})
    if found.pid is not None and found.started is not None:
        mark = ProcessMark(name="supervisor", pid=found.pid, started=found.started)
        return found if is_running(mark) else Running()
    return found


def write_running(data_dir: Path, what: Running) -> None:
    """Write the file whole or not at all."""
    path = data_dir / UP_FILE
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(asdict(what), indent=2), encoding="utf-8")
    fresh.replace(path)


def forget_running(data_dir: Path) -> None:
    """Nothing runs any more."""
    (data_dir / UP_FILE).unlink(missing_ok=True)
