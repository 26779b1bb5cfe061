"""A batch taken again, a process killed between two steps: emissions are repeated; calls, timers and appends are not."""

from collections.abc import Callable

import pytest

from enact.errors import StateLostError, UnreachableError
from enact.failpoints import Failpoint, hooked
from enact.kafka.transport import NextOffset, OutRecord, TopicPartition
from enact.records import CancelRequested, Fact, FactSource, Released
from tests.factories import MemoryState
from tests.unit.services.invocation.conftest import MakeWorld
from tests.unit.services.invocation.world import CALLS, GROUP, LEDGER, LOG, RESULTS, World, refused_call


def once_at(failpoint: Failpoint, act: Callable[[], None]) -> Callable[[Failpoint], None]:
    """Act at the first passing of this boundary."""
    left = [failpoint]

    def passed(where: Failpoint) -> None:
        if where in left:
            left.remove(where)
            act()

    return passed


def test_a_rewind_never_starts_a_call_again(world: World) -> None:
    world.publish(world.call())
    world.turn()
    world.broker.fail_next_deliveries(1)

    with hooked(once_at(Failpoint.BEFORE_EMISSION_FLUSH, world.calls)):
        world.turn()
    world.settle()

    assert world.process.meter.rewinds == 1
    assert len(world.connector.calls) == 1
    assert world.types() == ["CLAIMED", "FACT"]
    assert world.statuses() == ["SUCCEEDED"]


def test_a_call_whose_claim_is_to_be_read_again_is_refused_at_its_last_look(world: World) -> None:
    world.publish(world.call())
    world.turn()
    world.broker.fail_next_deliveries(1)

    world.turn()
    world.calls()

    assert world.connector.calls == []
    assert [released.reason for released in world.data(Released)] == ["the execution is not in memory"]
    world.settle(2)
    world.clock.advance(1)
    world.settle()
    assert len(world.connector.calls) == 1
    assert world.statuses() == ["SUCCEEDED"]


def test_a_call_of_an_earlier_batch_goes_on_through_a_rewind(world: World) -> None:
    world.publish(world.call("int-1"))
    world.turn(2)
    world.publish(world.call("int-2"))
    world.turn()
    world.broker.fail_next_deliveries(1)

    world.turn()
    world.calls()

    assert [call.action_intent_id for call in world.connector.calls] == ["int-1"]


def test_a_rewind_repeats_emissions_with_the_same_ids(world: World) -> None:
    world.publish(world.call())
    world.turn(2)
    world.calls()
    world.broker.fail_next_deliveries(1, is_stored=True)

    world.settle()

    assert world.process.meter.rewinds == 1
    results = [record.value for record in world.broker.records(RESULTS)]
    concluded = [entry.entry_id for entry in world.ledger() if entry.type == "ATTEMPT_CONCLUDED"]
    assert len(results) == len(concluded) == 2
    assert len(set(results)) == len(set(concluded)) == 1


def test_an_append_whose_event_was_only_folded_in_a_failed_batch_is_not_made_again(world: World) -> None:
    """The mark that an append is under way may go only when the batch with its event is kept."""
    world.publish(world.call())
    world.connector.answers.append(UnreachableError("Refused."))
    world.turn(2)
    world.calls()
    world.turn()
    assert world.types() == ["CLAIMED", "FACT", "CLAIMED"]
    world.broker.fail_next_deliveries(1)

    world.turn()
    world.process.reader.pause([TopicPartition(LOG, 0)])
    world.turn(3)

    assert world.process.meter.rewinds == 1
    assert world.types() == ["CLAIMED", "FACT", "CLAIMED"]


def test_inputs_of_a_failed_batch_are_claimed_once(world: World) -> None:
    world.publish(world.call("int-1"), refused_call(world.call("int-2")))
    world.broker.fail_next_deliveries(1)

    world.turn()
    world.settle()

    assert world.process.meter.rewinds == 1
    assert world.types("int-1") == ["CLAIMED", "FACT"]
    assert [event.event_id for event in world.events("int-2")] == [world.events("int-2")[0].event_id]
    assert len(world.connector.calls) == 1


def test_a_refusal_that_was_stored_before_the_batch_failed_counts_once(world: World) -> None:
    world.publish(refused_call(world.call("int-2")))
    world.broker.fail_next_deliveries(1, is_stored=True)

    world.settle()

    assert world.types() == ["REFUSED", "REFUSED"]
    assert len({event.event_id for event in world.events()}) == 1
    assert world.statuses() == ["FAILED"]


def test_nothing_is_told_before_it_was_read_in_the_log(world: World) -> None:
    """Planted bug: emission from the decision, or from the answer of the call, instead of the log."""
    world.publish(refused_call(world.call("int-1")), world.call("int-2"))
    world.turn()
    world.process.reader.pause([TopicPartition(LOG, 0)])
    world.turn(2)
    assert world.types() == ["REFUSED", "CLAIMED"]
    assert [world.broker.records(topic) for topic in (RESULTS, LEDGER)] == [[], []]

    world.process.reader.resume([TopicPartition(LOG, 0)])
    world.turn()
    world.process.reader.pause([TopicPartition(LOG, 0)])
    world.calls()
    world.turn(2)

    assert world.types() == ["REFUSED", "CLAIMED", "FACT"]
    assert world.statuses() == ["FAILED"]


def test_a_crash_between_a_fact_and_its_emission_loses_no_result(world: World) -> None:
    world.publish(world.call())
    world.turn(2)
    world.calls()
    assert world.types() == ["CLAIMED", "FACT"]
    assert world.results() == []

    world.restart()
    world.settle()

    assert set(world.statuses()) == {"SUCCEEDED"}
    assert len({record.value for record in world.broker.records(RESULTS)}) == 1
    assert world.entries_written()[-1] == "ATTEMPT_CONCLUDED"
    assert len(world.connector.calls) == 1


@pytest.mark.parametrize(
    "failpoint",
    [
        Failpoint.AFTER_DECIDE,
        Failpoint.BEFORE_EMISSION_FLUSH,
        Failpoint.AFTER_EMISSION_FLUSH,
        Failpoint.BEFORE_STATE_WRITE,
        Failpoint.AFTER_STATE_WRITE,
    ],
)
def test_a_crash_while_the_fact_is_handled_loses_no_result(world: World, failpoint: Failpoint) -> None:
    world.publish(world.call())
    world.turn(2)
    world.calls()

    with pytest.raises(KeyboardInterrupt), hooked(once_at(failpoint, _die)):
        world.turn()
    world.restart()
    world.settle()

    assert set(world.statuses()) == {"SUCCEEDED"}
    assert len(world.connector.calls) == 1
    assert world.types() == ["CLAIMED", "FACT"]


def _die() -> None:
    raise KeyboardInterrupt


def test_a_process_without_its_local_state_folds_silently_and_gives_the_same_answers(world: World) -> None:
    world.publish(world.call())
    world.settle()
    world.committed(LOG)
    before = [len(world.broker.records(topic)) for topic in (LOG, RESULTS, LEDGER)]

    world.restart(instance="instance-2")
    world.turn(3)

    assert [len(world.broker.records(topic)) for topic in (LOG, RESULTS, LEDGER)] == before
    world.publish(world.call())
    world.settle()
    results = world.broker.records(RESULTS)
    assert results[-1].value == results[0].value
    assert len(world.connector.calls) == 1


def test_a_group_that_was_rewound_emits_again_and_calls_nothing(world: World) -> None:
    world.publish(world.call())
    world.settle()
    world.committed(LOG)
    world.turn()
    first = [record.value for record in world.broker.records(RESULTS)]
    world.kill()
    for topic in (CALLS, LOG):
        world.broker.commits[GROUP][TopicPartition(topic, 0)] = NextOffset(0)

    world.process = world._start("instance-1")
    world.settle()

    assert {record.value for record in world.broker.records(RESULTS)} == set(first)
    assert len(world.broker.records(RESULTS)) > len(first)
    assert len(world.connector.calls) == 1
    assert world.types() == ["CLAIMED", "FACT"]


def test_the_offset_of_an_input_stays_until_the_log_knows_it(world: World) -> None:
    world.are_switches_reachable = False
    world.publish(world.call())
    world.turn()

    assert world.committed(CALLS) == 0
    world.are_switches_reachable = True
    world.settle()
    assert world.committed(CALLS) == 1


def test_an_input_behind_one_that_waits_moves_nothing(world: World) -> None:
    world.registry = type(world.registry)()
    world.publish(world.call("int-1"))
    world.publish(refused_call(world.call("int-2")))
    world.settle()

    assert world.statuses() == ["FAILED"]
    assert world.committed(CALLS) == 0
    world.use(*world.entries)
    world.settle()
    assert world.committed(CALLS) == 2


def test_a_killed_process_whose_claim_is_not_folded_here_starts_from_its_input_again(world: World) -> None:
    world.publish(world.call())
    world.turn()

    world.restart()
    world.settle()

    assert len(world.connector.calls) == 1
    assert [fact.source for fact in world.data(Fact)] == [FactSource.TAKE_OVER, FactSource.CALL]
    assert world.statuses()[-1] == "SUCCEEDED"


def test_a_record_of_the_log_that_cannot_be_read_stops_its_partition(make_world: MakeWorld) -> None:
    world = make_world()
    world.publish(world.call())
    world.turn()
    world.broker.append(_rubbish())

    world.turn(2)
    world.calls()
    world.publish(world.call("int-3"))
    world.settle()

    assert world.connector.calls == []
    assert world.results() == []
    assert len(world.process.window) == 0


def test_a_tombstone_in_the_log_stops_its_partition(world: World) -> None:
    world.broker.append(_rubbish(None))
    world.publish(world.call())

    world.settle()

    assert world.connector.calls == []


def _rubbish(value: bytes | None = b"\xc3\x01rubbish") -> OutRecord:
    return OutRecord(LOG, 0, b"key", value)


def test_a_stage_without_its_own_state_refuses_to_decide(world: World) -> None:
    stage = world.process.loop._stage

    with pytest.raises(StateLostError, match="not folded here"):
        stage.decide(world.input_record(world.call()), None)
    with pytest.raises(StateLostError, match="own state on disk"):
        stage.decide(world.input_record(world.call()), MemoryState())


def test_a_cancel_between_the_claim_and_the_last_look_releases_and_cancels(world: World) -> None:
    world.publish(world.call())
    world.turn(2)
    world.append(CancelRequested(command_id="c", reason="stop"))
    world.turn()

    world.calls()
    world.settle(2)

    assert world.types() == ["CLAIMED", "CANCEL_REQUESTED", "RELEASED"]
    assert world.statuses() == ["CANCELLED"]
    assert world.connector.calls == []
