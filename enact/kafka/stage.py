"""What a stage is to the loop: a function of a record and a view, to effects."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from enact.errors import ErrorCode
from enact.kafka.transport import Headers, InRecord, OutRecord
from enact.records.intent import Original, SourcePosition


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """Keep a record for a person, whole. `original` and `source` None = the record at hand and where it lies."""

    code: ErrorCode
    message: str
    generation: int = 1
    original: Original | None = None
    exception_class: str = "EnactError"
    headers: Headers = ()
    source: SourcePosition | None = None


Effect = OutRecord | DeadLetter


class StateView(Protocol):
    """The folded state of one partition. Reads see this batch's writes; the loop persists them with the offset."""

    partition: int
    is_silent: bool
    """True while what follows from a fold is dropped by the loop: a stage need not work it out."""

    def get(self, key: bytes) -> bytes | None:
        """The value, or None."""

    def put(self, key: bytes, value: bytes) -> None:
        """Write at the end of the batch."""

    def delete(self, key: bytes) -> None:
        """Delete at the end of the batch."""


class Stage(Protocol):
    """Pure decisions: no I/O, no clock of its own. What is not returned does not happen.

    `decide` answers an input record. `fold` takes a record of the stage's log into `state`; its effects are
    dropped by the loop while the partition folds silently (below the emission start), so they must be a
    function of the record and the state before it. `state` is the state of the record's partition; a stage
    without a log gets None.

    Raises (both): EnactError = dead letter with its code (an input) or quarantine of the partition (a log record);
    anything else is unexpected and ends the same way with UNEXPECTED_ERROR. Not about the record, so never its
    dead letter: StateLostError quarantines the partition, DeliveryError takes the batch again, FencedError and
    BrokerError end the process.
    """

    name: str
    inputs: Sequence[str]
    log: str | None

    def decide(self, record: InRecord, state: StateView | None) -> Sequence[Effect]:
        """Effects of one input record."""

    def fold(self, record: InRecord, state: StateView) -> Sequence[Effect]:
        """Effects of one record of the log, after folding it into `state`."""
