"""Which of this process's claims may still start a call: each at most once in the life of the process.

A nonce is in `waiting` from its append until it is started, released or given up. Everything that is not
waiting has had its turn, so a rewind, a revoke or a restore that reads a claim again starts nothing, and the
memory stays as small as the window.
"""

import threading


class NonceMemory:
    """Issues nonces and lets each start once. Any thread."""

    def __init__(self, incarnation_id: str) -> None:
        self.incarnation_id = incarnation_id
        self._issued = 0
        self._waiting: dict[str, int] = {}
        self._lock = threading.Lock()

    def issue(self, partition: int) -> str:
        """A fresh nonce for a claim in this partition of the log."""
        with self._lock:
            self._issued += 1
            nonce = f"{self.incarnation_id[:16]}.{self._issued}"
            self._waiting[nonce] = partition
            return nonce

    def start(self, nonce: str) -> bool:
        """True exactly once for a nonce that waits: its call may start now."""
        with self._lock:
            return self._waiting.pop(nonce, None) is not None

    def give_up(self, nonce: str) -> bool:
        """True if the nonce waited; it can never start now."""
        return self.start(nonce)

    def waiting_in(self, partition: int) -> list[str]:
        """Nonces of this partition that have been appended and not yet met."""
        with self._lock:
            return [nonce for nonce, where in self._waiting.items() if where == partition]

    def __len__(self) -> int:
        return len(self._waiting)
