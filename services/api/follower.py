"""Follows the ledger into the read model: one thread, every partition, no group.

Reads what has arrived, applies it as one transaction, and says how old the answers may be. An entry that cannot be
decoded is counted, logged and skipped: the ledger keeps it, and showing the others is better than showing nothing.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from enact.clock import Clock
from enact.errors import EnactError, ValidationError
from enact.kafka.transport import InRecord, NextOffset, Reader, TopicPartition
from enact.log import get_logger
from services.api.entry_view import view_of
from services.api.ledger_writer import Applied, Arrived, LedgerWriter

_log = get_logger("api")

MAX_RECORDS = 2_000
_WAIT_S = 0.5
_FEW_RECORDS = 200
_LINGER_S = 0.05
_GATHER_S = 0.2
_END_CHECK_S = 1.0
_PAUSE_AFTER_ERROR_S = 1.0


@dataclass(frozen=True, slots=True)
class Freshness:
    """How old answers may be: everything in the ledger before `as_of_s` (boot clock) is in them. None = not yet caught up."""

    as_of_s: float | None

    def staleness_ms(self, now_s: float) -> int | None:
        """Upper bound of what an answer may lag behind the ledger, or None while the model is being built."""
        return None if self.as_of_s is None else max(0, round((now_s - self.as_of_s) * 1000))


class Follower:
    """Owns the reader and the writing side of the model. `run` blocks until `stop` is set."""

    def __init__(
        self, *, topic: str, reader: Reader, ledger: LedgerWriter, clock: Clock, on_applied: Callable[[Applied, int], None] | None = None
    ) -> None:
        """`on_applied` hears of every batch: what it did and how many records could not be decoded."""
        self._topic = topic
        self._reader = reader
        self._ledger = ledger
        self._clock = clock
        self._on_applied = on_applied
        self._next: dict[int, int] = {}
        self._checked_s = float("-inf")
        self.freshness = Freshness(None)
        self.is_assigned = False
        self.progress = "the ledger has not been asked yet"

    def start(self) -> None:
        """Assign every partition where the model stands; a model of another ledger is cleared.

        Raises: BrokerError if the topic does not exist.
        """
        partitions = [TopicPartition(self._topic, p) for p in range(self._reader.partition_count(self._topic))]
        begins, ends = self._reader.begin_offsets(partitions), self._reader.end_offsets(partitions)
        known = self._ledger.next_offsets()
        beyond = [tp.partition for tp in partitions if known.get(tp.partition, 0) > ends[tp]]
        if beyond:
            reason = "The read model knows more than the ledger holds: it is built again."
            _log.warning("read_model_cleared", topic=self._topic, count=len(beyond), reason=reason)
            self._ledger.clear()
            known = {}
        self._next = {tp.partition: max(known.get(tp.partition, 0), begins[tp]) for tp in partitions}
        self._reader.assign({tp: NextOffset(self._next[tp.partition]) for tp in partitions})
        self.is_assigned = True

    def run(self, stop: threading.Event) -> None:
        """Follow until `stop`; broker trouble is logged and waited out."""
        is_started = False
        while not stop.is_set():
            try:
                if not is_started:
                    self.start()
                    is_started = True
                taken = self.step(wait_s=_WAIT_S)
            except EnactError as error:
                # Assigned anew: after an offset outside the log the reader stays silent until then.
                is_started = False
                self.progress = error.message
                _log.warning("ledger_unreadable", error, topic=self._topic)
                stop.wait(_PAUSE_AFTER_ERROR_S)
                continue
            if 0 < taken < MAX_RECORDS // 2:  # the entries of one execution cost less together
                stop.wait(_LINGER_S if taken < _FEW_RECORDS else _GATHER_S)

    def step(self, *, wait_s: float) -> int:
        """Take and apply one batch; look whether the end is reached. Returns the number of records taken."""
        batch = self._reader.take(MAX_RECORDS, wait_s)
        if batch.records:
            self.apply(batch.records)
        if len(batch.records) < _FEW_RECORDS:
            self._check_end()
        return len(batch.records)

    def apply(self, records: Sequence[InRecord]) -> None:
        """One batch into the model, with its offsets."""
        arrived: list[Arrived] = []
        moved: dict[int, int] = {}
        unreadable = 0
        for record in records:
            moved[record.partition] = record.offset + 1
            if record.value is None:
                unreadable += 1
                continue
            try:
                arrived.append(Arrived(view_of(record.value), record.value, record.offset))
            except ValidationError as error:
                unreadable += 1
                _log.error("ledger_entry_skipped", error, topic=record.topic, partition=record.partition, offset=record.offset)
        applied = self._ledger.apply(arrived, moved)
        self._next.update(moved)
        for action_intent_id, tenant_id in applied.refused:
            _log.warning("illegal_move_refused", action_intent_id=action_intent_id, tenant_id=tenant_id)
        if self._on_applied is not None:
            self._on_applied(applied, unreadable)

    def _check_end(self) -> None:
        now_s = self._clock.boot_s()
        if now_s - self._checked_s < _END_CHECK_S:
            return
        self._checked_s = now_s
        ends = self._reader.end_offsets([TopicPartition(self._topic, p) for p in self._next])
        left = sum(max(0, end - self._next[tp.partition]) for tp, end in ends.items())
        self.progress = f"{left} ledger entries are still to be read"
        if left == 0:
            self.freshness = Freshness(now_s)

    def close(self) -> None:
        """End the reader; only after `run` has returned."""
        self._reader.close()
