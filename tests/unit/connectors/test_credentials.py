"""Credentials files: one tenant's own, read again when changed, never shown."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from connectors.credentials import ApiKey, Credential, CredentialStore
from enact.clock import ManualClock
from enact.errors import AuthError, ErrorCode

KEY = {"mode": "api_key", "instance_url": "https://acme.example/", "api_key": "s3cret"}


def put(folder: Path, tenant: str, content: Any, connector: str = "crm") -> Path:
    path = folder / tenant / f"{connector}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def refused(store: CredentialStore, tenant: str = "acme", connector: str = "crm") -> str:
    with pytest.raises(AuthError) as caught:
        store.get(tenant, connector)
    assert caught.value.code is ErrorCode.CREDENTIALS_MISSING
    assert "s3cret" not in f"{caught.value}{caught.value!r}{caught.value.__cause__!r}"
    return caught.value.message


def test_a_tenant_s_file_is_read(tmp_path: Path) -> None:
    put(tmp_path, "acme", KEY)

    found = CredentialStore(tmp_path).get("acme", "crm")

    assert (found.tenant_id, found.connector, found.instance_url) == ("acme", "crm", "https://acme.example")
    assert isinstance(found.settings, ApiKey)
    assert found.settings.api_key.get_secret_value() == "s3cret"


def test_nothing_that_holds_a_secret_shows_it(tmp_path: Path) -> None:
    put(tmp_path, "acme", KEY)
    store = CredentialStore(tmp_path)

    found = store.get("acme", "crm")

    assert "s3cret" not in f"{found}{found!r}{found.settings!r}{store!r}{vars(store)!r}"


def test_a_missing_file_is_named_from_the_credentials_folder_on_with_what_belongs_into_it(tmp_path: Path) -> None:
    message = refused(CredentialStore(tmp_path))

    assert "acme/crm.json" in message
    assert "ENACT_CREDENTIALS_DIR" in message
    assert "client_credentials" in message
    assert str(tmp_path) not in message


def test_no_folder_at_all_is_said(tmp_path: Path) -> None:
    assert "ENACT_CREDENTIALS_DIR is not set" in refused(CredentialStore(None))
    assert CredentialStore(None).tenants("crm") == []


@pytest.mark.parametrize("tenant", ["..", ".", "a/b", "../globex", "", "a\x00b", "x" * 129, "a b"])
def test_a_tenant_id_cannot_lead_to_another_folder(tmp_path: Path, tenant: str) -> None:
    put(tmp_path, "globex", KEY)
    put(tmp_path.parent, tmp_path.name, KEY)

    refused(CredentialStore(tmp_path / "globex"), tenant)
    refused(CredentialStore(tmp_path), tenant)


def test_a_link_within_the_tenant_s_folder_is_followed_as_mounted_secrets_are(tmp_path: Path) -> None:
    real = tmp_path / "acme" / "..data"
    real.mkdir(parents=True)
    (real / "crm.json").write_text(json.dumps(KEY))
    (tmp_path / "acme" / "crm.json").symlink_to(Path("..data") / "crm.json")

    assert CredentialStore(tmp_path).get("acme", "crm").tenant_id == "acme"


def test_a_link_into_another_tenant_s_folder_is_refused(tmp_path: Path) -> None:
    put(tmp_path, "acme", KEY)
    (tmp_path / "globex").mkdir()
    (tmp_path / "globex" / "crm.json").symlink_to(tmp_path / "acme" / "crm.json")
    (tmp_path / "initech").symlink_to(tmp_path / "acme")

    assert "own folder" in refused(CredentialStore(tmp_path), "globex")
    assert "own folder" in refused(CredentialStore(tmp_path), "initech")


def test_a_file_that_names_another_tenant_is_refused(tmp_path: Path) -> None:
    put(tmp_path, "globex", {**KEY, "tenant_id": "acme"})

    assert "another tenant" in refused(CredentialStore(tmp_path), "globex")


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("{", "the whole file"),
        ("[]", "the whole file"),
        ({"mode": "magic", "instance_url": "x"}, "the whole file"),
        ({"mode": "api_key", "instance_url": "https://x"}, "api_key"),
        ({**KEY, "surprise": "s3cret"}, "surprise"),
        ({"mode": "client_credentials", "instance_url": "https://x", "client_id": "a", "client_secret": ["s3cret"]}, "client_secret"),
    ],
)
def test_a_file_that_does_not_fit_names_its_fields_and_no_values(tmp_path: Path, content: Any, named: str) -> None:
    put(tmp_path, "acme", content)

    assert named in refused(CredentialStore(tmp_path))


def test_a_file_that_is_far_too_large_is_not_read(tmp_path: Path) -> None:
    put(tmp_path, "acme", " " * 70_000)

    assert "larger than" in refused(CredentialStore(tmp_path))


def test_a_folder_in_the_file_s_place_is_said_to_be_unreadable(tmp_path: Path) -> None:
    (tmp_path / "acme" / "crm.json").mkdir(parents=True)

    assert "cannot be read" in refused(CredentialStore(tmp_path))


def test_a_changed_file_is_read_again_and_an_unchanged_one_is_not(tmp_path: Path) -> None:
    path = put(tmp_path, "acme", KEY)
    store = CredentialStore(tmp_path)
    first = store.get("acme", "crm")

    again = store.get("acme", "crm")
    put(tmp_path, "acme", {**KEY, "api_key": "other1"})
    os.utime(path, ns=(1, 1))
    changed = store.get("acme", "crm")

    assert again is first
    assert secret(changed) == "other1"
    assert changed.revision != first.revision


def test_with_a_clock_a_file_is_looked_at_once_a_second(tmp_path: Path) -> None:
    path, clock = put(tmp_path, "acme", KEY), ManualClock()
    store = CredentialStore(tmp_path, clock)
    store.get("acme", "crm")

    put(tmp_path, "acme", {**KEY, "api_key": "other1"})
    os.utime(path, ns=(1, 1))
    at_once = store.get("acme", "crm")
    clock.advance(1.0)
    later = store.get("acme", "crm")
    path.unlink()
    clock.advance(1.0)

    assert secret(at_once) == "s3cret"
    assert secret(later) == "other1"
    assert "There is no" in refused(store)
    put(tmp_path, "acme", KEY)
    assert secret(store.get("acme", "crm")) == "s3cret"


def test_a_file_that_is_gone_is_missing_although_it_was_read_before(tmp_path: Path) -> None:
    path = put(tmp_path, "acme", KEY)
    store = CredentialStore(tmp_path)
    store.get("acme", "crm")

    path.unlink()

    refused(store)


def test_tenants_with_a_file_are_listed(tmp_path: Path) -> None:
    put(tmp_path, "globex", KEY)
    put(tmp_path, "acme", KEY)
    put(tmp_path, "initech", KEY, "calendar")

    assert CredentialStore(tmp_path).tenants("crm") == ["acme", "globex"]


def secret(found: Credential) -> str:
    assert isinstance(found.settings, ApiKey)
    return found.settings.api_key.get_secret_value()
