"""The boundaries at which a process may die, each with a name: a no-op call that tests turn into a crash.

One module-level hook, set by tests only. `hit` costs one function call when no hook is set.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum


class Failpoint(StrEnum):
    """Every boundary between two durable or visible steps. Closed: a new boundary gets a name here."""

    AFTER_READ = "after_read"
    AFTER_DECIDE = "after_decide"
    BEFORE_APPEND = "before_append"
    AFTER_APPEND = "after_append"
    AFTER_ACK = "after_ack"
    BEFORE_EMISSION_FLUSH = "before_emission_flush"
    AFTER_EMISSION_FLUSH = "after_emission_flush"
    BEFORE_STATE_WRITE = "before_state_write"
    AFTER_STATE_WRITE = "after_state_write"
    BEFORE_OFFSET_STORE = "before_offset_store"
    AFTER_OFFSET_STORE = "after_offset_store"
    BEFORE_CLAIM = "before_claim"
    AFTER_CLAIM = "after_claim"
    BEFORE_LAST_LOOK = "before_last_look"
    AFTER_SEND_BEFORE_FACT = "after_send_before_fact"
    AFTER_FACT = "after_fact"
    BEFORE_COMMIT = "before_commit"
    AFTER_COMMIT = "after_commit"
    ON_ASSIGN = "on_assign"
    ON_REVOKE = "on_revoke"


Hook = Callable[[Failpoint], None]

_hooks: list[Hook] = []


def hit(failpoint: Failpoint) -> None:
    """Pass this boundary. The hook of a test may raise, block or end the process here."""
    if _hooks:
        _hooks[-1](failpoint)


@contextmanager
def hooked(hook: Hook) -> Iterator[None]:
    """For tests: call `hook` at every boundary, on whatever thread passes it, until the block ends."""
    _hooks.append(hook)
    try:
        yield
    finally:
        _hooks.remove(hook)
