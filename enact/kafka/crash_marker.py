"""Remembers across a crash which records were being handled, so that one that kills its stage is found.

Looked at only after a restart: after two crashes at the same offsets the records run singly, and the one that
ends the process again goes to the dead-letter topic. The file is written without fsync; it outlives the
process, not the machine, and that is all it is for.
"""

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from enact.kafka.transport import TopicPartition

CRASHES_BEFORE_SINGLE = 2
CRASHES_BEFORE_DEAD_LETTER = 3
_SUSPECT_SPAN = 500
_BYTES = 8192


class _Mark(msgspec.Struct):
    """Records in hand, as (topic, partition, first offset), and how often their handling ended the process."""

    starts: list[tuple[str, int, int]] = []
    crashes: int = 0


class CrashMarker:
    """One file per process instance, in its own folder."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        last = _read(os.pread(self._file, _BYTES, 0))
        self._suspected = {TopicPartition(topic, partition): start for topic, partition, start in last.starts}
        self.crashes = last.crashes + 1 if last.starts else 0
        self._is_clear = not last.starts

    @property
    def suspects(self) -> set[TopicPartition]:
        """Partitions whose records must run singly."""
        return set(self._suspected) if self.crashes >= CRASHES_BEFORE_SINGLE else set()

    def is_poison(self, partition: TopicPartition, offset: int) -> bool:
        """True if this record alone ended the process last time, and its batch did twice before."""
        return self.crashes >= CRASHES_BEFORE_DEAD_LETTER and self._suspected.get(partition) == offset

    def begin(self, starts: Mapping[TopicPartition, int]) -> None:
        """These records are in hand."""
        if self._suspected and not any(0 <= start - self._suspected.get(tp, start + 1) < _SUSPECT_SPAN for tp, start in starts.items()):
            self._suspected, self.crashes = {}, 0
        self._write(_Mark([(tp.topic, tp.partition, start) for tp, start in starts.items()], self.crashes))
        self._is_clear = False

    def clear(self) -> None:
        """Nothing is in hand."""
        if not self._is_clear:
            self._write(_Mark([], 0))
            self._is_clear = True

    def _write(self, mark: _Mark) -> None:
        os.pwrite(self._file, msgspec.json.encode(mark).ljust(_BYTES), 0)


def _read(raw: bytes) -> _Mark:
    try:
        return msgspec.json.decode(raw, type=_Mark) if raw.strip() else _Mark()
    except msgspec.DecodeError:
        return _Mark()
