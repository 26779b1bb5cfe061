"""Credentials for the practice world."""

import stat
from pathlib import Path

from connectors.credentials import ApiKey, ClientCredentials, CredentialStore
from connectors.sandbox.tenants import api_key, tenant_of_key, write_sandbox_credentials


def test_each_tenant_gets_files_that_only_this_user_can_read(tmp_path: Path) -> None:
    write_sandbox_credentials(tmp_path, ["acme", "globex"], "http://127.0.0.1:8090")

    store = CredentialStore(tmp_path)
    assert isinstance(store.get("globex", "crm").settings, ClientCredentials)
    assert isinstance(store.get("acme", "sandbox").settings, ApiKey)
    assert stat.S_IMODE((tmp_path / "acme" / "crm.json").stat().st_mode) == 0o600


def test_a_new_address_is_taken_over_and_a_real_system_s_file_is_left_alone(tmp_path: Path) -> None:
    write_sandbox_credentials(tmp_path, ["acme"], "http://127.0.0.1:1")
    real = '{"mode": "api_key", "instance_url": "https://acme.example", "api_key": "real"}'
    (tmp_path / "acme" / "sandbox.json").write_text(real)

    write_sandbox_credentials(tmp_path, ["acme"], "http://127.0.0.1:2")

    assert CredentialStore(tmp_path).get("acme", "crm").instance_url == "http://127.0.0.1:2"
    assert (tmp_path / "acme" / "sandbox.json").read_text() == real


def test_a_file_that_says_the_same_already_is_not_written_again(tmp_path: Path) -> None:
    write_sandbox_credentials(tmp_path, ["acme"], "http://127.0.0.1:1")
    before = (tmp_path / "acme" / "crm.json").stat()

    write_sandbox_credentials(tmp_path, ["acme"], "http://127.0.0.1:1")

    after = (tmp_path / "acme" / "crm.json").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_key_belongs_to_the_tenant_it_names_and_to_nobody_if_it_names_none() -> None:
    assert tenant_of_key(api_key("acme")) == "acme"
    assert tenant_of_key("sandbox-key-of-") is None
    assert tenant_of_key("something else") is None
