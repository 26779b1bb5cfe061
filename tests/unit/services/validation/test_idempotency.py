from typing import Any

import pytest

from enact.errors import ErrorCode
from enact.kafka.stage import DeadLetter
from enact.records import codec
from enact.records.enums import Decision
from enact.records.intent import ApprovedIntent, ValidatedIntent
from enact.records.ledger import LedgerEntry
from enact.registry import RegistryView
from services.validation import stage as validation
from tests.factories import (
    NOW_S,
    TRACEPARENT,
    MemoryState,
    intent_json_tree,
    make_approval,
    make_intent,
)
from tests.unit.services.validation.world import KEY, World, approved, letter, only, topics


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

    def test_of_two_damaged_intents_in_the_log_other_bytes_are_another_content(self) -> None:
        world = World()
        damaged = intent_json_tree()
        del damaged["target"]
        first, same = approved(damaged, offset=1), approved(damaged, offset=2)
        other = approved(damaged | {"decision_trace_id": "other"}, offset=3)

        sent = world.log.take(first, same, other)

        codes = [one.code for one in sent if isinstance(one, DeadLetter)]
        assert codes == [ErrorCode.FIELD_MISSING, ErrorCode.INTENT_ID_REUSED]

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

    def test_a_loser_that_nobody_saw_coming_is_kept_as_the_same_intent_written_again(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(validation, "MAX_UNREAD", 1)
        world = World()
        loser = make_intent(parameters='{"subject":"Pay"}')

        sent = world.log.take(approved(make_intent()), approved(loser))

        assert topics(sent) == ["validated", "ledger", "dead letter"]
        original = letter(sent).original
        assert original is not None
        assert original.value is not None
        assert codec.decode(ApprovedIntent, original.value) == loser

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


@pytest.mark.parametrize("wire", ["avro", "json"])
def test_whoever_appended_it_an_admission_has_the_same_consequences(wire: str) -> None:
    intent = make_intent(parameters='{ "subject" : "Call Kim" }', edited_fields=("subject",))
    published = intent if wire == "avro" else {**intent_json_tree(intent), "parameters": intent.parameters}
    appender, reader = World(), World()

    sent = appender.publish(published)

    (appended,) = appender.log.records
    assert reader.stage.fold(appended, reader.log.state) == sent
    assert only(sent, "validated", ValidatedIntent).intent.parameters == '{"subject":"Call Kim"}'
