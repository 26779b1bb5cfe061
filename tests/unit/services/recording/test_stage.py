from collections.abc import Sequence
from typing import Any, TypeVar

import pytest
from msgspec.structs import replace

from enact import ids
from enact.error_catalogue import error_info
from enact.errors import EnactError, ErrorCode, StateLostError
from enact.intent_records import APPROVED_AT
from enact.kafka.stage import DeadLetter
from enact.kafka.transport import Headers, OutRecord
from enact.records import codec
from enact.records.action_type import Compensation
from enact.records.control import CompensationRequest
from enact.records.enums import (
    CompensationStatus,
    CompensationStrategy,
    Effect,
    ErrorClass,
    LedgerType,
    NotificationKind,
    SignalType,
    Status,
    Step,
)
from enact.records.ledger import LedgerEntry, Notification
from enact.records.outcome import ActionOutcome, Signal
from enact.records.tool_result import ToolResult
from enact.registry import RegistryView
from services.recording.signal import InvalidEvidenceError, window_key
from services.recording.stage import RecordingStage, Topics
from tests.factories import (
    NOW_MS,
    TRACEPARENT,
    LogOfOne,
    MemoryState,
    in_record,
    make_action_type,
    make_ref,
    make_registry,
    make_result,
    make_verdict,
)

TOPICS = Topics(
    tool_results="results",
    outcomes="outcomes",
    signals="signals",
    ledger="ledger",
    notifications="notifications",
    compensations="compensations",
)
KEY = b"int-1"
R = TypeVar("R")
CONCLUDED = [Status.SUCCEEDED, Status.FAILED, Status.EXPIRED, Status.CANCELLED, Status.IN_DOUBT]
ON_ITS_WAY = [None, Status.PENDING, Status.EXECUTING, Status.RETRYING, Status.HELD]


def make_stage(registry: RegistryView | None = None) -> RecordingStage:
    return RecordingStage(TOPICS, registry=lambda: registry or make_registry())


def recorded(result: ToolResult, state: MemoryState | None = None, registry: RegistryView | None = None, **where: Any) -> Sequence[Any]:
    return make_stage(registry).decide(in_record("results", KEY, codec.encode(result), **where), state or MemoryState())


def failed(code: ErrorCode = ErrorCode.TOOL_REJECTED, **changes: Any) -> ToolResult:
    return make_result(make_verdict(Status.FAILED, error=error_info(code, "It said no."), **changes))


def of(effects: Sequence[Any], topic: str, cls: type[R]) -> list[R]:
    return [codec.decode(cls, effect.value or b"") for effect in effects if isinstance(effect, OutRecord) and effect.topic == topic]


def letters(effects: Sequence[Any]) -> list[DeadLetter]:
    return [effect for effect in effects if isinstance(effect, DeadLetter)]


class TestEnd:
    BEGAN = ((APPROVED_AT, b"%d" % (NOW_MS - 500)),)

    def ends(self, *results: ToolResult, headers: Headers = BEGAN) -> list[tuple[Status, int]]:
        told: list[tuple[Status, int]] = []
        stage = RecordingStage(TOPICS, registry=make_registry, on_end=lambda *end: told.append(end))
        log = LogOfOne(stage)
        for result in results:
            log.take(in_record("results", KEY, codec.encode(result), headers=headers))
        return told

    def test_an_ended_execution_is_told_once_with_when_it_began(self) -> None:
        assert self.ends(make_result(), make_result()) == [(Status.SUCCEEDED, NOW_MS - 500)]

    @pytest.mark.parametrize("status", [Status.HELD, Status.IN_DOUBT])
    def test_what_goes_on_has_no_end(self, status: Status) -> None:
        assert self.ends(make_result(make_verdict(status))) == []

    @pytest.mark.parametrize("headers", [(), ((APPROVED_AT, b""),), ((APPROVED_AT, b"-1"),), ((APPROVED_AT, b"now"),)])
    def test_without_a_beginning_there_is_no_duration(self, headers: Headers) -> None:
        assert self.ends(make_result(), headers=headers) == []


class TestOutcome:
    def test_a_success_is_recorded_with_everything_people_ask_for(self) -> None:
        effects = recorded(make_result(), headers=(TRACEPARENT,), partition=2)

        (outcome,) = of(effects, "outcomes", ActionOutcome)
        assert (outcome.status, outcome.version, outcome.generation, outcome.attempt_count) == (Status.SUCCEEDED, 17, 1, 1)
        assert outcome.external_object_refs == (make_ref(),)
        assert (outcome.started_at, outcome.completed_at) == (NOW_MS + 10, NOW_MS + 20)
        assert (outcome.tool_name, outcome.registry_version, outcome.action_type) == ("crm.create_task", 1, "CREATE_CRM_TASK")
        assert (outcome.error_code, outcome.compensation_status, outcome.decision_trace_id) == (None, CompensationStatus.NONE, "trace-1")
        assert effects[0].key == ids.key_of("acme", "int-1")
        assert {effect.partition for effect in effects} == {2}
        assert {effect.headers for effect in effects} == {(TRACEPARENT,)}

    def test_a_failure_is_recorded_with_its_class_code_and_sentence(self) -> None:
        (outcome,) = of(recorded(failed(ErrorCode.AUTH_REJECTED)), "outcomes", ActionOutcome)

        assert (outcome.error_class, outcome.error_code, outcome.error_message) == (ErrorClass.AUTH, "AUTH_REJECTED", "It said no.")

    @pytest.mark.parametrize("status", CONCLUDED)
    def test_every_conclusion_has_an_outcome(self, status: Status) -> None:
        (outcome,) = of(recorded(make_result(make_verdict(status))), "outcomes", ActionOutcome)

        assert outcome.status is status

    @pytest.mark.parametrize("status", ON_ITS_WAY)
    def test_what_is_on_its_way_has_no_outcome_no_signal_and_no_ledger_entry(self, status: Status | None) -> None:
        effects = recorded(make_result(make_verdict(status)))

        assert {effect.topic for effect in effects} <= {"notifications"}

    @pytest.mark.parametrize(
        ("status", "expected"),
        [
            (None, CompensationStatus.NONE),
            (Status.PENDING, CompensationStatus.PENDING),
            (Status.EXECUTING, CompensationStatus.PENDING),
            (Status.RETRYING, CompensationStatus.PENDING),
            (Status.HELD, CompensationStatus.PENDING),
            (Status.IN_DOUBT, CompensationStatus.IN_DOUBT),
            (Status.SUCCEEDED, CompensationStatus.COMPLETED),
            (Status.FAILED, CompensationStatus.FAILED),
            (Status.EXPIRED, CompensationStatus.FAILED),
            (Status.CANCELLED, CompensationStatus.FAILED),
        ],
    )
    def test_compensation_is_a_field_of_its_own_and_changes_nothing_else(self, status: Status | None, expected: CompensationStatus) -> None:
        result = make_result(compensate=make_verdict(status), step=Step.COMPENSATE)

        effects = recorded(result)

        (outcome,) = of(effects, "outcomes", ActionOutcome)
        assert (outcome.status, outcome.compensation_status) == (Status.SUCCEEDED, expected)
        assert [effect.topic for effect in effects] == ["outcomes"]


class TestVersions:
    def test_the_highest_version_is_the_last_one_published_whatever_order_results_arrive_in(self) -> None:
        log = LogOfOne(make_stage())
        results = [replace(make_result(), version=version) for version in (5, 9, 3, 9, 7)]

        for result in results:
            log.take(in_record("results", KEY, codec.encode(result)))

        versions = [codec.decode(ActionOutcome, record.value or b"").version for record in log.records]
        assert versions == [5, 9, 9]

    def test_a_lower_version_that_lands_later_is_answered_with_the_highest_again(self) -> None:
        log = LogOfOne(make_stage())
        high, low = (codec.encode(replace(make_result(), version=version)) for version in (9, 5))
        late = make_stage().decide(in_record("results", KEY, low), MemoryState())

        log.take(in_record("results", KEY, high))
        log.accept(effect for effect in late if isinstance(effect, OutRecord) and effect.topic == "outcomes")
        log.read_back()

        versions = [codec.decode(ActionOutcome, record.value or b"").version for record in log.records]
        assert versions == [9, 5, 9]
        assert log.records[0].value == log.records[2].value

    def test_the_outcome_of_an_equal_version_is_published_again(self) -> None:
        log = LogOfOne(make_stage())
        record = in_record("results", KEY, codec.encode(make_result()))

        log.take(record)
        log.take(record)

        assert len(log.records) == 2
        assert log.records[0].value == log.records[1].value

    def test_everything_but_the_outcome_is_sent_for_a_lower_version_too(self) -> None:
        log = LogOfOne(make_stage())
        log.take(in_record("results", KEY, codec.encode(replace(make_result(), version=20, event_id="event-20"))))

        sent = log.take(in_record("results", KEY, codec.encode(make_result())))

        assert sorted(effect.topic for effect in sent) == ["ledger", "signals"]

    def test_two_tenants_with_one_id_do_not_meet(self) -> None:
        log = LogOfOne(make_stage())

        log.take(in_record("results", KEY, codec.encode(replace(make_result(), version=9))))
        log.take(in_record("results", KEY, codec.encode(replace(make_result(), version=3, tenant_id="globex"))))

        assert len(log.records) == 2

    def test_replay_repeats_equal_bytes(self) -> None:
        results = [make_result(), failed(), make_result(make_verdict(Status.IN_DOUBT)), make_result(make_verdict(is_contradicted=True))]

        for result in results:
            assert recorded(result, offset=3) == recorded(result, offset=3)

    @pytest.mark.parametrize("value", [None, b"{broken"])
    def test_an_unreadable_outcome_stops_the_partition(self, value: bytes | None) -> None:
        with pytest.raises(EnactError):
            make_stage().fold(in_record("outcomes", KEY, value), MemoryState())


class TestLedgerAndSignal:
    @pytest.mark.parametrize(
        ("status", "ledger_type", "signal_type"),
        [
            (Status.SUCCEEDED, LedgerType.ACTION_EXECUTED, SignalType.ACTION_EXECUTED),
            (Status.FAILED, LedgerType.ACTION_FAILED, SignalType.ACTION_FAILED),
            (Status.EXPIRED, LedgerType.ACTION_FAILED, SignalType.ACTION_FAILED),
            (Status.CANCELLED, LedgerType.ACTION_FAILED, SignalType.ACTION_FAILED),
        ],
    )
    def test_each_ending_writes_its_ledger_entry_and_its_signal(
        self, status: Status, ledger_type: LedgerType, signal_type: SignalType
    ) -> None:
        error = None if status is Status.SUCCEEDED else error_info(ErrorCode.TOOL_REJECTED, "No.")
        result = make_result(make_verdict(status, error=error))

        effects = recorded(result, offset=8)

        (entry,), (signal,) = of(effects, "ledger", LedgerEntry), of(effects, "signals", Signal)
        assert (entry.type, entry.status, entry.version, entry.attempt) == (ledger_type, status, 17, 1)
        assert (entry.details["signal_id"], entry.details["status"]) == (signal.signal_id, status.value)
        assert (entry.external_object_refs, entry.error) == (result.execute.external_object_refs, error)
        assert (entry.at_ms, entry.source.offset) == (NOW_MS + 20, 8)
        assert signal.signal_id == ids.signal_id("acme", "account-1", "int-1", 1, signal_type)
        assert (signal.type, signal.window_key, signal.version) == (signal_type, "account-1-int-1", 17)
        assert (signal.ttl_days, signal.is_permanent) == (90, False)
        assert (signal.data.action_intent_id, signal.data.status) == ("int-1", status)
        assert (signal.data.error_code, signal.data.error_class) == ((error.code, error.error_class) if error else (None, None))
        assert signal.data.external_object_refs == result.execute.external_object_refs

    def test_in_doubt_is_recorded_and_signalled_to_nobody(self) -> None:
        effects = recorded(make_result(make_verdict(Status.IN_DOUBT)))

        assert [effect.topic for effect in effects] == ["outcomes", "notifications"]

    def test_ids_come_from_the_event_and_hold_no_offset_or_time(self) -> None:
        one, other = recorded(make_result(), offset=1), recorded(replace(make_result(), completed_at_ms=5), offset=99)
        third = recorded(replace(make_result(), event_id="event-18"))

        ids_of = [of(effects, "ledger", LedgerEntry)[0].entry_id for effects in (one, other, third)]

        assert ids_of[0] == ids_of[1] != ids_of[2]

    def test_a_contradicted_outcome_says_so_in_the_ledger_and_gives_a_new_signal(self) -> None:
        before = recorded(failed())
        after = recorded(replace(make_result(make_verdict(is_contradicted=True)), version=30, event_id="event-30"))

        assert [entry.type for entry in of(after, "ledger", LedgerEntry)] == [LedgerType.ACTION_EXECUTED, LedgerType.OUTCOME_CONTRADICTED]
        assert of(before, "signals", Signal)[0].signal_id != of(after, "signals", Signal)[0].signal_id
        assert [told.kind for told in of(after, "notifications", Notification)] == [NotificationKind.OUTCOME_CONTRADICTED]

    def test_an_ending_without_a_time_takes_the_records_own(self) -> None:
        result = replace(make_result(make_verdict(Status.EXPIRED)), started_at_ms=None, completed_at_ms=None)

        (entry,) = of(recorded(result, at_ms=NOW_MS + 77), "ledger", LedgerEntry)

        assert entry.at_ms == NOW_MS + 77

    def test_a_result_without_an_account_is_recorded_and_its_missing_signal_is_kept_for_a_person(self) -> None:
        effects = recorded(replace(make_result(), account_id=""))

        assert [effect.topic for effect in effects if isinstance(effect, OutRecord)] == ["outcomes", "ledger"]
        (kept,) = letters(effects)
        assert (kept.code, kept.exception_class) == (ErrorCode.FIELD_MISSING, "InvalidEvidenceError")

    @pytest.mark.parametrize(("account_id", "action_intent_id"), [("", "int-7781"), ("account-7781", ""), ("", "")])
    def test_a_window_key_needs_both_ids_and_the_message_shows_the_evidence_redacted(self, account_id: str, action_intent_id: str) -> None:
        with pytest.raises(InvalidEvidenceError) as raised:
            window_key(account_id, action_intent_id)

        assert f"a string of {len(account_id)} characters" in raised.value.message
        assert "7781" not in raised.value.message


class TestNotifications:
    @pytest.mark.parametrize(
        ("result", "kinds"),
        [
            (make_result(), []),
            (make_result(make_verdict(Status.CANCELLED)), []),
            (make_result(make_verdict(Status.PENDING)), []),
            (make_result(make_verdict(Status.HELD)), [NotificationKind.HELD]),
            (make_result(make_verdict(Status.EXPIRED)), [NotificationKind.EXPIRED]),
            (make_result(make_verdict(Status.IN_DOUBT)), [NotificationKind.IN_DOUBT]),
            (failed(ErrorCode.RETRIES_EXHAUSTED), [NotificationKind.RETRIES_EXHAUSTED]),
            (failed(ErrorCode.NOT_APPROVED), [NotificationKind.FAILED]),
            (make_result(make_verdict(Status.FAILED)), [NotificationKind.FAILED]),
            (make_result(make_verdict(is_contradicted=True)), [NotificationKind.OUTCOME_CONTRADICTED]),
        ],
    )
    def test_people_are_told_once_of_what_concerns_them(self, result: ToolResult, kinds: list[NotificationKind]) -> None:
        told = of(recorded(result), "notifications", Notification)

        assert [notification.kind for notification in told] == kinds
        for notification in told:
            assert notification.notification_id == ids.notification_id("acme", "int-1", notification.kind, "event-17")
            assert notification.text.startswith("exec-int-1 (CREATE_CRM_TASK): ")
            assert notification.at_ms == NOW_MS + 20


class TestCompensation:
    def registry(self, strategy: CompensationStrategy) -> RegistryView:
        return make_registry(make_action_type(compensation=Compensation(strategy=strategy, tool_name="crm.delete_task")))

    def partial(self) -> ToolResult:
        return failed(ErrorCode.PARTIAL_EFFECT, effect=Effect.PARTIAL, external_object_refs=(make_ref(),))

    def test_an_automatic_compensation_is_requested_for_effects_on_record(self) -> None:
        effects = recorded(self.partial(), registry=self.registry(CompensationStrategy.AUTOMATIC))

        (request,) = of(effects, "compensations", CompensationRequest)
        assert (request.tenant_id, request.action_intent_id, request.generation, request.registry_version) == ("acme", "int-1", 1, 1)
        assert request.refs == (make_ref(),)
        assert effects == recorded(self.partial(), registry=self.registry(CompensationStrategy.AUTOMATIC))

    @pytest.mark.parametrize("strategy", [CompensationStrategy.MANUAL, CompensationStrategy.NONE])
    def test_other_strategies_wait_for_a_person(self, strategy: CompensationStrategy) -> None:
        effects = recorded(self.partial(), registry=self.registry(strategy))

        assert of(effects, "compensations", CompensationRequest) == []

    @pytest.mark.parametrize("result", [failed(), make_result(), make_result(make_verdict(Status.IN_DOUBT))])
    def test_nothing_is_undone_without_a_failure_with_effects(self, result: ToolResult) -> None:
        effects = recorded(result, registry=self.registry(CompensationStrategy.AUTOMATIC))

        assert of(effects, "compensations", CompensationRequest) == []

    def test_an_unknown_version_is_kept_for_a_person_and_everything_else_goes_out(self) -> None:
        effects = recorded(self.partial(), registry=RegistryView([make_action_type(action_type="OTHER")]))

        assert [kept.code for kept in letters(effects)] == [ErrorCode.UNKNOWN_VERSION]
        assert len(of(effects, "outcomes", ActionOutcome)) == 1


class TestTrust:
    def test_without_its_state_the_stage_decides_nothing(self) -> None:
        with pytest.raises(StateLostError):
            make_stage().decide(in_record("results", KEY, codec.encode(make_result())), None)

    @pytest.mark.parametrize(
        ("key", "value", "code"),
        [
            (KEY, None, ErrorCode.NULL_VALUE),
            (KEY, b"{broken", ErrorCode.MALFORMED_RECORD),
            (b"int-2", codec.encode(make_result()), ErrorCode.KEY_MISMATCH),
        ],
    )
    def test_an_unreadable_result_is_a_dead_letter(self, key: bytes, value: bytes | None, code: ErrorCode) -> None:
        with pytest.raises(EnactError) as raised:
            make_stage().decide(in_record("results", key, value), MemoryState())

        assert raised.value.code is code


def test_whoever_published_it_an_outcome_is_folded_alike() -> None:
    publisher, reader = make_stage(), make_stage()
    (outcome,) = [
        one
        for one in publisher.decide(in_record("results", KEY, codec.encode(make_result())), MemoryState())
        if isinstance(one, OutRecord) and one.topic == "outcomes"
    ]
    read = in_record("outcomes", outcome.key, outcome.value)
    own, foreign = MemoryState(), MemoryState()

    assert publisher.fold(read, own) == reader.fold(read, foreign) == []
    assert own.values == foreign.values != {}
