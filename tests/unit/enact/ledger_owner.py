"""A cluster in memory with an execution on record, and an owner that answers commands the way invocation does."""

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from enact.clock import ManualClock
from enact.command_door import CommandDoor, CommandTopics
from enact.commands import Commands
from enact.ids import entry_id
from enact.kafka.local import LocalBroker
from enact.kafka.partitioner import partition_of
from enact.kafka.transport import Batch, OutRecord, Reader
from enact.records import ExecutionEvent, LedgerEntry, LedgerType, SourcePosition, Status, Step
from enact.records.codec import decode, encode

TOPICS = CommandTopics(ledger="t.ledger", executions="t.executions", switches="t.switches", registry="t.registry")
TENANT, ACCOUNT, INTENT = "acme", "acct-1", "int-1"
PARTITIONS = 4
PARTITION = partition_of(INTENT, PARTITIONS)

Owner = Callable[[ExecutionEvent], LedgerEntry | None]


class World:
    """Broker, clock and commands. `owner` answers an event of the execution log with a ledger entry, or not."""

    def __init__(self, owner: Owner = lambda _: None) -> None:
        self.clock = ManualClock()
        self.broker = LocalBroker(self.clock)
        for topic in (TOPICS.ledger, TOPICS.executions):
            self.broker.create_topic(topic, PARTITIONS)
        for topic in (TOPICS.switches, TOPICS.registry):
            self.broker.create_topic(topic, 1)
        self.owner = owner
        self.answered = 0
        self.open_readers: list[AnsweringReader] = []
        self.door = CommandDoor(
            writer=self.broker.writer(),
            open_reader=self.open_reader,
            topics=TOPICS,
            clock=self.clock,
            actor="cli:kim",
            pause=self.clock.advance,
        )
        self.commands = Commands(self.door)

    def open_reader(self) -> Reader:
        reader = AnsweringReader(self)
        self.open_readers.append(reader)
        return reader

    def hold(self, *entries: LedgerEntry) -> None:
        """Put entries into the ledger."""
        writer = self.broker.writer()
        for one in entries:
            partition = partition_of(one.action_intent_id, PARTITIONS)
            writer.send(OutRecord(TOPICS.ledger, partition, one.action_intent_id.encode(), encode(one)))
        writer.flush(1.0)

    @property
    def events(self) -> list[ExecutionEvent]:
        """What was appended to the execution log, in the partition of `INTENT`."""
        return [decode(ExecutionEvent, r.value) for r in self.broker.records(TOPICS.executions, PARTITION) if r.value is not None]

    def let_owner_answer(self) -> None:
        """The owner reads its log and writes the ledger."""
        for event in self.events[self.answered :]:
            self.answered += 1
            answer = self.owner(event)
            if answer is not None:
                self.hold(answer)


class AnsweringReader:
    """A log reader that lets the owner work, and time pass, whenever somebody waits."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._reader = world.broker.log_reader()
        self.is_closed = False

    def take(self, max_records: int, wait_s: float) -> Batch:
        self._world.let_owner_answer()
        self._world.clock.advance(wait_s)
        return self._reader.take(max_records, wait_s)

    def close(self) -> None:
        self.is_closed = True
        self._reader.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reader, name)


def entry(type: LedgerType, *, version: int = -1, cause: str = "", **changes: Any) -> LedgerEntry:
    made = LedgerEntry(
        entry_id="",
        tenant_id=TENANT,
        account_id=ACCOUNT,
        action_intent_id=INTENT,
        generation=1,
        version=version,
        step=Step.EXECUTE,
        type=type,
        actor="invocation",
        at_ms=1_790_000_000_000,
        stage="invocation",
        details={},
        execution_trace_id="0af7651916cd43dd8448eb211c80319c",
        source=SourcePosition(topic=TOPICS.executions, partition=PARTITION, offset=max(0, version)),
    )
    made = replace(made, **changes)
    identity = entry_id(
        TENANT, made.action_intent_id, made.generation, type, step=made.step, attempt=made.attempt, cause=cause or str(version)
    )
    return replace(made, entry_id=identity)


def started() -> LedgerEntry:
    return entry(LedgerType.EXECUTION_STARTED, status=Status.PENDING, details={"action_type": "CREATE_CRM_TASK"})


def claimed(attempt: int, *, version: int, first_ms: int = 1_790_000_000_000, **changes: Any) -> LedgerEntry:
    details = {"nonce": f"nonce-{attempt}", "lease_ms": "15000", "first_ms": str(first_ms)}
    return entry(LedgerType.ATTEMPT_CLAIMED, version=version, attempt=attempt, status=Status.EXECUTING, details=details, **changes)


def concluded(attempt: int, effect: str, *, version: int) -> LedgerEntry:
    return entry(LedgerType.ATTEMPT_CONCLUDED, version=version, attempt=attempt, details={"effect": effect})


def doubt(attempt: int, *, version: int) -> LedgerEntry:
    return entry(LedgerType.DOUBT_RAISED, version=version, attempt=attempt, status=Status.IN_DOUBT)
