"""The bound on every state that is not an end: how long it may last, from when, and what visibly happens after it.

One table. What is beyond its bound is found by `services.reconciliation.judgement`; the numbers are settings.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from msgspec import Struct

from enact.execution import HORIZON_MS
from enact.execution_state import Execution
from enact.next_action import next_action
from enact.records import ParkReason, Status, Step


class Bounds(Struct, frozen=True, kw_only=True):
    """The lengths, in ms. `horizon_ms` is how long decision logs remember (`D`)."""

    pending_ms: int = 300_000
    overdue_ms: int = 300_000
    told_ms: int = 120_000
    expiry_ms: int = 60_000
    back_off_ms: int = 300_000
    max_tries: int = 5
    horizon_ms: int = HORIZON_MS

    @property
    def first_look_ms(self) -> int:
        """No bound is over sooner than this after the last record of an execution."""
        return min(self.pending_ms, self.overdue_ms, self.told_ms)


class Bound(Struct, frozen=True, kw_only=True):
    """`ends_ms`: when the state has lasted too long, from the fold and the log time of its last event; None = only at its deadline."""

    ends_ms: Callable[[Execution, int, Bounds], int | None]
    counted_from: str
    then: str


def _next_step(execution: Execution, changed_ms: int, bounds: Bounds) -> int | None:
    """When the owner should have done its next step. Who waits behind others of its group waits for a turn, not for a time."""
    action = next_action(execution, Step.EXECUTE)
    if action is None:
        return changed_ms + bounds.pending_ms
    if execution.execute.generation.park is ParkReason.QUEUE:
        return None
    return max(action.not_before_ms, changed_ms) + bounds.overdue_ms


def _lease(execution: Execution, changed_ms: int, bounds: Bounds) -> int | None:
    attempt = execution.execute.open_attempt
    return (attempt.settled_ms if attempt is not None else changed_ms) + bounds.overdue_ms


def _never(_execution: Execution, _changed_ms: int, _bounds: Bounds) -> int | None:
    return None


BOUNDS: Final[Mapping[Status, Bound]] = MappingProxyType(
    {
        Status.PENDING: Bound(
            ends_ms=_next_step,
            counted_from="its admission if the log does not know it, else its due time",
            then="sent again as the same generation; EXPIRED at its deadline",
        ),
        Status.EXECUTING: Bound(
            ends_ms=_lease,
            counted_from="the end of the claim's lease and settle time",
            then="its owner takes the claim over; if none does: sent again, then a person is told; EXPIRED bars it at its deadline",
        ),
        Status.RETRYING: Bound(
            ends_ms=_next_step,
            counted_from="the time of its next attempt or look-up",
            then="sent again, then a person is told; EXPIRED at its deadline, or IN_DOUBT when the budget of look-ups is used up",
        ),
        Status.HELD: Bound(
            ends_ms=_never,
            counted_from="nothing: it waits on purpose",
            then="EXPIRED at its deadline; people were told when it was held",
        ),
        Status.IN_DOUBT: Bound(
            ends_ms=_never,
            counted_from="nothing: it waits for evidence or a person",
            then="shown in the queue of doubts with its age, which an alert watches; its outcome must be there, else it is sent again",
        ),
    }
)
"""The same for everybody who looks, the stage and `enact reconcile`."""
