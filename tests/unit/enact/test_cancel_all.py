"""Cancelling everything of a tenant: who gets a command, who does not, and what is told."""

from typing import Any

import pytest
from msgspec.structs import replace

from enact.cancel_all import CancelAll, CancelledAll
from enact.errors import BrokerError
from enact.execution import DAY_MS
from enact.kafka.transport import OutRecord
from enact.records import CancelRequested, EventType, ExecutionEvent, LedgerEntry, LedgerType, Status, Step
from enact.records.codec import decode
from tests.unit.enact.ledger_owner import ACCOUNT, PARTITIONS, TENANT, TOPICS, World, claimed, doubt, entry, started

NOW_MS = 1_790_000_000_000


def accepting(event: ExecutionEvent) -> LedgerEntry | None:
    """The owner of every partition: whatever it is asked, it accepts."""
    assert isinstance(event.data, CancelRequested)
    details = {"command_id": event.data.command_id, "result": "CANCELLED"}
    accepted = entry(LedgerType.CANCEL_ACCEPTED, version=50, cause=event.event_id, details=details)
    return replace(accepted, action_intent_id=event.action_intent_id)


class Everywhere(World):
    """Answers in every partition."""

    @property
    def events(self) -> list[ExecutionEvent]:
        records = [r for p in range(PARTITIONS) for r in self.broker.records(TOPICS.executions, p)]
        return sorted((decode(ExecutionEvent, r.value) for r in records if r.value is not None), key=lambda e: e.at_ms)


def give(world: World, **changes: Any) -> CancelledAll:
    doer = CancelAll(world.door)
    return doer.give(**{"tenant_id": TENANT, "reason": "the tenant asked", "timeout_s": 2.0, **changes})


def of(intent_id: str, *entries: LedgerEntry, **changes: Any) -> list[LedgerEntry]:
    return [replace(one, action_intent_id=intent_id, entry_id=f"{intent_id}-{number}", **changes) for number, one in enumerate(entries)]


def done(version: int = 9, status: Status = Status.SUCCEEDED, **changes: Any) -> LedgerEntry:
    return entry(LedgerType.ACTION_EXECUTED, version=version, status=status, **changes)


def asked(world: World) -> list[str]:
    return sorted(event.action_intent_id for event in world.events)


def test_whatever_has_not_ended_gets_one_command_in_its_own_partition() -> None:
    world = Everywhere(accepting)
    world.hold(*(one for n in range(40) for one in of(f"int-{n}", started(), claimed(1, version=3))))

    told = give(world)

    assert told == CancelledAll(accepted=40, refused=0, unanswered=0, left_alone=0)
    assert asked(world) == sorted(f"int-{n}" for n in range(40))
    event = world.events[0]
    assert (event.type, event.step, event.generation, event.actor) == (EventType.CANCEL_REQUESTED, Step.EXECUTE, 1, "cli:kim")
    assert event.first_ms == NOW_MS
    assert event.subject is not None
    assert (event.subject.account_id, event.subject.action_type, event.subject.is_full) == (ACCOUNT, "CREATE_CRM_TASK", False)
    assert len({event.event_id for event in world.events}) == 40
    assert all(reader.is_closed for reader in world.open_readers)


def test_what_ended_what_is_in_doubt_and_what_belongs_to_others_gets_none() -> None:
    world = Everywhere(accepting)
    world.hold(
        *of("ended", started(), done()),
        *of("doubt", started(), doubt(1, version=4)),
        *of("theirs", started(), tenant_id="globex"),
        *of("elsewhere", started(), account_id="acct-2"),
        *of("only-mapped", entry(LedgerType.TOOL_CALL_MAPPED)),
        *of("open", started()),
    )

    told = give(world, account_id=ACCOUNT)

    assert asked(world) == ["open"]
    assert told == CancelledAll(accepted=1, refused=0, unanswered=0, left_alone=1)


def test_an_execution_that_was_redriven_after_its_end_is_cancelled_in_its_new_generation() -> None:
    world = Everywhere(accepting)
    world.hold(*of("int-1", started(), done(status=Status.FAILED), replace(started(), generation=2)))

    give(world)

    (event,) = world.events
    assert event.generation == 2


def test_an_older_status_that_comes_late_does_not_hide_a_newer_one() -> None:
    world = Everywhere(accepting)
    world.hold(*of("int-1", started(), doubt(1, version=8), claimed(1, version=3)))

    assert give(world).left_alone == 1
    assert world.events == []


def test_what_a_compensation_does_says_nothing_about_the_action() -> None:
    world = Everywhere(accepting)
    world.hold(*of("int-1", started(), done(step=Step.COMPENSATE)))

    assert give(world).accepted == 1


def test_an_execution_too_old_for_the_fold_is_left_alone() -> None:
    world = Everywhere(accepting)
    world.hold(*of("int-1", started(), claimed(1, version=3, first_ms=world.clock.wall_ms() - 40 * DAY_MS)))

    assert give(world) == CancelledAll(accepted=0, refused=0, unanswered=0, left_alone=1)


def test_a_refused_command_and_one_without_an_answer_are_told_apart() -> None:
    def owner(event: ExecutionEvent) -> LedgerEntry | None:
        if event.action_intent_id == "silent":
            return None
        answer = accepting(event)
        return replace(answer, type=LedgerType.CANCEL_REFUSED) if answer is not None and event.action_intent_id == "late" else answer

    world = Everywhere(owner)
    world.hold(*of("silent", started()), *of("late", started()), *of("open", started()))

    assert give(world) == CancelledAll(accepted=1, refused=1, unanswered=1, left_alone=0)


def test_a_record_that_is_no_entry_is_passed_over() -> None:
    world = Everywhere(accepting)
    writer = world.broker.writer()
    writer.send(OutRecord(TOPICS.ledger, 0, b"x", b"nonsense"))
    writer.send(OutRecord(TOPICS.ledger, 0, b"x", None))
    writer.flush(1.0)
    world.hold(*of("open", started()))

    assert give(world).accepted == 1


def test_an_empty_ledger_asks_nothing_of_anybody() -> None:
    assert give(Everywhere(accepting)) == CancelledAll(accepted=0, refused=0, unanswered=0, left_alone=0)


def test_a_ledger_that_does_not_end_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    world = Everywhere(accepting)
    world.hold(*of("open", started()))
    monkeypatch.setattr("enact.cancel_all.READ_TIMEOUT_S", -1.0)
    monkeypatch.setattr("enact.cancel_all.MAX_RECORDS", 0)

    with pytest.raises(BrokerError, match="not read to its end"):
        give(world)
