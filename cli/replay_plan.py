"""Where a replay would put a group's offsets: worked out from what the cluster says, changed by nobody. Pure.

A replay only ever goes back. A partition that stands before the wanted place already stays where it is; an offset that is asked for
by number and would go forward, or lies outside the log, is refused, because what is passed over would never be read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from cli.doctor_stages import Offsets
from enact.errors import ErrorCode, PermanentError
from enact.kafka.transport import NextOffset, TopicPartition


class ReplayRefusedError(PermanentError):
    """The offsets of a group cannot be moved so: nothing was changed."""

    code = ErrorCode.PARAMETERS_INVALID


class OffsetsInTime(Offsets, Protocol):
    """What is needed of `enact.kafka.admin.KafkaAdmin`."""

    def offsets_at(self, partitions: Sequence[TopicPartition], timestamp_ms: int) -> Mapping[TopicPartition, NextOffset]:
        """The first offset at or after a time."""


@dataclass(frozen=True, slots=True)
class FromBeginning:
    """Everything that the logs still hold."""


@dataclass(frozen=True, slots=True)
class FromOffsets:
    """From an offset, of the partitions that are named."""

    offsets: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class FromTimestamp:
    """From the first record that the broker took at or after this time (epoch milliseconds)."""

    at_ms: int


Origin = FromBeginning | FromOffsets | FromTimestamp


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """What a replay does to one partition. `committed` None = the group has no offset there."""

    partition: TopicPartition
    begin: NextOffset
    end: NextOffset
    committed: NextOffset | None
    target: NextOffset

    @property
    def again(self) -> int:
        """Offsets that are read again; as many records at most (compaction and transactions leave holes)."""
        return max(0, (self.end if self.committed is None else min(self.committed, self.end)) - self.target)

    @property
    def is_change(self) -> bool:
        """True if the group's offset moves."""
        return self.target != self.committed

    @property
    def lost(self) -> int:
        """Offsets that the group never read and that retention has deleted: no replay brings them back."""
        return max(0, self.begin - self.committed) if self.committed is not None else 0


def plan(origin: Origin, group: str, partitions: Sequence[TopicPartition], offsets: OffsetsInTime) -> tuple[Move, ...]:
    """One move for each of `partitions` (of `FromOffsets`: for those it names). Raises: ReplayRefusedError, BrokerError."""
    if isinstance(origin, FromOffsets):
        partitions = [one for one in partitions if one.partition in origin.offsets]
    begins, ends = offsets.begin_offsets(partitions), offsets.end_offsets(partitions)
    committed = offsets.committed_offsets(group)
    wanted = _wanted(origin, partitions, begins, offsets)
    moves = []
    for one in partitions:
        target = wanted[one]
        if isinstance(origin, FromOffsets):
            _require_possible(one, target, begins[one], ends[one], committed.get(one))
        elif (at := committed.get(one)) is not None and begins[one] <= at <= ends[one]:
            target = min(target, at)
        moves.append(Move(partition=one, begin=begins[one], end=ends[one], committed=committed.get(one), target=target))
    return tuple(moves)


def _wanted(
    origin: Origin, partitions: Sequence[TopicPartition], begins: Mapping[TopicPartition, NextOffset], offsets: OffsetsInTime
) -> Mapping[TopicPartition, NextOffset]:
    match origin:
        case FromBeginning():
            return begins
        case FromOffsets(asked):
            return {one: NextOffset(asked[one.partition]) for one in partitions}
        case FromTimestamp(at_ms):
            return offsets.offsets_at(partitions, at_ms)


def _require_possible(one: TopicPartition, target: NextOffset, begin: NextOffset, end: NextOffset, committed: NextOffset | None) -> None:
    where = f"{one.topic}[{one.partition}]"
    if not begin <= target <= end:
        raise ReplayRefusedError(f"{where} holds the offsets {begin} to {end}, not {target}: nothing was changed. Name one of these.")
    if committed is not None and begin <= committed < target:
        skipped = target - committed
        raise ReplayRefusedError(
            f"{where} stands at {committed}: from {target} on, {skipped} records would never be read. A replay only goes back; "
            "nothing was changed."
        )
