"""How much may be done per second: what has piled up is worked off at a pace, never at once."""

from enact.clock import Clock


class Allowance:
    """At most `per_s` in any second, none saved up for longer. One thread only."""

    def __init__(self, per_s: int, clock: Clock) -> None:
        self._per_s, self._clock = per_s, clock
        self._left, self._refilled_s = float(per_s), clock.boot_s()

    def take(self) -> bool:
        """True if one more may be done now."""
        now_s = self._clock.boot_s()
        self._left = min(float(self._per_s), self._left + (now_s - self._refilled_s) * self._per_s)
        self._refilled_s = now_s
        if self._left < 1:
            return False
        self._left -= 1
        return True
