"""Folded executions of one partition: decoded once, written with the batch, indexed by what is due."""

from collections.abc import Callable, Collection, Mapping

import msgspec

from enact.execution import HELD_REASONS, verdict
from enact.execution_state import Execution
from enact.kafka.due_index import DueEntry, DueIndex
from enact.kafka.state import PartitionState
from enact.next_action import ActionKind, deadline_ms, next_action
from enact.records import ParkReason, Status, Step
from services.invocation.window import group_of

_MAX_CACHED = 2_000
"""Of one partition: what is under way and what comes again soon. What waits for long lies on disk, however much it is."""

_FOR_EVER_MS = 1 << 62

CLAIM, HELD_CLAIM, QUEUED_CLAIM, LOOK_UP, TAKE_OVER, DEADLINE, WAITING = b"c", b"h", b"q", b"l", b"t", b"x", b"w"
_STEP_BYTE = {Step.EXECUTE: b"e", Step.COMPENSATE: b"c"}
_STEP_OF = {value: step for step, value in _STEP_BYTE.items()}

Subject = tuple[bytes, Step]
"""Which step of which execution (its log key)."""


class ExecutionStore:
    """Executions by (tenant, id) key, and the ToolResults emitted for each.

    `peek` may be called from any thread; everything else belongs to the loop's.
    """

    def __init__(self, state: PartitionState, pinned: Callable[[], Collection[bytes]]) -> None:
        self._state = state
        self._pinned = pinned
        self._cache: dict[bytes, Execution] = {}
        self._entries: dict[bytes, frozenset[DueEntry]] = {}
        self._unknown: set[bytes] = set()
        self._changed: dict[bytes, Execution | None] = {}
        self.index = DueIndex(state)

    def get(self, key: bytes) -> Execution | None:
        """The execution as folded so far, this batch included."""
        found = self._cache.get(key)
        if found is not None or key in self._unknown:
            return found
        raw = self._state.get(b"e" + key)
        if raw is None:
            if len(self._unknown) >= _MAX_CACHED:
                self._unknown.clear()
            self._unknown.add(key)
            return None
        found = self._cache[key] = msgspec.msgpack.decode(raw, type=Execution)
        return found

    def peek(self, key: bytes) -> Execution | None:
        """The execution if it is in memory; the executions with a call in flight always are."""
        return self._cache.get(key)

    def put(self, key: bytes, before: Execution | None, after: Execution) -> None:
        """Keep an execution; `write` adds it to the batch."""
        self._changed.setdefault(key, before)
        self._cache[key] = after
        self._unknown.discard(key)

    def write(self) -> None:
        """Every changed execution and its due entries become part of the batch: once each, however many events it had."""
        for key, before in self._changed.items():
            after = self._cache[key]
            self._state.put(b"e" + key, msgspec.msgpack.encode(after))
            gone, come = self._entries[key] if key in self._entries else due_entries(key, before), due_entries(key, after)
            self._entries[key] = come
            self.index.replace(gone, come)
            self._count(gone - come, come - gone)

    @property
    def waiting(self) -> Mapping[str, int]:
        """How many executions wait, by what for: see `waiting_for`. Kept with the state, so it survives a restart."""
        raw = self._state.get(b"n")
        return msgspec.msgpack.decode(raw, type=dict[str, int]) if raw else {}

    def oldest_waiting(self, word: str) -> int | None:
        """Epoch ms at which the oldest persisted execution that waits for this entered the log; None = none waits."""
        oldest = next(self.index.due(WAITING, _FOR_EVER_MS, word), None)
        return oldest.due_ms if oldest else None

    def _count(self, gone: frozenset[DueEntry], come: frozenset[DueEntry]) -> None:
        changes = [(entry.group, change) for entries, change in ((gone, -1), (come, 1)) for entry in entries if entry.kind == WAITING]
        if not changes:
            return
        counts = dict(self.waiting)
        for word, change in changes:
            counts[word] = counts.get(word, 0) + change
        self._state.put(b"n", msgspec.msgpack.encode(counts))

    def last_result(self, key: bytes) -> bytes | None:
        """The ToolResult last emitted, encoded."""
        return self._state.get(b"r" + key)

    def keep_result(self, key: bytes, value: bytes) -> None:
        """Remember an emitted ToolResult, so that a repeat says the same."""
        self._state.put(b"r" + key, value)

    def result_of_generation(self, subject: Subject, generation: int) -> bytes | None:
        """The ToolResult with which an earlier generation ended, encoded."""
        return self._state.get(_generation_key(subject, generation))

    def close_generation(self, subject: Subject, generation: int) -> None:
        """A redrive opened the next generation: what was last emitted is what this one ended with."""
        if (result := self.last_result(subject[0])) is not None:
            self._state.put(_generation_key(subject, generation), result)

    def keep_batch(self) -> None:
        """What was folded is on disk."""
        self._changed.clear()
        if len(self._cache) > _MAX_CACHED:
            kept = {*list(self._cache)[_MAX_CACHED // 2 :], *self._pinned()}
            self._cache = {k: e for k, e in self._cache.items() if k in kept}
            self._entries = {k: e for k, e in self._entries.items() if k in kept}

    def forget_batch(self) -> None:
        """The batch is taken again: what was folded in it is not true yet."""
        for key in self._changed:
            self._cache.pop(key, None)
            self._entries.pop(key, None)
        self._changed.clear()


def waiting_for(execution: Execution) -> str | None:
    """RETRYING, IN_DOUBT, or the reason of a hold; None for an execution that does not wait."""
    status, park = verdict(execution.execute).status, execution.execute.generation.park
    if status is Status.HELD:
        return park.value if park is not None else None
    return status.value if status in (Status.RETRYING, Status.IN_DOUBT) else None


def due_entries(key: bytes, execution: Execution | None) -> frozenset[DueEntry]:
    """The index entries of an execution: a next action and a deadline for each step, and what it waits for since it is in the log."""
    if execution is None:
        return frozenset()
    entries = [DueEntry(WAITING, word, execution.first_ms, key)] if (word := waiting_for(execution)) else []
    for step in Step:
        state = execution.step(step)
        if not state.is_begun:
            continue
        where = _STEP_BYTE[step] + key
        if (action := next_action(execution, step)) is not None:
            subject, park = state.generation.subject, state.generation.park
            group = group_of(execution.tenant_id, subject.connector if subject else "")
            match action.kind:
                case ActionKind.TAKE_OVER:
                    entries.append(DueEntry(TAKE_OVER, "", action.not_before_ms, where))
                case ActionKind.LOOK_UP:
                    entries.append(DueEntry(LOOK_UP, group, action.not_before_ms, where))
                case ActionKind.CLAIM if park in HELD_REASONS:
                    held_group = f"{group}|{subject.action_type if subject else ''}"
                    entries.append(DueEntry(HELD_CLAIM, held_group, action.not_before_ms, where))
                case ActionKind.CLAIM:
                    kind = QUEUED_CLAIM if park is ParkReason.QUEUE else CLAIM
                    entries.append(DueEntry(kind, group, action.not_before_ms, where))
        if (deadline := deadline_ms(execution, step)) is not None:
            entries.append(DueEntry(DEADLINE, "", deadline, where))
    return frozenset(entries)


def held_scope(group: str) -> tuple[str, str, str]:
    """Tenant, connector and action type of a group of held claims: everything that a switch can name."""
    tenant_id, connector, action_type = group.split("|", 2)
    return tenant_id, connector, action_type


def subject_of_entry(entry: DueEntry) -> Subject:
    """Which step of which execution an entry is about."""
    return entry.key[1:], _STEP_OF[entry.key[:1]]


def _generation_key(subject: Subject, generation: int) -> bytes:
    key, step = subject
    return b"g" + _STEP_BYTE[step] + generation.to_bytes(4, "big") + key
