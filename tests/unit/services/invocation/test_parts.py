"""Small parts by themselves: the store's memory, inputs, nonces, and the wiring."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from enact.clock import SystemClock
from enact.errors import BrokerError
from enact.execution_state import Execution, Generation, StepState
from enact.health import HealthState
from enact.ids import key_of
from enact.kafka.local import LocalBroker, LocalWriter
from enact.kafka.state import PartitionState
from enact.kafka.transport import NextOffset, TopicPartition
from enact.log import get_logger
from enact.metrics import Metrics
from enact.records import Step
from enact.settings import load
from enact.stage_process import ProcessContext
from services.invocation import __main__ as wiring
from services.invocation import execution_store
from services.invocation.execution_store import CLAIM, ExecutionStore
from services.invocation.inputs import WaitingInputs
from services.invocation.nonces import NonceMemory
from services.invocation.settings import InvocationSettings
from tests.unit.enact.event_factories import a_tool_call
from topology.topics import topic_name

INPUT = TopicPartition("calls", 0)
ONE, TWO = (b"one", Step.EXECUTE), (b"two", Step.EXECUTE)


def test_an_input_moves_when_its_subject_is_known_and_not_before() -> None:
    inputs = WaitingInputs()
    for offset, subject in ((3, ONE), (4, TWO), (7, ONE)):
        inputs.add(INPUT, offset, subject, 1)
    inputs.add(INPUT, 9, ONE, 2)

    assert inputs.low_watermark(INPUT, NextOffset(10)) == 3
    inputs.settle(ONE, 1)
    assert inputs.low_watermark(INPUT, NextOffset(10)) == 4
    inputs.settle(TWO, 1)
    assert inputs.low_watermark(INPUT, NextOffset(10)) == 9
    inputs.settle(ONE, 2)
    inputs.settle(ONE, 2)
    assert inputs.low_watermark(INPUT, NextOffset(10)) == 10


def test_an_input_never_moves_past_what_was_kept() -> None:
    inputs = WaitingInputs()
    inputs.add(INPUT, 12, ONE, 1)

    assert inputs.low_watermark(INPUT, NextOffset(10)) == 10
    assert inputs.low_watermark(TopicPartition("other", 0), NextOffset(5)) == 5


def test_a_nonce_starts_once_or_is_given_up_once() -> None:
    nonces = NonceMemory("life-1-of-a-process")
    first, second = nonces.issue(0), nonces.issue(1)

    assert first != second
    assert nonces.waiting_in(1) == [second]
    assert nonces.start(first)
    assert not nonces.start(first)
    assert not nonces.give_up(first)
    assert nonces.give_up(second)
    assert not nonces.start(second)
    assert not nonces.start("somebody-elses")
    assert len(nonces) == 0


def test_the_store_forgets_the_oldest_but_never_what_is_in_flight(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execution_store, "_MAX_CACHED", 10)
    state = PartitionState(tmp_path / "0", 0)
    store = ExecutionStore(state, lambda: {b"k0"})
    state.before_persist = store.write

    for n in range(11):
        store.put(b"k%d" % n, None, _execution(n))
    assert store.peek(b"k1") is not None
    state.persist(NextOffset(1))
    store.keep_batch()

    assert store.peek(b"k0") is not None
    assert store.peek(b"k1") is None
    assert store.get(b"k1") == _execution(1)
    assert store.get(b"unknown") is None
    state.close()


def test_the_store_forgets_what_a_failed_batch_changed_and_nothing_else(tmp_path: Path) -> None:
    state = PartitionState(tmp_path / "0", 0)
    store = ExecutionStore(state, set)
    state.before_persist = store.write
    store.put(b"kept", None, _execution(1))
    state.persist(NextOffset(1))
    store.keep_batch()
    store.put(b"kept", _execution(1), replace(_execution(1), first_ms=7))
    store.put(b"new", None, _execution(2))

    state.discard()
    store.forget_batch()

    assert store.get(b"kept") == _execution(1)
    assert store.get(b"new") is None
    state.close()


def test_an_execution_is_written_once_for_a_batch_with_what_is_due_at_its_end(tmp_path: Path) -> None:
    state = PartitionState(tmp_path / "0", 0)
    store = ExecutionStore(state, set)
    state.before_persist = store.write
    key = key_of("acme", "int-1")
    waiting = _waiting(not_before_ms=500)

    store.put(key, None, _execution(1))
    store.put(key, _execution(1), waiting)
    state.persist(NextOffset(1))
    store.keep_batch()
    assert [entry.due_ms for entry in store.index.entries(CLAIM)] == [500]
    store.put(key, waiting, _waiting(not_before_ms=700))
    store.put(key, _waiting(not_before_ms=700), _waiting(not_before_ms=900))
    state.persist(NextOffset(2))

    assert [entry.due_ms for entry in store.index.entries(CLAIM)] == [900]
    assert ExecutionStore(state, set).get(key) == _waiting(not_before_ms=900)
    state.close()


def _waiting(*, not_before_ms: int) -> Execution:
    generation = replace(Generation(), subject=a_tool_call(), due_ms=not_before_ms)
    return replace(_execution(1), execute=replace(StepState(), generation=generation))


def _execution(number: int) -> Execution:
    return Execution(tenant_id="acme", action_intent_id=f"int-{number}", first_ms=0)


class Broker(LocalBroker):
    """Every topic of the topology, as the wiring expects it."""

    def __init__(self) -> None:
        super().__init__(SystemClock(), max_wait_s=0.05)
        for short in ("executions", "internal-objects", "tool-calls", "tool-results", "ledger", "intents.returned", "invocation.dlq"):
            self.create_topic(topic_name(short), 2)
        for short in ("switches", "registry"):
            self.create_topic(topic_name(short), 1)


def test_the_stage_is_wired_and_ends_with_everything_it_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop itself is stood in for: it is told to end when it begins."""
    broker = Broker()
    ran: list[object] = []

    class Loop:
        def run(self, stop: object) -> None:
            ran.append(stop)

    monkeypatch.setattr(wiring, "KafkaWriter", lambda _kafka, **_: LocalWriter(broker))
    monkeypatch.setattr(wiring, "LogReader", lambda _kafka: broker.log_reader())
    wired: dict[str, object] = {}

    def stage_loop(_context: object, stage: object, **parts: object) -> Loop:
        wired.update(parts, stage=stage)
        return Loop()

    monkeypatch.setattr(wiring, "stage_loop", stage_loop)
    settings = load(InvocationSettings, {"ENACT_DATA_DIR": str(tmp_path), "ENACT_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1"})
    health = HealthState(SystemClock())
    context = ProcessContext(
        name="invocation",
        settings=settings,
        metrics=Metrics("invocation", connectors=wiring.CONNECTORS),
        health=health,
        log=get_logger("invocation"),
        clock=SystemClock(),
    )

    invocation = wiring.Invocation(context)
    invocation.run(object())  # type: ignore[arg-type]

    assert len(ran) == 1
    assert (wired["group"], wired["dead_letter_topic"]) == ("enact.invocation", topic_name("invocation.dlq"))
    assert list(wired["active"].paused()) == []  # type: ignore[attr-defined]
    assert "switches are fresh" in health._conditions


def test_a_topic_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broker = LocalBroker()
    monkeypatch.setattr(wiring, "KafkaWriter", lambda _kafka, **_: LocalWriter(broker))
    settings = load(InvocationSettings, {"ENACT_DATA_DIR": str(tmp_path), "ENACT_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1"})
    context = ProcessContext(
        name="invocation",
        settings=settings,
        metrics=Metrics("invocation"),
        health=HealthState(SystemClock()),
        log=get_logger("invocation"),
        clock=SystemClock(),
    )

    with pytest.raises(BrokerError, match="internal-objects"):
        wiring.Invocation(context)
