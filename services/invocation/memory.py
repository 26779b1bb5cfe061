"""What invocation remembers of its partitions besides the fold: calls that the log does not know yet, and appends under way."""

from collections import Counter
from dataclasses import dataclass, field

from msgspec import Struct

from enact.errors import StateLostError
from enact.execution_state import Attempt, Execution, StepState
from enact.kafka.stage import StateView
from enact.kafka.state import PartitionState
from enact.kafka.transport import Headers, InRecord, TopicPartition
from enact.records import Claimed, ParkReason, Step, ToolCall
from services.invocation.execution_store import QUEUED_CLAIM, ExecutionStore, Subject, subject_of_entry
from services.invocation.inputs import WaitingInputs
from services.invocation.window import Window, group_of

NEVER_MS = 1 << 63
"""A time that does not come."""


class PendingCall(Struct, frozen=True):
    """A ToolCall whose first event is not folded yet: due now, in memory only; its input offset has not moved."""

    call: ToolCall
    headers: Headers


class ReadBack(Struct, frozen=True, kw_only=True):
    """A valid claim met in the log: whether it may start is the owner's question."""

    subject: Subject
    execution: Execution
    attempt: Attempt
    call: ToolCall
    claim: Claimed
    record: InRecord


class Folded(Struct, frozen=True):
    """One event of the batch in hand, and the step after it."""

    subject: Subject
    event_id: str
    group: str
    after: StepState


@dataclass(slots=True)
class Met:
    """Claims that the batch in hand brought: our valid ones, our invalid ones, and open ones of others."""

    ours: list[ReadBack] = field(default_factory=list)
    invalid: list[str] = field(default_factory=list)
    foreign: list[tuple[Subject, Attempt]] = field(default_factory=list)

    def clear(self) -> None:
        """The batch is done with, or taken again."""
        self.ours.clear()
        self.invalid.clear()
        self.foreign.clear()


class PartitionMemory:
    """One owned partition. Everything here can be lost: the inputs that made it are read again.

    What an event changes here waits until its batch is kept: while a batch is taken again, what it folded is
    not on disk yet, and an append whose mark went with it would be made a second time.
    """

    def __init__(self, partition: int, store: ExecutionStore, backlog: Counter[str], *, fold_version: int = 0) -> None:
        self.partition, self.store, self.fold_version = partition, store, fold_version
        self.is_live = False
        self.pending: dict[Subject, PendingCall] = {}
        self.pending_by_group: dict[str, dict[Subject, PendingCall]] = {}
        self.pending_expire_ms = NEVER_MS
        self.appending: dict[Subject, str] = {}
        self.sights: dict[Subject, tuple[str, float]] = {}
        self.expired_s: dict[Subject, float] = {}
        self.cursors: dict[bytes, str] = {}
        self.turns = 0
        self.passed: dict[tuple[bytes, str], int] = {}
        self.inputs = WaitingInputs()
        self.met = Met()
        self._folded: list[Folded] = []
        self.backlog = backlog
        self._queued: dict[Subject, str] = {}
        self._queued_by_group: Counter[str] = Counter()

    def wait(self, subject: Subject, call: ToolCall, headers: Headers) -> None:
        """Due now, in memory; the first call of a subject stays."""
        if subject not in self.pending:
            group, pending = group_of(call.tenant_id, call.connector), PendingCall(call, headers)
            self.pending[subject] = self.pending_by_group.setdefault(group, {})[subject] = pending
            self.pending_expire_ms = min(self.pending_expire_ms, earliest_deadline_ms(call))
            self.backlog[group] += 1

    def forget_pending(self, subject: Subject) -> None:
        """The log knows this subject, or the partition left."""
        if (pending := self.pending.pop(subject, None)) is not None:
            group = group_of(pending.call.tenant_id, pending.call.connector)
            del self.pending_by_group[group][subject]
            if not self.pending_by_group[group]:
                del self.pending_by_group[group]
            self.backlog[group] -= 1
            if not self.backlog[group]:
                del self.backlog[group]

    def give_up(self, topic: TopicPartition, offset: int) -> None:
        """The input at `offset` became a dead letter: what it alone left here goes with it."""
        for subject in self.inputs.drop(topic, offset):
            self.forget_pending(subject)
            if self.store.get(subject[0]) is None:
                self._unqueue(subject)

    def queue(self, subject: Subject, group: str) -> None:
        """This step is parked behind others of its group."""
        if subject not in self._queued:
            self._queued[subject] = group
            self._queued_by_group[group] += 1

    def is_queued(self, subject: Subject) -> bool:
        """True if the step is parked behind others, or about to be."""
        return subject in self._queued

    def has_queue(self, group: str) -> bool:
        """True if somebody of this group is parked: who comes later parks behind them."""
        return self._queued_by_group[group] > 0

    @property
    def queue_length(self) -> int:
        """Steps that are parked behind others."""
        return len(self._queued)

    def _unqueue(self, subject: Subject) -> None:
        if (group := self._queued.pop(subject, None)) is not None:
            self._queued_by_group[group] -= 1

    def restore_queue(self) -> None:
        """Count what is parked on disk."""
        for entry in self.store.index.entries(QUEUED_CLAIM):
            self.queue(subject_of_entry(entry), entry.group)

    def note(self, folded: Folded) -> None:
        """An event was folded; what follows from it here waits for `keep_batch`."""
        self._folded.append(folded)

    def keep_batch(self) -> None:
        """The batch is on disk: let go of what the log knows now."""
        for folded in self._folded:
            self._learn(folded)
        self._folded.clear()
        self.store.keep_batch()

    def forget_batch(self) -> None:
        """The batch is taken again: forget what it folded and met. Calls that were started stay started."""
        self._folded.clear()
        self.met.clear()
        self.store.forget_batch()

    def drop(self) -> None:
        """The partition left."""
        self.is_live = False
        for subject in list(self.pending):
            self.forget_pending(subject)

    def _learn(self, folded: Folded) -> None:
        subject, current = folded.subject, folded.after.generation
        if self.appending.get(subject) == folded.event_id:
            del self.appending[subject]
        if current.ending is not None or (current.subject is not None and current.subject.is_full):
            self.forget_pending(subject)
            self.inputs.settle(subject, current.number)
        if current.ending is None and current.park is ParkReason.QUEUE:
            self.queue(subject, folded.group)
        else:
            self._unqueue(subject)
        if folded.after.open_attempt is None:
            self.sights.pop(subject, None)
        if current.ending is not None or current.bar is not None:
            self.expired_s.pop(subject, None)


def earliest_deadline_ms(call: ToolCall) -> int:
    """No later than this call expires; a compensation may expire at any time, with what it undoes."""
    return call.expires_at_epoch * 1000 if call.step is Step.EXECUTE else 0


class PartitionMemories:
    """The memories of the partitions whose state is open, made on first use."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self.by_partition: dict[int, PartitionMemory] = {}
        self.backlog: Counter[str] = Counter()
        self._states: dict[int, PartitionState] = {}

    def of(self, state: StateView) -> PartitionMemory:
        """The memory that belongs to this state. Raises: StateLostError if it is not a partition's own state."""
        if not isinstance(state, PartitionState):
            raise StateLostError("Invocation folds only into a partition's own state on disk.")
        if self._states.get(state.partition) is not state:
            self._states[state.partition] = state
            store = ExecutionStore(state, self._window.keys)
            state.before_persist = store.write
            self.by_partition[state.partition] = PartitionMemory(state.partition, store, self.backlog, fold_version=fold_version_of(state))
        return self.by_partition[state.partition]

    def drop(self, partition: int) -> None:
        """Forget a partition that left."""
        self._states.pop(partition, None)
        if (memory := self.by_partition.pop(partition, None)) is not None:
            memory.drop()


LOG_TIME, FOLD_VERSION_KEY = b"t", b"v"
"""State keys: the largest LogAppendTime so far, and the fold version in force."""


def fold_version_of(state: StateView) -> int:
    """The fold version in force in this partition; 0 = none was ever set."""
    return int.from_bytes(state.get(FOLD_VERSION_KEY) or b"", "big")
