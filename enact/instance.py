"""Which process this is: this boot of the machine, this instance directory, this life of the process.

One directory per running instance of a stage, held by a lock from process start to exit; the kernel frees it
when the process dies. An open claim of the same directory on the same boot, by another incarnation, is
therefore the claim of somebody who is gone. A *copy* of a directory must never run on the same boot.
"""

import fcntl
import os
import uuid
from pathlib import Path

from enact.errors import ConfigurationError
from enact.records import Owner

_MAX_INSTANCES = 64
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class InstanceDirectory:
    """The lowest free directory `<root>/<k>`, locked for the life of the process."""

    def __init__(self, root: Path) -> None:
        self.path, self.number, self._lock = _acquire(root)
        self.owner = Owner(boot_id=_boot_id(), instance_id=_instance_id(self.path), incarnation_id=uuid.uuid4().hex)


def _acquire(root: Path) -> tuple[Path, int, int]:
    for number in range(_MAX_INSTANCES):
        path = root / str(number)
        path.mkdir(parents=True, exist_ok=True)
        lock = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            continue
        return path, number, lock
    raise ConfigurationError(f"{_MAX_INSTANCES} instances already run in ENACT_DATA_DIR: give this one a data directory of its own.")


def _instance_id(path: Path) -> str:
    file = path / "instance-id"
    if not file.exists():
        file.write_text(uuid.uuid4().hex)
    return file.read_text().strip()


def _boot_id() -> str:
    """The kernel's id of this boot; where there is none, an id that never matches another process."""
    return _BOOT_ID.read_text().strip() if _BOOT_ID.exists() else uuid.uuid4().hex
