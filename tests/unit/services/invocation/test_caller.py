"""The caller: each job once, each answer written, whatever the connector says."""

import asyncio
import threading
from collections import Counter

import pytest
from msgspec.structs import replace

from connectors.contract import CallResult
from enact.errors import AmbiguousError, DeliveryError, PermanentError, RejectedError
from enact.failpoints import Failpoint, hooked
from enact.kafka.transport import OutRecord, TopicPartition
from enact.metrics import ClaimResult, Metrics
from enact.records import Effect, ErrorClass, ExternalRef, Fact, Step
from enact.watchdog import MAX_SILENT_TICKS, ProgressWatchdog
from services.invocation import caller
from services.invocation.caller import Caller
from services.invocation.metering import InvocationMetrics
from services.invocation.publishing import publish_to
from tests.factories import make_ref
from tests.unit.services.invocation.fakes import APPLIED
from tests.unit.services.invocation.world import LOG, World


def test_a_hung_call_ends_unknown_after_its_timeout(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caller, "_TIMEOUT_SLACK_S", 0.0)
    world.use_tool(timeout_ms=1)
    world.publish(world.call())
    world.turn(2)
    world.hold_answer()
    world.calls()

    world.finish_calls()

    assert [fact.effect for fact in world.data(Fact)] == [Effect.UNKNOWN]


@pytest.mark.parametrize(
    "result",
    [
        CallResult(refs=(ExternalRef(system="crm", object_type="Task", object_id=17),), tool_run_ref=None, response=b""),  # type: ignore[arg-type]
        CallResult(refs=tuple(make_ref(object_id=f"{n:0200}") for n in range(9_000)), tool_run_ref=None, response=b""),
    ],
    ids=["not writable", "too large"],
)
def test_an_answer_that_cannot_be_written_whole_is_written_short(world: World, result: CallResult, monkeypatch: pytest.MonkeyPatch) -> None:
    """What happened must reach the log; its details need not."""
    monkeypatch.setattr(caller, "_REAPPEND_AFTER_S", 0)
    world.publish(world.call())
    world.connector.answers.append(result)

    world.settle()

    (fact,) = world.data(Fact)
    assert (fact.effect, fact.refs) == (Effect.APPLIED, ())
    assert world.statuses() == ["SUCCEEDED"]
    assert len(world.process.window) == 0


def test_a_refusal_with_a_huge_message_is_written_short(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caller, "_REAPPEND_AFTER_S", 0)
    world.publish(world.call())
    world.connector.answers.append(PermanentError("x" * 2_000_000))

    world.settle()

    assert world.statuses() == ["FAILED"]
    (fact,) = world.data(Fact)
    assert fact.error is not None
    assert fact.error.code == "TOOL_REJECTED"


def test_a_release_is_appended_again_until_it_is_acknowledged(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caller, "_REAPPEND_AFTER_S", 0)
    world.publish(world.call())
    world.turn()
    world.process.reader.revoke([TopicPartition("calls", 0), TopicPartition(LOG, 0)])
    world.broker.fail_next_deliveries(2)

    for _ in range(4):
        world.calls()

    assert world.types() == ["CLAIMED", "RELEASED"]
    assert len(world.process.window) == 0


def test_a_writer_that_refuses_at_once_is_asked_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caller, "_REAPPEND_AFTER_S", 0)
    world.publish(world.call())
    world.turn(2)
    send = world.process.writer.send
    left = [DeliveryError("The queue is full.")]

    def refuse_once(record: OutRecord, on_delivery: object = None) -> None:
        if left:
            raise left.pop()
        send(record, on_delivery)  # type: ignore[arg-type]

    monkeypatch.setattr(world.process.writer, "send", refuse_once)
    world.settle()

    assert world.types() == ["CLAIMED", "FACT"]


@pytest.mark.parametrize("failpoint", [Failpoint.AFTER_ANSWER, Failpoint.AFTER_SEND_BEFORE_FACT])
def test_an_unforeseen_error_after_a_call_leaves_its_answer_unknown_and_its_place_free(world: World, failpoint: Failpoint) -> None:
    met: list[Failpoint] = []

    def fail_once(passed: Failpoint) -> None:
        if passed is failpoint and not met:
            met.append(passed)
            raise RuntimeError("nobody foresaw this")

    world.publish(world.call())
    with hooked(fail_once):
        world.settle()
    world.clock.advance(60)
    world.settle()

    assert met == [failpoint]
    assert [fact.effect for fact in world.data(Fact)] == [Effect.UNKNOWN, Effect.APPLIED]
    assert world.statuses()[-1] == "SUCCEEDED"
    assert len(world.process.window) == 0


def test_a_compensation_calls_the_other_door(world: World) -> None:
    world.publish(world.call())
    world.settle()
    world.publish(replace(world.call(), step=Step.COMPENSATE, tool_name="crm.delete_task"))

    world.settle()

    assert [call.step for call in world.connector.compensated] == [Step.COMPENSATE]


def test_the_thread_makes_calls_and_closes_its_connectors(world: World) -> None:
    called = threading.Event()
    process = world.process
    running = Caller(world.connectors, process.writer, world.clock, process.meter, lambda _: called.set(), on_answer=lambda *_: None)
    running.close()
    running.start()
    running.append(OutRecord(LOG, 0, b"k", b"v"), "nonce")
    running.close()
    world.process.writer.poll()

    assert called.is_set()
    assert world.connector.is_closed


def test_a_process_whose_calls_are_stuck_is_ended_by_its_watchdog_and_one_that_calls_is_not(world: World) -> None:
    process = world.process
    running = Caller(world.connectors, process.writer, world.clock, process.meter, lambda _: None, on_answer=lambda *_: None)
    stuck, beating, go_on, ended = threading.Event(), threading.Event(), threading.Event(), list[int]()
    watchdog = ProgressWatchdog(lambda: running.beats, end=ended.append)

    def stick() -> None:
        stuck.set()
        go_on.wait(10)

    running.start()
    running._loop.call_soon_threadsafe(beating.set)
    assert beating.wait(10)
    for _ in range(3 * MAX_SILENT_TICKS):
        running.beats += 1
        watchdog.tick()
    assert ended == []

    running._loop.call_soon_threadsafe(stick)
    assert stuck.wait(10)
    for _ in range(MAX_SILENT_TICKS + 1):
        watchdog.tick()
    go_on.set()
    running.close()

    assert ended[0] == 70


def test_calls_of_the_shipped_connectors_are_counted_and_others_are_not() -> None:
    metrics = Metrics("invocation", connectors=("crm",))
    meter = InvocationMetrics(metrics)

    for word in ("applied", "not_applied", "partial", "unknown", "released"):
        meter.called("crm", word, 0.1)
    meter.called("somebody-elses", "applied", 0.1)
    meter.called("crm", "not_applied", 0.1, ErrorClass.RATE_LIMIT)

    text = metrics.exposition().decode()
    assert 'result="applied"' in text
    assert "somebody-elses" not in text
    assert 'enact_call_errors_total{connector="crm",error_class="RATE_LIMIT",stage="invocation"} 1.0' in text


def test_claims_and_the_state_of_a_turn_are_measured() -> None:
    metrics = Metrics("invocation", connectors=("crm",))
    meter = InvocationMetrics(metrics)

    meter.claimed(ClaimResult.STARTED, 0.25)
    meter.claimed(ClaimResult.LOST, 9.0)
    meter.turned(3, 1, 0.5, Counter(SWITCH=2, IN_DOUBT=1))
    meter.scheduled()

    lines = metrics.exposition().decode().splitlines()
    assert [line.rsplit(" ", 1)[1] for line in lines if line.startswith("enact_read_back_seconds_sum")] == ["0.25"]
    assert [line.rsplit(" ", 1)[1] for line in lines if line.startswith("enact_in_flight{")] == ["3.0"]
    assert [line.rsplit(" ", 1)[1] for line in lines if line.startswith("enact_switches_age_seconds{")] == ["0.5"]
    assert [line.rsplit(" ", 1)[1] for line in lines if line.startswith('enact_held{reason="SWITCH"')] == ["2.0"]
    assert [line.rsplit(" ", 1)[1] for line in lines if line.startswith("enact_in_doubt{")] == ["1.0"]
    assert [line.rsplit(" ", 1)[1] for line in lines if line.startswith("enact_retries_total{")] == ["1.0"]


async def test_an_internal_object_is_written_when_the_broker_says_so(world: World) -> None:
    publish = publish_to(LOG, world.process.writer, lambda _: 0)

    await publish(b"key", b"value")

    assert [(record.key, record.value) for record in world.broker.records(LOG)] == [(b"key", b"value")]


async def test_an_internal_object_without_an_acknowledgement_may_have_been_written(world: World) -> None:
    world.broker.fail_next_deliveries(1)

    with pytest.raises(AmbiguousError):
        await publish_to(LOG, world.process.writer, lambda _: 0)(b"key", b"value")


async def test_an_internal_object_that_is_too_large_was_not_written(world: World) -> None:
    with pytest.raises(RejectedError):
        await publish_to(LOG, world.process.writer, lambda _: 0)(b"key", bytes(2_000_000))


async def test_an_answer_after_the_caller_gave_up_is_heard_by_nobody(world: World) -> None:
    writer = world.process.writer
    writing = asyncio.ensure_future(publish_to(LOG, writer, lambda _: 0)(b"key", b"value"))
    await asyncio.sleep(0)
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing

    writer.poll()
    await asyncio.sleep(0)

    assert len(world.broker.records(LOG)) == 1


def test_facts_of_many_calls_go_to_the_broker_together(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caller, "_BUSY_CALLS", 2)
    monkeypatch.setattr(caller, "_GATHER_S", 3_600.0)
    held = [world.hold_answer() for _ in range(3)]
    world.publish(*(world.call(f"later-{n}") for n in range(3)))
    world.turn(2)
    world.calls()
    held[0].set_result(APPLIED)
    world.calls()
    assert world.data(Fact) == []

    for answer in held[1:]:
        answer.set_result(APPLIED)
        world.calls()
    assert len(world.data(Fact)) == 3  # one call is not many: its fact takes the others along


def test_a_gathered_fact_waits_no_longer_than_its_time(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caller, "_BUSY_CALLS", 1)
    world.publish(world.call())
    world.turn(2)

    world.finish_calls()
    world.process.caller._loop.run_until_complete(asyncio.sleep(0.02))

    assert len(world.data(Fact)) == 1
