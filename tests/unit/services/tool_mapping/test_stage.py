import json
from collections.abc import Sequence
from typing import Any, TypeVar

import pytest
from msgspec.structs import replace

from enact.errors import EnactError, ErrorCode, NotReadyError, StateLostError
from enact.intent_records import BEFORE_EVENTS
from enact.kafka.stage import DeadLetter
from enact.kafka.transport import OutRecord
from enact.mapping import map_intent
from enact.records import codec
from enact.records.action_type import ActionType
from enact.records.enums import LedgerType
from enact.records.intent import ValidatedIntent
from enact.records.ledger import LedgerEntry
from enact.records.tool_call import ToolCall
from enact.registry import RegistryView
from services.tool_mapping.stage import ToolMappingStage, Topics
from tests.factories import NOW_MS, TRACEPARENT, MemoryState, in_record, make_action_type, make_intent, make_registry, make_validated

TOPICS = Topics(validated="validated", tool_calls="calls", ledger="ledger")
KEY = b"int-1"
R = TypeVar("R")


def mapped(validated: ValidatedIntent, *entries: ActionType, **where: Any) -> Sequence[Any]:
    stage = ToolMappingStage(TOPICS, wait_for_registry=lambda _: make_registry(*entries))
    return stage.decide(in_record("validated", KEY, codec.encode(validated), **where), None)


def only(effects: Sequence[Any], topic: str, cls: type[R]) -> R:
    (record,) = [effect for effect in effects if isinstance(effect, OutRecord) and effect.topic == topic]
    return codec.decode(cls, record.value or b"")


def test_an_admitted_intent_becomes_its_call_and_one_ledger_entry() -> None:
    validated = make_validated(generation=2)

    effects = mapped(validated, partition=3, offset=9, at_ms=NOW_MS + 5, headers=(TRACEPARENT, ("secret", b"x")))

    call, entry = only(effects, "calls", ToolCall), only(effects, "ledger", LedgerEntry)
    assert len(effects) == 2
    assert call == map_intent(validated, make_action_type())
    assert (entry.type, entry.status, entry.generation, entry.version) == (LedgerType.TOOL_CALL_MAPPED, None, 2, BEFORE_EVENTS)
    assert (entry.at_ms, entry.source.partition, entry.source.offset, entry.account_id) == (NOW_MS + 5, 3, 9, "account-1")
    assert {(effect.key, effect.partition, effect.headers) for effect in effects} == {(KEY, 3, (TRACEPARENT,))}


def test_the_ledger_names_the_call_by_digests_and_carries_no_arguments() -> None:
    validated = make_validated(make_intent(parameters='{"subject":"Tell nobody"}'))
    effects = mapped(validated)
    call, entry = only(effects, "calls", ToolCall), only(effects, "ledger", LedgerEntry)

    expected = {
        "tool_name": "crm.create_task",
        "connector": "crm",
        "request_digest": call.request_digest,
        "registry_version": "1",
        "idempotency_key": call.idempotency_key,
        "effect_class": "UPSERT",
    }

    assert expected.items() <= entry.details.items()
    assert "Tell nobody" not in json.dumps(entry.details)


def test_reading_a_record_again_gives_equal_bytes() -> None:
    assert mapped(make_validated(), offset=4) == mapped(make_validated(), offset=4)


def test_a_version_other_than_the_pinned_one_changes_nothing() -> None:
    newer = make_action_type(registry_version=2, created_at=NOW_MS, timeout_ms=1)

    assert mapped(make_validated(), make_action_type(), newer) == mapped(make_validated())


def test_a_deprecated_pinned_version_still_maps() -> None:
    assert mapped(make_validated(), make_action_type(deprecated_at=1)) == mapped(make_validated())


@pytest.mark.parametrize(
    ("validated", "entries", "code"),
    [
        (make_validated(make_intent(parameters='{"subject":"x","priority":"Urgent"}')), (), "MAPPING_FAILED"),
        (make_validated(make_intent(parameters="{}")), (), "MAPPING_FAILED"),
        (make_validated(registry_version=7), (), "UNKNOWN_VERSION"),
        (make_validated(), (make_action_type(timeout_ms=1),), "REQUEST_DRIFT"),
        (make_validated(registry_digest="0" * 64), (), "REQUEST_DRIFT"),
    ],
)
def test_what_cannot_be_mapped_goes_down_as_a_refusal_with_a_dead_letter(
    validated: ValidatedIntent, entries: tuple[ActionType, ...], code: str
) -> None:
    effects = mapped(replace(validated, generation=2), *entries)

    call, entry = only(effects, "calls", ToolCall), only(effects, "ledger", LedgerEntry)
    (kept,) = [effect for effect in effects if isinstance(effect, DeadLetter)]
    assert call.refusal is not None
    assert (call.refusal.code, call.generation, call.tool_name, call.is_full) == (code, 2, "", True)
    assert call.intent
    assert (entry.type, entry.status) == (LedgerType.INTENT_REFUSED, None)
    assert entry.error is not None
    assert entry.error.code == code
    assert (kept.code, kept.generation, kept.original) == (code, 2, None)
    assert kept.exception_class in {"MappingError", "ValidationError"}


def test_it_asks_for_the_registry_offset_that_was_pinned() -> None:
    asked: list[int] = []

    def wait(offset: int) -> RegistryView:
        asked.append(offset)
        return make_registry()

    ToolMappingStage(TOPICS, wait_for_registry=wait).decide(
        in_record("validated", KEY, codec.encode(make_validated(registry_offset=42))), None
    )

    assert asked == [42]


def test_a_registry_that_is_behind_refuses_nothing_and_has_the_batch_taken_again() -> None:
    def behind(offset: int) -> RegistryView:
        raise NotReadyError

    with pytest.raises(NotReadyError):
        ToolMappingStage(TOPICS, wait_for_registry=behind).decide(in_record("validated", KEY, codec.encode(make_validated())), None)


@pytest.mark.parametrize(
    ("key", "value", "code"),
    [
        (KEY, None, ErrorCode.NULL_VALUE),
        (KEY, b"{broken", ErrorCode.MALFORMED_RECORD),
        (b"int-2", codec.encode(make_validated()), ErrorCode.KEY_MISMATCH),
    ],
)
def test_an_unreadable_record_is_a_dead_letter(key: bytes, value: bytes | None, code: ErrorCode) -> None:
    with pytest.raises(EnactError) as raised:
        ToolMappingStage(TOPICS, wait_for_registry=lambda _: make_registry()).decide(in_record("validated", key, value), None)

    assert raised.value.code is code


def test_there_is_no_log_to_fold() -> None:
    stage = ToolMappingStage(TOPICS, wait_for_registry=lambda _: make_registry())

    assert stage.log is None
    with pytest.raises(StateLostError):
        stage.fold(in_record("validated", KEY, b""), MemoryState())
