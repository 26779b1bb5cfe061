"""Acts for the partitions this process owns: starts what was read back, takes over what was left, claims what is due.

Implements `enact.kafka.loop_context.ActiveStage`; every method on the loop's thread. Only the nonce memory lets
a call start, so nothing can start twice.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain

from enact.kafka.state import PartitionState
from enact.kafka.transport import InRecord, NextOffset, TopicPartition
from services.invocation.claims import Claims, Desk
from services.invocation.due_work import DueWork
from services.invocation.events import START_SLACK_MS
from services.invocation.jobs import Jobs
from services.invocation.memory import PartitionMemories, PartitionMemory
from services.invocation.stage import MAX_PENDING, MAX_QUEUED
from services.invocation.window import Act, Turns

_MAX_UNREAD_S = START_SLACK_MS / 2 / 1000
_TURN_S = 0.1
_METER_EVERY_S = 0.5
PATIENCE_S = 1.0
FRESH = "switches are fresh"
ON_TIME = "the clock is within two seconds of the broker's"
CROWDED_GROUP = 200
CROWDED = 500

OffersOf = Callable[[PartitionMemory], Iterator[tuple[str, Iterator[Act]]]]


class Owner:
    """One per process."""

    def __init__(self, inputs: Sequence[str], memories: PartitionMemories, desk: Desk, *, partition_count: int,
                 tell: Callable[[str, bool], None]) -> None:  # fmt: skip
        """`tell` hears each turn what readiness needs: that the switches can be trusted, and this machine's clock."""
        self._partition_count, self._first = partition_count, 0
        self._inputs, self._partitions, self._memories, self._desk = inputs, memories, memories.by_partition, desk
        jobs = Jobs(desk.events, desk.gate, desk.clock, lambda: self._is_stopping)
        self._claims = Claims(desk, jobs)
        self._work = DueWork(desk, self._claims, jobs)
        self._turns = Turns(desk.window)
        self._tell = tell
        self._is_stopping = False
        self._is_contended = False
        self._is_full = False
        self._crowded_since_s: float | None = None
        self._metered_s = float("-inf")
        self._full: set[int] = set()

    def on_live(self, partition: int, state: PartitionState) -> None:
        """The partition may act from now on."""
        memory = self._partitions.of(state)
        memory.is_live = True
        memory.restore_queue()
        self._work.see_open_claims(memory)

    def on_gone(self, partitions: Sequence[int]) -> None:
        """They left, or are quarantined: start nothing more there; claims not met yet are released, calls in flight finish."""
        for partition in partitions:
            self._partitions.drop(partition)
            self._full.discard(partition)
            self._claims.give_up_all(partition, "the partition is not ours any more, or quarantined")

    def on_rewind(self) -> None:
        """The batch comes again; started calls stay started, pending calls and appends under way stay known."""
        for memory in self._memories.values():
            memory.forget_batch()

    def before_flush(self) -> None:
        """Start what was read back, then, while nobody has to wait, claim what is due in memory."""
        self._claims.settle_failures()
        for memory in self._memories.values():
            for subject, attempt in memory.met.foreign:
                self._work.saw(memory, subject, attempt)
            for nonce in memory.met.invalid:
                self._claims.drop(nonce)
            for met in memory.met.ours:
                self._claims.start(memory, met, is_stopping=self._is_stopping)
            memory.met.clear()
        if not self._is_contended:
            self._serve(self._work.pending_offers)

    def after_persist(self) -> None:
        """Fire what is due: take-overs and deadlines first, then what needs a slot, groups in turn."""
        self._claims.settle_failures()
        for memory in self._memories.values():
            memory.keep_batch()
            if memory.is_live and not self._is_stopping:
                self._work.fire_times(memory)
        self._serve(self._work.offers)

    def gave_up(self, record: InRecord) -> None:
        """An input that became a dead letter does not hold back those behind it."""
        if (memory := self._memories.get(record.partition)) is not None:
            memory.give_up(TopicPartition(record.topic, record.partition), int(record.offset))

    def done(self, partition: TopicPartition, position: NextOffset) -> NextOffset:
        """Inputs move once the log knows what they asked for."""
        memory = self._memories.get(partition.partition)
        return memory.inputs.low_watermark(partition, position) if memory else position

    def paused(self) -> Iterable[TopicPartition]:
        """Inputs not to be read now. Wide hysteresis: a pause throws the prefetch away."""
        gate, pending = self._desk.gate, self._partitions.backlog.total()
        self._tell(FRESH, gate.is_fresh)
        self._tell(ON_TIME, gate.is_on_time)
        self._meter()
        self._is_full = pending >= (MAX_PENDING if self._is_full else 2 * MAX_PENDING)
        is_all = self._is_worth_waiting(pending)
        is_all = is_all or self._is_stopping or self._is_full or not gate.may_start or self._claims.oldest_unread_s > _MAX_UNREAD_S
        for partition, memory in self._memories.items():
            limit = MAX_QUEUED // 2 if partition in self._full else MAX_QUEUED
            (self._full.add if memory.queue_length >= limit else self._full.discard)(partition)
        return [TopicPartition(topic, p) for topic in self._inputs for p in self._memories if is_all or p in self._full]

    def _is_worth_waiting(self, pending: int) -> bool:
        """While calls end as fast as they come, what waits is not added to: our claims are read back behind it in the log.

        For a second at most: if it stays crowded, somebody is slow, and the others must come past.
        """
        scale = 1 if self._crowded_since_s is None else 2
        if max(self._partitions.backlog.values(), default=0) * scale < CROWDED_GROUP and pending * scale < CROWDED:
            self._crowded_since_s = None
            return False
        now_s = self._desk.clock.boot_s()
        if self._crowded_since_s is None:
            self._crowded_since_s = now_s
        return now_s - self._crowded_since_s < PATIENCE_S

    def _meter(self) -> None:
        now_s = self._desk.clock.boot_s()
        if now_s - self._metered_s < _METER_EVERY_S:
            return
        self._metered_s = now_s
        self._desk.permits.look_again(len(self._memories) / self._partition_count)
        waiting = Counter[str]()
        for memory in self._memories.values():
            waiting.update(memory.store.waiting)
        self._desk.meter.turned(len(self._desk.window), self._desk.gate.engagements, self._desk.gate.switches_age_s, waiting)
        self._tell_ages(waiting)

    def wait_s(self) -> float:
        """Due times are met to a tenth of a second; everything else wakes the reader."""
        return _TURN_S

    def stop(self) -> bool:
        """Start nothing; True once no claim and no call is under way."""
        self._is_stopping = True
        return len(self._desk.window) == 0

    def _tell_ages(self, waiting: Counter[str]) -> None:
        """A look into each partition's index for each word that anybody waits for."""
        now_ms = self._desk.clock.wall_ms()
        firsts = ((word, memory.store.oldest_waiting(word)) for word in waiting for memory in self._memories.values())
        ages: dict[str, float] = {}
        for word, first_ms in firsts:
            if first_ms is not None:
                ages[word] = max(ages.get(word, 0.0), (now_ms - first_ms) / 1000)
        self._desk.meter.aged(ages)

    def _serve(self, offers_of: OffersOf) -> None:
        """Start what may start, each partition first in its turn. Nothing starts while the switches, or the clock, cannot be trusted."""
        if self._is_stopping or not self._desk.gate.may_start:
            return
        offers: dict[str, Iterator[Act]] = {}
        memories = list(self._memories.values())
        self._first = (self._first + 1) % max(1, len(memories))
        for memory in memories[self._first :] + memories[: self._first]:
            if memory.is_live:
                for group, acts in offers_of(memory):
                    offers[group] = chain(offers.get(group, ()), acts)
        self._is_contended = self._turns.serve(offers)
