"""`enact doctor` on approvals: what a stage would make of these settings, in words, without starting one."""

from pathlib import Path

import pytest

from cli.doctor_approval import approvals
from cli.doctor_finding import Finding, Level
from enact.settings import ApprovalSettings, Profile
from tests.approvals import AUDIENCE, ISSUER, Pair, write_keys


def found(profile: Profile, keys: Path | None = None, *, is_whole: bool = True) -> Finding:
    told = {"audience": AUDIENCE, "issuers": (ISSUER,)} if is_whole else {}
    (one,) = approvals(profile, ApprovalSettings.model_validate({"keys_file": keys, **told}))
    return one


def test_development_asks_for_no_keys() -> None:
    one = found(Profile.DEVELOPMENT, is_whole=False)

    assert one.level is Level.OK
    assert "no signature" in one.text


def test_production_without_its_settings_is_a_start_that_fails_with_what_to_set() -> None:
    one = found(Profile.PRODUCTION, is_whole=False)

    assert one.level is Level.FAIL
    assert "ENACT_APPROVAL__KEYS_FILE, ENACT_APPROVAL__AUDIENCE, ENACT_APPROVAL__ISSUERS are not set" in one.next_step


def test_keys_are_named_by_their_ids(tmp_path: Path) -> None:
    keys = write_keys(tmp_path / "keys.json", *(Pair(f"key-{number}").jwk() for number in range(7)))

    one = found(Profile.PRODUCTION, keys)

    assert one.level is Level.OK
    assert "every approval is signed; 7 keys (key-0, key-1, key-2, key-3, key-4 and 2 more)" in one.text


def test_keys_in_development_check_what_is_given(tmp_path: Path) -> None:
    one = found(Profile.DEVELOPMENT, write_keys(tmp_path / "keys.json", Pair().jwk()))

    assert "a signature that is given is checked; 1 key (key-1)" in one.text


@pytest.mark.parametrize("text", ["{", '{"keys": []}', None])
def test_a_file_that_is_no_key_set_fails_with_the_reason(tmp_path: Path, text: str | None) -> None:
    keys = tmp_path / "keys.json"
    if text is not None:
        keys.write_text(text, encoding="utf-8")

    one = found(Profile.PRODUCTION, keys)

    assert one.level is Level.FAIL
    assert str(keys) in one.text
    assert "keeps the keys it had" in one.next_step


def test_a_private_key_in_the_file_is_told_without_it(tmp_path: Path) -> None:
    pair = Pair()

    one = found(Profile.PRODUCTION, write_keys(tmp_path / "keys.json", pair.private_jwk()))

    assert "holds a private key" in one.text
    assert pair.private_jwk()["d"] not in one.text + one.next_step
