"""A system that refuses connections is left alone for the tenant that it refuses, and a tenant has the rate that a file gives it."""

import json
import socket
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.sandbox.tenants import client_id, client_secret
from enact.records import ApprovedIntent, Claimed, Fact, Parked, ParkReason, Released, Status
from tests.e2e.checker import violations
from tests.e2e.conftest import MakeWorld
from tests.e2e.intents import make_intent
from tests.e2e.world import World

AWAY, OTHER, LIMITED = "acme", "globex", "initech"
ENVIRON = {"ENACT_INVOCATION__BREAKER_OPEN_S": "2", "ENACT_INVOCATION__BREAKER_MAX_OPEN_S": "4"}
RATE, FASTER = 5, 40
BURST_S = 0.1
"""What a bucket holds beyond one call: so much of its rate."""

DELAY_S = 1.0
"""How much later than another a claim may become a call, on a machine where everything waits for its turn; two seconds end it unsent."""


@pytest.fixture
def refusing() -> Iterator[str]:
    """An address of this machine where nothing listens and nobody else can."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{held.getsockname()[1]}"


def point_at(world: World, tenant: str, url: str) -> None:
    """From its next call on the tenant's CRM is there."""
    assert world.platform.credentials_dir is not None
    path = world.platform.credentials_dir / tenant / "crm.json"
    credentials = {
        "mode": "client_credentials",
        "instance_url": url,
        "client_id": client_id(tenant),
        "client_secret": client_secret(tenant),
    }
    path.write_text(json.dumps(credentials))
    path.chmod(0o600)


def held(world: World) -> set[str]:
    """Intents that wait for a breaker, by the log."""
    return {e.action_intent_id for e in world.events() if isinstance(e.data, Parked) and e.data.reason is ParkReason.BREAKER}


@pytest.mark.timeout(240)
def test_a_system_that_refuses_connections_holds_one_tenant_and_nobody_uses_an_attempt_for_it(make_world: MakeWorld, refusing: str) -> None:
    world = make_world(environ={**ENVIRON, "ENACT_OUTBOUND__ALLOW": refusing})
    point_at(world, AWAY, f"http://{refusing}")
    first = [make_intent(f"first-{n}", tenant_id=AWAY) for n in range(8)]
    later = [make_intent(f"later-{n}", tenant_id=AWAY) for n in range(60)]
    others = [make_intent(f"other-{n}", tenant_id=OTHER) for n in range(40)]

    world.publish(first)
    world.wait_until(lambda: bool(held(world)), 60, "the breaker")
    began = time.monotonic()
    world.publish([*later, *others])
    names = {intent.action_intent_id for intent in later}
    world.wait_until(lambda: names <= held(world), 60, "the hold of what came later")
    outcomes = world.wait_for_outcomes(len(others), 60, [Status.SUCCEEDED])
    others_s = time.monotonic() - began
    assert {tenant for tenant, _ in outcomes} == {OTHER}
    point_at(world, AWAY, str(world.platform.sandbox_url))
    healed = time.monotonic()
    outcomes = world.wait_for_outcomes(len(first) + len(later) + len(others), 60)
    healed_s = time.monotonic() - healed
    world.wait_for_quiet()

    events = [event for event in world.events() if event.tenant_id == AWAY]
    tried = Counter(event.action_intent_id for event in events if isinstance(event.data, Fact))
    parked = Counter(event.action_intent_id for event in events if isinstance(event.data, Parked))
    claims = Counter(event.action_intent_id for event in events if isinstance(event.data, Claimed))
    released = Counter(event.action_intent_id for event in events if isinstance(event.data, Released))
    trials = sum(tried[name] - 1 for name in names)
    print(f"40 intents of the other tenant: {others_s:.1f} s. {len(names)} held, {trials} trials failed")
    print(f"all done {healed_s:.1f} s after healing")
    assert Counter(outcome.status for outcome in outcomes.values()) == {Status.SUCCEEDED: len(first) + len(later) + len(others)}
    for intent in [*first, *later]:
        name = intent.action_intent_id
        assert outcomes[AWAY, name].attempt_count == tried[name] == claims[name] - released[name]
        assert parked[name] <= claims[name], "held once for each wait, whatever happened meanwhile"
    assert sum(1 for name in names if tried[name] == 1) >= len(names) - 10, "an attempt is used by a trial and by nothing else"
    assert world.dead_letters("invocation") == []
    assert violations(world, [*first, *later, *others]) == []


def most_within(at_ms: list[int], seconds: float) -> int:
    return max(sum(1 for other in at_ms if first <= other < first + seconds * 1000) for first in at_ms)


def too_many(world: World, rate: int, began_ms: float, ended_ms: float) -> list[str]:
    """Where a rate was not kept between two times: claims in any second, calls in any five."""
    claims = [e.at_ms for e in world.events() if isinstance(e.data, Claimed) and e.tenant_id == LIMITED and began_ms <= e.at_ms < ended_ms]
    calls = [receipt["at_ms"] for receipt in world.receipts() if receipt["tenant"] == LIMITED and began_ms <= receipt["at_ms"] < ended_ms]
    may_claim, may_call = rate + 1 + rate * BURST_S, rate * (5 + BURST_S + DELAY_S) + 1
    claimed, called = most_within(claims, 1), most_within(calls, 5)
    print(f"{rate}/s: at most {claimed} claims and {most_within(calls, 1)} calls in a second, {called} calls in five")
    found = [f"{claimed} claims in a second"] if claimed > may_claim + 1 else []
    return [*found, *([f"{called} calls in five seconds"] if called > may_call else [])]


def arrivals(world: World, intents: list[ApprovedIntent]) -> list[int]:
    """When the tenant's writes were received, in order."""
    assert intents
    return sorted(receipt["at_ms"] for receipt in world.receipts() if receipt["tenant"] == LIMITED)


@pytest.mark.timeout(240)
def test_a_tenant_s_rate_is_kept_and_follows_its_file(make_world: MakeWorld, tmp_path: Path) -> None:
    path = tmp_path / "limits.yaml"
    path.write_text(f"tenants: {{{LIMITED}: {{crm: {{rate_per_s: {RATE}}}}}}}\n")
    world = make_world(environ={"ENACT_INVOCATION__LIMITS_FILE": str(path)})
    intents = [make_intent(f"limited-{n}", tenant_id=LIMITED) for n in range(160)]
    others = [make_intent(f"other-{n}", tenant_id=OTHER) for n in range(40)]

    world.publish([*intents, *others])
    world.wait_until(lambda: len(arrivals(world, intents)) >= 6 * RATE, 60, "six seconds of calls")
    slow = arrivals(world, intents)
    assert len([key for key in world.wait_for_outcomes(40, 5, [Status.SUCCEEDED]) if key[0] == OTHER]) == len(others)
    path.write_text("tenants: [")
    time.sleep(2)
    broken = arrivals(world, intents)[len(slow) :]
    path.write_text(f"tenants: {{{LIMITED}: {{crm: {{rate_per_s: {FASTER}}}}}}}\n")
    rewritten_ms = time.time() * 1000
    world.wait_for_outcomes(len(intents) + len(others), 60)
    world.wait_for_quiet()

    everything = arrivals(world, intents)
    fast = [at_ms for at_ms in everything if at_ms > rewritten_ms + 1000]
    rate = (len(slow) - 1) / (slow[-1] - slow[0]) * 1000
    print(f"{RATE}/s: {rate:.2f}/s over {len(slow)} calls; file broken: {len(broken)} in 2 s")
    print(f"{FASTER}/s: {len(fast)} in {(fast[-1] - fast[0]) / 1000:.1f} s")
    assert too_many(world, RATE, 0, rewritten_ms) == []
    assert too_many(world, FASTER, rewritten_ms + 1000, float("inf")) == []
    assert rate <= RATE * 1.1
    assert len(broken) <= 4 * RATE
    assert most_within(fast, 1) > RATE + 2, "the faster limit is in force"
    assert {event.data.reason for event in world.events() if isinstance(event.data, Parked)} == {ParkReason.LIMIT}
    assert len(everything) == len(intents)
    assert violations(world, [*intents, *others]) == []


@pytest.mark.timeout(240)
def test_two_instances_keep_a_limit_together(make_world: MakeWorld, tmp_path: Path) -> None:
    path = tmp_path / "limits.yaml"
    path.write_text(f"tenants: {{{LIMITED}: {{crm: {{rate_per_s: {2 * RATE}}}}}}}\n")
    world = make_world(environ={"ENACT_INVOCATION__LIMITS_FILE": str(path)}, instances=2)
    intents = [make_intent(f"limited-{n}", tenant_id=LIMITED) for n in range(120)]

    world.publish(intents)
    world.wait_for_outcomes(len(intents), 90)
    world.wait_for_quiet()

    at_ms = arrivals(world, intents)
    owners = Counter(event.data.owner.instance_id for event in world.events() if isinstance(event.data, Claimed))
    rate = (len(at_ms) - 1) / (at_ms[-1] - at_ms[0]) * 1000
    print(f"{2 * RATE}/s for two instances: {rate:.2f}/s, at most {most_within(at_ms, 1)} in a second; {sorted(owners.values())} claims")
    assert len(owners) == 2
    assert rate <= 2 * RATE * 1.1
    assert most_within(at_ms, 5) <= 2 * (RATE * (5 + BURST_S + DELAY_S) + 1)
    assert violations(world, intents) == []
