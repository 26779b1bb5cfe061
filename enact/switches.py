"""The switches topic as one process watches it, and the proof that the sight is fresh.

Every 500 ms the process appends a probe to the switches topic and waits to read it back: its view then holds
every switch acknowledged before the probe was sent, so it may be trusted until two seconds after that moment.
A process that cannot reach the broker is stale by itself and stops calling.
"""

import math
import threading
import uuid
from collections.abc import Callable

from enact.clock import Clock
from enact.errors import EnactError
from enact.failpoints import Failpoint, hit
from enact.ids import key_of
from enact.kafka.transport import InRecord, OutRecord, Writer
from enact.log import get_logger
from enact.records import Probe
from enact.records.codec import encode
from enact.switch_view import PROBE_KEY, SwitchLog, SwitchView

FRESH_FOR_S = 2.0
PROBE_EVERY_S = 0.5


class SwitchWatch:
    """Reads switches and probes (hand `on_record` to the global table) and keeps the freshness proof."""

    def __init__(self, *, topic: str, slot: str, writer: Writer, clock: Clock, on_fresh: Callable[[float], None] | None = None) -> None:
        self._switches = SwitchLog()
        self._topic, self._slot, self._writer, self._clock = topic, slot, writer, clock
        self._incarnation = uuid.uuid4().hex
        self._sent: dict[str, float] = {}
        self._fresh_until_s = 0.0
        self._clock_ahead_ms = 0
        self._lock = threading.Lock()
        self._on_fresh = on_fresh
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._probe_until_stopped, name="switch-probe", daemon=True)
        self._log = get_logger("switches")
        self.beats = 0
        """Grows while probes are sent or at least tried: without them nothing is ever called again, and the watchdog ends the process."""

    @property
    def is_fresh(self) -> bool:
        """True if the view holds every switch acknowledged up to two seconds ago."""
        return self._clock.boot_s() <= self._fresh_until_s

    @property
    def age_s(self) -> float:
        """Seconds since the moment whose switches the view surely holds; infinite before the first proof."""
        return self._clock.boot_s() - self._fresh_until_s + FRESH_FOR_S if self._fresh_until_s else math.inf

    @property
    def clock_ahead_ms(self) -> int:
        """How far this machine's wall clock is ahead of the broker's, at least; negative: behind; 0 while nothing is proven."""
        return self._clock_ahead_ms

    @property
    def view(self) -> SwitchView:
        """What is stopped. Ask for it after `is_fresh`: what that vouches for is in the view from then on."""
        return self._switches.view

    def on_record(self, record: InRecord) -> None:
        """Fold one record of the switches topic; runs on the table's thread. Raises: BrokerError as `meaning_of`."""
        probe = self._switches.take(record)
        if probe is not None:
            self._prove(probe, record.timestamp_ms)

    def _prove(self, probe: Probe, appended_ms: int) -> None:
        """A probe of this very process came back: everything acknowledged before it was sent has been read."""
        with self._lock:
            if probe.incarnation != self._incarnation or (sent_s := self._sent.get(probe.nonce)) is None:
                return
            self._sent = {nonce: at_s for nonce, at_s in self._sent.items() if at_s > sent_s}
            self._switches.show()
            self._fresh_until_s = max(self._fresh_until_s, sent_s + FRESH_FOR_S)
        # The broker's clock stamped it between our sending and our reading; what lies outside is the clocks' difference.
        self._clock_ahead_ms = max(0, probe.sent_ms - appended_ms) or min(0, self._clock.wall_ms() - appended_ms)
        if self._on_fresh is not None:
            self._on_fresh(self._clock.boot_s() - sent_s)

    def probe(self) -> None:
        """Append one probe. Its time is taken before it is sent, so the proof never claims too much."""
        nonce = uuid.uuid4().hex
        now_s = self._clock.boot_s()
        with self._lock:
            self._sent = {**{n: at_s for n, at_s in self._sent.items() if at_s > now_s - FRESH_FOR_S}, nonce: now_s}
        probe = Probe(slot=self._slot, incarnation=self._incarnation, nonce=nonce, sent_ms=self._clock.wall_ms())
        hit(Failpoint.BEFORE_PROBE)
        self._writer.send(OutRecord(self._topic, 0, PROBE_KEY + key_of(self._slot), encode(probe)), _ignore)
        hit(Failpoint.AFTER_PROBE)

    def start(self) -> None:
        """Begin probing."""
        self._thread.start()

    def stop(self) -> None:
        """End probing; the view goes stale by itself."""
        self._stop.set()

    def _probe_until_stopped(self) -> None:
        while not self._stop.wait(PROBE_EVERY_S if self._fresh_until_s else 0.1):
            self.beats += 1
            try:
                self.probe()
                self._writer.poll()
            except EnactError as error:
                self._log.warning("probe_failed", error)


def _ignore(error: EnactError | None, partition: int, offset: int) -> None:
    """A lost probe proves nothing; the next one comes in half a second."""
    del error, partition, offset
