"""How many records a turn of the loop takes, and when: soon if there are few, together if there are many.

A turn takes what it can do in a tenth of a second: a stage reads its own decisions in its log, and on a slow or crowded
machine a full batch would keep them waiting until a claim is read back too late. A stage that is quicker than what
comes would take a few records at a time, each time with a request for every partition it writes to; above
`BUSY_PER_S` it lets them gather first. Below, nothing waits for more.
"""

from enact.clock import Clock

MAX_BATCH = 500
MIN_BATCH = 20
TURN_S = 0.1
BUSY_PER_S = 600
GATHER_S = 0.04
_WINDOW_S = 0.5


class Pace:
    """Learns from each turn how long a record takes and how many come. One thread only."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._started_s = clock.boot_s()
        self._window_start_s = self._started_s
        self._in_window = 0
        self._is_busy = False
        self.max_records = MAX_BATCH

    def begin(self) -> None:
        """Records are in hand."""
        self._started_s = self._clock.boot_s()

    def end(self, records: int) -> None:
        """They are done. A turn that was quick lets the next one take twice as many."""
        now_s = self._clock.boot_s()
        took_s = now_s - self._started_s
        fits = int(records * TURN_S / took_s) if took_s > 0 else MAX_BATCH
        self.max_records = max(MIN_BATCH, min(MAX_BATCH, fits, 2 * self.max_records))
        self._in_window += records
        if (seen_s := now_s - self._window_start_s) >= _WINDOW_S:
            self._is_busy = self._in_window / seen_s >= BUSY_PER_S
            self._in_window, self._window_start_s = 0, now_s

    def gather_s(self) -> float:
        """How long to let records gather before the next turn takes them: 0 unless many come."""
        if not self._is_busy:
            return 0.0
        return max(0.0, self._started_s + GATHER_S - self._clock.boot_s())
