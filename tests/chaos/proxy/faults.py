"""Which requests go wrong, how, how often, and until when: from a seed, so that a run can be repeated."""

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase

from tests.chaos.proxy.frames import Request


class Harm(StrEnum):
    """What happens to a request that a fault meets.

    TCP does not lose the middle of a stream: a connection that lost a frame, or froze, is cut when its fault ends.
    """

    DELAY = "delay"  # the request, and all behind it on its connection, come late
    DROP_REQUEST = "drop_request"  # the broker never hears it
    DROP_RESPONSE = "drop_response"  # the broker does it, the client never hears
    CUT_BEFORE = "cut_before"  # the connection ends, the broker has not heard it
    CUT_AFTER = "cut_after"  # the broker does it, the connection ends instead of the answer
    HALF_OPEN = "half_open"  # from this request on nothing moves either way, and nobody says so


DOOMING = frozenset({Harm.DROP_REQUEST, Harm.DROP_RESPONSE, Harm.HALF_OPEN})


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Meets requests of these APIs (empty = all) from clients whose id fits the pattern, for `for_s` seconds from when it is added.

    `share` is the probability that a request which fits is met. Of several faults the oldest that meets a request has it.
    """

    harm: Harm
    for_s: float
    apis: frozenset[int] = frozenset()
    client: str = "*"
    share: float = 1.0
    delay_ms: float = 0.0

    def fits(self, request: Request) -> bool:
        """Whether the request is one that this fault is about."""
        return (not self.apis or request.api in self.apis) and fnmatchcase(request.client_id, self.client)


@dataclass(frozen=True, slots=True)
class Active:
    """A fault in force, and when it ends (seconds of the clock that the faults were given)."""

    fault: Fault
    until_s: float


class Faults:
    """The faults in force. One thread uses it. `met` counts the harm done by (harm, API)."""

    def __init__(self, seed: int, now_s: Callable[[], float]) -> None:
        self._random = random.Random(seed)
        self._now_s = now_s
        self._active: list[Active] = []
        self.met: Counter[tuple[str, str]] = Counter()

    def add(self, fault: Fault) -> Active:
        """Put a fault in force from now on."""
        active = Active(fault, self._now_s() + fault.for_s)
        self._active.append(active)
        return active

    def clear(self) -> None:
        """Nothing goes wrong from now on."""
        self._active.clear()

    def meeting(self, request: Request) -> Active | None:
        """The fault that has this request, counted; None if it may pass."""
        now_s = self._now_s()
        self._active = [active for active in self._active if active.until_s > now_s]
        for active in self._active:
            if active.fault.fits(request) and self._random.random() < active.fault.share:
                self.met[active.fault.harm, request.api_name] += 1
                return active
        return None
