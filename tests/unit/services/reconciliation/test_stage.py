"""The stage over its state on disk: what it sends, when, how often, at what pace, and what it remembers."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from enact.clock import ManualClock
from enact.errors import ErrorCode, ValidationError
from enact.execution import apply, verdict
from enact.ids import key_of
from enact.kafka.partitioner import partition_of
from enact.kafka.state import PartitionState
from enact.kafka.transport import OutRecord
from enact.metrics import Remedy
from enact.records import ExecutionEvent, Expired, LedgerType, Notification, NotificationKind, ReturnedIntent, Status
from enact.records.codec import decode, encode
from services.reconciliation.allowance import Allowance
from services.reconciliation.case import Case
from services.reconciliation.stage import ReconciliationStage
from tests.factories import in_record
from tests.unit.enact.event_factories import EXPIRES_S, START_MS, a_claim, a_tool_call
from tests.unit.services.reconciliation.said import BOUNDS, KEY, TENANT, TOPICS, Said, admitted, begun, entered, happened, told

OUTCOME = encode(told(Status.FAILED, 1).record)


class Desk:
    """A stage, one partition, and a clock."""

    def __init__(self, folder: Path, *, partitions: int = 1, per_s: int = 50, grace_s: float = 0) -> None:
        self.clock = ManualClock(START_MS)
        self.state = PartitionState(folder / "0", 0)
        self.remedies: list[Remedy] = []
        self._offsets: dict[str, int] = {}
        self.stage = ReconciliationStage(
            TOPICS,
            bounds=BOUNDS,
            clock=self.clock,
            allowance=Allowance(per_s, self.clock),
            partition_count=partitions,
            grace_s=grace_s,
            on_remedy=self.remedies.append,
        )

    def read(self, *said: Said) -> None:
        """One batch."""
        for one in said:
            offset = self._offsets.get(one.topic, 0)
            self._offsets[one.topic] = offset + 1
            self.stage.learn(one.in_record(offset), self.state)
        self.state.persist()

    def due(self) -> list[OutRecord]:
        """What is sent now, acknowledged and remembered."""
        sent = list(self.stage.due(self.state))
        self.state.persist()
        return sent

    def after(self, seconds: float) -> list[OutRecord]:
        self.clock.advance(seconds)
        return self.due()

    def live(self) -> "Desk":
        self.stage.on_live(0)
        return self

    def all_within(self, seconds: int, step_s: int = 30) -> list[OutRecord]:
        return [record for _ in range(seconds // step_s) for record in self.after(step_s)]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.state.close()


def returned(records: Iterable[OutRecord]) -> list[ReturnedIntent]:
    return [decode(ReturnedIntent, record.value or b"") for record in records if record.topic == TOPICS.returned]


def test_a_lost_intent_is_returned_as_the_same_generation_five_times_with_doubling_waits_then_a_person_is_told_once(desk: Desk) -> None:
    desk.live().read(*begun())
    sent: list[tuple[int, str]] = []

    for _ in range(1_000):
        sent += [((desk.clock.wall_ms() - START_MS) // 1000, record.topic) for record in desk.after(1)]

    assert sent == [(60, "returned"), (70, "returned"), (90, "returned"), (130, "returned"), (210, "returned"), (370, "told")]
    assert desk.remedies == [*[Remedy.RETURNED] * 5, Remedy.TOLD]


def test_what_is_returned_names_the_execution_its_generation_and_why(desk: Desk) -> None:
    desk.live().read(*begun())

    sent = desk.after(60)

    assert [(record.topic, record.partition, record.key) for record in sent] == [(TOPICS.returned, 0, b"intent-1")]
    assert returned(sent) == [ReturnedIntent(tenant_id=TENANT, action_intent_id="intent-1", generation=1, cause="RECONCILIATION")]


def test_what_a_person_is_told_has_one_id_and_says_where_to_look(desk: Desk) -> None:
    desk.live().read(*begun())

    [told_] = [decode(Notification, r.value or b"") for r in desk.all_within(900) if r.topic == TOPICS.notifications]

    assert (told_.kind, told_.tenant_id, told_.action_intent_id) == (NotificationKind.ANOMALY, TENANT, "intent-1")
    assert "exec-intent-1 (create_task)" in told_.text
    assert "tool-mapping" in told_.text


def test_at_the_deadline_expired_is_appended_with_what_the_admission_knows_and_it_counts(desk: Desk) -> None:
    desk.live().read(*begun())
    desk.all_within(900)

    desk.clock.now_ms = EXPIRES_S * 1000 + 30_000
    sent = desk.due()

    [record] = [record for record in sent if record.topic == TOPICS.executions]
    event = decode(ExecutionEvent, record.value or b"")
    assert (record.key, record.partition, event.first_ms, event.generation) == (KEY, 0, None, 1)
    assert event.subject is not None
    assert (event.subject.account_id, event.subject.expires_at_epoch, event.subject.is_full) == ("account-1", EXPIRES_S, False)
    assert verdict(apply(None, event, log_ms=EXPIRES_S * 1000 + 30_000).execute).status is Status.EXPIRED


def test_expired_for_an_execution_in_the_log_carries_its_beginning_and_no_second_subject(desk: Desk) -> None:
    desk.live().read(*begun(), happened(a_claim(), subject=a_tool_call()))
    desk.clock.now_ms = EXPIRES_S * 1000 + 30_000

    [record] = [record for record in desk.due() if record.topic == TOPICS.executions]

    event = decode(ExecutionEvent, record.value or b"")
    assert isinstance(event.data, Expired)
    assert (event.first_ms, event.subject, event.data.expires_at_epoch) == (START_MS, None, EXPIRES_S)


def test_expired_that_had_no_effect_is_another_event_the_next_time(desk: Desk) -> None:
    desk.live().read(*begun())
    desk.clock.now_ms = EXPIRES_S * 1000 + 30_000

    events = [decode(ExecutionEvent, r.value or b"") for r in [*desk.due(), *desk.all_within(900, 10)] if r.topic == TOPICS.executions]

    assert len({event.event_id for event in events}) == len(events) == 5


def test_the_same_lack_seen_by_another_process_gives_the_same_ids(tmp_path: Path) -> None:
    one, other = Desk(tmp_path / "one"), Desk(tmp_path / "other")
    found = []
    for desk in (one, other):
        desk.live().read(*begun())
        desk.clock.now_ms = EXPIRES_S * 1000 + 30_000
        found.append([(record.topic, record.key, record.value) for record in desk.due()])
        desk.state.close()

    assert found[0] == found[1]


def test_nothing_is_sent_before_the_partition_is_caught_up_and_the_grace_is_over(tmp_path: Path) -> None:
    desk = Desk(tmp_path, grace_s=100)
    desk.read(*begun())

    before = desk.all_within(3_000)
    desk.live()
    in_grace = desk.all_within(90)
    after = desk.after(10)

    assert (before, in_grace) == ([], [])
    assert len(returned(after)) == 1
    desk.state.close()


def test_a_thousand_lost_intents_are_returned_at_a_pace(tmp_path: Path) -> None:
    desk = Desk(tmp_path, per_s=20).live()
    for number in range(1_000):
        admission = admitted(action_intent_id=f"i-{number}").record
        desk.stage.learn(in_record("admissions", b"", encode(admission), offset=number, at_ms=START_MS), desk.state)
    desk.state.persist()
    desk.clock.advance(60)

    first = len(desk.due())
    per_second = [len(desk.after(1)) for _ in range(8)]

    assert first == 20
    assert per_second == [20] * 8
    desk.state.close()


def test_what_succeeded_keeps_eight_bytes_and_later_records_of_it_change_nothing(desk: Desk) -> None:
    desk.live().read(
        *begun(),
        happened(a_claim(), subject=a_tool_call()),
        told(Status.SUCCEEDED, 1),
        entered(LedgerType.ACTION_EXECUTED, 1),
    )

    desk.read(entered(LedgerType.ATTEMPT_CONCLUDED, 1), *begun())

    kept = desk.state.get(b"c" + KEY)
    assert kept is not None
    assert len(kept) == 8
    assert desk.all_within(3_600) == []


def test_more_executions_than_are_kept_in_memory_are_all_known(desk: Desk) -> None:
    many = [f"i-{number}" for number in range(600)]
    for one in many:
        value = encode(admitted(action_intent_id=one).record)
        desk.stage.learn(in_record("admissions", b"", value), desk.state)
    desk.state.persist()

    for one in many:
        entry = replace(entered(LedgerType.EXECUTION_STARTED).record, action_intent_id=one)
        desk.stage.learn(in_record("ledger", b"", encode(entry)), desk.state)
    desk.state.persist()

    kept = [decode_case(desk.state.get(b"c" + key_of(TENANT, one))) for one in many]
    assert {(case.admitted is not None, case.started) for case in kept} == {(True, 1)}
    assert len(list(desk.state.persisted_keys(b"d"))) == len(many)


def decode_case(kept: bytes | None) -> Case:
    return msgspec.msgpack.decode(kept or b"", type=Case)


def test_an_execution_is_forgotten_when_the_logs_forget_it(desk: Desk) -> None:
    desk.live().read(*begun(), told(Status.SUCCEEDED, 1), entered(LedgerType.ACTION_EXECUTED, 1))

    desk.after(30 * 86_400 + 1)

    assert desk.state.get(b"c" + KEY) is None
    assert list(desk.state.persisted_keys(b"d")) == []


def test_what_failed_and_was_told_is_forgotten_too(desk: Desk) -> None:
    desk.live().read(told(Status.FAILED, 1), entered(LedgerType.ACTION_FAILED, 1))

    desk.after(60)
    kept = desk.state.get(b"c" + KEY)
    desk.after(30 * 86_400)

    assert kept is not None
    assert desk.state.get(b"c" + KEY) is None
    assert list(desk.state.persisted_keys(b"d")) == []


def test_a_restart_remembers_how_often_it_was_tried(tmp_path: Path) -> None:
    desk = Desk(tmp_path).live()
    desk.read(*begun())
    first = desk.all_within(240, 10)
    desk.state.close()

    again = Desk(tmp_path).live()
    again.clock.now_ms = desk.clock.now_ms
    later = again.all_within(3_000, 10)

    assert len(returned(first)) + len(returned(later)) == 5
    assert again.remedies.count(Remedy.TOLD) == 1
    again.state.close()


def test_what_was_not_acknowledged_is_sent_again(desk: Desk) -> None:
    desk.live().read(*begun())
    desk.clock.advance(60)

    lost = desk.stage.due(desk.state)
    desk.state.discard()
    desk.stage.on_rewind(0)
    again = desk.due()

    assert [record.value for record in again] == [record.value for record in lost]
    assert len(again) == 1


def test_an_event_in_a_foreign_partition_is_nobodys_case_here(tmp_path: Path) -> None:
    partitions = next(count for count in range(2, 50) if partition_of("intent-1", count) != 0)
    desk = Desk(tmp_path, partitions=partitions).live()
    desk.read(happened(a_claim(), subject=a_tool_call()))

    assert desk.all_within(3_600) == []
    assert desk.state.get(b"c" + KEY) is None
    desk.state.close()


def test_what_validation_does_not_know_cannot_be_returned_a_person_is_told_at_once(desk: Desk) -> None:
    desk.live().read(happened(a_claim(), subject=a_tool_call()))

    sent = desk.all_within(600)

    assert [record.topic for record in sent] == [TOPICS.notifications]


def test_what_it_cannot_read_is_refused_and_what_is_no_execution_is_nothing(desk: Desk) -> None:
    desk.stage.learn(in_record("executions", key_of("", ""), b"fold version"), desk.state)

    for topic, key, value, code in (
        ("ledger", b"intent-1", None, ErrorCode.NULL_VALUE),
        ("outcomes", None, OUTCOME, ErrorCode.KEY_MISMATCH),
        ("executions", None, b"{}", ErrorCode.KEY_MISMATCH),
        ("admissions", b"", b"\xc3\x01", ErrorCode.MALFORMED_RECORD),
    ):
        with pytest.raises(ValidationError) as refused:
            desk.stage.learn(in_record(topic, key, value), desk.state)
        assert refused.value.code is code
