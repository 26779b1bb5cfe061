"""Cancel everything of a tenant that has not ended: one pass over the ledger, one command for each execution, one wait for all answers.

Like a single cancel it decides nothing: each command is a request in the log, and giving all of them again does no harm.
What is published or redriven while this runs is not covered; give it again, or stop the tenant with a switch first.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

from enact.command_door import CommandDoor
from enact.commands import command_event, command_record, fresh_id
from enact.errors import BrokerError, ValidationError
from enact.execution import DAY_MS, HORIZON_MS
from enact.kafka.transport import NextOffset, Reader, TopicPartition
from enact.lifecycle import TERMINAL
from enact.reading import MAX_RECORDS, WAIT_S
from enact.records import CancelRequested, LedgerEntry, LedgerType, Status, Step
from enact.records.codec import decode
from enact.seen_execution import SeenExecution

READ_TIMEOUT_S = 300.0
_FLUSH_TIMEOUT_S = 60.0
_FLUSH_EVERY = 1_000
_ANSWERS = {LedgerType.CANCEL_ACCEPTED: "accepted", LedgerType.CANCEL_REFUSED: "refused"}


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelledAll:
    """What became of the commands. `accepted` includes calls under way, whose results decide; `refused` had ended or are in doubt.

    `unanswered` are in the log, and their owner has not answered in time. `left_alone` were in doubt, or too old, and got no command.
    """

    accepted: int
    refused: int
    unanswered: int
    left_alone: int


@dataclass(slots=True)
class _Known:
    """What is kept of one execution that has not ended: this much for each, whatever its ledger holds."""

    account_id: str
    action_type: str
    trace_id: str
    order: tuple[int, int]
    status: Status
    first_ms: int | None

    @classmethod
    def of(cls, entry: LedgerEntry, status: Status) -> "_Known":
        """By its first entry."""
        return cls(entry.account_id, "", entry.execution_trace_id, (entry.generation, entry.version), status, None)

    def learn(self, entry: LedgerEntry) -> None:
        """The status of the highest (generation, version) counts; ties are the same decision."""
        self.action_type = self.action_type or entry.details.get("action_type", "")
        if self.first_ms is None and (text := entry.details.get("first_ms", "")).isdecimal():
            self.first_ms = int(text)
        order = (entry.generation, entry.version)
        if entry.status is not None and entry.step is not Step.COMPENSATE and order >= self.order:
            self.order, self.status = order, entry.status


class CancelAll:
    """One cancel of everything. The writer stays the caller's; the reader is opened and closed here."""

    def __init__(self, door: CommandDoor, *, horizon_ms: int = HORIZON_MS) -> None:
        self._door = door
        self._horizon_ms = horizon_ms

    def give(self, *, tenant_id: str, reason: str, account_id: str | None = None, timeout_s: float = 60.0) -> CancelledAll:
        """Cancel whatever has not ended; `timeout_s` is how long no answer may come before the rest counts as unanswered.

        Raises: BrokerError; DeliveryError (some are in the log, some not: give it again).
        """
        with closing(self._door.open_reader()) as reader:
            known = self._living(reader, tenant_id, account_id)
            seen = [_seen(tenant_id, intent_id, one) for intent_id, one in known.items() if self._can_be_cancelled(one)]
            waiting = self._append(reader, seen, reason)
            answers = self._answers(reader, waiting, timeout_s)
        return CancelledAll(
            accepted=answers["accepted"],
            refused=answers["refused"],
            unanswered=len(seen) - answers.total(),
            left_alone=len(known) - len(seen),
        )

    def _living(self, reader: Reader, tenant_id: str, account_id: str | None) -> dict[str, _Known]:
        """Executions of the tenant that have not ended, by id. What has ended is forgotten at once; a redrive begins it anew."""
        known: dict[str, _Known] = {}
        for entry in self._ledger(reader):
            if entry.tenant_id != tenant_id or account_id not in {None, entry.account_id}:
                continue
            one = known.get(entry.action_intent_id)
            if one is None:
                if entry.status is None or entry.status in TERMINAL:
                    continue
                one = known[entry.action_intent_id] = _Known.of(entry, entry.status)
            one.learn(entry)
            if one.status in TERMINAL:
                del known[entry.action_intent_id]
        return known

    def _ledger(self, reader: Reader) -> Iterator[LedgerEntry]:
        """Every entry of every partition, to the ends they have now. Raises: BrokerError."""
        topic = self._door.topics.ledger
        partitions = [TopicPartition(topic, number) for number in range(reader.partition_count(topic))]
        begins, ends = reader.begin_offsets(partitions), reader.end_offsets(partitions)
        reader.assign({one: NextOffset(begins[one]) for one in partitions})
        left = {one for one in partitions if begins[one] < ends[one]}
        deadline_s = self._door.clock.boot_s() + READ_TIMEOUT_S
        while left:
            batch = reader.take(MAX_RECORDS, WAIT_S)
            for record in batch.records:
                if record.offset + 1 >= ends[TopicPartition(record.topic, record.partition)]:
                    left.discard(TopicPartition(record.topic, record.partition))
                yield from _entry(record.value)
            left -= {one for one, end in batch.ends.items() if end >= ends[one]}
            if left and self._door.clock.boot_s() > deadline_s:
                raise BrokerError(f"The ledger was not read to its end within {READ_TIMEOUT_S:g} s: check that the cluster answers.")

    def _can_be_cancelled(self, one: _Known) -> bool:
        """In doubt, there is nothing left to stop; too old, the fold would not listen."""
        now_ms = self._door.clock.wall_ms()
        is_young = one.first_ms is None or now_ms - one.first_ms <= self._horizon_ms - 2 * DAY_MS
        return is_young and one.status is not Status.IN_DOUBT

    def _append(self, reader: Reader, seen: list[SeenExecution], reason: str) -> set[str]:
        """One command for each; the ids to wait for. Raises: DeliveryError."""
        topic, waiting = self._door.topics.executions, set[str]()
        partition_count = reader.partition_count(topic)
        for number, one in enumerate(seen, start=1):
            command = CancelRequested(command_id=fresh_id(), reason=reason)
            at_ms = self._door.clock.wall_ms()
            event = command_event(one, command, step=Step.EXECUTE, generation=one.generation, actor=self._door.actor, at_ms=at_ms)
            self._door.writer.send(command_record(event, topic=topic, partition_count=partition_count))
            waiting.add(command.command_id)
            if number % _FLUSH_EVERY == 0 or number == len(seen):
                self._door.writer.flush(_FLUSH_TIMEOUT_S)
        return waiting

    def _answers(self, reader: Reader, waiting: set[str], patience_s: float) -> Counter[str]:
        """What the owners say, until everything is answered or nothing more comes."""
        answers: Counter[str] = Counter()
        heard_s = self._door.clock.boot_s()
        while waiting and self._door.clock.boot_s() - heard_s < patience_s:
            for record in reader.take(MAX_RECORDS, WAIT_S).records:
                for entry in _entry(record.value):
                    word, command_id = _ANSWERS.get(entry.type), entry.details.get("command_id", "")
                    if word is not None and command_id in waiting:
                        waiting.discard(command_id)
                        answers[word] += 1
                        heard_s = self._door.clock.boot_s()
        return answers


def _entry(value: bytes | None) -> tuple[LedgerEntry, ...]:
    """The entry; one that cannot be decoded says nothing to us."""
    try:
        return (decode(LedgerEntry, value),) if value is not None else ()
    except ValidationError:
        return ()


def _seen(tenant_id: str, action_intent_id: str, one: _Known) -> SeenExecution:
    return SeenExecution(
        tenant_id=tenant_id,
        account_id=one.account_id,
        action_intent_id=action_intent_id,
        action_type=one.action_type,
        execution_trace_id=one.trace_id,
        generation=one.order[0],
        status=one.status,
        first_ms=one.first_ms,
        expires_at_epoch=None,
        compensate_generation=None,
        attempts=(),
    )
