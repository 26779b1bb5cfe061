"""A key set is read whole or not at all, follows its file without a restart, and never holds a private key."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from enact.approval_keys import MAX_FILE_BYTES, KeyFile, read_key_set
from enact.clock import ManualClock
from enact.errors import ConfigurationError, ValidationError
from enact.metrics import Metrics
from tests.approvals import Pair, write_keys
from tests.unit.enact.test_metrics import value


class World:
    def __init__(self, folder: Path) -> None:
        self.clock, self.metrics = ManualClock(), Metrics("invocation")
        self.path = write_keys(folder / "keys.json", Pair("key-1").jwk())
        self.file = KeyFile(self.path, self.clock, self.metrics)

    def kids(self) -> list[str]:
        return sorted(self.file.keys())

    def told(self) -> tuple[float, float]:
        return value(self.metrics, "enact_approval_keys"), value(self.metrics, "enact_approval_keys_stale")


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_a_key_set_says_whose_keys_they_are() -> None:
    entries = [Pair("a").jwk(use="sig", alg="Ed25519", key_ops=["verify"]), Pair("b").jwk(iss="approvals.example")]

    keys = read_key_set(json.dumps({"keys": entries}).encode())

    assert {kid: key.issuer for kid, key in keys.items()} == {"a": None, "b": "approvals.example"}


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ([], "holds no key"),
        ([Pair("a").private_jwk()], "keys[0] holds a private key"),
        ([Pair("a").jwk(), Pair("a").jwk()], "keys[1].kid is that of an earlier key"),
        ([Pair("a").jwk(kty="RSA")], "keys[0].kty is not OKP"),
        ([Pair("a").jwk(kty="oct", k="c2VjcmV0")], "keys[0] holds k"),
        ([Pair("a").jwk(crv="X25519")], "keys[0].crv is not Ed25519"),
        ([Pair("a").jwk(alg="EdDSA")], "keys[0].alg is not Ed25519"),
        ([Pair("a").jwk(use="enc")], "keys[0].use is not sig"),
        ([Pair("a").jwk(key_ops=["sign"])], "keys[0].key_ops is not"),
        ([Pair("a").jwk(kid="")], "keys[0].kid is missing or no id"),
        ([Pair("a").jwk(kid=7)], "keys[0].kid is missing or no id"),
        ([Pair("a").jwk(iss="")], "keys[0].iss is no text"),
        ([Pair("a").jwk(x="AAAA")], "keys[0].x is not 32 bytes"),
        ([Pair("a").jwk(x=Pair("a").jwk()["x"] + "=")], "keys[0].x is not 32 bytes"),
        ([Pair("a").jwk(x=7)], "keys[0].x is not 32 bytes"),
        ([Pair("a").jwk(x5c=["MIIB"])], "keys[0] holds x5c"),
        (["key"], "keys[0] is no object"),
    ],
)
def test_what_is_no_public_ed25519_key_makes_the_whole_set_unusable(entries: list[Any], words: str) -> None:
    with pytest.raises(ValidationError) as raised:
        read_key_set(json.dumps({"keys": entries}).encode())

    assert words in raised.value.message


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"keys": {}}', '{"keys": [], "keys": []}', "\ufeff{}", '{"keys": [], "more": 1}', "{"])
def test_what_is_no_key_set_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        read_key_set(text.encode())


def test_a_start_without_readable_keys_is_no_start_and_says_which_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"ENACT_APPROVAL__KEYS_FILE names .*missing\.json, which is no key set"):
        KeyFile(tmp_path / "missing.json", ManualClock())


def test_a_private_key_in_the_file_is_no_start_and_is_not_repeated(tmp_path: Path) -> None:
    pair = Pair()

    with pytest.raises(ConfigurationError, match="holds a private key") as raised:
        KeyFile(write_keys(tmp_path / "keys.json", pair.private_jwk()), ManualClock())

    assert pair.private_jwk()["d"] not in raised.value.message


def test_a_file_that_changed_is_read_again_within_a_second(world: World) -> None:
    write_keys(world.path, Pair("key-1").jwk(), Pair("key-2").jwk())
    within = world.kids()
    world.clock.advance(1)

    assert within == ["key-1"]
    assert world.kids() == ["key-1", "key-2"]
    assert world.told() == (2, 0)


def test_a_file_is_looked_at_once_a_second_at_most(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[Path] = []

    def looked(path: Path) -> bytes:
        looks.append(path)
        return path.read_bytes()

    monkeypatch.setattr("enact.approval_keys.read_file", looked)

    for _ in range(50):
        world.clock.advance(0.1)
        world.kids()

    assert 4 <= len(looks) <= 5


@pytest.mark.parametrize("text", ["", "{", '{"keys": []}', "x" * (MAX_FILE_BYTES + 1)])
def test_a_broken_new_file_keeps_the_keys_before_it_and_says_so_once(world: World, text: str, caplog: pytest.LogCaptureFixture) -> None:
    world.path.write_text(text, encoding="utf-8")

    for _ in range(3):
        world.clock.advance(1)
        assert world.kids() == ["key-1"]

    assert world.told() == (1, 1)
    assert [record.message for record in caplog.records] == ["approval_keys_not_usable"]


def test_a_file_that_went_away_keeps_the_keys_and_its_return_is_noticed(world: World, caplog: pytest.LogCaptureFixture) -> None:
    text = world.path.read_bytes()
    world.path.unlink()
    world.clock.advance(1)
    gone = (world.kids(), world.told())

    world.path.write_bytes(text)
    world.clock.advance(1)

    assert gone == (["key-1"], (1, 1))
    assert (world.kids(), world.told()) == (["key-1"], (1, 0))


def test_two_files_of_one_length_written_at_one_time_are_told_apart(world: World) -> None:
    before = world.path.stat()
    write_keys(world.path, Pair("key-2").jwk())
    os.utime(world.path, ns=(before.st_atime_ns, before.st_mtime_ns))
    world.clock.advance(1)

    assert world.path.stat().st_size == before.st_size
    assert world.kids() == ["key-2"]


def test_a_mount_that_is_swapped_by_its_link_is_followed(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write_keys(tmp_path / name / "keys.json", Pair(name).jwk())
    link, clock = tmp_path / "data", ManualClock()
    link.symlink_to("one")
    file = KeyFile(link / "keys.json", clock)

    link.unlink()
    link.symlink_to("two")
    clock.advance(1)

    assert sorted(file.keys()) == ["two"]
