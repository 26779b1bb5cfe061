"""Kill switches as one process sees them, and the proof that the sight is fresh.

A scope is stopped while any of its engagements is open; a release ends the engagement it names and no other.
Every 500 ms the process appends a probe to the switches topic and waits to read it back: its view then holds
every switch acknowledged before the probe was sent, so it may be trusted until two seconds after that moment.
A process that cannot reach the broker is stale by itself and stops calling.
"""

import math
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from enact.clock import Clock
from enact.errors import EnactError, ValidationError
from enact.failpoints import Failpoint, hit
from enact.ids import key_of
from enact.kafka.transport import InRecord, OutRecord, Writer
from enact.log import get_logger
from enact.records import Probe, Switch, SwitchMode, SwitchState
from enact.records.codec import decode_switch_record, encode

FRESH_FOR_S = 2.0
PROBE_EVERY_S = 0.5
GLOBAL_SCOPE = "global"
_PROBE_KEY = key_of("probe")


@dataclass(frozen=True, slots=True)
class Engagement:
    """One open engagement of a scope."""

    scope: str
    engagement_id: str
    mode: SwitchMode
    actor: str
    reason: str
    since_ms: int


class SwitchView:
    """The open engagements, folded from the switches topic in its order. Read from any thread."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, str], Engagement] = {}
        self._released: set[tuple[str, str]] = set()
        self._unreadable: dict[bytes, Engagement] = {}

    def apply(self, switch: Switch) -> None:
        """Fold one record: a release counts for ever, also when it comes before its engage is read again."""
        key = (switch.scope, switch.engagement_id)
        if switch.state is SwitchState.RELEASED:
            self._released.add(key)
            self._open = {k: e for k, e in self._open.items() if k != key}
        elif key not in self._released:
            engagement = Engagement(switch.scope, switch.engagement_id, switch.mode, switch.actor, switch.reason, switch.at_ms)
            self._open = {**self._open, key: engagement}

    def hold_unreadable(self, key: bytes, offset: int, at_ms: int) -> None:
        """What cannot be read may be a stop: everything holds until a readable record, or none, stands under this key."""
        reason = f"The record at offset {offset} of the switches topic cannot be read; write it again, or a tombstone, under its key."
        engagement = Engagement(GLOBAL_SCOPE, f"unreadable-{offset}", SwitchMode.HOLD, "enact", reason, at_ms)
        self._unreadable = {**self._unreadable, key: engagement}

    def forget_unreadable(self, key: bytes) -> None:
        """The newest record of this key can be read, or is gone."""
        if key in self._unreadable:
            self._unreadable = {k: e for k, e in self._unreadable.items() if k != key}

    @property
    def engagements(self) -> tuple[Engagement, ...]:
        """Everything engaged now."""
        return (*self._open.values(), *self._unreadable.values())

    def stopped_by(self, scopes: tuple[str, ...]) -> Engagement | None:
        """An open engagement of one of these scopes; a REJECT before a HOLD."""
        found = [e for e in self.engagements if e.scope in scopes]
        return min(found, key=lambda e: e.mode is not SwitchMode.REJECT, default=None)


def scopes_of(tenant_id: str, action_type: str, connector: str) -> tuple[str, ...]:
    """Every scope whose switch stops this call."""
    return (GLOBAL_SCOPE, f"tenant:{tenant_id}", f"action_type:{action_type}", f"connector:{connector}")


class SwitchWatch:
    """Reads switches and probes (hand `on_record` to the global table) and keeps the freshness proof."""

    def __init__(self, *, topic: str, slot: str, writer: Writer, clock: Clock, on_fresh: Callable[[float], None] | None = None) -> None:
        self.view = SwitchView()
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

    def on_record(self, record: InRecord) -> None:
        """Fold one record of the switches topic; runs on the table's thread."""
        key = record.key or b""
        if record.value is None:
            self.view.forget_unreadable(key)
            return
        try:
            decoded = decode_switch_record(record.value)
        except ValidationError as error:
            self._log.error("switch_unreadable", error, offset=record.offset)
            if not key.startswith(_PROBE_KEY):
                self.view.hold_unreadable(key, record.offset, record.timestamp_ms)
            return
        if isinstance(decoded, Switch):
            self.view.forget_unreadable(key)
            self.view.apply(decoded)
            self._log.warning("switch_seen", scope=decoded.scope, engagement_id=decoded.engagement_id, status=decoded.state)
        else:
            self._prove(decoded, record.timestamp_ms)

    def _prove(self, probe: Probe, appended_ms: int) -> None:
        """A probe of this very process came back: everything acknowledged before it was sent has been read."""
        with self._lock:
            if probe.incarnation != self._incarnation or (sent_s := self._sent.get(probe.nonce)) is None:
                return
            self._sent = {nonce: at_s for nonce, at_s in self._sent.items() if at_s > sent_s}
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
        self._writer.send(OutRecord(self._topic, 0, _PROBE_KEY + key_of(self._slot), encode(probe)), _ignore)
        hit(Failpoint.AFTER_PROBE)

    def start(self) -> None:
        """Begin probing."""
        self._thread.start()

    def stop(self) -> None:
        """End probing; the view goes stale by itself."""
        self._stop.set()

    def _probe_until_stopped(self) -> None:
        while not self._stop.wait(PROBE_EVERY_S if self._fresh_until_s else 0.1):
            try:
                self.probe()
                self._writer.poll()
            except EnactError as error:
                self._log.warning("probe_failed", error)


def _ignore(error: EnactError | None, partition: int, offset: int) -> None:
    """A lost probe proves nothing; the next one comes in half a second."""
    del error, partition, offset
