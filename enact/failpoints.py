"""The boundaries at which a process may die, each with a name: a call that does nothing until somebody hooks it.

Tests hook it in the process (`hooked`); a whole stage process is told by `ENACT_FAILPOINTS` (`enact.failpoint_rules`).
`hit` costs one function call when nothing is hooked. Test: `tests/architecture/test_failpoints.py` finds every boundary
in the code that passes it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Final


class Failpoint(StrEnum):
    """Every boundary between two durable or visible steps. Closed: a new boundary gets a name here.

    The first block every stage passes, in the order of a turn of its loop; the others invocation alone.
    """

    AFTER_READ = "after_read"
    BEFORE_APPEND = "before_append"
    AFTER_DECIDE = "after_decide"
    BEFORE_EMISSION_FLUSH = "before_emission_flush"
    AFTER_EMISSION_FLUSH = "after_emission_flush"
    BEFORE_LETTER_FLUSH = "before_letter_flush"
    AFTER_LETTER_FLUSH = "after_letter_flush"
    BEFORE_STATE_WRITE = "before_state_write"
    AFTER_STATE_WRITE = "after_state_write"
    BEFORE_OFFSET_STORE = "before_offset_store"
    AFTER_OFFSET_STORE = "after_offset_store"
    BEFORE_COMMIT = "before_commit"
    AFTER_COMMIT = "after_commit"
    ON_ASSIGN = "on_assign"
    ON_LIVE = "on_live"
    ON_REVOKE = "on_revoke"
    AFTER_REWIND = "after_rewind"

    BEFORE_CLAIM = "before_claim"
    AFTER_CLAIM = "after_claim"
    AFTER_ACK = "after_ack"
    AFTER_READ_BACK = "after_read_back"
    BEFORE_LAST_LOOK = "before_last_look"
    BEFORE_FIRST_BYTE = "before_first_byte"
    AFTER_FIRST_BYTE = "after_first_byte"
    AFTER_ANSWER = "after_answer"
    AFTER_SEND_BEFORE_FACT = "after_send_before_fact"
    AFTER_FACT = "after_fact"
    BEFORE_LOOK_UP = "before_look_up"
    BEFORE_RELEASE = "before_release"
    BEFORE_TAKE_OVER = "before_take_over"
    AFTER_TAKE_OVER = "after_take_over"
    BEFORE_EXPIRE = "before_expire"
    AFTER_EXPIRE = "after_expire"
    BEFORE_HOLD = "before_hold"
    AFTER_HOLD = "after_hold"
    BEFORE_PROBE = "before_probe"
    AFTER_PROBE = "after_probe"


_MEMBERS = tuple(Failpoint)
LOOP: Final = frozenset(_MEMBERS[: _MEMBERS.index(Failpoint.BEFORE_CLAIM)])
"""What every stage passes in its loop."""

CALLS: Final = frozenset(Failpoint) - LOOP
"""What invocation passes beside its loop."""

Hook = Callable[[Failpoint], None]

_hooks: list[Hook] = []


def hit(failpoint: Failpoint) -> None:
    """Pass this boundary. The hook of a test may raise, block or end the process here."""
    if _hooks:
        _hooks[-1](failpoint)


def install(hook: Hook) -> None:
    """Call `hook` at every boundary, on whatever thread passes it, for the rest of this process's life."""
    _hooks.append(hook)


@contextmanager
def hooked(hook: Hook) -> Iterator[None]:
    """For tests: call `hook` at every boundary, on whatever thread passes it, until the block ends."""
    install(hook)
    try:
        yield
    finally:
        _hooks.remove(hook)
