"""The fold behind the read model: the highest (generation, version) is what people see."""

import random

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from enact.errors import ValidationError
from enact.records import LedgerEntry, LedgerType, Status, Step
from enact.records.codec import encode, encode_json
from enact.records.framing import framed_by, header_for
from enact.records.schema import Schema, schemas_of
from services.api.entry_view import EntryView, view_of
from services.api.fold import ExecutionRow, fold, is_reachable, new_row, starts_execution
from tests.unit.enact.records.strategies import records
from tests.unit.services.api.ledger_entries import START_MS, claimed, clean_success, concluded, entry, executed, failed, rejected, started


def folded(entries: list[LedgerEntry]) -> ExecutionRow:
    row = new_row(entries[0])
    for one in entries:
        fold(row, one)
    return row


def test_a_clean_success_says_everything_a_seller_asks() -> None:
    entries = clean_success()

    row = folded(entries)

    assert row.status == "SUCCEEDED"
    assert row.attempt_count == 1
    assert (row.started_at, row.completed_at) == (START_MS + 10, START_MS + 30)
    assert orjson.loads(row.external_object_refs)[0]["object_id"] == "00T1"
    assert (row.action_type, row.tool_name, row.registry_version) == ("CREATE_CRM_TASK", "crm.create_task", 3)
    assert row.error_code is None


def test_any_order_of_arrival_gives_the_same_status() -> None:
    entries = [*clean_success(), entry(LedgerType.RETRY_SCHEDULED, version=3, status=Status.RETRYING, step=Step.EXECUTE)]
    expected = folded(entries)
    shuffler = random.Random(7)

    for _ in range(50):
        shuffled = list(entries)
        shuffler.shuffle(shuffled)
        row = folded(shuffled)

        assert (row.status, row.generation, row.version) == (expected.status, 1, 5)
        assert (row.attempt_count, row.external_object_refs) == (1, expected.external_object_refs)


def test_a_late_lower_fact_does_not_change_what_people_see() -> None:
    row = folded([started(), executed(version=9)])

    is_taken = fold(row, claimed(version=4))

    assert is_taken
    assert row.status == "SUCCEEDED"
    assert row.attempt_count == 1


def test_released_claims_are_not_counted_as_attempts() -> None:
    entries = [
        started(),
        claimed(1, version=1),
        concluded("RELEASED", 1, version=2),
        claimed(2, version=3),
        concluded("NOT_APPLIED", 2, version=4),
        claimed(3, version=5),
    ]

    row = folded(entries)

    assert row.attempt_count == 2


def test_attempts_of_the_compensation_are_not_attempts_of_the_execution() -> None:
    row = folded(clean_success())

    fold(row, claimed(1, version=20, step=Step.COMPENSATE, status=None))
    fold(row, claimed(2, version=21, step=Step.COMPENSATE, status=Status.EXECUTING))

    assert row.attempt_count == 1
    assert row.status == "SUCCEEDED"


def test_an_illegal_move_is_refused_and_the_status_stays() -> None:
    row = folded([started(), executed(version=5)])

    is_taken = fold(row, entry(LedgerType.RETRY_SCHEDULED, version=8, status=Status.RETRYING))

    assert not is_taken
    assert row.status == "SUCCEEDED"


def test_a_redrive_starts_again_only_as_a_higher_generation() -> None:
    row = folded([started(), failed(version=5, error=rejected())])

    is_same_taken = fold(row, entry(LedgerType.REDRIVE_ACCEPTED, version=8, status=Status.PENDING))
    after_same = row.status
    is_next_taken = fold(row, entry(LedgerType.REDRIVE_ACCEPTED, version=8, generation=2, status=Status.PENDING))

    assert (is_same_taken, after_same) == (False, "FAILED")
    assert (is_next_taken, row.status, row.generation) == (True, "PENDING", 2)
    assert row.completed_at is None
    assert row.error_code is None


def test_evidence_contradicts_a_failure() -> None:
    row = folded([started(), failed(version=5, error=rejected())])

    fold(row, executed(version=9))

    assert row.status == "SUCCEEDED"
    assert (row.error_class, row.error_code, row.error_message) == (None, None, None)


def test_a_dead_letter_alone_is_no_execution() -> None:
    assert not starts_execution(entry(LedgerType.DEAD_LETTERED))
    assert not starts_execution(entry(LedgerType.SWITCH_ENGAGED))
    assert not starts_execution(started(tenant_id=""))
    assert starts_execution(started())


def test_compensation_has_a_status_of_its_own() -> None:
    row = folded(clean_success())

    fold(row, entry(LedgerType.COMPENSATION_REQUESTED, version=6, step=Step.COMPENSATE))
    asked = row.compensation_status
    fold(row, entry(LedgerType.COMPENSATION_COMPLETED, version=9, step=Step.COMPENSATE))
    fold(row, entry(LedgerType.COMPENSATION_IN_DOUBT, version=8, step=Step.COMPENSATE))

    assert asked == "PENDING"
    assert row.compensation_status == "COMPLETED"
    assert row.status == "SUCCEEDED"


@pytest.mark.parametrize(
    ("current", "following", "is_next_generation", "expected"),
    [
        (Status.PENDING, Status.IN_DOUBT, False, True),
        (Status.HELD, Status.IN_DOUBT, False, True),
        (Status.IN_DOUBT, Status.SUCCEEDED, False, True),
        (Status.SUCCEEDED, Status.FAILED, False, False),
        (Status.SUCCEEDED, Status.PENDING, True, False),
        (Status.CANCELLED, Status.SUCCEEDED, False, True),
        (Status.FAILED, Status.EXECUTING, False, False),
        (Status.FAILED, Status.EXECUTING, True, True),
    ],
)
def test_a_gap_in_the_entries_is_bridged_by_legal_moves_only(
    current: Status, following: Status, is_next_generation: bool, expected: bool
) -> None:
    assert is_reachable(current, following, is_next_generation=is_next_generation) is expected


DETAIL_NAMES = ("action_type", "code", "effect", "expires_at_epoch", "first_ms", "nonce", "reason", "registry_version", "tool_name")
ENTRIES = st.builds(
    lambda one, ledger_type, details: replace(one, type=ledger_type, details=details),
    records(LedgerEntry),
    st.sampled_from([LedgerType.EXECUTION_STARTED, LedgerType.ATTEMPT_CLAIMED, LedgerType.ATTEMPT_CONCLUDED, LedgerType.ACTION_FAILED]),
    st.dictionaries(st.sampled_from(DETAIL_NAMES), st.sampled_from(["RELEASED", "7", "UNREACHABLE"])),
)


@settings(deadline=None, max_examples=100)
@given(st.lists(ENTRIES, min_size=1, max_size=4))
def test_what_is_read_of_an_entry_folds_like_the_whole_entry(entries: list[LedgerEntry]) -> None:
    whole, seen = new_row(entries[0]), new_row(view_of(encode(entries[0])))

    taken = [(fold(whole, one), fold(seen, view_of(encode(one)))) for one in entries]

    assert seen == whole
    assert all(one == other for one, other in taken)


def test_an_entry_in_json_is_seen_too() -> None:
    entries = clean_success()
    row = new_row(entries[0])

    for one in entries:
        fold(row, view_of(encode_json(one)))

    assert row == folded(entries)


@pytest.mark.parametrize("text", ["9" * 19, "-1", "1.5", "", "x", "²"])
def test_a_number_that_is_none_leaves_the_column_empty(text: str) -> None:
    row = folded([started(details={"expires_at_epoch": text, "registry_version": text})])

    assert (row.expires_at, row.registry_version) == (None, None)


class OneSchemaRegistry:
    """Knows the schema of ledger entries as number 7."""

    def header_of(self, cls: type) -> bytes:
        return header_for(7)

    def schema_of(self, schema_id: int) -> Schema | None:
        return schemas_of(LedgerEntry).current if schema_id == 7 else None


def test_an_entry_in_the_confluent_framing_is_seen_too() -> None:
    with framed_by(OneSchemaRegistry()):
        value = encode(clean_success()[0])
        seen = view_of(value)
        with pytest.raises(ValidationError, match="schema id 8"):
            view_of(header_for(8) + value[5:])

    assert isinstance(seen, EntryView)
    assert new_row(seen) == new_row(clean_success()[0])
