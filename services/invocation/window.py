"""The bounded, fair window: claims and calls in flight, at most a quarter of it for one (tenant, connector)."""

from collections import Counter
from dataclasses import dataclass

WINDOW = 500
SHARE = 4


@dataclass(frozen=True, slots=True)
class Slot:
    """One claim or look-up under way."""

    group: str
    key: bytes
    since_s: float


class Window:
    """Slots by nonce. Taken on the loop's thread, given back from any."""

    def __init__(self, size: int = WINDOW) -> None:
        self.size = size
        self._slots: dict[str, Slot] = {}

    def take(self, nonce: str, slot: Slot) -> None:
        """Occupy a slot."""
        self._slots[nonce] = slot

    def give_back(self, nonce: str) -> None:
        """The claim is released, or its fact is acknowledged."""
        self._slots.pop(nonce, None)

    def has(self, nonce: str) -> bool:
        """True while this claim is under way in this process."""
        return nonce in self._slots

    def holds(self, key: bytes) -> bool:
        """True if an execution has something under way."""
        return any(slot.key == key for slot in list(self._slots.values()))

    @property
    def room(self) -> int:
        """Free slots."""
        return max(0, self.size - len(self._slots))

    def shares(self) -> dict[str, int]:
        """Free slots by group are `share - shares[group]`; what each group holds now."""
        return Counter(slot.group for slot in list(self._slots.values()))

    @property
    def share(self) -> int:
        """What one group may hold."""
        return max(1, self.size // SHARE)

    def __len__(self) -> int:
        return len(self._slots)
