"""The read model: rows and offsets together, repeats dropped, rebuilt from the ledger alone."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from msgspec.structs import replace

from enact.errors import ConfigurationError
from enact.records import LedgerEntry, LedgerType, Status
from enact.records.codec import encode
from services.api.entry_view import view_of
from services.api.ledger_writer import Arrived
from services.api.read_model import ReadModel, sqlite_url
from tests.unit.services.api.ledger_entries import ACCOUNT, INTENT, START_MS, TENANT, claimed, clean_success, entry, executed, started


def arrived(entries: list[LedgerEntry], first_offset: int = 0) -> list[Arrived]:
    values = [encode(one) for one in entries]
    return [Arrived(view_of(value), value, first_offset + at) for at, value in enumerate(values)]


@pytest.fixture
def model(tmp_path: Path) -> Iterator[ReadModel]:
    opened = ReadModel.at(sqlite_url(tmp_path))
    yield opened
    opened.close()


def test_what_was_applied_is_found_with_its_entries_in_ledger_order(model: ReadModel) -> None:
    applied = model.ledger.apply(arrived(clean_success()), {0: 5})

    row = model.execution(TENANT, INTENT)

    assert (applied.kept, applied.repeated) == (5, 0)
    assert row is not None
    assert (row.status, row.attempt_count) == ("SUCCEEDED", 1)
    assert [one.offset for one in model.entries(TENANT, INTENT)] == [0, 1, 2, 3, 4]
    assert model.ledger.next_offsets() == {0: 5}


def test_the_same_entries_again_change_nothing(model: ReadModel) -> None:
    model.ledger.apply(arrived(clean_success()), {0: 5})
    before = model.execution(TENANT, INTENT)

    applied = model.ledger.apply(arrived(clean_success(), first_offset=5), {0: 10})

    assert (applied.kept, applied.repeated) == (0, 5)
    assert model.execution(TENANT, INTENT) == before
    assert [one.offset for one in model.entries(TENANT, INTENT)] == [0, 1, 2, 3, 4]


def test_entries_without_offsets_move_none(model: ReadModel) -> None:
    model.ledger.apply(arrived(clean_success()), {0: 5})

    model.ledger.apply(arrived([entry(LedgerType.EXECUTION_RELEASED, version=9)], first_offset=5), {})

    assert len(model.entries(TENANT, INTENT)) == 6
    assert model.ledger.next_offsets() == {0: 5}


def test_repeats_are_known_after_a_restart_too(tmp_path: Path) -> None:
    first = ReadModel.at(sqlite_url(tmp_path))
    first.ledger.apply(arrived([started(), claimed(version=1)]), {0: 2})
    first.close()
    second = ReadModel.at(sqlite_url(tmp_path))

    applied = second.ledger.apply(arrived([claimed(version=1), executed(version=2)], first_offset=2), {0: 4})
    row = second.execution(TENANT, INTENT)
    second.close()

    assert (applied.kept, applied.repeated) == (1, 1)
    assert row is not None
    assert (row.status, row.attempt_count) == ("SUCCEEDED", 1)


def test_a_deleted_file_comes_back_with_the_same_answers(tmp_path: Path) -> None:
    entries = [*clean_success(), *(replace(one, action_intent_id="int-2", entry_id=one.entry_id[::-1]) for one in clean_success()[:3])]
    rows = []

    for folder in ("one", "two"):
        model = ReadModel.at(sqlite_url(tmp_path / folder))
        step = 8 if folder == "one" else 1
        for at in range(0, len(entries), step):
            model.ledger.apply(arrived(entries[at : at + step], first_offset=at), {0: at + step})
        rows.append([model.execution(TENANT, intent_id) for intent_id in (INTENT, "int-2")])
        model.close()

    assert rows[0] == rows[1]
    assert [row.status for row in rows[0] if row is not None] == ["SUCCEEDED", "EXECUTING"]


def test_a_failed_transaction_moves_neither_rows_nor_offsets(model: ReadModel, monkeypatch: pytest.MonkeyPatch) -> None:
    model.ledger.apply(arrived([started()]), {0: 1})

    def broken(*args: object) -> None:
        raise sa.exc.OperationalError("insert", {}, OSError("disk full"))

    monkeypatch.setattr("services.api.ledger_writer._store_offsets", broken)
    with pytest.raises(sa.exc.OperationalError):
        model.ledger.apply(arrived([claimed(version=1)], first_offset=1), {0: 2})
    monkeypatch.undo()
    after_failure = model.execution(TENANT, INTENT)
    applied = model.ledger.apply(arrived([claimed(version=1)], first_offset=1), {0: 2})
    after_repeat = model.execution(TENANT, INTENT)

    assert after_failure is not None
    assert (after_failure.status, after_failure.attempt_count) == ("PENDING", 0)
    assert applied.kept == 1
    assert after_repeat is not None
    assert (after_repeat.status, after_repeat.attempt_count) == ("EXECUTING", 1)


def test_the_same_id_of_two_tenants_is_two_executions(model: ReadModel) -> None:
    other = replace(started(), tenant_id="other", entry_id="e" * 64)

    model.ledger.apply(arrived([*clean_success(), other]), {0: 6})

    mine, theirs = model.execution(TENANT, INTENT), model.execution("other", INTENT)
    assert mine is not None
    assert theirs is not None
    assert (mine.status, theirs.status) == ("SUCCEEDED", "PENDING")
    assert len(model.entries("other", INTENT)) == 1
    assert model.execution("third", INTENT) is None


def test_a_dead_letter_fills_the_timeline_and_makes_no_execution(model: ReadModel) -> None:
    model.ledger.apply(arrived([entry(LedgerType.DEAD_LETTERED)]), {0: 1})
    alone = model.execution(TENANT, INTENT)

    model.ledger.apply(arrived([started()], first_offset=1), {0: 2})

    assert alone is None
    assert model.execution(TENANT, INTENT) is not None
    assert len(model.entries(TENANT, INTENT)) == 2


def test_an_account_is_listed_newest_first_page_by_page(model: ReadModel) -> None:
    made = [replace(started(at_ms=START_MS + at // 2), action_intent_id=f"int-{at}", entry_id=f"{at:064}") for at in range(7)] + [
        replace(started(), action_intent_id="elsewhere", account_id="acct-2", entry_id="f" * 64)
    ]
    model.ledger.apply(arrived(made), {0: 8})

    found: list[str] = []
    before: tuple[int, str] | None = None
    while page := model.executions(TENANT, ACCOUNT, statuses=[], limit=3, before=before):
        found += [row.action_intent_id for row in page]
        before = (page[-1].created_at, page[-1].action_intent_id)

    assert found == ["int-6", "int-5", "int-4", "int-3", "int-2", "int-1", "int-0"]
    assert model.executions(TENANT, ACCOUNT, statuses=[Status.SUCCEEDED], limit=3, before=None) == []
    assert len(model.executions(TENANT, ACCOUNT, statuses=[Status.PENDING, Status.HELD], limit=100, before=None)) == 7


def test_a_batch_of_more_executions_than_one_question_asks_for_knows_all_its_repeats(tmp_path: Path) -> None:
    made = [replace(started(), action_intent_id=f"int-{at}", entry_id=f"{at:064}") for at in range(250)]
    first = ReadModel.at(sqlite_url(tmp_path))
    first.ledger.apply(arrived(made), {0: 250})
    first.close()
    second = ReadModel.at(sqlite_url(tmp_path))

    applied = second.ledger.apply(arrived(made, first_offset=250), {0: 500})
    second.close()

    assert (applied.kept, applied.repeated) == (0, 250)


@pytest.mark.parametrize(
    ("statuses", "index"),
    [
        ([], "executions_by_account"),
        ([Status.SUCCEEDED], "executions_by_account"),
        ([Status.IN_DOUBT, Status.SUCCEEDED], "executions_by_account"),
        ([Status.IN_DOUBT], "executions_not_done"),
        ([Status.FAILED, Status.HELD], "executions_not_done"),
    ],
)
def test_a_filter_without_successes_does_not_read_them_and_no_list_is_sorted(model: ReadModel, statuses: list[Status], index: str) -> None:
    plans: list[str] = []

    def explain(connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, _many: Any) -> None:
        if statement.startswith("SELECT"):
            plans.extend(row[3] for row in connection.connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters))

    sa.event.listen(model._engine, "before_cursor_execute", explain)
    model.executions(TENANT, ACCOUNT, statuses=statuses, limit=50, before=(START_MS, INTENT))

    (plan,) = plans
    assert f"{index} (tenant_id=? AND account_id=?" in plan


def test_more_executions_than_the_cache_holds_are_all_kept(model: ReadModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.api.ledger_writer._CACHED_EXECUTIONS", 10)
    for at in range(50):
        model.ledger.apply(arrived([replace(started(), action_intent_id=f"int-{at}", entry_id=f"{at:064}")], first_offset=at), {0: at + 1})

    model.ledger.apply(arrived([replace(claimed(version=1), action_intent_id="int-3", entry_id="c" * 64)], first_offset=50), {0: 51})

    row = model.execution(TENANT, "int-3")
    assert row is not None
    assert (row.status, len(model.entries(TENANT, "int-3"))) == ("EXECUTING", 2)


def test_a_model_of_another_version_is_dropped_and_built_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = ReadModel.at(sqlite_url(tmp_path))
    old.ledger.apply(arrived(clean_success()), {0: 5})
    old.close()

    monkeypatch.setattr("services.api.read_model.SCHEMA_VERSION", "next")
    new = ReadModel.at(sqlite_url(tmp_path))

    assert new.ledger.next_offsets() == {}
    assert new.execution(TENANT, INTENT) is None
    new.close()


def test_a_damaged_file_is_explained(tmp_path: Path) -> None:
    file = tmp_path / "read-model.sqlite"
    file.write_bytes(b"this is no database" * 100)

    with pytest.raises(ConfigurationError, match="may be deleted"):
        ReadModel.at(sqlite_url(tmp_path))
