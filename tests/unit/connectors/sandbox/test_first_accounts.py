"""The accounts that are there from the beginning."""

from pathlib import Path

from connectors.sandbox.first_accounts import add_first_accounts
from connectors.sandbox.store import Store


def accounts_of(store: Store) -> list[tuple[str, str]]:
    return [(tenant, record_id[:15]) for tenant, record_id in store.read("SELECT tenant, id FROM objects ORDER BY id")]


async def test_each_tenant_has_one_and_the_first_has_the_id_of_the_examples(tmp_path: Path) -> None:
    store = Store(tmp_path / "memory.sqlite3")

    add_first_accounts(store, ["acme", "globex"])

    assert accounts_of(store) == [("acme", "001Sb000000001A"), ("globex", "001Sb000000001B")]
    store.close()


async def test_a_memory_that_holds_something_gets_none(tmp_path: Path) -> None:
    store = Store(tmp_path / "memory.sqlite3")
    add_first_accounts(store, ["acme"])

    add_first_accounts(store, ["globex"])

    assert accounts_of(store) == [("acme", "001Sb000000001A")]
    store.close()


def test_without_tenants_there_is_none(tmp_path: Path) -> None:
    store = Store(tmp_path / "memory.sqlite3")

    add_first_accounts(store, [])

    assert accounts_of(store) == []
    store.close()
