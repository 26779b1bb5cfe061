"""Circuit breakers, one for each tenant and connector: what cannot be reached is left alone, and tried with a few calls at a time.

Only transport failures count: nothing listens, no answer in time, a lost connection, a system that says that it
fails itself. A request that was refused, throttled or declined was answered, and an answer is what a breaker asks for.

Closed: everything starts. Open: nothing does, for a time that doubles with each opening. Then half-open: a few calls
hold a permit each, from the gate until their claim has left the window; the first that fails opens it again.
Look-ups ask for no permit: they change nothing and have a budget of their own; how they end counts like a call's.
State is this process's memory: what an earlier life, or another instance, left held is begun half-open.
"""

import math
import threading
from collections import Counter
from collections.abc import Callable

from msgspec import Struct

from connectors.contract import CallResult
from enact.clock import Clock
from enact.errors import EnactError, ErrorCode, PermanentError
from enact.log import get_logger
from enact.metrics import BreakerState

_WINDOW_S = 10.0
_MAX_KEPT = 10_000
_MAX_DOUBLINGS = 20
_SPREAD = (0.8, 1.2)


class BreakerRule(Struct, frozen=True, kw_only=True):
    """When a breaker opens and for how long.

    It opens after `failures` transport failures in a row, or after twice as many within ten seconds if they are at least half of
    the calls that ended. `trials` is the half-open budget: calls under way at once, and answers until it closes.
    """

    failures: int = 5
    open_s: float = 5.0
    max_open_s: float = 60.0
    trials: int = 3


class Breaker:
    """One tenant's way to one connector. Its own lock is the owner's: see `Breakers`."""

    __slots__ = (
        "_answers",
        "_closed_s",
        "_counted_s",
        "_ended",
        "_failed",
        "_in_a_row",
        "_openings",
        "_rule",
        "state",
        "trials",
        "until_s",
    )

    def __init__(self, rule: BreakerRule, *, is_trial: bool = False) -> None:
        """`is_trial`: not known to work, so it begins with the half-open budget."""
        self._rule = rule
        self.state = BreakerState.OPEN if is_trial else BreakerState.CLOSED
        self.until_s = -math.inf
        self.trials: set[str] = set()
        self._in_a_row = self._failed = self._ended = self._answers = self._openings = 0
        self._counted_s = self._closed_s = -math.inf

    def refuses_a_start(self, now_s: float) -> bool:
        """True while no further call may start."""
        if self.state is BreakerState.CLOSED:
            return False
        return (self.state is BreakerState.OPEN and now_s < self.until_s) or len(self.trials) >= self._rule.trials

    def refuses(self, slot: str) -> bool:
        """True if a call that reserved its place must not go out after all: it holds no permit of the present trial."""
        return self.state is not BreakerState.CLOSED and slot not in self.trials

    def take(self, slot: str, now_s: float) -> bool:
        """A call reserves its place; True if it holds a permit from now on."""
        if self.state is BreakerState.CLOSED or self.refuses_a_start(now_s):
            return False
        if self.state is BreakerState.OPEN:
            self.state, self._answers = BreakerState.HALF_OPEN, 0
        self.trials.add(slot)
        return True

    def learn(self, slot: str, now_s: float, *, is_failure: bool, spread: float) -> bool:
        """A call ended; True if the state changed. While half-open only those with a permit say anything."""
        if self.state is BreakerState.HALF_OPEN and slot in self.trials:
            if is_failure:
                return self._open(now_s, spread)
            self._answers += 1
            return self._answers >= self._rule.trials and self._close(now_s)
        if self.state is not BreakerState.CLOSED:
            return False
        if now_s - self._counted_s > _WINDOW_S:
            self._counted_s, self._failed, self._ended = now_s, 0, 0
        self._ended += 1
        if not is_failure:
            self._in_a_row = 0
            return False
        self._in_a_row += 1
        self._failed += 1
        is_half = self._failed >= 2 * self._rule.failures and 2 * self._failed >= self._ended
        return (self._in_a_row >= self._rule.failures or is_half) and self._open(now_s, spread)

    def _open(self, now_s: float, spread: float) -> bool:
        if self.state is BreakerState.CLOSED and now_s - self._closed_s > self._rule.max_open_s:
            self._openings = 0
        open_s = min(self._rule.max_open_s, self._rule.open_s * 2 ** min(self._openings, _MAX_DOUBLINGS))
        self._openings += 1
        self.state, self.until_s = BreakerState.OPEN, now_s + open_s * spread
        self.trials.clear()
        return True

    def _close(self, now_s: float) -> bool:
        self.state, self._closed_s = BreakerState.CLOSED, now_s
        self._in_a_row = self._failed = self._ended = 0
        self.trials.clear()
        return True


class Breakers:
    """One per process. Any thread."""

    def __init__(self, rule: BreakerRule, clock: Clock, uniform: Callable[[float, float], float]) -> None:
        """`uniform(low, high)` spreads the times of reopening, so that instances do not try all at once."""
        self._rule, self._clock, self._uniform = rule, clock, uniform
        self._breakers: dict[tuple[str, str], Breaker] = {}
        self._trials: dict[str, Breaker] = {}
        self._lock = threading.Lock()
        self._log = get_logger("invocation")

    def refuses_a_start(self, tenant_id: str, connector: str, *, was_held: bool = False) -> bool:
        """True while nothing may start. What a breaker that is not known here held is begun as a trial."""
        breaker = self._breakers.get((tenant_id, connector))
        if breaker is None:
            if was_held:
                self._keep(tenant_id, connector, Breaker(self._rule, is_trial=True))
            return False
        return breaker.state is not BreakerState.CLOSED and breaker.refuses_a_start(self._clock.boot_s())

    def refuses(self, tenant_id: str, connector: str, slot: str) -> bool:
        """The last look at a call that reserved its place under `slot`."""
        breaker = self._breakers.get((tenant_id, connector))
        return breaker is not None and breaker.refuses(slot)

    def take(self, tenant_id: str, connector: str, slot: str) -> None:
        """Reserve the place of a call that was not refused; given back with `give_back`."""
        breaker = self._breakers.get((tenant_id, connector))
        if breaker is None or breaker.state is BreakerState.CLOSED:
            return
        with self._lock:
            if breaker.take(slot, self._clock.boot_s()):
                self._trials[slot] = breaker

    def give_back(self, slot: str) -> None:
        """The call has ended, or was never sent."""
        if slot in self._trials:
            with self._lock:
                self._trials.pop(slot).trials.discard(slot)

    def learn(self, tenant_id: str, connector: str, slot: str, result: CallResult | BaseException | None) -> None:
        """How a call or a look-up ended: it counts if it says anything about the way to the system."""
        is_failure = is_transport_failure(result)
        breaker = self._breakers.get((tenant_id, connector))
        if is_failure is None or (breaker is None and not is_failure):
            return
        if breaker is None:
            breaker = self._keep(tenant_id, connector, Breaker(self._rule))
        with self._lock:
            now_s = self._clock.boot_s()
            has_changed = breaker.learn(slot, now_s, is_failure=is_failure, spread=self._uniform(*_SPREAD))
        if has_changed and breaker.state is BreakerState.OPEN:
            self._log.warning("breaker_opened", tenant_id=tenant_id, connector=connector, wait_s=round(breaker.until_s - now_s, 3))
        elif has_changed:
            self._log.info("breaker_closed", tenant_id=tenant_id, connector=connector)

    def counts(self) -> Counter[tuple[str, BreakerState]]:
        """How many tenants' breakers of each connector are in each state."""
        return Counter((connector, breaker.state) for (_, connector), breaker in list(self._breakers.items()))

    def _keep(self, tenant_id: str, connector: str, breaker: Breaker) -> Breaker:
        with self._lock:
            if len(self._breakers) >= _MAX_KEPT:
                self._breakers = {key: kept for key, kept in self._breakers.items() if kept.state is not BreakerState.CLOSED}
            return self._breakers.setdefault((tenant_id, connector), breaker)


def is_transport_failure(result: CallResult | BaseException | None) -> bool | None:
    """True: the system was not reached, or says that it fails itself. False: it answered, whatever it said. None: says nothing of it."""
    if result is None or isinstance(result, CallResult):
        return False
    if isinstance(result, PermanentError) and result.code is ErrorCode.CREDENTIALS_MISSING:
        return None
    if isinstance(result, EnactError):
        return result.is_transport_failure
    return True if isinstance(result, TimeoutError) else None
