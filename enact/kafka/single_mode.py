"""One record at a time: how the loop finds the record whose effect is too large, or that ends the process."""

from collections.abc import Callable, Iterable, Sequence

from enact.kafka.crash_marker import CrashMarker, spans_of
from enact.kafka.transport import InRecord, NextOffset, TopicPartition


class SingleMode:
    """Which partitions are read singly, and up to which offset. `seek` puts back what was read too early."""

    def __init__(self, marker: CrashMarker, seek: Callable[[TopicPartition, NextOffset], None]) -> None:
        self._marker = marker
        self._seek = seek
        self._until: dict[TopicPartition, int] = {}

    @property
    def is_on(self) -> bool:
        """True while any partition is read singly: then every partition is."""
        return bool(self._until)

    def enter(self, records: Sequence[InRecord]) -> None:
        """Take these records again, one at a time."""
        for tp, span in spans_of(records).items():
            self._until[tp] = max(span.last, self._until.get(tp, span.last))

    def choose(self, records: Sequence[InRecord]) -> Sequence[InRecord]:
        """What to handle now: everything; or the first record, with the others put back."""
        suspects = self._marker.suspected_singly()
        if not suspects and not self._until:
            return records
        spans = spans_of(records)
        for tp, suspected in suspects.items():
            if tp in spans and spans[tp].meet(suspected) is not None:
                self._until[tp] = max(suspected.last, self._until.get(tp, suspected.last))
        if not self._until or len(records) == 1:
            return records
        first = records[0]
        own = TopicPartition(first.topic, first.partition)
        for tp, span in spans.items():
            if tp != own:
                self._seek(tp, NextOffset(span.first))
            elif span.last > first.offset:
                self._seek(tp, NextOffset(first.offset + 1))
        return records[:1]

    def passed(self, tp: TopicPartition, next_offset: NextOffset) -> None:
        """Everything below `next_offset` is done."""
        if tp in self._until and next_offset > self._until[tp]:
            del self._until[tp]

    def forget(self, partitions: Iterable[TopicPartition]) -> None:
        """These partitions left."""
        for tp in partitions:
            self._until.pop(tp, None)
