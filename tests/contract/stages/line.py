"""The four stages in one process: real loops, real stages, a broker in memory, a clock that is moved by hand.

The other system is a stand-in that does what it is told by the subject of a call; credentials are read as always.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from connectors.contract import Call, CallResult, Connector, Health, Tool
from connectors.credentials import CredentialStore
from connectors.sandbox.tenants import write_sandbox_credentials
from enact.clock import ManualClock
from enact.errors import AmbiguousError, AuthError, DownstreamError, RejectedError
from enact.kafka.local import LocalBroker, LocalWriter
from enact.kafka.loop_context import ActiveStage, LoopContext
from enact.kafka.stage import Stage
from enact.kafka.stage_loop import StageLoop
from enact.kafka.transport import DeliveryReport, InRecord, OutRecord, Writer
from enact.kafka.watch_loop import WatchLoop
from enact.records import ActionOutcome, LedgerEntry
from enact.records import Owner as ClaimOwner
from enact.records.codec import decode
from enact.registry import RegistryView
from enact.switches import SwitchWatch
from services.invocation.breaker import BreakerRule, Breakers
from services.invocation.caller import Caller
from services.invocation.claims import Desk
from services.invocation.events import EventWriter
from services.invocation.gate import Gate
from services.invocation.limits import Limits
from services.invocation.limits_file import LimitsSource
from services.invocation.memory import PartitionMemories
from services.invocation.nonces import NonceMemory
from services.invocation.owner import Owner
from services.invocation.permits import Permits
from services.invocation.request_check import RequestCheck
from services.invocation.stage import InvocationStage
from services.invocation.topics import InvocationTopics
from services.invocation.window import Window
from services.recording.stage import RecordingStage
from services.recording.stage import Topics as RecordingTopics
from services.tool_mapping.stage import ToolMappingStage
from services.tool_mapping.stage import Topics as MappingTopics
from services.validation.emission import Topics as ValidationTopics
from services.validation.stage import ValidationStage
from tests.factories import NOW_MS, make_ref
from tests.hostile.called import shipped_entries
from tests.hostile.case import DOWN, LOCKED_OUT, LOST, OTHER_TENANT, PARTIAL, REJECTED, TENANT, Sample
from tests.hostile.verdict import Seen
from tests.unit.services.invocation.fakes import Meter
from topology.stages import dead_letters
from topology.topics import TOPICS, topic_name

PARTITIONS = 3
STAGES = ("validation", "tool_mapping", "invocation", "recording")
QUIET_ROUNDS = 3
LONGEST_BACKOFF_S = 61.0


def name(short: str) -> str:
    return topic_name(short, "enact")


class Outside:
    """The other system, for every connector."""

    def __init__(self, connector: str, store: CredentialStore) -> None:
        self.name = connector
        self._store = store

    def tools(self) -> tuple[Tool, ...]:
        return ()

    def validate(self, tool_name: str, arguments: Mapping[str, Any]) -> None:
        """Everything is valid."""

    async def execute(self, call: Call) -> CallResult:
        self._store.get(call.tenant_id, self.name)
        call.last_look()
        wanted = str(call.arguments.get("subject") or call.arguments.get("label"))
        if call.tenant_id == LOCKED_OUT:
            raise AuthError
        if REJECTED in wanted:
            raise RejectedError
        if DOWN in wanted:
            raise DownstreamError
        if LOST in wanted:
            raise AmbiguousError
        return CallResult(refs=(make_ref(),), tool_run_ref="run-1", response=b"{}", is_partial=PARTIAL in wanted)

    async def compensate(self, call: Call) -> CallResult:
        return await self.execute(call)

    async def look_up(self, call: Call) -> CallResult | None:
        call.last_look()
        return None

    async def health(self) -> Health:
        return Health(ok=True, detail="Fine.")

    async def close(self) -> None:
        """Nothing is open."""


class LossyWriter:
    """A writer whose broker forgets some records that it acknowledged: what a fault, a mistake or a skipped offset leaves behind."""

    def __init__(self, writer: LocalWriter, is_lost: Callable[[OutRecord], bool]) -> None:
        self._writer, self._is_lost = writer, is_lost

    def send(self, record: OutRecord, on_delivery: DeliveryReport | None = None) -> None:
        if not self._is_lost(record):
            self._writer.send(record, on_delivery)

    def poll(self) -> None:
        self._writer.poll()

    def flush(self, timeout_s: float) -> None:
        self._writer.flush(timeout_s)

    def close(self) -> None:
        self._writer.close()


class Line:
    """Publish, settle, look. What `is_lost` says yes to is acknowledged and never written."""

    def __init__(self, folder: Path, *, is_lost: Callable[[OutRecord], bool] = lambda _: False) -> None:
        self._is_lost = is_lost
        self.clock = ManualClock(NOW_MS)
        self.broker = LocalBroker(self.clock)
        for topic in TOPICS.values():
            self.broker.create_topic(name(topic.short), PARTITIONS, max_message_bytes=topic.max_message_bytes)
        write_sandbox_credentials(folder / "credentials", [TENANT, OTHER_TENANT, LOCKED_OUT], "http://127.0.0.1:1")
        self._folder = folder
        self._registry = RegistryView(shipped_entries(), next_offset=1)
        self._switches = LocalBroker(self.clock)
        self._switches.create_topic("switches", 1)
        self._watch = SwitchWatch(topic="switches", slot="invocation.0", writer=self._switches.writer(), clock=self.clock)
        self._marks: dict[str, int] = {}
        self._loops: list[StageLoop | WatchLoop] = [
            self._loop(self._validation()),
            self._loop(ToolMappingStage(self._mapping_topics(), wait_for_registry=lambda _: self._registry)),
            self._invocation(),
            self._loop(self._recording()),
        ]

    def publish(self, samples: Sequence[Sample]) -> None:
        """Append every record where it belongs, or where it does not."""
        for record in [record for sample in samples for record in sample.records]:
            self.broker.append(record.placed(PARTITIONS, name))

    def settle(self) -> None:
        """Turn until nothing happens any more, also after every wait that a retry may take."""
        self._rest()
        for _ in range(6):
            before = self._size()
            self.clock.advance(LONGEST_BACKOFF_S)
            self._rest()
            if self._size() == before:
                break

    def pass_time(self, seconds: float, step_s: float = 60.0) -> None:
        """Let so much time go by, in steps, turning until nothing happens at each."""
        for _ in range(round(seconds / step_s)):
            self.clock.advance(step_s)
            self._rest()

    def look(self) -> Seen:
        """What has happened since the last look."""
        outcomes = [decode(ActionOutcome, record.value or b"") for record in self._new("outcomes")]
        ledger = self._new("ledger")
        entries = [decode(LedgerEntry, record.value or b"") for record in ledger]
        told = [*ledger, *self._new("signals"), *self._new("notifications")]
        return Seen(
            outcomes={(outcome.tenant_id, outcome.action_intent_id): outcome for outcome in outcomes},
            letters={stage: self._new(dead_letters(stage)) for stage in STAGES},
            executions=frozenset((entry.tenant_id, entry.action_intent_id) for entry in entries),
            told=[record.value or b"" for record in told],
            read=self._read,
        )

    def writer(self) -> Writer:
        """What a stage writes with."""
        return LossyWriter(self.broker.writer(), self._is_lost)

    def watch(self, loop: WatchLoop) -> None:
        """One more loop that turns with the others."""
        loop.start()
        self._loops.append(loop)

    def close(self) -> None:
        for loop in self._loops:
            loop.close() if isinstance(loop, WatchLoop) else loop._close()

    def _rest(self) -> None:
        quiet = 0
        while quiet < QUIET_ROUNDS:
            before = self._size()
            for loop in self._loops:
                self._prove_fresh()
                loop.turn()
            self._caller._loop.run_until_complete(_breathe())
            quiet = quiet + 1 if self._size() == before else 0

    def _size(self) -> int:
        return sum(len(self.broker.records(name(topic.short))) for topic in TOPICS.values())

    def _new(self, short: str) -> list[InRecord]:
        """In the order of their offsets within each partition."""
        found = []
        for partition in range(PARTITIONS):
            records, mark = self.broker.records(name(short), partition), f"{short}-{partition}"
            found += records[self._marks.get(mark, 0) :]
            self._marks[mark] = len(records)
        return found

    def _read(self, topic: str, partition: int, offset: int) -> InRecord | None:
        records = self.broker.records(topic, partition)
        return records[offset] if offset < len(records) else None

    def _prove_fresh(self) -> None:
        self._watch.probe()
        for record in self._switches.records("switches")[-1:]:
            self._watch.on_record(record)

    def _loop(self, stage: Stage, active: ActiveStage | None = None, writer: Writer | None = None) -> StageLoop:
        context = LoopContext(
            reader=self.broker.reader(stage.name),
            writer=writer or self.writer(),
            clock=self.clock,
            meter=Meter(),
            health=Meter(),
            state_folder=self._folder / stage.name,
            dead_letter_topic=name(dead_letters(stage.name)),
        )
        loop = StageLoop(stage, context, active)
        loop.start()
        return loop

    def _validation(self) -> ValidationStage:
        topics = ValidationTopics(
            approved=name("intents.approved"),
            returned=name("intents.returned"),
            admissions=name("admissions"),
            validated=name("intents.validated"),
            tool_calls=name("tool-calls"),
            ledger=name("ledger"),
        )
        return ValidationStage(topics, partition_count=PARTITIONS, registry=lambda: self._registry, clock=self.clock)

    def _mapping_topics(self) -> MappingTopics:
        return MappingTopics(validated=name("intents.validated"), tool_calls=name("tool-calls"), ledger=name("ledger"))

    def _recording(self) -> RecordingStage:
        topics = RecordingTopics(
            tool_results=name("tool-results"),
            outcomes=name("outcomes"),
            signals=name("signals"),
            ledger=name("ledger"),
            notifications=name("notifications"),
            compensations=name("compensations"),
        )
        return RecordingStage(topics, registry=lambda: self._registry)

    def _invocation(self) -> StageLoop:
        owner_id = ClaimOwner(boot_id="boot-1", instance_id="instance-1", incarnation_id="the-only-life-of-this-line")
        writer, meter, limits = self.writer(), Meter(), LimitsSource(None)
        never = BreakerRule(failures=1_000_000)  # hostile records fail one after the other; each is judged by itself
        permits = Permits(Breakers(never, self.clock, lambda low, high: 1.0), Limits(limits.current, self.clock), limits, meter)
        window = Window(500, on_free=permits.give_back)
        memories, events = PartitionMemories(window), EventWriter(name("executions"), self.clock, owner_id)
        topics = InvocationTopics(
            executions=name("executions"), tool_results=name("tool-results"), ledger=name("ledger"), returned=name("intents.returned")
        )
        stage = InvocationStage(
            tool_calls=name("tool-calls"), topics=topics, partition_count=PARTITIONS, events=events, memory_of=memories.of
        )
        store = CredentialStore(self._folder / "credentials")
        connectors: dict[str, Connector] = {connector: Outside(connector, store) for connector in ("crm", "internal", "sandbox")}
        self._caller = Caller(connectors, writer, self.clock, meter, window.give_back, on_answer=permits.learn)
        desk = Desk(
            events=events,
            nonces=NonceMemory(owner_id.incarnation_id),
            window=window,
            gate=Gate(self._watch, self.clock, is_enabled=True, further=(permits.check,), is_held_further=permits.is_held),
            permits=permits,
            request_check=RequestCheck(lambda: self._registry, self.clock),
            caller=self._caller,
            writer=writer,
            clock=self.clock,
            meter=meter,
        )
        owner = Owner(stage.inputs, memories, desk, partition_count=PARTITIONS, tell=lambda condition, is_met: None)
        return self._loop(stage, owner, writer)


async def _breathe() -> None:
    for _ in range(30):
        await asyncio.sleep(0)
