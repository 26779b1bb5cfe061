"""One owned partition of a log: from where it is folded, from where it emits, and whether it can be trusted at all.

Emission starts at the larger of the stored and the committed offset; below it the fold is silent. A committed offset below what the
state remembers as committed means that somebody rewound the group: the state is dropped, folded silently up to the committed offset,
and everything after it is emitted again.

A log that was cut off and has grown again past the stored offset has other records there: the last one folded is read once more, and
if another leader took it (its epoch differs) the partition is quarantined.
"""

from dataclasses import dataclass
from enum import StrEnum

from enact.errors import StateLostError
from enact.kafka.state import PartitionState
from enact.kafka.transport import InRecord, NextOffset
from enact.log import get_logger

_log = get_logger("kernel")


class Phase(StrEnum):
    """Where an owned partition of the log stands."""

    RESTORING = "RESTORING"
    LIVE = "LIVE"
    QUARANTINED = "QUARANTINED"


@dataclass(slots=True)
class OwnedPartition:
    """One owned partition of the log, with its state.

    A record below `fold_from` was folded before: it is read once more as the witness that the log is still the one it was, taken
    under the leader of `witness_epoch`. `epoch` is that of the last record folded.
    """

    state: PartitionState
    emit_from: NextOffset
    restore_to: NextOffset
    phase: Phase
    fold_from: NextOffset
    witness_epoch: int | None = None
    epoch: int | None = None

    def is_witness(self, record: InRecord) -> bool:
        """True for a record that was folded before.

        Raises: StateLostError if another leader took it: what was folded was cut off, and the log has grown again.
        """
        if record.offset >= self.fold_from:
            return False
        if record.leader_epoch is not None and record.leader_epoch != self.witness_epoch:
            raise StateLostError("The log was cut off below what the state knows and has grown again: commit an offset to emit from.")
        self.epoch = self.witness_epoch
        return True


def restore_plan(
    state: PartitionState, begin: NextOffset, end: NextOffset, committed: NextOffset | None
) -> tuple[OwnedPartition, NextOffset]:
    """Where to start folding, where emission starts, and whether the partition can be trusted at all.

    The way out of a quarantine is a new committed offset: one below what the state remembers rebuilds the state.
    """
    if committed is None and end > begin:
        why = "the log has records but the group has no committed offset: commit the offset from which to emit, then start again"
        return _quarantined(state, end, why)
    if committed is not None and committed > end:
        return _quarantined(state, end, "the committed offset lies beyond the log's end: records were cut off; commit an offset it holds")
    if committed is not None and state.committed is not None and committed < state.committed:
        _log.warning("group_rewound", partition=state.partition, next_offset=committed)
        state.drop()
    if state.applied is not None and state.applied > end:
        return _quarantined(state, end, "the state knows records beyond the end of the log: they were cut off; commit an offset it holds")
    if state.applied is not None and state.applied < begin:
        _log.warning("state_older_than_log", partition=state.partition, next_offset=state.applied)
        state.drop()
    if committed is not None:
        state.remember_committed(committed)
    start = state.applied if state.applied is not None else begin
    emit_from = max(start, committed if committed is not None else end)
    owned = OwnedPartition(state, emit_from, end, Phase.RESTORING, fold_from=start, witness_epoch=state.epoch, epoch=state.epoch)
    has_witness = state.epoch is not None and start > begin
    return owned, NextOffset(start - 1) if has_witness else start


def _quarantined(state: PartitionState, end: NextOffset, why: str) -> tuple[OwnedPartition, NextOffset]:
    _log.error("partition_quarantined", partition=state.partition, next_offset=state.applied or 0, end_offset=end, reason=why)
    return OwnedPartition(state, end, end, Phase.QUARANTINED, fold_from=end), end
