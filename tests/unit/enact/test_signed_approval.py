"""Every hostile approval is refused in words that name what does not fit; good ones pass; keys change without a restart."""

import json
from pathlib import Path
from typing import Any

import pytest
from joserfc import jws
from joserfc.jwk import OKPKey

from enact.approval import ApprovalRules
from enact.approval_profile import approval_rules
from enact.clock import ManualClock
from enact.errors import ApprovalError, ConfigurationError, ErrorCode
from enact.ids import intent_sha256
from enact.metrics import Metrics
from enact.records.intent import ApprovedIntent
from enact.settings import KernelSettings, load
from tests.approvals import AUDIENCE, ISSUER, Pair, Production, claims_for, with_token, write_keys
from tests.factories import NOW_MS, NOW_S, make_intent
from tests.hostile.approvals import HOSTILE_APPROVALS, HostileApproval, hostile_intent


class World:
    """A key file, the rules of the production profile, and a clock."""

    def __init__(self, folder: Path) -> None:
        self.clock = ManualClock(NOW_MS)
        production = Production(folder, self.clock)
        self.pair, self.path, self.rules = production.pair, production.path, production.rules

    def check(self, intent: ApprovedIntent) -> None:
        self.rules.check(intent, intent_sha256(intent), now_ms=self.clock.wall_ms())

    def refusal(self, intent: ApprovedIntent) -> str:
        with pytest.raises(ApprovalError) as raised:
            self.check(intent)
        assert raised.value.code is ErrorCode.APPROVAL_INVALID
        return raised.value.message

    def rotate(self, *entries: dict[str, Any]) -> None:
        write_keys(self.path, *entries)
        self.clock.advance(1)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_a_good_approval_is_accepted_also_the_second_time(world: World) -> None:
    approved = world.pair.approve(make_intent())

    world.check(approved)
    world.check(approved)


def test_a_library_s_token_is_accepted(world: World) -> None:
    key = OKPKey.import_key(world.pair.private_jwk())
    payload = claims_for(make_intent())

    token = jws.serialize_compact(world.pair.header(), json.dumps(payload).encode(), key, algorithms=["Ed25519"])

    world.check(with_token(make_intent(), token))


@pytest.mark.parametrize("row", HOSTILE_APPROVALS, ids=lambda row: row.name)
def test_a_hostile_approval_is_refused_and_says_why(world: World, row: HostileApproval) -> None:
    message = world.refusal(hostile_intent(row, world.pair))

    assert [word for word in row.words if word not in message] == []
    assert message.startswith("approval.jws")


def test_a_refusal_repeats_nothing_of_what_it_refuses(world: World) -> None:
    secret = "whispered"
    odd = [{"aud": secret}, {"iss": secret}, {"tenant_id": secret}, {"jti": secret}, {"approver": secret}, {"exp": secret}]

    told = [world.refusal(world.pair.approve(make_intent(), **changes)) for changes in odd]
    told += [world.refusal(with_token(make_intent(), world.pair.token(claims_for(make_intent()), world.pair.header(alg=secret))))]

    assert [message for message in told if secret in message] == []


@pytest.mark.parametrize(
    ("now_s", "is_accepted"),
    [(-65, True), (-66, False), (604, True), (605, False)],
)
def test_clocks_may_differ_by_the_leeway_and_no_more(world: World, now_s: int, is_accepted: bool) -> None:
    approved = world.pair.approve(make_intent())
    world.clock.now_ms = (NOW_S + now_s) * 1000

    if is_accepted:
        world.check(approved)
    else:
        world.refusal(approved)


def test_what_was_verified_once_is_still_asked_for_its_time(world: World) -> None:
    approved = world.pair.approve(make_intent())
    world.check(approved)

    world.clock.advance(700)

    assert "exp passed 100 s ago" in world.refusal(approved)


def test_what_was_verified_once_is_still_held_against_the_intent_it_comes_with(world: World) -> None:
    approved = world.pair.approve(make_intent())
    world.check(approved)

    stolen = with_token(make_intent(action_intent_id="int-2"), approved.approval.jws)

    assert "jti" in world.refusal(stolen)


def test_the_same_bytes_are_verified_once_for_one_key(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    approved, counted = world.pair.approve(make_intent()), _counted(monkeypatch)

    for _ in range(3):
        world.check(approved)

    assert len(counted) == 1


def test_undoing_is_covered_whenever_the_approval_held(world: World) -> None:
    approved = world.pair.approve(make_intent())

    world.rules.check(approved, intent_sha256(approved), now_ms=None)

    world.clock.advance(7_000)
    world.rules.check(approved, intent_sha256(approved), now_ms=None)


def test_a_key_that_left_the_file_verifies_nothing_any_more_also_what_it_had_verified(world: World) -> None:
    approved, newer = world.pair.approve(make_intent()), Pair("key-2")
    world.check(approved)

    world.rotate(newer.jwk())

    assert "kid" in world.refusal(approved)
    world.check(newer.approve(make_intent()))


def test_an_id_that_another_key_takes_over_forgets_what_the_first_one_verified(world: World) -> None:
    approved, other = world.pair.approve(make_intent()), Pair(world.pair.kid)
    world.check(approved)

    world.rotate(other.jwk())

    assert "signature does not fit" in world.refusal(approved)
    world.check(other.approve(make_intent()))


def test_several_keys_count_beside_each_other(world: World) -> None:
    newer = Pair("key-2")

    world.rotate(world.pair.jwk(), newer.jwk())

    world.check(world.pair.approve(make_intent()))
    world.check(newer.approve(make_intent()))


def test_a_key_of_one_issuer_signs_for_no_other_one(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.rotate(world.pair.jwk(iss="other.example"))

    assert "iss is not the issuer whose key signed it" in world.refusal(world.pair.approve(make_intent()))


def production(**given: str) -> KernelSettings:
    return load(KernelSettings, {"ENACT_PROFILE": "production", **{f"ENACT_APPROVAL__{name}": value for name, value in given.items()}})


def rules_of(settings: KernelSettings) -> ApprovalRules:
    return approval_rules(settings, ManualClock(NOW_MS), Metrics("validation"))


def test_production_without_a_key_set_does_not_start_and_names_what_to_set_and_where() -> None:
    with pytest.raises(ConfigurationError) as raised:
        rules_of(production())

    told = raised.value.message
    assert told.startswith("Approval: ENACT_APPROVAL__KEYS_FILE, ENACT_APPROVAL__AUDIENCE, ENACT_APPROVAL__ISSUERS are not set")
    assert "ConfigMap" in told


def test_production_with_all_demands_signatures(tmp_path: Path) -> None:
    pair = Pair()
    keys = write_keys(tmp_path / "keys.json", pair.jwk())
    rules = rules_of(production(KEYS_FILE=str(keys), AUDIENCE=AUDIENCE, ISSUERS=f"other.example, {ISSUER}"))
    approved = pair.approve(make_intent())

    rules.check(approved, intent_sha256(approved), now_ms=NOW_MS)

    with pytest.raises(ApprovalError, match="is missing"):
        rules.check(make_intent(), intent_sha256(make_intent()), now_ms=NOW_MS)


def test_development_with_keys_checks_a_signature_that_is_given_and_asks_for_none(tmp_path: Path) -> None:
    keys = write_keys(tmp_path / "keys.json", Pair().jwk())
    given = {"KEYS_FILE": str(keys), "AUDIENCE": AUDIENCE, "ISSUERS": ISSUER}
    rules = rules_of(load(KernelSettings, {f"ENACT_APPROVAL__{name}": value for name, value in given.items()}))
    forged = Pair().approve(make_intent())

    rules.check(make_intent(), intent_sha256(make_intent()), now_ms=NOW_MS)

    with pytest.raises(ApprovalError, match="signature"):
        rules.check(forged, intent_sha256(forged), now_ms=NOW_MS)


def test_keys_without_an_environment_are_half_a_setting(tmp_path: Path) -> None:
    keys = write_keys(tmp_path / "keys.json", Pair().jwk())

    with pytest.raises(ConfigurationError, match="ENACT_APPROVAL__AUDIENCE, ENACT_APPROVAL__ISSUERS are not set"):
        rules_of(load(KernelSettings, {"ENACT_APPROVAL__KEYS_FILE": str(keys)}))


def _counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    counted: list[str] = []
    verify = jws.deserialize_compact

    def counting(token: str, *told: Any, **more: Any) -> Any:
        counted.append(token)
        return verify(token, *told, **more)

    monkeypatch.setattr("enact.signed_approval.jws.deserialize_compact", counting)
    return counted
