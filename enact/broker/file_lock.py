"""A lock that the kernel releases when its holder ends, however it ends: it cannot become stale."""

import fcntl
import os
import time
from collections.abc import Callable
from pathlib import Path


class FileLock:
    """An exclusive lock on a file; the file itself stays and means nothing. Not inherited by child processes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    @property
    def is_held(self) -> bool:
        """Whether this object holds the lock."""
        return self._descriptor is not None

    def try_acquire(self) -> bool:
        """Take the lock if it is free; True if this object holds it now.

        Raises: OSError if the file cannot be created.
        """
        if self._descriptor is not None:
            return True
        self.path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True

    def acquire(self, *, on_wait: Callable[[], None], poll_s: float = 0.1) -> None:
        """Wait for the lock; `on_wait` is called once if it is not free at once."""
        if self.try_acquire():
            return
        on_wait()
        while not self.try_acquire():
            time.sleep(poll_s)

    def release(self) -> None:
        """Give the lock back; nothing happens if it is not held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
