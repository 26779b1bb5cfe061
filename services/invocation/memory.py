"""What invocation remembers of its partitions besides the fold: calls that the log does not know yet, and appends under way."""

from dataclasses import dataclass, field

from enact.kafka.transport import Headers, NextOffset, TopicPartition
from enact.records import Step, ToolCall
from services.invocation.execution_store import ExecutionStore

Subject = tuple[bytes, Step]
"""Which step of which execution (its log key)."""


@dataclass(frozen=True, slots=True)
class PendingCall:
    """A ToolCall whose first event is not folded yet: due now, in memory only; its input offset has not moved."""

    call: ToolCall
    headers: Headers


@dataclass(slots=True)
class PartitionMemory:
    """One owned partition. Everything here can be lost: the inputs that made it are read again."""

    partition: int
    store: ExecutionStore
    is_live: bool = False
    fold_version: int = 0
    queued: int = 0
    pending: dict[Subject, PendingCall] = field(default_factory=dict)
    appending: dict[Subject, str] = field(default_factory=dict)
    outstanding: dict[TopicPartition, dict[int, tuple[Subject, int]]] = field(default_factory=dict)

    def wait_for(self, topic: TopicPartition, offset: int, subject: Subject, generation: int) -> None:
        """The input at `offset` may not move before the log knows the full subject of this generation."""
        self.outstanding.setdefault(topic, {})[offset] = (subject, generation)

    def settle(self, subject: Subject, generation: int) -> None:
        """The log knows: inputs up to this generation may move."""
        self.pending.pop(subject, None)
        for offsets in self.outstanding.values():
            done = [offset for offset, (waiting, number) in offsets.items() if waiting == subject and number <= generation]
            for offset in done:
                del offsets[offset]

    def low_watermark(self, topic: TopicPartition, position: NextOffset) -> NextOffset:
        """How far the input may move: not past the first that waits."""
        offsets = self.outstanding.get(topic)
        return min(position, NextOffset(min(offsets))) if offsets else position

    def forget_inputs(self) -> None:
        """The batch is taken again: what its inputs left here comes again."""
        self.store.forget_batch()
