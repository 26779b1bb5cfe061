import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeVar

import pytest

from enact import ids
from enact.clock import ManualClock
from enact.errors import EnactError, ErrorCode, StateLostError
from enact.kafka.partitioner import partition_of
from enact.kafka.stage import DeadLetter
from enact.kafka.transport import InRecord, OutRecord
from enact.records import codec
from enact.records.enums import Decision, LedgerType, Status, Step
from enact.records.intent import Admission, ApprovedIntent, Header, Original, ReturnedIntent, ValidatedIntent
from enact.records.ledger import LedgerEntry
from enact.records.tool_call import ToolCall
from enact.registry import RegistryView, entry_digest
from services.validation.checks import Limits
from services.validation.emission import Topics, admission_key
from services.validation.stage import ValidationStage
from tests.factories import (
    NOW_MS,
    NOW_S,
    TRACEPARENT,
    LogOfOne,
    MemoryState,
    in_record,
    intent_json_tree,
    make_action_type,
    make_approval,
    make_intent,
    make_registry,
)

TOPICS = Topics(approved="approved", returned="returned", admissions="admissions", validated="validated", tool_calls="calls", ledger="ledger")
KEY = b"int-1"
R = TypeVar("R")


class World:
    """One stage, one partition, a registry that can change and a clock that can move."""

    def __init__(self, partition_count: int = 1, limits: Limits | None = None) -> None:
        self.clock = ManualClock(NOW_MS)
        self.registry = make_registry()
        self.stage = ValidationStage(
            TOPICS, partition_count=partition_count, registry=lambda: self.registry, clock=self.clock, limits=limits
        )
        self.log = LogOfOne(self.stage)

    def publish(self, intent: ApprovedIntent | dict[str, Any] | bytes | None, *, key: bytes | None = KEY, **where: Any) -> list[Any]:
        return self.log.take(approved(intent, key=key, **where))

    def return_(self, returned: ReturnedIntent, *, key: bytes | None = KEY, **where: Any) -> list[Any]:
        return self.log.take(in_record("returned", key, codec.encode(returned), **where))

    def admissions(self) -> list[Admission]:
        return [codec.decode(Admission, record.value or b"") for record in self.log.records]


def approved(intent: ApprovedIntent | dict[str, Any] | bytes | None, *, key: bytes | None = KEY, **where: Any) -> InRecord:
    value = codec.encode(intent) if isinstance(intent, ApprovedIntent) else json.dumps(intent).encode() if isinstance(intent, dict) else intent
    return in_record("approved", key, value, **where)


def only(effects: Sequence[Any], topic: str, cls: type[R]) -> R:
    (record,) = [effect for effect in effects if isinstance(effect, OutRecord) and effect.topic == topic]
    return codec.decode(cls, record.value or b"")


def letter(effects: Sequence[Any]) -> DeadLetter:
    (found,) = [effect for effect in effects if isinstance(effect, DeadLetter)]
    return found


def topics(effects: Sequence[Any]) -> list[str]:
    return [effect.topic if isinstance(effect, OutRecord) else "dead letter" for effect in effects]


class TestAdmission:
    def test_a_valid_intent_is_admitted_with_the_version_pinned_and_the_execution_started(self) -> None:
        world = World()
        intent = make_intent()

        sent = world.publish(intent, offset=41)

        assert topics(sent) == ["validated", "ledger"]
        validated = only(sent, "validated", ValidatedIntent)
        assert validated.intent == intent
        assert (validated.generation, validated.admitted_at_ms, validated.intent_sha256) == (1, NOW_MS, ids.intent_sha256(intent))
        assert (validated.registry_version, validated.registry_digest) == (1, entry_digest(make_action_type()))
        assert validated.registry_offset == world.registry.next_offset
        started = only(sent, "ledger", LedgerEntry)
        assert (started.type, started.status, started.account_id) == (LedgerType.EXECUTION_STARTED, Status.PENDING, "account-1")
        assert (started.at_ms, started.source.offset, started.stage) == (NOW_MS, 41, "validation")
        assert started.version < 0
        assert all(effect.key == KEY and effect.partition == 0 for effect in sent)

    def test_the_ledger_says_who_approved_what_and_carries_no_parameters(self) -> None:
        sent = World().publish(make_intent(parameters='{"subject":"Tell nobody"}'))

        started = only(sent, "ledger", LedgerEntry)

        assert started.details == {
            "action_type": "CREATE_CRM_TASK",
            "target_type": "Account",
            "target_id": "001A",
            "approval_source": "HUMAN",
            "approved_by": "kim",
            "approved_at": str(NOW_S - 60),
            "approval_evidence": "FIELDS_PRESENT",
            "decision_id": "dec-1",
            "proposal_id": "prop-1",
            "decision_trace_id": "trace-1",
            "expires_at_epoch": str(NOW_S + 3600),
            "registry_version": "1",
            "intent_sha256": ids.intent_sha256(make_intent(parameters='{"subject":"Tell nobody"}')),
        }

    def test_nothing_is_sent_on_before_the_decision_is_read_back(self) -> None:
        world = World()

        effects = world.stage.decide(approved(make_intent()), world.log.state)

        assert topics(effects) == ["admissions"]
        assert world.log.state.values == {}

    def test_the_version_is_the_given_one_or_the_newest(self) -> None:
        world = World()
        world.registry = make_registry(make_action_type(), make_action_type(registry_version=2, created_at=NOW_S))

        newest = only(world.publish(make_intent()), "validated", ValidatedIntent)
        given = only(world.publish(make_intent(action_intent_id="int-2", registry_version=1), key=b"int-2"), "validated", ValidatedIntent)

        assert (newest.registry_version, given.registry_version) == (2, 1)

    def test_json_and_avro_of_one_intent_are_one_intent(self) -> None:
        world = World()

        first = world.publish(make_intent())
        again = world.publish(intent_json_tree())

        assert topics(first) == topics(again) == ["validated", "ledger"]
        assert len(world.log.records) == 1

    def test_the_trace_context_travels_with_everything_and_other_headers_do_not(self) -> None:
        world = World()

        sent = world.publish(make_intent(), headers=(TRACEPARENT, ("secret", b"x")))

        assert world.log.records[0].headers == (TRACEPARENT,)
        assert all(effect.headers == (TRACEPARENT,) for effect in sent)

    def test_the_same_id_of_two_tenants_are_two_executions(self) -> None:
        world = World()

        world.publish(make_intent())
        sent = world.publish(make_intent(tenant_id="globex"))

        assert topics(sent) == ["validated", "ledger"]
        assert len(world.log.records) == 2


class TestDeadLetterOnly:
    @pytest.mark.parametrize(
        "value, key, code",
        [
            (None, KEY, ErrorCode.NULL_VALUE),
            (b"", KEY, ErrorCode.MALFORMED_RECORD),
            (b"hello", KEY, ErrorCode.MALFORMED_RECORD),
            (b"{broken", KEY, ErrorCode.MALFORMED_RECORD),
            (b"\xc3\x01\x00", KEY, ErrorCode.MALFORMED_RECORD),
            (b"\xc3\x01" + b"\x07" * 20, KEY, ErrorCode.UNKNOWN_SCHEMA),
            (b"\x00\x00\x00\x00\x01abc", KEY, ErrorCode.UNKNOWN_SCHEMA),
            (codec.encode(make_intent()), b"int-2", ErrorCode.KEY_MISMATCH),
            (codec.encode(make_intent()), None, ErrorCode.KEY_MISMATCH),
            (codec.encode(make_intent(tenant_id="")), KEY, ErrorCode.FIELD_MISSING),
            (codec.encode(make_intent(tenant_id="a b")), KEY, ErrorCode.FIELD_MISSING),
            (codec.encode(make_intent(action_intent_id="")), b"", ErrorCode.FIELD_MISSING),
            (codec.encode(make_intent(action_intent_id="x" * 129)), b"x" * 129, ErrorCode.FIELD_MISSING),
        ],
    )
    def test_what_has_no_readable_identity_is_kept_and_starts_nothing(self, value: bytes | None, key: bytes | None, code: ErrorCode) -> None:
        world = World()

        sent = world.publish(value, key=key, headers=(("h", b"1"),))

        kept = letter(sent)
        assert len(sent) == 1
        assert kept.code is code
        assert kept.original == Original(key=key, value=value, headers=(Header(name="h", value=b"1"),))
        assert world.log.records == []

    @pytest.mark.parametrize("field", ["tenant_id", "action_intent_id"])
    def test_json_without_an_identity_is_a_dead_letter_only(self, field: str) -> None:
        tree = intent_json_tree()
        del tree[field]

        sent = World().publish(tree)

        assert (topics(sent), letter(sent).code) == (["dead letter"], ErrorCode.FIELD_MISSING)

    def test_an_intent_above_the_limit_is_refused_before_it_is_decoded(self, monkeypatch: pytest.MonkeyPatch) -> None:
        world = World(limits=Limits(max_intent_bytes=100))
        monkeypatch.setattr(codec, "decode", lambda *_: pytest.fail("it was decoded"))

        sent = world.publish(b"{" + b"x" * 100)

        assert letter(sent).code is ErrorCode.INTENT_TOO_LARGE
        assert letter(sent).message == "The intent has 101 bytes, allowed are 100."

    def test_an_intent_at_the_limit_is_read(self) -> None:
        size = len(codec.encode(make_intent()))

        assert topics(World(limits=Limits(max_intent_bytes=size)).publish(make_intent())) == ["validated", "ledger"]
        assert topics(World(limits=Limits(max_intent_bytes=size - 1)).publish(make_intent())) == ["dead letter"]

    def test_an_unknown_field_is_refused(self) -> None:
        sent = World().publish(intent_json_tree() | {"surprise": 1})

        assert letter(sent).code is ErrorCode.MALFORMED_RECORD


class TestRefusal:
    def test_a_refusal_goes_down_the_pipeline_with_its_ledger_entry_and_dead_letter(self) -> None:
        world = World()
        intent = make_intent(status="REJECTED")

        sent = world.publish(intent, headers=(("h", b"1"),))

        assert topics(sent) == ["calls", "ledger", "dead letter"]
        call = only(sent, "calls", ToolCall)
        assert call.refusal is not None
        assert (call.refusal.code, call.step, call.generation, call.is_full) == ("NOT_APPROVED", Step.EXECUTE, 1, True)
        assert (call.account_id, call.action_type, call.expires_at_epoch) == ("account-1", "CREATE_CRM_TASK", intent.expires_at_epoch)
        assert ids.intent_from_json(call.intent) == intent
        assert (call.tool_name, call.arguments, call.decision_trace_id) == ("", "", "trace-1")
        entry = only(sent, "ledger", LedgerEntry)
        assert (entry.type, entry.status) == (LedgerType.INTENT_REFUSED, Status.PENDING)
        assert entry.error is not None
        assert entry.error.code == "NOT_APPROVED"
        assert entry.details["approved_by"] == "kim"
        kept = letter(sent)
        assert (kept.code, kept.generation) == (ErrorCode.NOT_APPROVED, 1)
        assert kept.original == Original(key=KEY, value=codec.encode(intent), headers=(Header(name="h", value=b"1"),))

    def test_an_expired_intent_is_refused_without_a_dead_letter(self) -> None:
        sent = World().publish(make_intent(expires_at_epoch=NOW_S))

        call = only(sent, "calls", ToolCall)
        assert topics(sent) == ["calls", "ledger"]
        assert call.refusal is not None
        assert call.refusal.code == "DEADLINE_PASSED"

    @pytest.mark.parametrize("field", ["account_id", "action_type", "target", "parameters", "expires_at_epoch", "status", "approval"])
    def test_each_missing_required_field_is_refused_by_name(self, field: str) -> None:
        tree = intent_json_tree()
        del tree[field]

        sent = World().publish(tree)

        call = only(sent, "calls", ToolCall)
        assert call.refusal is not None
        assert call.refusal.code == "FIELD_MISSING"
        assert field in call.refusal.message
        assert letter(sent).code is ErrorCode.FIELD_MISSING

    @pytest.mark.parametrize(
        "parameters, code",
        [
            ("[1]", "PARAMETERS_INVALID"),
            ("not json", "PARAMETERS_INVALID"),
            ('{"a":1,"a":2}', "PARAMETERS_INVALID"),
            ('{"a":9007199254740993}', "NUMBER_NOT_EXACT"),
            ('{"a":NaN}', "NUMBER_NOT_EXACT"),
        ],
    )
    @pytest.mark.parametrize("wire", ["avro", "json"])
    def test_bad_parameters_fail_the_execution_in_json_and_in_avro(self, parameters: str, code: str, wire: str) -> None:
        avro = codec.encode(make_intent(parameters=parameters))
        value = avro if wire == "avro" else json.dumps(intent_json_tree() | {"parameters": parameters}).encode()

        sent = World().publish(value)

        call = only(sent, "calls", ToolCall)
        assert call.refusal is not None
        assert call.refusal.code == code
        assert (call.tenant_id, call.account_id, call.expires_at_epoch) == ("acme", "account-1", NOW_S + 3600)
        assert letter(sent).original is not None

    def test_replay_repeats_a_refusal_and_never_decides_it_again(self) -> None:
        world = World()
        first = world.publish(make_intent(action_type="NOT_YET_KNOWN"))
        world.registry = make_registry(make_action_type(action_type="NOT_YET_KNOWN"))

        again = world.publish(make_intent(action_type="NOT_YET_KNOWN"))

        assert again == [effect for effect in first if isinstance(effect, OutRecord)]
        assert len(world.log.records) == 1

    def test_approval_given_later_does_not_turn_a_refusal(self) -> None:
        world = World()
        world.publish(make_intent(status="PENDING"))

        again = world.publish(make_intent(status="APPROVED"))

        assert topics(again) == ["calls", "ledger"]


class TestIdempotency:
    def test_a_duplicate_sends_the_same_bytes_again_from_state_and_appends_nothing(self) -> None:
        world = World()
        first = world.publish(make_intent())
        world.clock.advance(3_000_000)
        world.registry = RegistryView()

        again = world.publish(make_intent(approval=make_approval(approved_by="somebody else")), offset=7)

        assert again == first
        assert len(world.log.records) == 1

    @pytest.mark.parametrize(
        "change",
        [
            {"parameters": '{"subject":"Pay"}'},
            {"account_id": "account-2"},
            {"expires_at_epoch": NOW_S + 60},
            {"registry_version": 1},
        ],
    )
    def test_the_same_id_with_another_content_is_kept_and_changes_nothing(self, change: dict[str, Any]) -> None:
        world = World()
        world.publish(make_intent())
        before = dict(world.log.state.values)

        sent = world.publish(make_intent(**change))

        assert (topics(sent), letter(sent).code) == (["dead letter"], ErrorCode.INTENT_ID_REUSED)
        assert world.log.state.values == before

    def test_a_damaged_intent_is_compared_by_its_bytes(self) -> None:
        world = World()
        damaged = intent_json_tree()
        del damaged["target"]
        world.publish(damaged)

        same, other = world.publish(damaged), world.publish(damaged | {"decision_trace_id": "other"})

        assert topics(same) == ["calls", "ledger"]
        assert letter(other).code is ErrorCode.INTENT_ID_REUSED

    def test_of_two_decisions_in_the_log_the_first_wins_and_is_put_last(self) -> None:
        world = World()
        first = approved(make_intent(), offset=1)
        second = approved(make_intent(), offset=2)

        sent = world.log.take(first, second)

        assert topics(sent) == ["validated", "ledger"]
        assert only(sent, "ledger", LedgerEntry).source.offset == 1
        values = [record.value for record in world.log.records]
        assert len(values) == 3
        assert values[0] == values[2] != values[1]
        assert world.log.state.values == {world.log.records[0].key: values[0]}

    def test_the_first_in_the_log_wins_whoever_decided_first(self) -> None:
        world, other = World(), World()
        other.registry = RegistryView()
        refused = other.stage.decide(approved(make_intent(), offset=1), MemoryState())
        admitted = world.stage.decide(approved(make_intent(), offset=1), MemoryState())

        world.log.accept(refused)
        world.log.accept(admitted)
        sent = world.log.read_back()

        assert topics(sent) == ["calls", "ledger", "dead letter"]
        assert [admission.decision for admission in world.admissions()] == [Decision.REFUSED, Decision.ADMITTED, Decision.REFUSED]

    def test_another_content_that_came_in_the_same_batch_is_kept_when_it_loses(self) -> None:
        world = World()
        loser = make_intent(parameters='{"subject":"Pay"}')

        sent = world.log.take(approved(make_intent()), approved(loser))

        assert topics(sent) == ["validated", "ledger", "dead letter"]
        assert letter(sent).code is ErrorCode.INTENT_ID_REUSED
        original = letter(sent).original
        assert original is not None
        assert (original.key, codec.decode(ApprovedIntent, original.value or b"")) == (KEY, loser)

    def test_a_refused_loser_keeps_its_own_bytes(self) -> None:
        world = World()
        loser = make_intent(status="REJECTED", parameters='{"subject":"Pay"}')

        sent = world.log.take(approved(make_intent()), approved(loser))

        original = letter(sent).original
        assert original is not None
        assert original.value == codec.encode(loser)

    @pytest.mark.parametrize("intent", [make_intent(), make_intent(status="REJECTED"), make_intent(expires_at_epoch=NOW_S)])
    def test_reading_the_log_again_from_any_offset_sends_equal_bytes(self, intent: ApprovedIntent) -> None:
        world = World()
        sent = world.publish(intent, headers=(TRACEPARENT,))
        elsewhere = World()
        elsewhere.clock.advance(5_000)
        elsewhere.registry = RegistryView()

        again = [effect for record in world.log.records for effect in elsewhere.stage.fold(record, MemoryState())]

        assert again == sent

    def test_the_folded_state_is_a_function_of_the_log_alone(self) -> None:
        world = World()
        world.log.take(approved(make_intent()), approved(make_intent()), approved(make_intent(tenant_id="globex", status="x")))
        state = MemoryState()

        for record in world.log.records:
            World().stage.fold(record, state)

        assert state.values == world.log.state.values

    def test_after_compaction_the_log_still_names_the_winner(self) -> None:
        world = World()
        world.log.take(approved(make_intent(), offset=1), approved(make_intent(), offset=2), approved(make_intent(), offset=3))
        compacted = {record.key: record for record in world.log.records}
        state = MemoryState()

        for record in compacted.values():
            world.stage.fold(record, state)

        assert state.values == world.log.state.values

    def test_ids_of_everything_that_is_sent_hold_no_time_and_no_offset(self) -> None:
        early, late = World(), World()
        late.clock.advance(600)

        one = only(early.publish(make_intent(), offset=1), "ledger", LedgerEntry)
        other = only(late.publish(make_intent(), offset=99), "ledger", LedgerEntry)

        assert one.entry_id == other.entry_id
        assert one.at_ms != other.at_ms


class TestWrongPartition:
    COUNT = 8
    RIGHT = partition_of("int-1", COUNT)
    WRONG = (RIGHT + 1) % COUNT

    def test_an_intent_in_another_partition_is_forwarded_whole_and_decided_there(self) -> None:
        world = World(self.COUNT)
        headers = (TRACEPARENT, ("team", b"sales"))

        (forwarded,) = world.publish(make_intent(), partition=self.WRONG, headers=headers)

        assert (forwarded.topic, forwarded.partition, forwarded.key) == ("returned", self.RIGHT, KEY)
        assert world.log.records == []
        returned = codec.decode(ReturnedIntent, forwarded.value)
        assert (returned.generation, returned.cause) == (1, "WRONG_PARTITION")
        assert returned.original == Original(
            key=KEY, value=codec.encode(make_intent()), headers=tuple(Header(name=n, value=v) for n, v in headers)
        )
        sent = world.log.take(in_record("returned", forwarded.key, forwarded.value, partition=self.RIGHT))
        assert topics(sent) == ["validated", "ledger"]
        assert {effect.partition for effect in sent} == {self.RIGHT}

    def test_a_damaged_intent_with_an_identity_is_forwarded_too(self) -> None:
        damaged = intent_json_tree()
        del damaged["target"]

        (forwarded,) = World(self.COUNT).publish(damaged, partition=self.WRONG)

        assert (forwarded.topic, forwarded.partition) == ("returned", self.RIGHT)

    @pytest.mark.parametrize("original", [None, Original(key=KEY, value=codec.encode(make_intent()))])
    def test_a_returned_intent_in_another_partition_is_forwarded_as_it_is(self, original: Original | None) -> None:
        returned = ReturnedIntent(tenant_id="acme", action_intent_id="int-1", generation=2, cause="REDRIVE", original=original)

        (forwarded,) = World(self.COUNT).return_(returned, partition=self.WRONG, headers=(TRACEPARENT,))

        assert forwarded == OutRecord("returned", self.RIGHT, KEY, codec.encode(returned), (TRACEPARENT,))


class TestReturned:
    def returned(self, generation: int = 1, **changes: Any) -> ReturnedIntent:
        return replace(ReturnedIntent(tenant_id="acme", action_intent_id="int-1", generation=generation, cause="REPAIR"), **changes)

    def original(self, intent: ApprovedIntent) -> Original:
        return Original(key=KEY, value=codec.encode(intent))

    @pytest.mark.parametrize("intent", [make_intent(), make_intent(status="REJECTED")])
    def test_a_repair_of_the_same_generation_sends_the_same_again(self, intent: ApprovedIntent) -> None:
        world = World()
        first = world.publish(intent)

        again = world.return_(self.returned())

        assert again == [effect for effect in first if isinstance(effect, OutRecord)]

    def test_a_new_generation_decides_afresh_from_the_stored_intent(self) -> None:
        world = World()
        world.publish(make_intent(action_type="NOT_YET_KNOWN"))
        world.registry = make_registry(make_action_type(action_type="NOT_YET_KNOWN"), next_offset=5)
        world.clock.advance(10)

        sent = world.return_(self.returned(2))

        validated = only(sent, "validated", ValidatedIntent)
        assert (validated.generation, validated.registry_offset, validated.admitted_at_ms) == (2, 5, NOW_MS + 10_000)
        assert validated.intent == make_intent(action_type="NOT_YET_KNOWN")
        assert only(sent, "ledger", LedgerEntry).generation == 2

    def test_a_new_generation_may_be_refused_where_the_first_was_admitted(self) -> None:
        world = World()
        world.publish(make_intent())
        world.clock.advance(3600)

        sent = world.return_(self.returned(2))

        call = only(sent, "calls", ToolCall)
        assert call.refusal is not None
        assert (call.refusal.code, call.generation) == ("DEADLINE_PASSED", 2)
        assert topics(world.return_(self.returned(3, cause="REDRIVE"))) == ["calls", "ledger"]

    def test_a_damaged_intent_is_refused_again_in_its_next_generation(self) -> None:
        world = World()
        damaged = intent_json_tree()
        del damaged["target"]
        world.publish(damaged)

        sent = world.return_(self.returned(2))

        assert topics(sent) == ["calls", "ledger", "dead letter"]
        assert letter(sent).generation == 2

    def test_a_duplicate_after_a_redrive_repeats_the_newest_generation(self) -> None:
        world = World()
        world.publish(make_intent())
        redriven = world.return_(self.returned(2))

        assert world.publish(make_intent()) == redriven

    @pytest.mark.parametrize("generation", [1, 2, 7])
    def test_a_generation_that_follows_nothing_is_a_dead_letter(self, generation: int) -> None:
        with pytest.raises(EnactError) as raised:
            World().return_(self.returned(generation))

        assert raised.value.code is ErrorCode.UNKNOWN_GENERATION

    def test_a_generation_cannot_be_skipped(self) -> None:
        world = World()
        world.publish(make_intent())

        with pytest.raises(EnactError) as raised:
            world.return_(self.returned(3))

        assert raised.value.code is ErrorCode.UNKNOWN_GENERATION

    def test_a_returned_original_is_treated_like_a_published_one(self) -> None:
        world = World()

        sent = world.return_(self.returned(original=self.original(make_intent())))

        assert topics(sent) == ["validated", "ledger"]

    def test_a_returned_original_of_the_next_generation_must_be_the_same_intent(self) -> None:
        world = World()
        world.publish(make_intent())

        same = world.return_(self.returned(2, original=self.original(make_intent())))
        other = world.return_(self.returned(3, original=self.original(make_intent(parameters='{"subject":"Pay"}'))))

        assert only(same, "validated", ValidatedIntent).generation == 2
        assert (letter(other).code, letter(other).generation) == (ErrorCode.INTENT_ID_REUSED, 3)

    def test_a_returned_original_opens_no_generation_by_itself(self) -> None:
        sent = World().return_(self.returned(2, original=self.original(make_intent())))

        assert letter(sent).code is ErrorCode.UNKNOWN_GENERATION

    def test_a_bad_returned_original_is_kept_as_the_intent_itself(self) -> None:
        original = Original(key=KEY, value=b"{broken", headers=(Header(name="h", value=b"1"),))

        sent = World().return_(self.returned(original=original))

        assert (letter(sent).code, letter(sent).original) == (ErrorCode.MALFORMED_RECORD, original)

    @pytest.mark.parametrize(
        "returned, key, code",
        [
            ({"tenant_id": None}, KEY, ErrorCode.FIELD_MISSING),
            ({"action_intent_id": None}, KEY, ErrorCode.FIELD_MISSING),
            ({}, b"int-2", ErrorCode.KEY_MISMATCH),
            ({"generation": 0}, KEY, ErrorCode.MALFORMED_RECORD),
        ],
    )
    def test_a_returned_intent_that_names_nothing_is_refused(self, returned: dict[str, Any], key: bytes, code: ErrorCode) -> None:
        with pytest.raises(EnactError) as raised:
            World().return_(self.returned(**({"generation": 1} | returned)), key=key)

        assert raised.value.code is code

    def test_a_returned_original_under_another_key_is_refused(self) -> None:
        sent = World().return_(self.returned(original=self.original(make_intent())), key=b"int-2")

        assert letter(sent).code is ErrorCode.KEY_MISMATCH

    @pytest.mark.parametrize("value, code", [(None, ErrorCode.NULL_VALUE), (b"x" * 201, ErrorCode.INTENT_TOO_LARGE), (b"x", ErrorCode.MALFORMED_RECORD)])
    def test_an_unreadable_returned_record_is_refused(self, value: bytes | None, code: ErrorCode) -> None:
        world = World(limits=Limits(max_intent_bytes=100))

        with pytest.raises(EnactError) as raised:
            world.log.take(in_record("returned", KEY, value))

        assert raised.value.code is code


class TestTrust:
    def test_without_its_state_the_stage_decides_nothing(self) -> None:
        with pytest.raises(StateLostError):
            World().stage.decide(approved(make_intent()), None)

    @pytest.mark.parametrize(
        "change",
        [{"decision": Decision.UNKNOWN}, {"validated": None}, {"decision": Decision.REFUSED, "code": None}],
    )
    def test_an_admission_that_says_nothing_stops_the_partition(self, change: dict[str, Any]) -> None:
        world = World()
        world.publish(make_intent())
        damaged = replace(world.admissions()[0], **change)

        with pytest.raises(StateLostError):
            world.stage.fold(in_record("admissions", b"k", codec.encode(damaged)), MemoryState())

    @pytest.mark.parametrize("value", [None, b"{broken", b"\xc3\x01"])
    def test_an_unreadable_log_record_stops_the_partition(self, value: bytes | None) -> None:
        with pytest.raises(EnactError):
            World().stage.fold(in_record("admissions", b"k", value), MemoryState())

    def test_a_stored_admission_without_an_intent_stops_the_partition(self) -> None:
        world = World()
        world.publish(make_intent())
        key = admission_key("acme", "int-1", 1)
        world.log.state.values[key] = codec.encode(replace(world.admissions()[0], validated=None))

        with pytest.raises(StateLostError):
            world.return_(ReturnedIntent(tenant_id="acme", action_intent_id="int-1", generation=2, cause="REDRIVE"))
