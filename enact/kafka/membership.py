"""Whether the group has answered: with partitions, or by taking us in and leaving us none.

A member that is left over (more instances than partitions) hears nothing of an assignment, ever: the client calls nobody back for
an empty one. It is ready all the same, for it takes over when another member dies.
Test: tests/integration/kafka/test_spare_members.py.
"""

from typing import Protocol

from enact.clock import Clock
from enact.kafka.transport import Reader
from enact.log import get_logger

SPARE_AFTER_S = 3.0
"""Partitions follow a member's entry within a heartbeat and what the others take to let go; who has none by then may be left over."""

_log = get_logger("kernel")


class Assigned(Protocol):
    """What a stage owns; `has_joined` is set by the first answer of the group."""

    has_joined: bool


class Membership:
    """Of one reader; on its thread."""

    def __init__(self, reader: Reader, clock: Clock, assignment: Assigned) -> None:
        self._reader, self._clock, self._assignment = reader, clock, assignment
        self._member_since_s: float | None = None

    def look(self) -> bool:
        """True once the group has answered. The assignment is told, and counts as complete while it is empty."""
        if self._assignment.has_joined:
            return True
        if not self._reader.is_member:
            self._member_since_s = None
            return False
        now_s = self._clock.boot_s()
        if self._member_since_s is None:
            self._member_since_s = now_s
        if now_s - self._member_since_s < SPARE_AFTER_S:
            return False
        self._assignment.has_joined = True
        _log.info("member_is_spare", wait_s=SPARE_AFTER_S)
        return True
