from typing import Any

import pytest
from msgspec.structs import replace

from enact.errors import EnactError, ErrorCode
from enact.kafka.transport import OutRecord
from enact.records import codec
from enact.records.intent import ApprovedIntent, Header, Original, ReturnedIntent, ValidatedIntent
from enact.records.ledger import LedgerEntry
from enact.records.tool_call import ToolCall
from services.validation.checks import Limits
from tests.factories import (
    NOW_MS,
    in_record,
    intent_json_tree,
    make_action_type,
    make_intent,
    make_registry,
)
from tests.unit.services.validation.world import KEY, World, letter, only, topics


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
        ("returned", "key", "code"),
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

    def test_an_original_that_was_published_under_another_key_is_refused_again(self) -> None:
        original = Original(key=b"int-2", value=codec.encode(make_intent()))

        sent = World().return_(self.returned(original=original))

        assert letter(sent).code is ErrorCode.KEY_MISMATCH

    def test_a_returned_original_under_another_key_is_refused(self) -> None:
        sent = World().return_(self.returned(original=self.original(make_intent())), key=b"int-2")

        assert letter(sent).code is ErrorCode.KEY_MISMATCH

    @pytest.mark.parametrize(
        ("value", "code"), [(None, ErrorCode.NULL_VALUE), (b"x" * 201, ErrorCode.INTENT_TOO_LARGE), (b"x", ErrorCode.MALFORMED_RECORD)]
    )
    def test_an_unreadable_returned_record_is_refused(self, value: bytes | None, code: ErrorCode) -> None:
        world = World(limits=Limits(max_intent_bytes=100))

        with pytest.raises(EnactError) as raised:
            world.log.take(in_record("returned", KEY, value))

        assert raised.value.code is code
