"""Inputs whose offset may not move yet: the log does not know their subject."""

from enact.kafka.transport import NextOffset, TopicPartition
from services.invocation.execution_store import Subject


class WaitingInputs:
    """Of one partition. An input waits for its step's generation to end, or for an event that carries its full subject."""

    def __init__(self) -> None:
        self._offsets: dict[TopicPartition, set[int]] = {}
        self._waiting: dict[Subject, set[tuple[TopicPartition, int, int]]] = {}

    def add(self, topic: TopicPartition, offset: int, subject: Subject, generation: int) -> None:
        """The input at `offset` waits."""
        self._offsets.setdefault(topic, set()).add(offset)
        self._waiting.setdefault(subject, set()).add((topic, offset, generation))

    def settle(self, subject: Subject, generation: int) -> None:
        """The log knows this generation: its inputs, and those of earlier ones, may move."""
        waiting = self._waiting.get(subject)
        if waiting is None:
            return
        for topic, offset, number in [one for one in waiting if one[2] <= generation]:
            waiting.discard((topic, offset, number))
            self._offsets[topic].discard(offset)
        if not waiting:
            del self._waiting[subject]

    def drop(self, topic: TopicPartition, offset: int) -> list[Subject]:
        """The input at `offset` waits no more; whose it was, if nothing else of theirs waits."""
        self._offsets.get(topic, set()).discard(offset)
        left: list[Subject] = []
        for subject, waiting in list(self._waiting.items()):
            kept = {one for one in waiting if one[:2] != (topic, offset)}
            if kept != waiting and not kept:
                del self._waiting[subject]
                left.append(subject)
            elif kept != waiting:
                self._waiting[subject] = kept
        return left

    def low_watermark(self, topic: TopicPartition, position: NextOffset) -> NextOffset:
        """How far the offset may move: at most `position`, and not past the first input that waits."""
        offsets = self._offsets.get(topic)
        return min(position, NextOffset(min(offsets))) if offsets else position
