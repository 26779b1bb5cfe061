"""A toy stage shaped like validation, and lives of a loop around it: started, stopped, killed, started again."""

import contextlib
import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from enact.clock import ManualClock
from enact.errors import ErrorCode, ValidationError
from enact.failpoints import Failpoint
from enact.kafka.local import LocalBroker, LocalReader, LocalWriter
from enact.kafka.loop_context import ActiveStage, LoopContext
from enact.kafka.stage import Effect, Stage, StateView
from enact.kafka.stage_loop import StageLoop
from enact.kafka.transport import DeliveryReport, InRecord, NextOffset, OutRecord, TopicPartition, Writer

INPUT, LOG, OUT, DLQ, GROUP = "toy.in", "toy.log", "toy.out", "toy.dlq", "toy"
MIB = 1_048_576
BAD, BUG, HUGE = b"bad", b"bug", b"huge"


WAVES = (
    ((b"a", b"1"), (b"b", b"1"), (b"a", b"2")),
    ((b"bad", BAD), (b"c", b"1"), (b"bug", BUG), (b"b", b"2")),
    ((b"a", b"3"), (b"d", b"1")),
)
"""Three batches: first decisions, a losing second one in the same batch, a refusal, a bug, repeats of known keys."""


class Killed(BaseException):
    """The process ends here: nothing after this happens."""


def emission(key: bytes, content: bytes) -> bytes:
    """What a decision sends: a function of the decision alone."""
    return hashlib.sha256(key + b"|" + content).hexdigest().encode()


class ToyStage:
    """The first content under a key counts; what is read back from the log is what goes out; a known key is answered from state."""

    name = "toy"

    def __init__(self, prefix: str = "toy", *, has_log: bool = True) -> None:
        self.inputs: Sequence[str] = (f"{prefix}.in",)
        self.log: str | None = f"{prefix}.log" if has_log else None
        self._log_topic, self._out = f"{prefix}.log", f"{prefix}.out"
        self.decided: list[InRecord] = []
        self.folded: list[InRecord] = []
        self.before_decide: Callable[[InRecord], None] = lambda _: None
        self.before_fold: Callable[[InRecord], None] = lambda _: None

    def decide(self, record: InRecord, state: StateView | None) -> Sequence[Effect]:
        self.before_decide(record)
        self.decided.append(record)
        key, content = record.key or b"", record.value or b""
        if content == BAD:
            raise ValidationError("content says bad.", code=ErrorCode.PARAMETERS_INVALID)
        if content == BUG:
            raise ZeroDivisionError
        if state is None:
            return [OutRecord(self._out, record.partition, key, emission(key, content))]
        known = state.get(key)
        if known is not None:
            return [OutRecord(self._out, record.partition, key, emission(key, known))]
        return [OutRecord(self._log_topic, record.partition, key, content)]

    def fold(self, record: InRecord, state: StateView) -> Sequence[Effect]:
        self.before_fold(record)
        self.folded.append(record)
        key, content = record.key or b"", record.value or b""
        if content == BAD:
            raise ValidationError("content says bad.", code=ErrorCode.MALFORMED_RECORD)
        if state.get(key) is not None:
            return []
        state.put(key, content)
        if content == BUG:
            raise ZeroDivisionError
        value = bytes(2_000_000) if content == HUGE else emission(key, content)
        return [OutRecord(self._out, record.partition, key, value)]


class BufferingWriter:
    """Delivers in `flush` only: what was sent and not flushed dies with the process."""

    def __init__(self, broker: LocalBroker) -> None:
        self._inner = LocalWriter(broker)
        self._waiting: list[tuple[OutRecord, DeliveryReport | None]] = []

    def send(self, record: OutRecord, on_delivery: DeliveryReport | None = None) -> None:
        self._waiting.append((record, on_delivery))

    def poll(self) -> None:
        self._inner.poll()

    def flush(self, timeout_s: float) -> None:
        waiting, self._waiting = self._waiting, []
        for record, on_delivery in waiting:
            self._inner.send(record, on_delivery)
        self._inner.flush(timeout_s)

    def close(self) -> None:
        self._inner.close()


@dataclass
class Health:
    is_restored: bool = False
    detail: str = ""
    is_assigned: bool = False
    beats: int = 0
    conditions: dict[str, bool] = field(default_factory=dict)

    def beat(self) -> None:
        self.beats += 1

    def set_restored(self, is_restored: bool, detail: str = "") -> None:
        self.is_restored, self.detail = is_restored, detail

    def set_assigned(self, is_assigned: bool) -> None:
        self.is_assigned = is_assigned

    def set_condition(self, name: str, *, is_met: bool) -> None:
        self.conditions[name] = is_met


@dataclass
class Meter:
    results: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    letters: list[ErrorCode] = field(default_factory=list)
    rewinds: int = 0
    lost_records: int = 0
    remaining: int = 0
    quarantined_now: int = 0

    def took(self, records: int) -> None: ...

    def ended(self, topic: str, result: str) -> None:
        self.results[result] += 1

    def dead_lettered(self, code: ErrorCode) -> None:
        self.letters.append(code)

    def handled(self, seconds: float) -> None: ...

    def waited(self, oldest_age_s: float) -> None: ...

    def flushed(self, seconds: float) -> None: ...

    def ended_together(self, records: int) -> None:
        self.results["ok"] += records

    def rewound(self) -> None:
        self.rewinds += 1

    def lost(self, records: int) -> None:
        self.lost_records += records

    def restoring(self, remaining: int) -> None:
        self.remaining = remaining

    def quarantined(self, partitions: int) -> None:
        self.quarantined_now = partitions


@dataclass
class Life:
    """One process."""

    loop: StageLoop
    reader: LocalReader
    stage: ToyStage
    health: Health
    meter: Meter
    clock: ManualClock

    def turn_until_idle(self) -> None:
        quiet = 0
        for _ in range(500):
            quiet = 0 if self.loop.turn() else quiet + 1
            self.clock.advance(0.3)
            if quiet > 4:
                return
        raise AssertionError("the loop never comes to rest")

    def kill(self) -> None:
        """As `kill -9`: the locks are freed, nothing is written or committed."""
        for owned in self.loop._assignment.owned.values():
            owned.state.close()
        with contextlib.suppress(OSError):
            self.loop._marker.close()

    def stop(self) -> None:
        self.loop._drain()
        self.loop._close()


def faults_of(inputs: Sequence[InRecord], log: Sequence[InRecord], out: Sequence[InRecord], dead_letters: Sequence[InRecord]) -> list[str]:
    """What is wrong with these topics at rest: every input has its answer, and exactly what the log decided went out."""
    first: dict[tuple[int, bytes], bytes] = {}
    for record in log:
        first.setdefault((record.partition, record.key or b""), record.value or b"")
    expected = {(partition, emission(key, content)) for (partition, key), content in first.items()}
    sent_out = {(record.partition, record.value or b"") for record in out}
    letters = {(record.partition, record.key, record.value) for record in dead_letters}
    found = [f"missing emission {value!r}" for value in expected - sent_out]
    found += [f"wrong emission {value!r}" for value in sent_out - expected]
    for record in inputs:
        if record.value in {BAD, BUG}:
            if (record.partition, record.key, record.value) not in letters:
                found.append(f"{record.key!r} has no dead letter")
        elif (record.partition, record.key or b"") not in first:
            found.append(f"{record.key!r} was never decided")
    return found


class Rig:
    """A broker that outlives the processes on it, and one folder for their state."""

    def __init__(self, folder: Path, partitions: int = 1, *, is_buffering: bool = True, max_letter_bytes: int = 2 * MIB) -> None:
        self.folder, self.partitions, self.is_buffering = folder, partitions, is_buffering
        self.clock = ManualClock()
        self.broker = LocalBroker(self.clock)
        for topic, max_bytes in ((INPUT, 2 * MIB), (LOG, MIB), (OUT, MIB), (DLQ, max_letter_bytes)):
            self.broker.create_topic(topic, partitions, max_message_bytes=max_bytes)

    def life(
        self,
        *,
        stage: ToyStage | None = None,
        loop: type[StageLoop] = StageLoop,
        active: ActiveStage | None = None,
        writer: Writer | None = None,
        is_started: bool = True,
        folder: Path | None = None,
    ) -> Life:
        used: ToyStage = stage or ToyStage()
        reader, health, meter = self.broker.reader(GROUP), Health(), Meter()
        context = LoopContext(
            reader=reader,
            writer=writer or (BufferingWriter(self.broker) if self.is_buffering else self.broker.writer()),
            clock=self.clock,
            meter=meter,
            health=health,
            state_folder=folder or self.folder,
            dead_letter_topic=DLQ,
        )
        checked: Stage = used
        life = Life(loop(checked, context, active), reader, used, health, meter, self.clock)
        if is_started:
            life.loop.start()
        return life

    def publish(self, *inputs: tuple[bytes, bytes], topic: str = INPUT, partition: int = 0) -> None:
        for key, content in inputs:
            self.broker.append(OutRecord(topic, partition, key, content))

    def emitted(self) -> list[bytes]:
        return [record.value or b"" for record in self.broker.records(OUT)]

    def logged(self) -> list[tuple[bytes | None, bytes | None]]:
        return [(record.key, record.value) for record in self.broker.records(LOG)]

    def committed(self, topic: str, partition: int = 0) -> NextOffset | None:
        return self.broker.commits.get(GROUP, {}).get(TopicPartition(topic, partition))

    def commit(self, topic: str, next_offset: int, partition: int = 0) -> None:
        """An operator moves the group."""
        self.broker.commits.setdefault(GROUP, {})[TopicPartition(topic, partition)] = NextOffset(next_offset)

    def faults(self) -> list[str]:
        """What is wrong once everything came to rest: every input has its answer, and only what the log decided went out."""
        found = faults_of(*(self.broker.records(topic) for topic in (INPUT, LOG, OUT, DLQ)))
        for topic in (INPUT, LOG):
            for partition in range(self.partitions):
                _, end = self.broker.bounds(TopicPartition(topic, partition))
                if (self.committed(topic, partition) or 0) != end:
                    found.append(f"{topic}/{partition} is committed to {self.committed(topic, partition)}, its end is {end}")
        return found


def distinct(values: Iterable[bytes]) -> list[bytes]:
    return sorted(set(values))


def kill_at(wanted: Failpoint) -> Callable[[Failpoint], None]:
    def kill(failpoint: Failpoint) -> None:
        if failpoint is wanted:
            raise Killed

    return kill


def raise_once(error: Exception, *, key: bytes | None = None, times: int = 1) -> Callable[[InRecord], None]:
    left = [times]

    def raising(record: InRecord) -> None:
        if left[0] and key in {None, record.key}:
            left[0] -= 1
            raise error

    return raising


def dies_of(key: bytes) -> Callable[[InRecord], None]:
    def dying(record: InRecord) -> None:
        if record.key == key:
            raise Killed

    return dying


def sent(record: InRecord) -> OutRecord:
    return OutRecord(OUT, record.partition, record.key, emission(record.key or b"", record.value or b""))
