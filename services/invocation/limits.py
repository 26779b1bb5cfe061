"""Rate and concurrency limits: a place is reserved at the gate and given back when the call's claim has left the window.

A rate is a token bucket: what started is not given back. This process takes the part of each limit that its partitions
are of all (`share`): intents are spread evenly over partitions, so that all instances together keep the limit without
asking each other. A concurrency limit is never less than one call for a process.
"""

import math
import threading
from collections.abc import Iterator
from dataclasses import dataclass

from enact.clock import Clock
from services.invocation.limits_file import Limit, LimitEntry, LimitsFile

_MAX_KEPT = 10_000
_WAITING_FOR_S = 0.5

Place = tuple[str, ...]
"""What a limit counts: ("tenant", tenant, connector) or ("connector", connector), with an action type behind it if it has one."""


@dataclass(slots=True)
class _Bucket:
    """What is left of one limit. `waited_s` is when somebody last had to wait for it."""

    tokens: float
    filled_s: float
    running: int = 0
    waited_s: float = -math.inf


class Limits:
    """One per process. Reservations are made on the loop's thread and given back on any."""

    def __init__(self, file: LimitsFile, clock: Clock) -> None:
        self._file, self._clock, self._share = file, clock, 1.0
        self._buckets: dict[Place, _Bucket] = {}
        self._reserved: dict[str, tuple[Place, ...]] = {}
        self._known: dict[tuple[str, str, str], tuple[tuple[Place, Limit], ...]] = {}
        self._lock = threading.RLock()
        self._has_any = _has_any(file)

    def use(self, file: LimitsFile) -> None:
        """From now on these hold. What is reserved stays; what is left of a bucket stays as far as it still fits."""
        self._file, self._has_any = file, _has_any(file)
        self._known.clear()

    def share(self, ratio: float) -> None:
        """This process has so much of all partitions."""
        self._share = min(1.0, ratio) if ratio > 0 else 1.0

    def lacking(self, tenant_id: str, connector: str, action_type: str, *, is_waiting: bool) -> str | None:
        """Which limit has no room for a further call now, in words; None = all have.

        Who comes new does not overtake who waits (`is_waiting`) for the same limit.
        """
        if not self._has_any:
            return None
        now_s = self._clock.boot_s()
        for place, limit in self._applying(tenant_id, connector, action_type):
            bucket = self._bucket(place, limit, now_s)
            word = self._full(limit, bucket)
            if word is not None:
                bucket.waited_s = now_s
                return f"{word}:{':'.join(place)}"
            if not is_waiting and now_s - bucket.waited_s < _WAITING_FOR_S:
                return f"turn:{':'.join(place)}"
        return None

    def take(self, tenant_id: str, connector: str, action_type: str, slot: str) -> None:
        """Reserve a place under every limit; given back with `give_back`."""
        if not self._has_any:
            return
        now_s = self._clock.boot_s()
        applying = self._applying(tenant_id, connector, action_type)
        with self._lock:
            for place, limit in applying:
                bucket = self._bucket(place, limit, now_s)
                bucket.tokens -= 1
                bucket.running += 1
            if applying:
                self._reserved[slot] = tuple(place for place, _ in applying)

    def give_back(self, slot: str) -> None:
        """The call has ended, or was never sent."""
        if slot not in self._reserved:
            return
        with self._lock:
            for place in self._reserved.pop(slot):
                self._buckets[place].running -= 1

    def _full(self, limit: Limit, bucket: _Bucket) -> str | None:
        if limit.rate_per_s is not None and bucket.tokens < 1:
            return "rate"
        if limit.concurrency is not None and bucket.running >= max(1, int(limit.concurrency * self._share)):
            return "concurrency"
        return None

    def _bucket(self, place: Place, limit: Limit, now_s: float) -> _Bucket:
        """What is left of this limit now."""
        capacity = limit.capacity(self._share)
        bucket = self._buckets.get(place)
        if bucket is None:
            if len(self._buckets) >= _MAX_KEPT:
                self._forget_idle(now_s)
            bucket = self._buckets[place] = _Bucket(capacity, now_s)
        elif limit.rate_per_s is not None:
            bucket.tokens = min(capacity, bucket.tokens + (now_s - bucket.filled_s) * limit.rate_per_s * self._share)
        else:
            bucket.tokens = capacity
        bucket.filled_s = now_s
        return bucket

    def _forget_idle(self, now_s: float) -> None:
        """Those that nobody used for a minute; a slower rate than one a minute begins again with its burst."""
        with self._lock:
            used = {place: one for place, one in self._buckets.items() if one.running or now_s - one.filled_s < 60}
            self._buckets = used

    def _applying(self, tenant_id: str, connector: str, action_type: str) -> tuple[tuple[Place, Limit], ...]:
        key = (tenant_id, connector, action_type)
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= _MAX_KEPT:
                self._known.clear()
            known = self._known[key] = tuple(self._find(tenant_id, connector, action_type))
        return known

    def _find(self, tenant_id: str, connector: str, action_type: str) -> Iterator[tuple[Place, Limit]]:
        own = self._file.tenants.get(tenant_id, {}).get(connector, self._file.default)
        yield from _of(own, ("tenant", tenant_id, connector), action_type)
        if (shared := self._file.connectors.get(connector)) is not None:
            yield from _of(shared, ("connector", connector), action_type)


def _of(entry: LimitEntry, place: Place, action_type: str) -> Iterator[tuple[Place, Limit]]:
    if entry.is_any:
        yield place, entry
    if (within := entry.action_types.get(action_type)) is not None and within.is_any:
        yield (*place, action_type), within


def _has_any(file: LimitsFile) -> bool:
    return file != LimitsFile()
