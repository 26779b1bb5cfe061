"""`enact approve` and `enact approval-key`: what they write is what the stages accept, and a private key stays private."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from cli.exit_codes import Exit
from enact.approval import ApprovalRules
from enact.approval_keys import KeyFile
from enact.clock import SystemClock
from enact.errors import ApprovalError
from enact.ids import intent_sha256
from enact.records import ApprovalEvidence, ApprovedIntent
from enact.records.codec import decode
from enact.signed_approval import SignatureVerifier
from tests.approvals import AUDIENCE, EXPECTATION, ISSUER
from tests.factories import intent_json_tree
from tests.unit.cli.command import run

WHERE = ("--audience", AUDIENCE, "--issuer", ISSUER)
FAR_S = 4_000_000_000


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ENACT_APPROVAL__AUDIENCE", raising=False)
    monkeypatch.delenv("ENACT_APPROVAL__ISSUERS", raising=False)


class Desk:
    """An approver's folder: a key, its public half, and a file with an intent."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.key, self.jwks, self.file = folder, folder / "approver.jwk", folder / "keys.json", folder / "intent.json"
        self.made = run("approval-key", "--out", str(self.key), "--jwks", str(self.jwks), "--kid", "kim-1")
        self.write(intent_json_tree() | {"expires_at_epoch": FAR_S})

    def write(self, *intents: dict[str, Any]) -> None:
        self.file.write_text(json.dumps(list(intents) if len(intents) > 1 else intents[0]), encoding="utf-8")

    def approve(self, *options: str) -> Any:
        return run("approve", str(self.file), "--key", str(self.key), *options)

    def evidence(self, intent: ApprovedIntent) -> ApprovalEvidence:
        """What a stage with this key set says of it."""
        clock = SystemClock()
        verifier = SignatureVerifier(KeyFile(self.jwks, clock), EXPECTATION)
        rules = ApprovalRules(verifier.check, is_signature_required=True)
        return rules.check(intent, intent_sha256(intent), now_ms=clock.wall_ms())


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def read(text: str) -> ApprovedIntent:
    return decode(ApprovedIntent, text.encode())


def test_what_it_signs_is_what_the_stages_accept(desk: Desk) -> None:
    result = desk.approve(*WHERE)

    assert result.exit_code == Exit.OK, result.output
    assert desk.evidence(read(result.stdout)) is ApprovalEvidence.SIGNATURE_CHECKED


def test_issuer_and_environment_come_from_the_settings_if_they_are_there(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENACT_APPROVAL__AUDIENCE", AUDIENCE)
    monkeypatch.setenv("ENACT_APPROVAL__ISSUERS", f"{ISSUER},other.example")

    assert desk.evidence(read(desk.approve().stdout)) is ApprovalEvidence.SIGNATURE_CHECKED


@pytest.mark.parametrize(("given", "missing"), [(WHERE[:2], "--issuer"), (WHERE[2:], "--audience")])
def test_without_issuer_or_environment_nothing_is_signed(desk: Desk, given: tuple[str, ...], missing: str) -> None:
    result = desk.approve(*given)

    assert result.exit_code == Exit.REFUSED
    assert missing in result.stderr


def test_the_approver_named_on_the_command_line_stands_in_both_places(desk: Desk) -> None:
    intent = read(desk.approve(*WHERE, "--approver", "robin").stdout)

    assert intent.approval.approved_by == "robin"
    assert desk.evidence(intent) is ApprovalEvidence.SIGNATURE_CHECKED


def test_nobody_approves_what_they_asked_for(desk: Desk) -> None:
    result = desk.approve(*WHERE, "--requester", "Kim")

    assert result.exit_code == Exit.REFUSED
    assert "approver and requester are the same" in result.stderr


def test_an_approval_can_be_shorter_than_the_intent(desk: Desk) -> None:
    intent = read(desk.approve(*WHERE, "--valid-for", "1").stdout)
    verifier = SignatureVerifier(KeyFile(desk.jwks, SystemClock()), EXPECTATION)

    with pytest.raises(ApprovalError, match="exp passed"):
        verifier.check(intent.approval.jws or "", intent, intent_sha256(intent), SystemClock().wall_ms() + 60_000)


def test_an_intent_that_is_over_already_is_not_approved(desk: Desk) -> None:
    desk.write(intent_json_tree() | {"expires_at_epoch": 1_000_000_000})

    result = desk.approve(*WHERE)

    assert result.exit_code == Exit.REFUSED
    assert "exp" in result.stderr


def test_several_intents_are_signed_each_for_itself(desk: Desk) -> None:
    desk.write(*({**intent_json_tree(), "expires_at_epoch": FAR_S, "action_intent_id": name} for name in ("int-a", "int-b")))
    out = desk.folder / "approved.json"

    result = desk.approve(*WHERE, "--out", str(out))

    signed = [read(json.dumps(one)) for one in json.loads(out.read_text("utf-8"))]
    assert result.stdout == ""
    assert [desk.evidence(one) for one in signed] == [ApprovalEvidence.SIGNATURE_CHECKED] * 2
    assert len({one.approval.jws for one in signed}) == 2


def test_with_one_problem_in_the_file_nothing_is_signed(desk: Desk) -> None:
    desk.write(intent_json_tree(), {"tenant_id": "acme"})

    result = desk.approve(*WHERE, "--json")

    assert result.exit_code == Exit.REFUSED
    assert "Nothing was signed" in json.loads(result.stdout)["message"]


def test_a_private_key_is_for_its_owner_alone_and_is_never_shown(desk: Desk) -> None:
    secret = json.loads(desk.key.read_text("utf-8"))["d"]
    printed = run("approval-key", "--out", str(desk.folder / "other.jwk"), "--json")

    assert stat.S_IMODE(desk.key.stat().st_mode) == 0o600
    assert secret not in desk.made.output + desk.jwks.read_text("utf-8")
    assert "d" not in json.loads(printed.stdout)["public"]
    assert json.loads((desk.folder / "other.jwk").read_text("utf-8"))["d"] not in printed.output


def test_a_key_is_never_overwritten(desk: Desk) -> None:
    before = desk.key.read_bytes()

    result = run("approval-key", "--out", str(desk.key))

    assert result.exit_code == Exit.REFUSED
    assert desk.key.read_bytes() == before


def test_a_second_key_goes_beside_the_first_one(desk: Desk) -> None:
    second = desk.folder / "second.jwk"

    result = run("approval-key", "--out", str(second), "--jwks", str(desk.jwks), "--issuer", ISSUER)

    keys = json.loads(desk.jwks.read_text("utf-8"))["keys"]
    assert result.exit_code == Exit.OK, result.output
    assert [key["kid"] for key in keys] == ["kim-1", json.loads(second.read_text("utf-8"))["kid"]]
    assert keys[1]["iss"] == ISSUER


@pytest.mark.parametrize(("options", "words"), [(("--kid", "kim-1"), "has a key of this id"), (("--kid", "a b"), "A key id has")])
def test_a_key_that_cannot_be_added_is_not_made(desk: Desk, options: tuple[str, ...], words: str) -> None:
    out = desk.folder / "second.jwk"

    result = run("approval-key", "--out", str(out), "--jwks", str(desk.jwks), *options)

    assert result.exit_code == Exit.REFUSED
    assert words in result.stderr
    assert not out.exists()


def test_a_key_set_that_is_none_is_left_as_it_is(desk: Desk) -> None:
    desk.jwks.write_text("[]", encoding="utf-8")

    result = run("approval-key", "--out", str(desk.folder / "second.jwk"), "--jwks", str(desk.jwks))

    assert result.exit_code == Exit.REFUSED
    assert desk.jwks.read_text("utf-8") == "[]"
    assert not (desk.folder / "second.jwk").exists()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        '{"kty": "RSA", "kid": "a", "d": "x"}',
        '{"kty": "OKP", "crv": "Ed25519", "kid": "a", "x": "AAAA", "d": "AAAA"}',
        '{"kty": "OKP", "crv": "X25519", "kid": "a", "x": "AAAA", "d": "AAAA"}',
    ],
)
def test_what_is_no_private_key_signs_nothing(desk: Desk, text: str) -> None:
    desk.key.write_text(text, encoding="utf-8")

    result = desk.approve(*WHERE)

    assert result.exit_code == Exit.REFUSED
    assert result.stdout == ""
    assert "Traceback" not in result.output


def test_a_public_key_signs_nothing(desk: Desk) -> None:
    tree = json.loads(desk.key.read_text("utf-8"))
    del tree["d"]
    desk.key.write_text(json.dumps(tree), encoding="utf-8")

    result = desk.approve(*WHERE)

    assert result.exit_code == Exit.REFUSED
    assert "no private key" in result.stderr
