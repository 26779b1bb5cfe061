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
        """Take it. Raises: ConfigurationError if there is none to take, or the folder cannot be written or locked."""
        self.path, self.number, self._lock = _acquire(root)
        self.owner = Owner(boot_id=_boot_id(), instance_id=_instance_id(self.path), incarnation_id=uuid.uuid4().hex)


def _acquire(root: Path) -> tuple[Path, int, int]:
    for number in range(_MAX_INSTANCES):
        path = root / str(number)
        try:
            path.mkdir(parents=True, exist_ok=True)
            lock = _lock(path / "lock")
        except OSError as error:
            message = (
                f"ENACT_DATA_DIR: {path} cannot be written or locked ({error.strerror}): choose a local folder that this user may write."
            )
            raise ConfigurationError(message) from error
        if lock is not None:
            return path, number, lock
    raise ConfigurationError(f"{_MAX_INSTANCES} instances already run in ENACT_DATA_DIR: give this one a data directory of its own.")


def _lock(file: Path) -> int | None:
    """The open, locked file; None if somebody holds it."""
    lock = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        if isinstance(error, BlockingIOError):
            return None
        raise
    return lock


def _instance_id(path: Path) -> str:
    """Written whole or not at all: two directories with one id would take over each other's open claims at once."""
    file = path / "instance-id"
    known = file.read_text(encoding="ascii").strip() if file.exists() else ""
    if known:
        return known
    new = uuid.uuid4().hex
    draft = path / "instance-id.new"
    draft.write_text(new, encoding="ascii")
    draft.replace(file)
    return new


def _boot_id() -> str:
    """The kernel's id of this boot; where there is none, an id that never matches another process."""
    return _BOOT_ID.read_text(encoding="ascii").strip() if _BOOT_ID.exists() else uuid.uuid4().hex
