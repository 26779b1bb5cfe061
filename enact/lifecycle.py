"""Legal moves of an execution's public status: one table, used by every fold that shows a status."""

from enact.records.enums import Status

TERMINAL = frozenset({Status.SUCCEEDED, Status.FAILED, Status.EXPIRED, Status.CANCELLED})

_WAITING = frozenset({Status.PENDING, Status.HELD, Status.RETRYING})

LEGAL_MOVES: dict[Status | None, frozenset[Status]] = {
    None: frozenset({Status.PENDING, Status.HELD, Status.EXECUTING, *TERMINAL}),
    Status.PENDING: frozenset({Status.EXECUTING, Status.HELD, Status.RETRYING, *TERMINAL}),
    Status.HELD: frozenset({Status.PENDING, Status.EXECUTING, Status.RETRYING, *TERMINAL}),
    Status.EXECUTING: frozenset({*_WAITING, Status.IN_DOUBT, *TERMINAL}),
    Status.RETRYING: frozenset({Status.PENDING, Status.HELD, Status.EXECUTING, Status.IN_DOUBT, *TERMINAL}),
    Status.IN_DOUBT: frozenset({*_WAITING, *TERMINAL}),
    Status.FAILED: frozenset({Status.PENDING, Status.SUCCEEDED}),
    Status.EXPIRED: frozenset({Status.PENDING, Status.SUCCEEDED, Status.FAILED}),
    Status.CANCELLED: frozenset({Status.PENDING, Status.SUCCEEDED, Status.FAILED}),
    Status.SUCCEEDED: frozenset(),
}
"""From → to. To PENDING from an ended status only by an accepted redrive (a higher generation); to SUCCEEDED
from FAILED, EXPIRED or CANCELLED only when an APPLIED fact contradicts the ending, to FAILED from EXPIRED or
CANCELLED only when a PARTIAL one does. From IN_DOUBT never straight to EXECUTING: the doubt goes first, by
evidence that nothing happened, and then the step goes on where it stood. The log's first word may be a claim."""


def is_legal_move(current: Status | None, following: Status) -> bool:
    """True if `following` may come after `current` (None = not known yet); staying is always legal."""
    return current == following or following in LEGAL_MOVES.get(current, frozenset())
