from typing import Any

import pytest
from msgspec.structs import replace

from enact import ids
from enact.errors import EnactError, StateLostError
from enact.intent_records import APPROVED_AT
from enact.kafka.partitioner import partition_of
from enact.kafka.transport import OutRecord
from enact.records import codec
from enact.records.enums import Decision, LedgerType, Status
from enact.records.intent import Header, Original, ReturnedIntent, ValidatedIntent
from enact.records.ledger import LedgerEntry
from enact.registry import entry_digest
from services.validation.emission import admission_key
from tests.factories import (
    NOW_MS,
    NOW_S,
    TRACEPARENT,
    MemoryState,
    in_record,
    intent_json_tree,
    make_action_type,
    make_intent,
    make_registry,
)
from tests.unit.services.validation.world import KEY, World, approved, only, topics


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

        began = (APPROVED_AT, b"%d" % NOW_MS)
        assert world.log.records[0].headers == (TRACEPARENT, began)
        assert all(effect.headers == (TRACEPARENT, began) for effect in sent)

    def test_when_the_way_began_is_the_broker_s_word_and_not_the_sender_s(self) -> None:
        world = World()

        world.publish(make_intent(), headers=((APPROVED_AT, b"1"),))

        assert world.log.records[0].headers == ((APPROVED_AT, b"%d" % NOW_MS),)

    def test_a_returned_intent_began_when_it_was_first_approved(self) -> None:
        world = World()
        returned = ReturnedIntent(
            generation=1, cause="WRONG_PARTITION", original=Original(key=KEY, value=codec.encode(make_intent()), headers=())
        )

        world.return_(returned, headers=((APPROVED_AT, b"7"),))

        assert world.log.records[0].headers == ((APPROVED_AT, b"7"),)

    def test_the_same_id_of_two_tenants_are_two_executions(self) -> None:
        world = World()

        world.publish(make_intent())
        sent = world.publish(make_intent(tenant_id="globex"))

        assert topics(sent) == ["validated", "ledger"]
        assert len(world.log.records) == 2


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
