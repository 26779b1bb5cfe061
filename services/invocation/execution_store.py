"""Folded executions of one partition: decoded once, written with the batch, indexed by what is due."""

from collections.abc import Callable

import msgspec

from enact.execution_state import Execution
from enact.kafka.due_index import DueEntry, DueIndex
from enact.kafka.state import PartitionState
from enact.next_action import ActionKind, deadline_ms, next_action
from enact.records import ParkReason, Step

_MAX_CACHED = 20_000
_HELD = frozenset({ParkReason.SWITCH, ParkReason.BREAKER, ParkReason.LIMIT})

CLAIM, HELD_CLAIM, LOOK_UP, TAKE_OVER, DEADLINE = b"c", b"h", b"l", b"t", b"x"
_STEP_BYTE = {Step.EXECUTE: b"e", Step.COMPENSATE: b"c"}
_STEP_OF = {value: step for step, value in _STEP_BYTE.items()}


class ExecutionStore:
    """Executions by (tenant, id) key, and the last ToolResult emitted for each.

    `peek` may be called from any thread; everything else belongs to the loop's.
    """

    def __init__(self, state: PartitionState, is_pinned: Callable[[bytes], bool]) -> None:
        self._state = state
        self._is_pinned = is_pinned
        self._cache: dict[bytes, Execution] = {}
        self.index = DueIndex(state)

    def get(self, key: bytes) -> Execution | None:
        """The execution as folded so far, this batch included."""
        found = self._cache.get(key)
        if found is None and (raw := self._state.get(b"e" + key)) is not None:
            found = self._cache[key] = msgspec.msgpack.decode(raw, type=Execution)
        return found

    def peek(self, key: bytes) -> Execution | None:
        """The execution if it is in memory; the executions with a call in flight always are."""
        return self._cache.get(key)

    def put(self, key: bytes, before: Execution | None, after: Execution) -> None:
        """Keep an execution and its due entries."""
        self._state.put(b"e" + key, msgspec.msgpack.encode(after))
        self.index.replace(due_entries(key, before), due_entries(key, after))
        self._cache[key] = after
        if len(self._cache) > _MAX_CACHED:
            newest = set(list(self._cache)[_MAX_CACHED // 2 :])
            self._cache = {k: e for k, e in self._cache.items() if k in newest or self._is_pinned(k)}

    def last_result(self, key: bytes) -> bytes | None:
        """The ToolResult last emitted, encoded."""
        return self._state.get(b"r" + key)

    def keep_result(self, key: bytes, value: bytes) -> None:
        """Remember an emitted ToolResult, so that a repeat says the same."""
        self._state.put(b"r" + key, value)

    def forget_batch(self) -> None:
        """The batch is taken again: what was folded in it is not true yet."""
        self._cache.clear()


def due_entries(key: bytes, execution: Execution | None) -> frozenset[DueEntry]:
    """The index entries of an execution: a next action and a deadline for each step."""
    if execution is None:
        return frozenset()
    entries = []
    for step in Step:
        where = _STEP_BYTE[step] + key
        state = execution.step(step)
        if not state.is_begun:
            continue
        if (action := next_action(execution, step)) is not None:
            subject = state.generation.subject
            group = f"{execution.tenant_id}|{subject.connector if subject else ''}"
            match action.kind:
                case ActionKind.TAKE_OVER:
                    entries.append(DueEntry(TAKE_OVER, "", action.not_before_ms, where))
                case ActionKind.LOOK_UP:
                    entries.append(DueEntry(LOOK_UP, group, action.not_before_ms, where))
                case ActionKind.CLAIM:
                    kind = HELD_CLAIM if state.generation.park in _HELD else CLAIM
                    entries.append(DueEntry(kind, group, action.not_before_ms, where))
        if (deadline := deadline_ms(execution, step)) is not None:
            entries.append(DueEntry(DEADLINE, "", deadline, where))
    return frozenset(entries)


def step_and_key(entry: DueEntry) -> tuple[Step, bytes]:
    """Which step of which execution an entry is about."""
    return _STEP_OF[entry.key[:1]], entry.key[1:]
