"""Cases of one partition on disk: written once for a batch, in order of when somebody should look at them."""

from collections.abc import Iterator

import msgspec

from enact.kafka.due_index import DueEntry, DueIndex
from enact.kafka.state import PartitionState
from services.reconciliation.bounds import Bounds
from services.reconciliation.case import Case

_CASE, _LOG_TIME, _LOOK = b"c", b"t", b"r"
_TIME_BYTES = 8
_MAX_KNOWN = 500
"""What is under way in one partition, on a busy day; the rest is read from disk."""

_decoder = msgspec.msgpack.Decoder(Case)
_encoder = msgspec.msgpack.Encoder()


class CaseStore:
    """A final case keeps eight bytes: until when it must be known as final. One thread only."""

    def __init__(self, state: PartitionState, bounds: Bounds) -> None:
        self._state, self._bounds = state, bounds
        self._index = DueIndex(state)
        self._cases: dict[bytes, Case | None] = {}
        self._due: dict[bytes, int] = {}
        self._opened: set[bytes] = set()
        self._gone: dict[bytes, int] = {}
        self._log_ms = int.from_bytes(state.get(_LOG_TIME) or b"", "big")
        state.before_persist = self.write

    def log_time(self, at_ms: int) -> int:
        """Log time at a record of the execution log with this timestamp."""
        self._log_ms = max(self._log_ms, at_ms)
        return self._log_ms

    def open(self, key: bytes) -> Case | None:
        """The case of an execution, to be changed in place; a new one if nothing is known; None if it is final."""
        if key in self._cases:
            case = self._cases[key]
        else:
            raw = self._state.get(_CASE + key)
            case = Case() if raw is None else None if len(raw) == _TIME_BYTES else _decoder.decode(raw)
            self._cases[key] = case
            if case is not None and raw is not None:
                self._due[key] = self._due_ms(case)
        if case is not None:
            self._opened.add(key)
        return case

    def close(self, key: bytes) -> None:
        """Forget an execution that was opened."""
        if key in self._due:
            self._gone[key] = self._due[key]

    def write(self) -> None:
        """Everything that was opened becomes part of the batch: once each, however many records it had."""
        if not self._opened and not self._gone:
            return
        for key in self._opened:
            if key not in self._gone and (case := self._cases[key]) is not None:
                self._put(key, case)
        for key, due_ms in self._gone.items():
            self._state.delete(_CASE + key)
            self._index.replace(frozenset({DueEntry(_LOOK, "", due_ms, key)}), frozenset())
            self._cases.pop(key, None)
            self._due.pop(key, None)
        self._state.put(_LOG_TIME, self._log_ms.to_bytes(_TIME_BYTES, "big"))
        self._opened.clear()
        self._gone.clear()
        if len(self._cases) > _MAX_KNOWN:
            self._cases.clear()
            self._due.clear()

    def due(self, now_ms: int) -> Iterator[bytes]:
        """Keys of executions that should be looked at, the longest overdue first. Final ones are forgotten instead.

        What is not changed after it was met here is met again. Only while nothing waits to be written.
        """
        for entry in self._index.due(_LOOK, now_ms):
            raw = self._state.get(_CASE + entry.key)
            if raw is None or len(raw) == _TIME_BYTES:
                self._gone[entry.key] = entry.due_ms
            else:
                yield entry.key

    def forget_batch(self) -> None:
        """What was opened did not happen: everything is as it lies on disk."""
        self._cases.clear()
        self._due.clear()
        self._opened.clear()
        self._gone.clear()

    def _put(self, key: bytes, case: Case) -> None:
        before_ms = self._due.pop(key, None)
        if case.is_final:
            due_ms = case.seen_ms + self._bounds.horizon_ms
            self._state.put(_CASE + key, due_ms.to_bytes(_TIME_BYTES, "big"))
            self._cases[key] = None
        else:
            due_ms = self._due[key] = self._due_ms(case)
            self._state.put(_CASE + key, _encoder.encode(case))
        if before_ms != due_ms:
            before = frozenset() if before_ms is None else frozenset({DueEntry(_LOOK, "", before_ms, key)})
            self._index.replace(before, frozenset({DueEntry(_LOOK, "", due_ms, key)}))

    def _due_ms(self, case: Case) -> int:
        return max(case.seen_ms + self._bounds.first_look_ms, case.wait_ms)
