"""Records that vanish between the real stages: reconciliation finds what they left behind, and the stages themselves repair it."""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from enact.kafka.loop_context import LoopContext
from enact.kafka.transport import OutRecord
from enact.kafka.watch_loop import WatchLoop
from enact.records import (
    ActionOutcome,
    EventType,
    ExecutionEvent,
    Expired,
    LedgerEntry,
    LedgerType,
    Notification,
    NotificationKind,
    ReturnedIntent,
    Status,
)
from enact.records.codec import decode
from services.reconciliation.allowance import Allowance
from services.reconciliation.bounds import Bounds
from services.reconciliation.repairs import Topics
from services.reconciliation.stage import ReconciliationStage
from tests.contract.stages.line import PARTITIONS, Line, name
from tests.hostile.case import LOST, REJECTED, fine
from tests.unit.services.invocation.fakes import Meter
from topology.stages import dead_letters

BOUNDS = Bounds(pending_ms=60_000, overdue_ms=60_000, told_ms=30_000, expiry_ms=30_000, back_off_ms=60_000)
HOUR_S = 3600
CONCLUSION = {Status.SUCCEEDED: LedgerType.ACTION_EXECUTED, Status.FAILED: LedgerType.ACTION_FAILED}

R = TypeVar("R")


class Lossy:
    """A line with reconciliation, whose losses are switched on and off."""

    def __init__(self, folder: Path) -> None:
        self.is_lost: Callable[[OutRecord], bool] = lambda _: False
        self.line = Line(folder, is_lost=self._is_lost)
        topics = Topics(
            admissions=name("admissions"),
            executions=name("executions"),
            ledger=name("ledger"),
            outcomes=name("outcomes"),
            returned=name("intents.returned"),
            notifications=name("notifications"),
        )
        clock = self.line.clock
        stage = ReconciliationStage(
            topics, bounds=BOUNDS, clock=clock, allowance=Allowance(50, clock), partition_count=PARTITIONS, grace_s=0
        )
        context = LoopContext(
            reader=self.line.broker.reader("reconciliation"),
            writer=self.line.broker.writer(),
            clock=clock,
            meter=Meter(),
            health=Meter(),
            state_folder=folder / "reconciliation",
            dead_letter_topic=name(dead_letters("reconciliation")),
        )
        self.line.watch(WatchLoop(stage, context))

        self._spent = False

    def once(self) -> bool:
        """True the first time it is asked."""
        self._spent, was_spent = True, self._spent
        return not was_spent

    def _is_lost(self, record: OutRecord) -> bool:
        return self.is_lost(record)

    def lose(self, *shorts: str, times: int = 1_000_000) -> None:
        """The next so many records of each of these topics vanish."""
        left = Counter({name(short): times for short in shorts})

        def is_lost(record: OutRecord) -> bool:
            if left[record.topic] <= 0:
                return False
            left[record.topic] -= 1
            return True

        self.is_lost = is_lost

    def publish(self, subject: str = "Call Kim", lifetime_s: int = 24 * 3600) -> None:
        """One intent."""
        now_s = self.line.clock.wall_ms() // 1000
        row = fine("lost", lambda ground: ground.intent(parameters_={"subject": subject}, expires_at_epoch=now_s + lifetime_s))
        self.line.publish([row.sample(1, now_s)])

    def all(self, short: str, kind: type[R]) -> list[R]:
        return [decode(kind, record.value or b"") for record in self.line.broker.records(name(short))]

    def outcome(self) -> ActionOutcome | None:
        return max(self.all("outcomes", ActionOutcome), key=lambda outcome: outcome.version, default=None)

    def returns(self) -> list[ReturnedIntent]:
        return self.all("intents.returned", ReturnedIntent)

    def entries(self) -> set[LedgerType]:
        return {entry.type for entry in self.all("ledger", LedgerEntry)}

    def claims(self) -> int:
        return sum(event.type is EventType.CLAIMED for event in self.all("executions", ExecutionEvent))

    def told(self, kind: NotificationKind) -> int:
        return len({one.notification_id for one in self.all("notifications", Notification) if one.kind is kind})


@pytest.fixture
def lossy(tmp_path: Path) -> Iterator[Lossy]:
    lossy = Lossy(tmp_path)
    yield lossy
    lossy.line.close()


def test_an_execution_that_ends_well_is_left_alone(lossy: Lossy) -> None:
    lossy.publish()

    lossy.line.pass_time(HOUR_S)

    outcome = lossy.outcome()
    assert outcome is not None
    assert outcome.status is Status.SUCCEEDED
    assert lossy.returns() == []
    assert lossy.told(NotificationKind.ANOMALY) == 0


@pytest.mark.parametrize(
    ("topics", "subject", "status"),
    [
        (("intents.validated",), "Call Kim", Status.SUCCEEDED),
        (("tool-calls",), "Call Kim", Status.SUCCEEDED),
        (("tool-results",), "Call Kim", Status.SUCCEEDED),
        (("outcomes",), "Call Kim", Status.SUCCEEDED),
        (("outcomes", "signals", "ledger"), "Call Kim", Status.SUCCEEDED),
        (("tool-results",), REJECTED, Status.FAILED),
        (("outcomes", "notifications"), REJECTED, Status.FAILED),
    ],
)
def test_what_vanished_once_is_there_in_the_end_and_nothing_was_called_twice(
    lossy: Lossy, topics: tuple[str, ...], subject: str, status: Status
) -> None:
    lossy.lose(*topics, times=1)
    lossy.publish(subject)

    lossy.line.pass_time(HOUR_S)

    outcome = lossy.outcome()
    assert outcome is not None
    assert outcome.status is status
    assert lossy.claims() == 1
    assert len(lossy.line.broker.records(name("signals"))) > 0
    assert {LedgerType.EXECUTION_STARTED, CONCLUSION[status]} <= lossy.entries()
    assert [returned.generation for returned in lossy.returns()] == [1]
    assert lossy.told(NotificationKind.ANOMALY) == 0


def test_a_ledger_whose_conclusion_vanished_is_completed(lossy: Lossy) -> None:
    lossy.is_lost = lambda record: (
        record.topic == name("ledger") and decode(LedgerEntry, record.value or b"").type is LedgerType.ACTION_EXECUTED and lossy.once()
    )
    lossy.publish()

    lossy.line.pass_time(HOUR_S)

    assert LedgerType.ACTION_EXECUTED in lossy.entries()
    assert len(lossy.returns()) == 1


def test_what_no_repair_helps_is_sent_again_five_times_and_told_once(lossy: Lossy) -> None:
    lossy.lose("intents.validated")
    lossy.publish(lifetime_s=20 * 24 * 3600)

    lossy.line.pass_time(24 * HOUR_S, 1_200)

    assert [returned.generation for returned in lossy.returns()] == [1] * 5
    assert lossy.told(NotificationKind.ANOMALY) == 1
    assert lossy.line.broker.records(name("executions")) == []


def test_an_intent_that_never_came_through_expires_with_everything_that_belongs_to_it(lossy: Lossy) -> None:
    lossy.lose("tool-calls")
    lossy.publish(lifetime_s=600)

    lossy.line.pass_time(HOUR_S)

    outcome = lossy.outcome()
    assert outcome is not None
    assert (outcome.status, outcome.account_id, outcome.action_type) == (Status.EXPIRED, "account-1", "CREATE_CRM_TASK")
    assert sum(isinstance(event.data, Expired) for event in lossy.all("executions", ExecutionEvent)) == 1
    assert lossy.told(NotificationKind.EXPIRED) == 1
    assert LedgerType.ACTION_FAILED in lossy.entries()
    assert lossy.told(NotificationKind.ANOMALY) == 0


def test_a_call_that_comes_after_reconciliation_expired_its_execution_is_not_made(lossy: Lossy) -> None:
    late: list[OutRecord] = []

    def is_late(record: OutRecord) -> bool:
        late.extend([record] if record.topic == name("tool-calls") else [])
        return record.topic == name("tool-calls")

    lossy.is_lost = is_late
    lossy.publish(lifetime_s=600)
    lossy.line.pass_time(HOUR_S)
    lossy.is_lost = lambda _: False

    for record in late:
        lossy.line.broker.append(record)
    lossy.line.pass_time(600)

    assert lossy.claims() == 0
    outcome = lossy.outcome()
    assert outcome is not None
    assert outcome.status is Status.EXPIRED


def test_a_refusal_that_vanished_is_refused_again_and_not_expired(lossy: Lossy) -> None:
    lossy.lose("tool-calls", times=1)
    now_s = lossy.line.clock.wall_ms() // 1000
    lossy.line.publish([fine("lost", lambda ground: ground.intent(action_type="NOBODY_KNOWS_IT")).sample(1, now_s)])

    lossy.line.pass_time(2 * HOUR_S)

    outcome = lossy.outcome()
    assert outcome is not None
    assert (outcome.status, outcome.error_code) == (Status.FAILED, "UNKNOWN_ACTION_TYPE")
    assert [returned.generation for returned in lossy.returns()] == [1]


def test_what_is_in_doubt_is_left_to_a_person(lossy: Lossy) -> None:
    now_s = lossy.line.clock.wall_ms() // 1000
    lasts_s = now_s + 9 * 86_400
    intent = fine("fire", lambda g: g.intent(action_type="SANDBOX_FIRE_ONCE", parameters_={"label": LOST}, expires_at_epoch=lasts_s))
    lossy.line.publish([intent.sample(1, now_s)])

    lossy.line.pass_time(6 * HOUR_S, 300)

    outcome = lossy.outcome()
    assert outcome is not None
    assert outcome.status is Status.IN_DOUBT
    assert lossy.returns() == []
    assert lossy.told(NotificationKind.ANOMALY) == 0
