"""Claim, read back, call: nothing starts before its claim was read in the log, and nothing starts twice."""

import pytest
from msgspec.structs import replace

from enact.errors import BrokerError, DeliveryError
from enact.execution import FOLD_VERSION
from enact.kafka.transport import Offset, TopicPartition
from enact.records import Claimed, Effect, Fact, FactSource, FoldVersionSet, Released
from tests.factories import TRACEPARENT
from tests.unit.services.invocation.conftest import MakeWorld
from tests.unit.services.invocation.fakes import APPLIED
from tests.unit.services.invocation.world import CALLS, LOG, RESULTS, STRANGER, World

BOTH = [TopicPartition(CALLS, 0), TopicPartition(LOG, 0)]


def test_a_clean_success_is_claimed_called_and_recorded(world: World) -> None:
    world.publish(world.call(), headers=(TRACEPARENT, ("ce_id", b"1")))

    world.settle()

    assert world.types() == ["CLAIMED", "FACT"]
    assert len(world.connector.calls) == 1
    assert world.connector.calls[0].traceparent == TRACEPARENT[1].decode()
    assert world.statuses() == ["SUCCEEDED"]
    assert world.entries_written() == ["ATTEMPT_CLAIMED", "ATTEMPT_CONCLUDED"]
    assert world.letters() == []
    assert world.process.meter.results == [("crm", "applied")]
    assert world.process.meter.claims == ["started"]

    world.clock.advance(0.5)
    world.turn()
    assert world.process.meter.gauges == (0, 0, 0.0)
    assert world.committed(CALLS) == 1
    assert world.committed(LOG) == 2


def test_no_call_starts_before_its_claim_is_read_back(world: World) -> None:
    world.publish(world.call())

    world.turn()
    world.calls()

    assert world.types() == ["CLAIMED"]
    assert world.connector.calls == []
    world.turn()
    world.calls()
    assert len(world.connector.calls) == 1


def test_the_events_of_an_execution_carry_its_trace(world: World) -> None:
    world.publish(world.call(), headers=(TRACEPARENT, ("ce_id", b"1")))

    world.settle()

    assert [record.headers for record in world.broker.records(LOG)] == [(TRACEPARENT,), (TRACEPARENT,)]


def test_a_claim_that_lost_the_race_in_the_log_makes_no_call(world: World) -> None:
    call = world.call()
    world.publish(call)
    others = Claimed(
        attempt=1, nonce="theirs", owner=STRANGER, request_digest=call.request_digest, effect_class=call.effect_class,
        max_attempts=5, lease_ms=15_000, fold_version=FOLD_VERSION,
    )  # fmt: skip
    world.turn()
    ours = world.broker.records(LOG)[0]
    log = world.broker._log(TopicPartition(LOG, 0))
    log.records.clear()
    world.append(others, call=call, subject=call)
    log.records.append(replace(ours, offset=Offset(1)))

    world.settle()

    assert world.connector.calls == []
    assert world.types() == ["CLAIMED", "CLAIMED"]
    assert world.process.meter.claims == ["lost"]
    assert len(world.process.window) == 0
    assert len(world.process.nonces) == 0


def test_a_claim_that_is_in_the_log_twice_starts_once(world: World) -> None:
    world.publish(world.call())
    world.turn()
    log = world.broker._log(TopicPartition(LOG, 0))
    log.records.append(replace(log.records[0], offset=Offset(1)))

    world.settle()

    assert len(world.connector.calls) == 1
    assert world.statuses() == ["SUCCEEDED"]


def test_a_second_event_with_the_nonce_of_a_valid_claim_changes_nothing(world: World) -> None:
    world.publish(world.call())
    world.turn()
    world.append(world.data(Claimed)[0])

    world.settle()

    assert len(world.connector.calls) == 1
    assert world.statuses() == ["SUCCEEDED"]


@pytest.mark.parametrize("is_stored", [False, True], ids=["lost", "in the log all the same"])
def test_a_claim_that_is_not_acknowledged_is_released_and_never_starts(world: World, is_stored: bool) -> None:
    world.publish(world.call())
    world.broker.fail_next_deliveries(1, is_stored=is_stored)

    world.turn()
    first = world.data(Claimed)[0].nonce if is_stored else None
    world.turn()
    world.calls()

    assert world.connector.calls == []
    assert len(world.data(Released)) == 1
    world.clock.advance(1)
    world.settle()
    assert len(world.connector.calls) == 1
    assert world.connector.calls[0].nonce != first
    assert world.data(Released)[0].nonce != world.connector.calls[0].nonce
    assert world.statuses() == ["SUCCEEDED"]


def test_a_claim_that_the_client_refuses_at_once_is_released_too(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.publish(world.call())
    with monkeypatch.context() as patch:
        world.prove_fresh()
        patch.setattr(world.process.writer, "send", _raise(DeliveryError("The queue is full.")))
        world.process.loop.turn()

    world.settle()

    assert [event.type.value for event in world.events()] == ["RELEASED", "CLAIMED", "FACT"]
    assert len(world.connector.calls) == 1


def test_a_producer_that_is_dead_ends_the_process(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.publish(world.call())
    world.prove_fresh()
    monkeypatch.setattr(world.process.writer, "send", _raise(BrokerError("Fenced.")))

    with pytest.raises(BrokerError):
        world.process.loop.turn()


def _raise(error: Exception) -> object:
    def send(*_: object) -> None:
        raise error

    return send


def test_a_revoke_and_an_assignment_during_a_call_start_nothing_again(world: World) -> None:
    world.publish(world.call())
    world.turn(2)
    world.calls()
    assert len(world.connector.calls) == 1

    world.process.reader.revoke(BOTH)
    world.process.reader.give(BOTH)
    world.settle()

    assert len(world.connector.calls) == 1
    assert world.statuses() == ["SUCCEEDED"]
    assert len(world.process.window) == 0


def test_a_claim_whose_partition_left_before_it_was_read_back_is_released(world: World) -> None:
    world.publish(world.call())
    world.turn()

    world.process.reader.revoke(BOTH)
    world.calls()

    assert world.types() == ["CLAIMED", "RELEASED"]
    world.process.reader.give(BOTH)
    world.turn(2)
    world.calls()
    assert world.connector.calls == []
    world.clock.advance(1)
    world.settle()
    assert len(world.connector.calls) == 1
    assert world.connector.calls[0].attempt == 2


def test_a_call_that_outlives_its_partition_says_late_what_it_learned(world: World) -> None:
    world.publish(world.call())
    world.turn(2)
    answer = world.hold_answer()
    world.calls()
    world.process.reader.lose(BOTH)

    answer.set_result(APPLIED)
    world.calls()

    assert [(fact.source, fact.effect) for fact in world.data(Fact)] == [(FactSource.LATE, Effect.APPLIED)]


def test_an_answer_for_a_lost_partition_is_no_call_when_it_had_not_begun(world: World) -> None:
    world.publish(world.call())
    world.turn(2)

    world.process.reader.lose(BOTH)
    world.calls()

    assert world.connector.calls == []
    assert [released.reason for released in world.data(Released)] == ["the partition is not ours"]


@pytest.mark.parametrize(("seconds", "is_called"), [(2.0, True), (2.1, False)])
def test_a_claim_that_is_read_back_too_late_is_not_called(world: World, seconds: float, is_called: bool) -> None:
    world.publish(world.call())
    world.turn()
    world.clock.advance(seconds)

    world.turn()
    world.calls()

    assert bool(world.connector.calls) is is_called
    assert bool(world.data(Released)) is not is_called


def test_another_fold_version_in_force_forbids_every_call(world: World) -> None:
    world.append(FoldVersionSet(version=FOLD_VERSION + 1), tenant_id="", action_intent_id="")
    world.publish(world.call())

    world.settle(3)

    assert world.connector.calls == []
    assert world.data(Released)[0].reason == "another fold version is in force"


def test_a_fold_version_is_remembered_across_a_restart(world: World) -> None:
    world.append(FoldVersionSet(version=FOLD_VERSION + 1), tenant_id="", action_intent_id="")
    world.turn()

    world.restart()
    world.turn()

    assert world.memory().fold_version == FOLD_VERSION + 1


def test_a_fact_is_matched_to_its_claim_by_nonce_and_not_by_attempt(world: World) -> None:
    world.publish(world.call())
    world.turn(2)
    world.append(Fact(attempt=1, nonce="somebody-elses", effect=Effect.NOT_APPLIED, source=FactSource.CALL))

    world.turn()

    assert world.fold().execute.open_attempt is not None
    assert world.statuses() == []
    world.calls()
    world.turn()
    assert world.statuses() == ["SUCCEEDED"]


def test_an_event_in_a_foreign_partition_is_appended_where_it_belongs(make_world: MakeWorld) -> None:
    world = make_world(partitions=2)
    world.publish(world.call("int-1"))
    world.turn()
    (record,) = world.broker.records(LOG)
    foreign = 1 - record.partition
    log = world.broker._log(TopicPartition(LOG, record.partition))
    world.broker._log(TopicPartition(LOG, foreign)).records.append(replace(record, partition=foreign))
    log.records.clear()

    world.settle()

    assert len(world.connector.calls) == 1
    assert {r.partition for r in world.broker.records(RESULTS)} == {record.partition}
    assert world.statuses() == ["SUCCEEDED"]
