"""Breakers and limits as the gate sees them: what they hold, what a call reserves, what frees it again.

A reservation lives exactly as long as the claim's place in the window: the window gives it back, whatever the reason.
"""

from collections import Counter
from typing import Protocol

from connectors.contract import CallResult
from enact.execution import HELD_REASONS
from enact.log import get_logger
from enact.metrics import BreakerState
from enact.records import ParkReason, ToolCall
from services.invocation.breaker import Breakers
from services.invocation.gate import Answer, Hold, Request
from services.invocation.limits import Limits
from services.invocation.limits_file import LimitsSource


class PermitMeter(Protocol):
    """What is told to the metrics."""

    def permitted(self, breakers: Counter[tuple[str, BreakerState]], *, is_limits_file_refused: bool) -> None:
        """Breakers by connector and state; whether the newest limits file is not in force."""


class Permits:
    """One per process. `look_again` and reservations on the loop's thread; the rest on any."""

    def __init__(self, breakers: Breakers, limits: Limits, source: LimitsSource, meter: PermitMeter) -> None:
        self._breakers, self._limits, self._source, self._meter = breakers, limits, source, meter
        self._log = get_logger("invocation")

    def check(self, request: Request) -> Answer | None:
        """Before the claim: is there room. At the last look: does the breaker still let out what was reserved."""
        call = request.call
        if request.nonce is not None:
            is_refused = self._breakers.refuses(call.tenant_id, call.connector, request.nonce)
            return Hold(ParkReason.BREAKER, _breaker(call.connector)) if is_refused else None
        execution = request.execution
        park = execution.step(call.step).generation.park if execution is not None else None
        if self._breakers.refuses_a_start(call.tenant_id, call.connector, was_held=park is ParkReason.BREAKER):
            return Hold(ParkReason.BREAKER, _breaker(call.connector))
        lacking = self._limits.lacking(call.tenant_id, call.connector, call.action_type, is_waiting=park in HELD_REASONS)
        return Hold(ParkReason.LIMIT, lacking) if lacking is not None else None

    def is_held(self, tenant_id: str, action_type: str, connector: str) -> bool:
        """True while a kind of call that waits already goes on waiting."""
        if self._breakers.refuses_a_start(tenant_id, connector):
            return True
        return self._limits.lacking(tenant_id, connector, action_type, is_waiting=True) is not None

    def take(self, call: ToolCall, slot: str) -> None:
        """Reserve what a call needs that `check` let pass in this very turn."""
        self._breakers.take(call.tenant_id, call.connector, slot)
        self._limits.take(call.tenant_id, call.connector, call.action_type, slot)

    def give_back(self, slot: str) -> None:
        """The slot in the window is free again."""
        self._breakers.give_back(slot)
        self._limits.give_back(slot)

    def learn(self, call: ToolCall, slot: str, result: CallResult | BaseException | None) -> None:
        """How a call or look-up that was sent ended."""
        self._breakers.learn(call.tenant_id, call.connector, slot, result)

    def look_again(self, share: float) -> None:
        """Twice a second: has the limits file changed; `share` = owned partitions to all."""
        self._limits.share(share)
        if self._source.look():
            self._limits.use(self._source.current)
            if self._source.problem is None:
                self._log.info("limits_read")
            else:
                self._log.error("limits_refused", text=f"The limits in force stay. {self._source.problem}")
        self._meter.permitted(self._breakers.counts(), is_limits_file_refused=self._source.problem is not None)


def _breaker(connector: str) -> str:
    return f"breaker:{connector}"
