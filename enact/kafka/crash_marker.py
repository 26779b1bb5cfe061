"""Remembers across a crash which records were being handled, so that one that kills its stage is found.

Looked at only after a restart. A partition whose records were in hand at two crashes has them handled singly;
one that ends the process a third time, alone, is poison. Every partition counts for itself, and only records
that were in hand each time are suspected, so unrelated crashes never add up. The file is written without
fsync; it outlives the process, not the machine, and that is all it is for.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from enact.kafka.transport import InRecord, TopicPartition

CRASHES_BEFORE_SINGLE = 2
CRASHES_BEFORE_DEAD_LETTER = 3


class Span(NamedTuple):
    """Records of one partition, `first` to `last` offset, both included."""

    first: int
    last: int

    def meet(self, other: "Span") -> "Span | None":
        """What both hold; None if nothing."""
        common = Span(max(self.first, other.first), min(self.last, other.last))
        return common if common.first <= common.last else None


def spans_of(records: Sequence[InRecord]) -> dict[TopicPartition, Span]:
    """The offsets of a batch, by partition, in the order in which the partitions appear."""
    spans: dict[TopicPartition, Span] = {}
    for record in records:
        tp = TopicPartition(record.topic, record.partition)
        spans[tp] = Span(spans[tp].first if tp in spans else record.offset, record.offset)
    return spans


class _Entry(msgspec.Struct, array_like=True):
    topic: str
    partition: int
    first: int
    last: int
    crashes: int = 0


class _Mark(msgspec.Struct):
    """Records in hand, and records that were in hand when the process ended, with how often it did."""

    in_hand: list[_Entry] = []
    suspects: list[_Entry] = []


class CrashMarker:
    """One file per process instance, in its own folder."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._size = os.fstat(self._file).st_size
        mark = _read(os.pread(self._file, self._size, 0))
        self._suspects = {TopicPartition(e.topic, e.partition): (Span(e.first, e.last), e.crashes) for e in mark.suspects}
        for entry in mark.in_hand:
            self._blame(TopicPartition(entry.topic, entry.partition), Span(entry.first, entry.last))
        self._has_in_hand = bool(mark.in_hand)
        self.rest()

    def _blame(self, tp: TopicPartition, in_hand: Span) -> None:
        known, crashes = self._suspects.get(tp, (in_hand, 0))
        common = known.meet(in_hand)
        self._suspects[tp] = (in_hand, 1) if common is None else (common, crashes + 1)

    def crashes(self, tp: TopicPartition) -> int:
        """How many crashes the suspected records of this partition were in hand at."""
        return self._suspects[tp][1] if tp in self._suspects else 0

    def suspected_singly(self) -> dict[TopicPartition, Span]:
        """Records that must be handled one at a time."""
        return {tp: span for tp, (span, crashes) in self._suspects.items() if crashes >= CRASHES_BEFORE_SINGLE}

    def is_poison(self, tp: TopicPartition, offset: int) -> bool:
        """True if this record, alone, was in hand at the third crash."""
        return tp in self._suspects and self._suspects[tp][0] == (offset, offset) and self.crashes(tp) >= CRASHES_BEFORE_DEAD_LETTER

    def begin(self, spans: Mapping[TopicPartition, Span]) -> None:
        """These records are in hand: if the process ends now, it may be one of them."""
        self._write([_Entry(*tp, *span) for tp, span in spans.items()])
        self._has_in_hand = True

    def rest(self) -> None:
        """Nothing is in hand: if the process ends now, no record did it."""
        if self._has_in_hand:
            self._write([])
            self._has_in_hand = False

    def passed(self, spans: Mapping[TopicPartition, Span]) -> None:
        """These records went well: they, and what lies before them, are no longer suspected."""
        for tp, span in spans.items():
            if tp not in self._suspects:
                continue
            suspected, crashes = self._suspects.pop(tp)
            if span.last < suspected.last:
                self._suspects[tp] = (Span(max(suspected.first, span.last + 1), suspected.last), crashes)

    def close(self) -> None:
        """Release the file."""
        os.close(self._file)

    def _write(self, in_hand: list[_Entry]) -> None:
        suspects = [_Entry(*tp, *span, crashes) for tp, (span, crashes) in self._suspects.items()]
        text = msgspec.json.encode(_Mark(in_hand, suspects)).ljust(self._size)
        self._size = len(text)
        os.pwrite(self._file, text, 0)


def _read(raw: bytes) -> _Mark:
    try:
        return msgspec.json.decode(raw, type=_Mark) if raw.strip() else _Mark()
    except msgspec.DecodeError:
        return _Mark()
