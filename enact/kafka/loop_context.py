"""What a stage loop is wired with, and what it asks of an active stage, of metrics and of health."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from enact.clock import Clock
from enact.errors import ErrorCode
from enact.kafka.state import PartitionState
from enact.kafka.transport import InRecord, NextOffset, Reader, TopicPartition, Writer


class ActiveStage(Protocol):
    """A stage that acts on time and on the world as well as on records: invocation."""

    def on_live(self, partition: int, state: PartitionState) -> None:
        """The partition is folded to its end: it may act from now on."""

    def on_gone(self, partitions: Sequence[int]) -> None:
        """These log partitions are no longer ours, or quarantined: start nothing for them. May come twice."""

    def before_flush(self) -> None:
        """The batch is folded: start what was read back, claim what is due in memory."""

    def after_persist(self) -> None:
        """Nothing is dirty: fire what is due in the index."""

    def on_rewind(self) -> None:
        """The batch will be read again: forget what it left in memory."""

    def gave_up(self, record: InRecord) -> None:
        """This input became a dead letter although it was decided: nothing of it reaches the log, nothing waits for it."""

    def done(self, partition: TopicPartition, position: NextOffset) -> NextOffset:
        """How far an input's offset may move, at most `position`."""

    def paused(self) -> Iterable[TopicPartition]:
        """Inputs that should not be read now (with the stage's own hysteresis)."""

    def wait_s(self) -> float:
        """Seconds until something is due."""

    def stop(self) -> bool:
        """Called each turn while stopping: start nothing; True once nothing is in flight."""


class LoopMeter(Protocol):
    """What the loop tells the metrics."""

    def took(self, records: int) -> None:
        """A batch was taken."""

    def ended(self, topic: str, result: str) -> None:
        """A record ended as ok, dead_letter, silent or skipped."""

    def ended_together(self, records: int) -> None:
        """So many records of a batch ended as ok."""

    def dead_lettered(self, code: ErrorCode) -> None:
        """A dead letter was acknowledged."""

    def handled(self, seconds: float) -> None:
        """A record was decided or folded."""

    def waited(self, oldest_age_s: float) -> None:
        """How old the oldest record of the batch in hand is; 0 = there is none."""

    def flushed(self, seconds: float) -> None:
        """A flush was acknowledged."""

    def rewound(self) -> None:
        """A batch is taken again."""

    def lost(self, records: int) -> None:
        """Retention deleted so many records before this stage had read them."""

    def restoring(self, remaining: int) -> None:
        """Records of the log that are still to be folded."""

    def quarantined(self, partitions: int) -> None:
        """How many partitions wait for an operator."""


class LoopHealth(Protocol):
    """What the loop tells the health server."""

    def beat(self) -> None:
        """The loop made progress."""

    def set_restored(self, is_restored: bool, detail: str = "") -> None:  # noqa: FBT001 - the name says what is true
        """Whether every owned partition is folded to its end."""

    def set_assigned(self, is_assigned: bool) -> None:  # noqa: FBT001 - as above
        """Whether the group has answered."""

    def set_condition(self, name: str, *, is_met: bool) -> None:
        """One more thing that readiness needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopContext:
    """Everything a loop is wired with."""

    reader: Reader
    writer: Writer
    clock: Clock
    meter: LoopMeter
    health: LoopHealth
    state_folder: Path
    dead_letter_topic: str
