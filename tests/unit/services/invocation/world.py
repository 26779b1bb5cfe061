"""Invocation as a whole, in one thread: real loop, stage, owner and caller on a broker in memory and a clock that is moved by hand.

A turn takes what there is; `calls` lets the connectors answer. Nothing happens in between, so a test decides every order.
"""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from msgspec.structs import replace

from connectors.contract import Call, CallResult, Connector
from enact.approval import ApprovalRules
from enact.clock import ManualClock
from enact.execution import FOLD_VERSION
from enact.execution_state import Execution
from enact.ids import key_of
from enact.kafka.local import LocalBroker, LocalReader, LocalWriter
from enact.kafka.loop_context import LoopContext
from enact.kafka.partitioner import partition_of
from enact.kafka.stage_loop import StageLoop
from enact.kafka.transport import Headers, InRecord, OutRecord, TopicPartition
from enact.mapping import map_intent
from enact.records import (
    EVENT_TYPES,
    Backoff,
    Claimed,
    EffectClass,
    EffectKind,
    EventData,
    ExecutionEvent,
    LedgerEntry,
    Refusal,
    Step,
    Switch,
    SwitchMode,
    SwitchState,
    ToolCall,
    ToolResult,
)
from enact.records import (
    Owner as ClaimOwner,
)
from enact.records.action_type import ActionType
from enact.records.codec import decode, encode
from enact.registry import RegistryView
from enact.switches import SwitchWatch
from services.invocation.breaker import BreakerRule, Breakers
from services.invocation.caller import Caller
from services.invocation.claims import Desk
from services.invocation.events import START_SLACK_MS, EventWriter
from services.invocation.gate import Gate
from services.invocation.limits import Limits
from services.invocation.limits_file import LimitsSource
from services.invocation.memory import PartitionMemories, PartitionMemory
from services.invocation.nonces import NonceMemory
from services.invocation.owner import Owner
from services.invocation.permits import Permits
from services.invocation.request_check import RequestCheck
from services.invocation.stage import InvocationStage
from services.invocation.topics import InvocationTopics
from services.invocation.window import Window
from tests.factories import NOW_MS, in_record, make_action_type, make_intent, make_registry, make_validated
from tests.unit.services.invocation.fakes import FakeConnector, Meter

CALLS, LOG, RESULTS, LEDGER, RETURNED, LETTERS, SWITCHES = "calls", "log", "results", "ledger", "returned", "letters", "switches"
GROUP = "enact.invocation"
UPSERT = EffectClass(kind=EffectKind.UPSERT, natural_key="Enact_Key__c")
IDEMPOTENT = EffectClass(kind=EffectKind.IDEMPOTENT, key_ttl_s=3_000)
LOOKUP = EffectClass(kind=EffectKind.LOOKUP, settle_ms=5_000)
ONCE = EffectClass(kind=EffectKind.NONE)
FORMER_LIFE = ClaimOwner(boot_id="boot-1", instance_id="instance-1", incarnation_id="former-life-of-this-instance")
STRANGER = ClaimOwner(boot_id="boot-2", instance_id="instance-2", incarnation_id="life-of-another-instance")

R = TypeVar("R")


@dataclass
class Process:
    """One life of an invocation process."""

    loop: StageLoop
    reader: LocalReader
    writer: LocalWriter
    owner: Owner
    caller: Caller
    memories: PartitionMemories
    watch: SwitchWatch
    nonces: NonceMemory
    window: Window
    permits: Permits
    gate: Gate
    meter: Meter = field(default_factory=Meter)


class World:
    """A broker, a connector, a registry, and one process at a time."""

    def __init__(self, folder: Path, *, partitions: int = 1, window: int = 500) -> None:
        self.clock = ManualClock(NOW_MS)
        self.broker = LocalBroker(self.clock)
        self.connector = FakeConnector()
        self.connectors: dict[str, Connector] = {"crm": self.connector}
        self.entries: tuple[ActionType, ...] = (make_action_type(backoff=Backoff(initial_ms=0)),)
        self.registry: RegistryView = make_registry(*self.entries)
        self.are_switches_reachable = True
        self.is_enabled = True
        self.approvals = ApprovalRules()
        self.window_size = window
        self.limits_file: Path | None = None
        self._folder, self._partitions, self._lives = folder, partitions, 0
        for topic in (CALLS, LOG, RESULTS, LEDGER, RETURNED, LETTERS):
            self.broker.create_topic(topic, partitions)
        self._switches = LocalBroker(self.clock)
        self._switches.create_topic(SWITCHES, 1)
        self.process = self._start("instance-1")

    # Life and death

    def _start(self, instance: str) -> Process:
        self._lives += 1
        owner_id = ClaimOwner(boot_id="boot-1", instance_id=instance, incarnation_id=f"life-{self._lives}-of-a-process")
        reader, writer, meter = self.broker.reader(GROUP), self.broker.writer(), Meter()
        watch = SwitchWatch(topic=SWITCHES, slot="invocation.0", writer=self._switches.writer(), clock=self.clock)
        for record in self._switches.records(SWITCHES):
            watch.on_record(record)
        limits = LimitsSource(self.limits_file)
        breakers = Breakers(BreakerRule(), self.clock, lambda low, high: 1.0)
        permits = Permits(breakers, Limits(limits.current, self.clock), limits, meter)
        window = Window(self.window_size, on_free=permits.give_back)
        memories = PartitionMemories(window)
        events = EventWriter(LOG, self.clock, owner_id)
        topics = InvocationTopics(executions=LOG, tool_results=RESULTS, ledger=LEDGER, returned=RETURNED)
        stage = InvocationStage(tool_calls=CALLS, topics=topics, partition_count=self._partitions, events=events, memory_of=memories.of)
        caller = Caller(self.connectors, writer, self.clock, meter, window.give_back, on_answer=permits.learn)
        nonces = NonceMemory(owner_id.incarnation_id)
        desk = Desk(
            events=events,
            nonces=nonces,
            window=window,
            gate=Gate(watch, self.clock, is_enabled=self.is_enabled, further=(permits.check,), is_held_further=permits.is_held),
            permits=permits,
            request_check=RequestCheck(lambda: self.registry, self.clock, self.approvals),
            caller=caller,
            writer=writer,
            clock=self.clock,
            meter=meter,
        )
        owner = Owner(stage.inputs, memories, desk, partition_count=self._partitions, tell=meter.conditions.__setitem__)
        context = LoopContext(
            reader=reader,
            writer=writer,
            clock=self.clock,
            meter=meter,
            health=meter,
            state_folder=self._folder / instance,
            dead_letter_topic=LETTERS,
        )
        loop = StageLoop(stage, context, owner)
        loop.start()
        return Process(
            loop=loop,
            reader=reader,
            writer=writer,
            owner=owner,
            caller=caller,
            memories=memories,
            watch=watch,
            nonces=nonces,
            window=window,
            permits=permits,
            gate=desk.gate,
            meter=meter,
        )

    def kill(self) -> None:
        """`kill -9`: nothing is committed, nothing appended; only what the kernel would free is freed."""
        for owned in self.process.loop._assignment.owned.values():
            owned.state.close()
        self.process.loop._assignment.owned.clear()

    def restart(self, *, instance: str = "instance-1") -> None:
        """Kill, and start again: the same instance directory, or another one without local state."""
        self.kill()
        self.process = self._start(instance)

    # What happens

    def turn(self, count: int = 1) -> None:
        """Rounds of the loop; the switches are proven fresh before each unless they cannot be reached."""
        for _ in range(count):
            if self.are_switches_reachable:
                self.prove_fresh()
            self.process.loop.turn()

    def calls(self) -> None:
        """Let the caller's tasks run until none can go on by itself; then serve delivery reports."""
        loop = self.process.caller._loop
        loop.run_until_complete(_breathe())
        self.process.writer.poll()

    def settle(self, rounds: int = 8) -> None:
        """Turns and answers until everything that is due has happened."""
        for _ in range(rounds):
            self.turn()
            self.calls()

    def finish_calls(self) -> None:
        """Wait, in real time, for every task of the caller."""
        caller = self.process.caller
        while caller._tasks:
            caller._loop.run_until_complete(_breathe())
        self.process.writer.poll()

    def hold_answer(self) -> "asyncio.Future[CallResult]":
        """The next call is sent and then waits for this answer."""
        answer: asyncio.Future[CallResult] = self.process.caller._loop.create_future()

        async def wait(_: Call) -> CallResult:
            return await answer

        self.connector.answers.append(wait)
        return answer

    def prove_fresh(self) -> None:
        self.process.watch.probe()
        for record in self._switches.records(SWITCHES)[-1:]:
            self.process.watch.on_record(record)

    def move_broker(self, seconds: float) -> ManualClock:
        """From now on the broker's clock, the one of the log and of the switches, is another one, so much ahead; negative: behind."""
        clock = ManualClock(self.clock.now_ms + round(seconds * 1000), self.clock.now_s)
        self.broker.clock = self._switches.clock = clock
        return clock

    def switch(self, state: SwitchState, *, scope: str = "global", engagement_id: str = "e-1", mode: SwitchMode = SwitchMode.HOLD) -> None:
        switch = Switch(
            scope=scope, engagement_id=engagement_id, state=state, mode=mode, actor="kim", reason="test", at_ms=self.clock.wall_ms()
        )
        self._switches.append(OutRecord(SWITCHES, 0, key_of(scope, engagement_id), encode(switch)))
        self.process.watch.on_record(self._switches.records(SWITCHES)[-1])

    # What is asked

    def use(self, *entries: ActionType) -> None:
        """The registry holds these."""
        self.entries, self.registry = entries, make_registry(*entries)

    def use_tool(self, **changes: Any) -> None:
        """The one tool of the registry, changed; its retries are due at once."""
        self.use(make_action_type(**{"backoff": Backoff(initial_ms=0), **changes}))

    def call(self, action_intent_id: str = "int-1", *, entry: ActionType | None = None, **intent: Any) -> ToolCall:
        """The call of an approved intent, as tool mapping makes it."""
        entry = entry or self.entries[0]
        made = make_intent(action_intent_id=action_intent_id, action_type=entry.action_type, **intent)
        return map_intent(make_validated(made, entry), entry)

    def publish(self, *calls: ToolCall, headers: Headers = (), partition: int | None = None) -> None:
        for call in calls:
            home = partition_of(call.action_intent_id, self._partitions)
            where = home if partition is None else partition
            self.broker.append(OutRecord(CALLS, where, call.action_intent_id.encode(), encode(call), headers))

    def home(self, action_intent_id: str) -> int:
        return partition_of(action_intent_id, self._partitions)

    def bare_subject(self) -> ToolCall:
        """What a command knows of this call."""
        return replace(self.call(), tool_name="", connector="", arguments="", request_digest="", intent="")

    def input_record(self, call: ToolCall, offset: int = 0) -> InRecord:
        return in_record(CALLS, call.action_intent_id.encode(), encode(call), offset=offset)

    def append(self, data: EventData, *, call: ToolCall | None = None, **changes: Any) -> None:
        """Somebody else appends an event about this call, without a subject unless one is given."""
        call = call or self.call()
        event = ExecutionEvent(
            tenant_id=call.tenant_id,
            action_intent_id=call.action_intent_id,
            generation=call.generation,
            step=call.step,
            event_id=f"event-{len(self.broker.records(LOG))}",
            type=EVENT_TYPES[type(data)],
            at_ms=self.clock.wall_ms(),
            actor="test",
            data=data,
        )
        event = replace(event, **changes)
        key = key_of(event.tenant_id, event.action_intent_id)
        self.broker.append(OutRecord(LOG, partition_of(event.action_intent_id, self._partitions), key, encode(event)))

    # What is seen

    def events(self, action_intent_id: str | None = None) -> list[ExecutionEvent]:
        found = [decode(ExecutionEvent, record.value or b"") for record in self.broker.records(LOG)]
        return [event for event in found if action_intent_id in (None, event.action_intent_id)]

    def data(self, cls: type[R]) -> list[R]:
        """What the events of one type say."""
        return [event.data for event in self.events() if isinstance(event.data, cls)]

    def types(self, action_intent_id: str | None = None) -> list[str]:
        return [event.type.value for event in self.events(action_intent_id)]

    def results(self) -> list[ToolResult]:
        return [decode(ToolResult, record.value or b"") for record in self.broker.records(RESULTS)]

    def statuses(self) -> list[str]:
        return [str(result.execute.status) for result in self.results()]

    def ledger(self) -> list[LedgerEntry]:
        return [decode(LedgerEntry, record.value or b"") for record in self.broker.records(LEDGER)]

    def entries_written(self) -> list[str]:
        return [entry.type.value for entry in self.ledger()]

    def letters(self) -> list[InRecord]:
        return self.broker.records(LETTERS)

    def letter_codes(self) -> list[str]:
        return [dict(letter.headers)["enact-error-code"].decode() for letter in self.letters()]

    def memory(self, partition: int = 0) -> PartitionMemory:
        return self.process.memories.by_partition[partition]

    def fold(self, call: ToolCall | None = None) -> Execution:
        """The execution as this process folded it."""
        call = call or self.call()
        found = self.memory(partition_of(call.action_intent_id, self._partitions)).store.get(key_of(call.tenant_id, call.action_intent_id))
        assert found is not None
        return found

    def committed(self, topic: str, partition: int = 0) -> int | None:
        self.clock.advance(1.1)
        self.turn()
        return self.broker.commits[GROUP].get(TopicPartition(topic, partition))


async def _breathe() -> None:
    for _ in range(30):
        await asyncio.sleep(0)


def a_claim(call: ToolCall, *, owner: ClaimOwner = STRANGER, nonce: str = "theirs", attempt: int = 1) -> Claimed:
    """Somebody else's claim for this call."""
    return Claimed(
        attempt=attempt,
        nonce=nonce,
        owner=owner,
        request_digest=call.request_digest,
        effect_class=call.effect_class,
        max_attempts=call.max_attempts,
        lease_ms=call.timeout_ms + START_SLACK_MS,
        fold_version=FOLD_VERSION,
    )


def refused_call(call: ToolCall, code: str = "MAPPING_FAILED") -> ToolCall:
    """A refusal in the place of a call."""
    return ToolCall(
        tenant_id=call.tenant_id,
        account_id=call.account_id,
        action_intent_id=call.action_intent_id,
        generation=call.generation,
        step=Step.EXECUTE,
        intent=call.intent,
        expires_at_epoch=call.expires_at_epoch,
        refusal=Refusal(code=code, message="No such field."),
    )
