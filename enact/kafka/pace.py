"""How many records a turn of the loop takes: as many as it can do in a fifth of a second, so that what it decides comes back soon.

A stage reads its own decisions in its log; on a slow or crowded machine a full batch would keep them waiting for seconds,
and a claim that is read back too late is released and made again.
"""

from enact.clock import Clock

MAX_BATCH = 500
MIN_BATCH = 20
TURN_S = 0.2


class Pace:
    """Learns from each turn how long a record takes. One thread only."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._started_s = 0.0
        self.max_records = MAX_BATCH

    def begin(self) -> None:
        """Records are in hand."""
        self._started_s = self._clock.boot_s()

    def end(self, records: int) -> None:
        """They are done. A turn that was quick lets the next one take twice as many."""
        took_s = self._clock.boot_s() - self._started_s
        fits = int(records * TURN_S / took_s) if took_s > 0 else MAX_BATCH
        self.max_records = max(MIN_BATCH, min(MAX_BATCH, fits, 2 * self.max_records))
