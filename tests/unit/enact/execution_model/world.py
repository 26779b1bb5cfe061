"""One execution's log, the two owners that believe they own it, and the calls that reached the outside world.

Everything is a frozen tuple, and every log is a node that knows its own fold, so that a log is folded once
however many interleavings lead to it.
"""

from enum import StrEnum
from typing import NamedTuple

from enact import execution, next_action
from enact.execution_state import Execution
from enact.next_action import NextAction
from enact.records import ExecutionEvent, Status, Step

LEASE_MS = 10_000
TICK_MS = LEASE_MS
SETTLE_MS = LEASE_MS
START_MS = 1_700_000_000_000


class Log:
    """A log as far as one node: the event at its end, its log time and the fold up to it. Compared by identity."""

    __slots__ = ("_children", "deadline_ms", "event", "execution", "log_ms", "next", "parent", "path", "status")

    def __init__(self, parent: "Log | None", event: ExecutionEvent | None, log_ms: int) -> None:
        self.parent, self.event, self.log_ms = parent, event, log_ms
        self.path: tuple[Log, ...] = (*parent.path, self) if parent else ()
        self.execution: Execution | None = None
        self.next: NextAction | None = None
        self.deadline_ms: int | None = None
        self.status: Status | None = None
        self._children: dict[tuple[str, int], Log] = {}
        if event is not None and parent is not None:
            state = execution.apply(parent.execution, event, log_ms=log_ms)
            self.execution = state
            self.next = next_action.next_action(state, Step.EXECUTE)
            self.deadline_ms = next_action.deadline_ms(state, Step.EXECUTE)
            self.status = execution.verdict(state.execute).status

    def append(self, event: ExecutionEvent, now_ms: int) -> "Log":
        """The log with one more event; log time never goes back."""
        key = (event.event_id, now_ms)
        if (child := self._children.get(key)) is None:
            child = self._children[key] = Log(self, event, max(now_ms, self.log_ms))
        return child

    @property
    def length(self) -> int:
        """How many events stand in it."""
        return len(self.path)

    def is_open_claim(self, nonce: str) -> bool:
        """True if the last event is this claim and the fold before it permitted it."""
        before = self.parent.execution if self.parent else None
        was_known = before is not None and before.execute.by_nonce(nonce) is not None
        return not was_known and self.execution is not None and self.execution.execute.by_nonce(nonce) is not None


class Truth(StrEnum):
    """What the outside world did with a request, as far as it is decided."""

    OPEN = "?"
    APPLIED = "applied"
    NOT_APPLIED = "not applied"


class Call(NamedTuple):
    """A request that was sent. `is_waited_for` = its caller still lives and has no answer yet."""

    nonce: str
    attempt: int
    generation: int
    digest: str
    life: str
    claimed_ms: int
    truth: Truth
    is_waited_for: bool


class Owner(NamedTuple):
    """A process that believes it owns the partition: what it has read, what it has said, what it remembers."""

    name: str
    life: str
    seen: Log
    queue: tuple[ExecutionEvent, ...] = ()
    pending: frozenset[str] = frozenset()
    used: frozenset[str] = frozenset()
    said: frozenset[str] = frozenset()
    claims: int = 0


class World(NamedTuple):
    """Everything. `limbo` may still reach the log at any time, or never; `denied` is what people denied in time."""

    log: Log
    now_ms: int
    owners: tuple[Owner, ...]
    limbo: tuple[ExecutionEvent, ...] = ()
    calls: tuple[Call, ...] = ()
    faults: tuple[str, ...] = ()
    people: tuple[str, ...] = ()
    denied: frozenset[str] = frozenset()
    ticks: int = 0
    is_cut: bool = False

    def with_owner(self, owner: Owner) -> "World":
        """The world with this owner in the place of the one of the same name."""
        return self._replace(owners=tuple(owner if other.name == owner.name else other for other in self.owners))

    def with_call(self, call: Call) -> "World":
        """The world with this call in the place of the one with the same nonce and life."""
        changed = tuple(call if (other.nonce, other.claimed_ms) == (call.nonce, call.claimed_ms) else other for other in self.calls)
        return self._replace(calls=changed)


class Move(NamedTuple):
    """One step of the search: what happened, the world after it, and the calls that began with it."""

    label: str
    world: World
    started: tuple[tuple[Call, Log], ...] = ()
