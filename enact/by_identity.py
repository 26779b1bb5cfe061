"""Things worked out once for each object that lives long: a registry entry, its rules."""

from collections.abc import Callable
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class ByIdentity(Generic[K, V]):
    """A pure function of an object that never changes, worked out once for each object.

    Found by identity: the hash of a large record costs more than most of what is kept here. Each key is kept alive
    with its value, so that no other object can have its identity; beyond `max_kept` all are forgotten.
    Two threads may work out the same value twice.
    """

    def __init__(self, work_out: Callable[[K], V], *, max_kept: int = 1024) -> None:
        self._work_out, self._max_kept = work_out, max_kept
        self._kept: dict[int, tuple[K, V]] = {}

    def __call__(self, key: K) -> V:
        """The value for this very object. Raises: whatever the function raises; then nothing is kept."""
        kept = self._kept.get(id(key))
        if kept is not None:
            return kept[1]
        value = self._work_out(key)
        if len(self._kept) >= self._max_kept:
            self._kept.clear()
        self._kept[id(key)] = (key, value)
        return value
