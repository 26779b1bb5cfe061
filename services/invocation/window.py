"""The bounded, fair window: claims and calls in flight, at most a quarter of it for one (tenant, connector)."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping

from msgspec import Struct

WINDOW = 500
SHARE = 4
FEWEST = 8
_MAX_REMEMBERED = 10_000

Act = Callable[[], bool]
"""Something to start; True if it took a slot."""


def group_of(tenant_id: str, connector: str) -> str:
    """Who shares a quarter of the window."""
    return f"{tenant_id}|{connector}"


class Slot(Struct, frozen=True):
    """One claim or look-up under way."""

    group: str
    key: bytes


class Window:
    """Slots by nonce. Taken on the loop's thread, given back from any.

    How many there are follows what this process keeps up with, from `FEWEST` to `size`: one that is short of processor time
    and claims all that is due at once reads every claim back too late, releases them all, and claims them all again
    (`tests/unit/services/invocation/test_window.py`). So they are halved when a claim comes back too late, once for all
    claims made before, and one comes back with every claim that is in time.
    """

    def __init__(self, size: int = WINDOW, *, on_free: Callable[[str], None] | None = None) -> None:
        """`on_free` hears once of each slot that is given back, on whatever thread that happens."""
        self.size = self._limit = size
        self._narrowed_s = float("-inf")
        self._on_free = on_free
        self._slots: dict[str, Slot] = {}
        self._shares = Counter[str]()
        self._lock = threading.Lock()

    def take(self, nonce: str, slot: Slot) -> None:
        """Occupy a slot."""
        with self._lock:
            self._slots[nonce] = slot
            self._shares[slot.group] += 1

    def give_back(self, nonce: str) -> None:
        """The claim is released, or its fact is acknowledged."""
        with self._lock:
            slot = self._slots.pop(nonce, None)
            if slot is not None:
                self._shares[slot.group] -= 1
                if not self._shares[slot.group]:
                    del self._shares[slot.group]
        if slot is not None and self._on_free is not None:
            self._on_free(nonce)

    def has(self, nonce: str) -> bool:
        """True while this claim is under way in this process."""
        return nonce in self._slots

    def keys(self) -> set[bytes]:
        """Executions that have something under way."""
        return {slot.key for slot in list(self._slots.values())}

    def narrow(self, *, claimed_s: float, now_s: float) -> None:
        """A claim made at `claimed_s` (boot time) was read back too late: have fewer under way from now on."""
        if claimed_s >= self._narrowed_s:
            self._narrowed_s = now_s
            self._limit = max(min(FEWEST, self.size), min(self._limit, len(self._slots)) // 2)

    def widen(self) -> None:
        """A claim was read back in time."""
        self._limit = min(self.size, self._limit + 1)

    @property
    def room(self) -> int:
        """Free slots."""
        return max(0, self._limit - len(self._slots))

    def shares(self) -> Counter[str]:
        """What each group holds now."""
        with self._lock:
            return self._shares.copy()

    @property
    def share(self) -> int:
        """What one group may hold."""
        return max(1, self._limit // SHARE)

    def __len__(self) -> int:
        return len(self._slots)


class Turns:
    """Groups take turns: the next free slot goes to the group that was served longest ago and is below its share."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self._served: dict[str, int] = {}
        self._count = 0

    def serve(self, offers: Mapping[str, Iterator[Act]]) -> bool:
        """Start what there is room for, one of a group at a time. True if something that could start had to wait."""
        shares = self._window.shares()
        line = sorted(offers, key=lambda group: self._served.get(group, 0))
        is_contended = False
        while line:
            next_line = []
            for group in line:
                if not self._window.room:
                    return True
                if shares[group] >= self._window.share:
                    is_contended = True
                elif any(act() for act in offers[group]):
                    self._note(group)
                    shares[group] += 1
                    next_line.append(group)
            line = next_line
        return is_contended

    def _note(self, group: str) -> None:
        self._count += 1
        if len(self._served) >= _MAX_REMEMBERED:
            self._served.clear()
        self._served[group] = self._count
