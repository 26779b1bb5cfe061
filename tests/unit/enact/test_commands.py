"""Cancel and resolve: what is appended, where, and what the caller is told."""

from dataclasses import replace

import pytest

from enact.command_answers import Accepted, InDoubt, Recorded, TooLate
from enact.commands import CommandRefusedError, Commands, UnknownExecutionError
from enact.errors import BrokerError, DeliveryError
from enact.execution import DAY_MS
from enact.ids import key_of
from enact.kafka.transport import OutRecord
from enact.records import (
    CancelRequested,
    Effect,
    EventType,
    ExecutionEvent,
    ExternalRef,
    Fact,
    FactSource,
    LedgerEntry,
    LedgerType,
    Status,
    Step,
)
from enact.records.framing import framed_by, header_for
from tests.factories import SilentSchemaRegistry
from tests.unit.enact.ledger_owner import (
    ACCOUNT,
    INTENT,
    PARTITION,
    TENANT,
    TOPICS,
    Owner,
    World,
    claimed,
    concluded,
    doubt,
    entry,
    started,
)


def cancel_answer(type: LedgerType, result: str) -> Owner:
    def owner(event: ExecutionEvent) -> LedgerEntry | None:
        assert isinstance(event.data, CancelRequested)
        return entry(type, version=20, cause=event.event_id, details={"command_id": event.data.command_id, "result": result})

    return owner


def resolve_answer(type: LedgerType) -> Owner:
    def owner(event: ExecutionEvent) -> LedgerEntry | None:
        assert isinstance(event.data, Fact)
        details = {"command_id": event.data.command_id or "", "effect": event.data.effect.value}
        return entry(type, version=30 + event.data.attempt, attempt=event.data.attempt, cause=event.event_id, details=details)

    return owner


def cancel(world: World, **changes: object) -> object:
    arguments = {"tenant_id": TENANT, "action_intent_id": INTENT, "reason": "ordered by mistake", **changes}
    return world.commands.cancel(**arguments)  # type: ignore[arg-type]


def resolve(world: World, *, is_applied: bool, **changes: object) -> object:
    arguments = {"tenant_id": TENANT, "action_intent_id": INTENT, "reason": "seen in the CRM", **changes}
    return world.commands.resolve(is_applied=is_applied, **arguments)  # type: ignore[arg-type]


def test_a_cancel_is_appended_for_the_execution_that_the_caller_saw() -> None:
    world = World(cancel_answer(LedgerType.CANCEL_ACCEPTED, "CANCELLED"))
    world.hold(started(), claimed(1, version=3, first_ms=1_789_000_000_000), concluded(1, "NOT_APPLIED", version=4))

    answer = cancel(world)

    (event,) = world.events
    assert isinstance(event.data, CancelRequested)
    assert answer == Accepted(command_id=event.data.command_id, status=Status.CANCELLED, message="Cancelled: nothing was done.")
    assert (event.type, event.generation, event.step) == (EventType.CANCEL_REQUESTED, 1, Step.EXECUTE)
    assert event.first_ms == 1_789_000_000_000
    assert event.actor == "cli:kim"
    assert event.subject is not None
    assert (event.subject.account_id, event.subject.action_type, event.subject.is_full) == (ACCOUNT, "CREATE_CRM_TASK", False)
    assert world.broker.records(TOPICS.executions, PARTITION)[0].key == key_of(TENANT, INTENT)
    assert all(reader.is_closed for reader in world.open_readers)


def test_an_execution_that_never_had_an_event_is_cancelled_too() -> None:
    world = World(cancel_answer(LedgerType.CANCEL_ACCEPTED, "CANCELLED"))
    world.hold(started())

    answer = cancel(world)

    assert isinstance(answer, Accepted)
    assert world.events[0].first_ms is None


def test_a_cancel_during_a_call_says_that_the_call_decides() -> None:
    world = World(cancel_answer(LedgerType.CANCEL_ACCEPTED, "NO_LATER_CALL"))
    world.hold(started(), claimed(1, version=3))

    answer = cancel(world)

    assert isinstance(answer, Accepted)
    assert answer.status is Status.EXECUTING
    assert "decides" in answer.message


def test_a_cancel_after_the_end_is_too_late() -> None:
    world = World(cancel_answer(LedgerType.CANCEL_REFUSED, "SUCCEEDED"))
    world.hold(started(), claimed(1, version=3), entry(LedgerType.ACTION_EXECUTED, version=4, status=Status.SUCCEEDED))

    answer = cancel(world)

    assert isinstance(answer, TooLate)
    assert answer.status is Status.SUCCEEDED


def test_a_cancel_in_doubt_asks_for_a_person() -> None:
    world = World(cancel_answer(LedgerType.CANCEL_REFUSED, "IN_DOUBT"))
    world.hold(started(), claimed(1, version=3), doubt(1, version=4))

    answer = cancel(world)

    assert isinstance(answer, InDoubt)
    assert "resolve" in answer.message


def test_without_an_answer_in_time_it_is_recorded() -> None:
    world = World()
    world.hold(started())

    answer = cancel(world, timeout_s=3.0)

    assert isinstance(answer, Recorded)
    assert answer.message == (
        "Recorded: no claim appended after it is valid; "
        "a claim already in the log may still call unless its last look has folded the cancel."
    )
    assert len(world.events) == 1


def test_another_commands_answer_is_not_ours() -> None:
    world = World(lambda event: entry(LedgerType.CANCEL_ACCEPTED, version=9, details={"command_id": "another", "result": "CANCELLED"}))
    world.hold(started())

    answer = cancel(world, timeout_s=1.0)

    assert isinstance(answer, Recorded)


def test_an_answer_to_an_earlier_command_is_not_taken_for_this_ones() -> None:
    world = World(cancel_answer(LedgerType.CANCEL_REFUSED, "CANCELLED"))
    world.hold(started(), entry(LedgerType.CANCEL_ACCEPTED, version=2, details={"command_id": "earlier", "result": "CANCELLED"}))

    answer = cancel(world)

    assert isinstance(answer, TooLate)


@pytest.mark.parametrize(("tenant", "intent", "account"), [("other", INTENT, None), (TENANT, "int-2", None), (TENANT, INTENT, "acct-2")])
def test_an_execution_that_the_caller_cannot_see_gets_no_command(tenant: str, intent: str, account: str | None) -> None:
    world = World()
    world.hold(started())

    with pytest.raises(UnknownExecutionError, match="check the id"):
        cancel(world, tenant_id=tenant, action_intent_id=intent, account_id=account)

    assert all(not world.broker.records(TOPICS.executions, partition) for partition in range(4))
    assert all(reader.is_closed for reader in world.open_readers)


def test_a_dead_letter_alone_is_nothing_to_cancel() -> None:
    world = World()
    world.hold(entry(LedgerType.DEAD_LETTERED))

    with pytest.raises(UnknownExecutionError):
        cancel(world)


def test_an_execution_older_than_the_log_is_refused_with_the_reason() -> None:
    world = World()
    world.hold(started(), claimed(1, version=3, first_ms=world.clock.wall_ms() - 29 * DAY_MS), doubt(1, version=4))

    with pytest.raises(CommandRefusedError, match="29 days"):
        resolve(world, is_applied=True)

    assert world.events == []


def test_an_undecodable_neighbour_in_the_partition_is_passed_over() -> None:
    world = World(cancel_answer(LedgerType.CANCEL_ACCEPTED, "CANCELLED"))
    writer = world.broker.writer()
    writer.send(OutRecord(TOPICS.ledger, PARTITION, INTENT.encode(), b"\xc3\x01damaged"))
    writer.send(OutRecord(TOPICS.ledger, PARTITION, INTENT.encode(), None))
    world.hold(started())

    assert isinstance(cancel(world), Accepted)


def test_a_neighbour_whose_schema_cannot_be_asked_for_is_not_passed_over() -> None:
    world = World(cancel_answer(LedgerType.CANCEL_ACCEPTED, "CANCELLED"))
    world.hold(started())
    world.broker.writer().send(OutRecord(TOPICS.ledger, PARTITION, INTENT.encode(), header_for(7) + b"abc"))

    with framed_by(SilentSchemaRegistry()), pytest.raises(BrokerError, match="schema registry"):
        cancel(world)


def test_an_append_that_is_not_acknowledged_is_said_to_be_unknown() -> None:
    world = World()
    world.hold(started())
    world.broker.fail_next_deliveries(1, is_stored=True)

    with pytest.raises(DeliveryError):
        cancel(world)


def test_an_acknowledgement_from_another_partition_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    world.hold(started())
    writer = world.broker.writer()
    monkeypatch.setattr(writer, "send", lambda record, report: report(None, record.partition + 1, 0))
    world.commands = Commands(replace(world.door, writer=writer))

    with pytest.raises(DeliveryError, match="instead of"):
        cancel(world)


def test_a_broker_that_never_acknowledges_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    world.hold(started())
    writer = world.broker.writer()
    monkeypatch.setattr(writer, "send", lambda record, report: None)
    world.commands = Commands(replace(world.door, writer=writer))

    with pytest.raises(DeliveryError, match="twice does no harm"):
        cancel(world)


def test_a_ledger_that_cannot_be_read_to_its_end_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    world.hold(started())
    monkeypatch.setattr("tests.unit.enact.ledger_owner.AnsweringReader.take", _take_nothing)

    with pytest.raises(BrokerError, match="1 records are left"):
        cancel(world)


def _take_nothing(reader: object, max_records: int, wait_s: float) -> object:
    from enact.kafka.transport import Batch  # noqa: PLC0415

    reader._world.clock.advance(10.0)  # type: ignore[attr-defined]
    return Batch([], {})


def test_applied_is_a_fact_of_the_attempt_in_doubt() -> None:
    world = World(resolve_answer(LedgerType.DOUBT_RESOLVED))
    world.hold(started(), claimed(1, version=3), concluded(1, "UNKNOWN", version=4), doubt(1, version=4))
    ref = ExternalRef(system="crm", object_type="Task", object_id="00T9")

    answer = resolve(world, is_applied=True, refs=(ref,))

    assert isinstance(answer, Accepted)
    assert answer.status is Status.SUCCEEDED
    (event,) = world.events
    assert isinstance(event.data, Fact)
    assert (event.data.attempt, event.data.nonce) == (1, "nonce-1")
    assert (event.data.effect, event.data.source) == (Effect.APPLIED, FactSource.HUMAN)
    assert (event.data.refs, event.data.reason) == ((ref,), "seen in the CRM")


def test_not_applied_settles_every_attempt_in_doubt_each_with_its_own_nonce() -> None:
    world = World(resolve_answer(LedgerType.DOUBT_RESOLVED))
    world.hold(
        started(),
        claimed(1, version=3),
        concluded(1, "NOT_APPLIED", version=4),
        claimed(2, version=5),
        concluded(2, "UNKNOWN", version=6),
        claimed(3, version=7),
        concluded(3, "RELEASED", version=8),
        claimed(4, version=9),
        doubt(4, version=10),
    )

    answer = resolve(world, is_applied=False)

    assert isinstance(answer, Accepted)
    assert answer.status is Status.FAILED
    facts = [event.data for event in world.events]
    assert [(fact.attempt, fact.nonce, fact.effect) for fact in facts if isinstance(fact, Fact)] == [
        (2, "nonce-2", Effect.NOT_APPLIED),
        (4, "nonce-4", Effect.NOT_APPLIED),
    ]
    assert len({event.event_id for event in world.events}) == 2


def test_one_named_attempt_leaves_the_others_in_doubt() -> None:
    world = World(resolve_answer(LedgerType.DOUBT_RESOLVED))
    world.hold(started(), claimed(1, version=3), claimed(2, version=5), doubt(2, version=6))

    answer = resolve(world, is_applied=False, attempt=1)

    assert isinstance(answer, Accepted)
    assert answer.status is Status.IN_DOUBT
    assert "Another attempt" in answer.message
    assert len(world.events) == 1


def test_a_refused_not_applied_says_when_the_calls_time_is_over() -> None:
    world = World(resolve_answer(LedgerType.RESOLVE_REFUSED))
    world.hold(started(), claimed(1, version=3))

    answer = resolve(world, is_applied=False)
    world.clock.advance(60)
    later = resolve(world, is_applied=False)

    assert isinstance(answer, InDoubt)
    assert "in 15 s" in answer.message
    assert isinstance(later, InDoubt)
    assert "once the execution is IN_DOUBT" in later.message


def test_a_not_applied_after_success_is_too_late() -> None:
    world = World(resolve_answer(LedgerType.RESOLVE_REFUSED))
    world.hold(started(), claimed(1, version=3), entry(LedgerType.ACTION_EXECUTED, version=4, status=Status.SUCCEEDED))

    answer = resolve(world, is_applied=False, attempt=1)

    assert isinstance(answer, TooLate)


def test_applied_after_a_failure_contradicts_it() -> None:
    world = World(resolve_answer(LedgerType.OUTCOME_CONTRADICTED))
    world.hold(
        started(),
        claimed(1, version=3),
        concluded(1, "NOT_APPLIED", version=4),
        entry(LedgerType.ACTION_FAILED, version=4, status=Status.FAILED),
    )

    answer = resolve(world, is_applied=True)

    assert isinstance(answer, Accepted)
    assert answer.status is Status.SUCCEEDED


def test_resolving_without_an_answer_is_recorded() -> None:
    world = World()
    world.hold(started(), claimed(1, version=3), doubt(1, version=4))

    assert isinstance(resolve(world, is_applied=True, timeout_s=1.0), Recorded)


def test_there_is_nothing_to_resolve_before_a_call() -> None:
    world = World()
    world.hold(started())

    with pytest.raises(CommandRefusedError, match="No call was ever made"):
        resolve(world, is_applied=True)


def test_there_is_no_doubt_to_resolve_when_every_result_is_known() -> None:
    world = World()
    world.hold(started(), claimed(1, version=3), concluded(1, "NOT_APPLIED", version=4))

    with pytest.raises(CommandRefusedError, match="no doubt"):
        resolve(world, is_applied=False)
    with pytest.raises(CommandRefusedError, match="attempt 7"):
        resolve(world, is_applied=True, attempt=7)

    assert world.events == []
