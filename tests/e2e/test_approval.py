"""The production profile on a real broker: what nobody approved makes no call, whichever topic it comes by; keys change while it runs."""

import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from msgspec.structs import replace

from enact.kafka.partitioner import partition_of
from enact.kafka.transport import OutRecord
from enact.mapping import map_intent
from enact.records import ActionType, ApprovedIntent, Claimed, EventType, Status
from enact.records.codec import encode
from tests.approvals import AUDIENCE, ISSUER, Pair, write_keys
from tests.e2e.checker import violations
from tests.e2e.command import ROOT
from tests.e2e.conftest import MakeWorld
from tests.e2e.foreign.guide import Stranger, sections
from tests.e2e.intents import make_intent
from tests.e2e.world import World
from tests.factories import make_validated
from tests.hostile.approvals import HOSTILE_APPROVALS, HostileApproval

LOOKED_AT_S = 1.5
"""A file of keys is looked at once a second."""


class Production:
    """A world in the production profile, and the keys that it trusts."""

    def __init__(self, make_world: MakeWorld, folder: Path) -> None:
        self.pair, self.path = Pair(), folder / "keys.json"
        self.rotate(self.pair)
        settings = {"KEYS_FILE": str(self.path), "AUDIENCE": AUDIENCE, "ISSUERS": ISSUER}
        environ = {f"ENACT_APPROVAL__{name}": value for name, value in settings.items()}
        self.world: World = make_world(environ={"ENACT_PROFILE": "production", **environ})

    def rotate(self, *pairs: Pair) -> None:
        write_keys(self.path, *(pair.jwk() for pair in pairs))

    def entry(self, action_type: str) -> ActionType:
        return next(one for one in self.world.records("registry", ActionType) if one.action_type == action_type)

    def forge(self, *intents: ApprovedIntent, **changes: object) -> None:
        """Straight into `tool-calls`, past validation and tool mapping, as somebody would who knows every rule."""
        entry = self.entry("CREATE_CRM_TASK")
        calls = [replace(map_intent(make_validated(intent, entry), entry), **changes) for intent in intents]
        topic, count = self.world.platform.topic("tool-calls"), self.world.platform.options.partitions
        self.world.send(OutRecord(topic, partition_of(c.action_intent_id, count), c.action_intent_id.encode(), encode(c)) for c in calls)

    def ends(self, count: int) -> dict[str, tuple[Status, str | None]]:
        """How each execution ended, once so many have."""
        outcomes = self.world.wait_for_outcomes(count, 90)
        return {one.action_intent_id: (one.status, one.error_code) for one in outcomes.values()}

    def claimed(self) -> set[str]:
        return {event.action_intent_id for event in self.world.events() if isinstance(event.data, Claimed)}

    def types_of(self, intent_id: str) -> list[EventType]:
        return [event.type for event in self.world.events() if event.action_intent_id == intent_id]


@pytest.fixture
def production(make_world: MakeWorld, tmp_path: Path) -> Production:
    return Production(make_world, tmp_path)


SUCCEEDED, REFUSED = (Status.SUCCEEDED, None), (Status.FAILED, "APPROVAL_INVALID")


def test_what_nobody_approved_makes_no_call_by_the_front_door_or_the_back(production: Production) -> None:
    world, pair = production.world, production.pair
    good = [pair.approve(make_intent(f"good-{number}")) for number in range(3)]
    front = {f"int-front-{number}": row for number, row in enumerate(HOSTILE_APPROVALS)}
    back = {f"int-back-{number}": row for number, row in enumerate(HOSTILE_APPROVALS)}

    world.publish([row.make(pair, make_intent(name.removeprefix("int-"))) for name, row in front.items()])
    production.forge(*(row.make(pair, make_intent(name.removeprefix("int-"))) for name, row in back.items()))
    production.forge(pair.approve(make_intent("other")), arguments='{"Subject":"Pay Kim"}')
    world.publish(good)
    ends = production.ends(len(good) + len(front) + len(back) + 1)

    assert {name: ends[name] for name in (*front, *back) if ends[name] != REFUSED} == {}
    assert ends["int-other"] == (Status.FAILED, "REQUEST_DRIFT")
    assert {ends[one.action_intent_id] for one in good} == {SUCCEEDED}
    assert production.claimed() == {one.action_intent_id for one in good}
    assert len(world.receipts()) == len(good)
    assert violations(world, good) == []
    assert list(_reasons(world, "validation", front)) == []
    assert list(_reasons(world, "invocation", back)) == []


def test_keys_change_while_it_runs_and_a_withdrawn_key_permits_nothing_that_was_held(production: Production) -> None:
    world, first, second = production.world, production.pair, Pair("key-2")
    production.rotate(first, second)
    time.sleep(LOOKED_AT_S)
    world.publish([first.approve(make_intent("by-first")), second.approve(make_intent("by-second"))])
    both = production.ends(2)

    production.rotate(second)
    time.sleep(LOOKED_AT_S)
    production.forge(first.approve(make_intent("withdrawn-back")))
    world.publish([first.approve(make_intent("withdrawn")), second.approve(make_intent("still-second"))])
    withdrawn = production.ends(5)

    production.path.write_text("{", encoding="utf-8")
    time.sleep(LOOKED_AT_S)
    world.publish([second.approve(make_intent("by-kept-key")), first.approve(make_intent("by-gone-key"))])
    broken = production.ends(7)

    assert both == {"int-by-first": SUCCEEDED, "int-by-second": SUCCEEDED}
    assert (withdrawn["int-withdrawn"], withdrawn["int-withdrawn-back"]) == (REFUSED, REFUSED)
    assert withdrawn["int-still-second"] == SUCCEEDED
    assert (broken["int-by-kept-key"], broken["int-by-gone-key"]) == (SUCCEEDED, REFUSED)
    assert production.types_of("int-withdrawn-back") == [EventType.REFUSED]
    assert len(world.receipts()) == 4


def _reasons(world: World, stage: str, rows: Mapping[str, HostileApproval]) -> Iterator[str]:
    """Hostile records whose dead letter does not say why, or which have none."""
    kept = {(record.key or b"").decode(): dict(record.headers) for record in world.dead_letters(stage)}
    for name, row in rows.items():
        headers = kept.get(name, {})
        message = headers.get("__connect.errors.exception.message", b"").decode()
        if headers.get("enact-error-code") != b"APPROVAL_INVALID" or not all(word in message for word in row.words):
            yield f"{row.name}: {message}"


def test_the_guide_s_way_to_a_signed_approval_is_carried_out(make_world: MakeWorld, tmp_path: Path) -> None:
    blocks = sections((ROOT / "docs" / "guides" / "approval.md").read_text("utf-8"))
    approver = Stranger.settle(tmp_path / "approver", tools=tmp_path)
    approver.run(blocks["Try it"][0])
    world = make_world(
        environ={
            "ENACT_PROFILE": "production",
            "ENACT_APPROVAL__KEYS_FILE": str(approver.folder / "keys.json"),
            "ENACT_APPROVAL__AUDIENCE": "eu-production",
            "ENACT_APPROVAL__ISSUERS": "approvals.example",
        }
    )
    approver.environment["ENACT_KAFKA__BOOTSTRAP_SERVERS"] = world.platform.bootstrap_servers
    approver.environment["ENACT_TOPIC_PREFIX"] = world.settings.topic_prefix

    approver.run(blocks["Try it"][1])
    (outcome,) = world.wait_for_outcomes(1, 60).values()

    assert {title: len(found) for title, found in blocks.items() if found} == {"Try it": 2}
    assert (outcome.status, outcome.error_code) == SUCCEEDED
