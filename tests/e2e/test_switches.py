"""A stop holds: within two seconds of its acknowledgement, through pauses, a lost broker and late duplicates; and ends without a trace."""

import json
import signal
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from benchmarks.stops import Stop, Traffic, last_calls, rate_while_stopped
from enact.ids import key_of
from enact.kafka.client import KafkaWriter
from enact.kafka.partitioner import partition_of
from enact.kafka.transport import OutRecord
from enact.records import LedgerType, Status, Switch, SwitchMode
from enact.records.codec import encode, encode_json
from enact.records.intent import ApprovedIntent
from enact.switch_commands import SwitchCommands
from tests.chaos.cluster import ChaosWorld, Lane
from tests.chaos.proxy.faults import Fault, Harm
from tests.e2e.intents import make_intent
from tests.e2e.test_doubt_and_stops import command_door, ledger_total
from tests.e2e.world import World

BOUND_MS = 2_000
ROUNDS = 5
RATE = 50
TENANTS = ("acme", "globex")


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@contextmanager
def traffic(world: World, name: str, *, rate: float = RATE) -> Iterator[Traffic]:
    """Both tenants in turn, for as long as the block lasts."""
    topic, partitions = world.platform.topic("intents.approved"), world.platform.options.partitions

    def make(number: int) -> tuple[ApprovedIntent, OutRecord]:
        intent = make_intent(f"{name}-{number}", tenant_id=TENANTS[number % 2])
        partition = partition_of(intent.action_intent_id, partitions)
        return intent, OutRecord(topic, partition, intent.action_intent_id.encode(), encode_json(intent))

    writer = KafkaWriter(world.platform.kafka)
    running = Traffic(writer, rate, make)
    running.start()
    try:
        yield running
    finally:
        running.stop()
        writer.close()


def calls_ms(world: World, tenant: str) -> list[int]:
    """When each call of a tenant reached the sandbox, by its own clock."""
    return [receipt["at_ms"] for receipt in world.receipts() if receipt["tenant"] == tenant]


def appended_ms(world: World, switch: Switch) -> int:
    key = key_of(switch.scope, switch.engagement_id)
    return next(record.timestamp_ms for record in world.dump("switches") if record.key == key)


def put(world: World, scope: str, **order: Any) -> dict[str, Any]:
    """An order through the api."""
    request = urllib.request.Request(
        f"{world.platform.api_url}/switches/{scope}", data=json.dumps({"actor": "kim", "reason": "a test", **order}).encode(), method="PUT"
    )
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as response:
        answer: dict[str, Any] = json.load(response)
    return answer


def check_all_done_once(world: World, published: list[ApprovedIntent]) -> None:
    """Every intent SUCCEEDED by its first attempt, with one receipt and one object."""
    outcomes = world.wait_for_outcomes(len(published), 90, {Status.SUCCEEDED})
    assert {outcome.attempt_count for outcome in outcomes.values()} == {1}
    assert len(world.receipts()) == len(published)
    assert len(world.sandbox.objects(object_type="Task")) == len(published)


@pytest.mark.timeout(240)
def test_a_stopped_tenant_is_called_no_later_than_two_seconds_after_others_go_on_and_what_was_held_is_done_once(world: World) -> None:
    """50 times at 200/s: `python -m benchmarks.switch_stops`."""
    switches = SwitchCommands(command_door(world))
    engaged: list[tuple[int, Switch, int, int]] = []

    with traffic(world, "stops") as running:
        time.sleep(2)
        for _ in range(ROUNDS):
            asked = now_ms()
            switch = switches.engage("tenant:acme", reason="a test")
            acknowledged = now_ms()
            time.sleep(3)
            released = now_ms()
            switches.release("tenant:acme", reason="a test", engagement_id=switch.engagement_id)
            engaged.append((asked, switch, acknowledged, released))
            time.sleep(1.5)
    stops = [Stop(asked, appended_ms(world, switch), acknowledged, released) for asked, switch, acknowledged, released in engaged]

    check_all_done_once(world, running.published)
    found = last_calls(stops, calls_ms(world, "acme"))
    assert len(found.after_append_ms) == ROUNDS, "nothing was called before the switch was engaged: nothing was shown"
    assert max(found.after_append_ms) <= BOUND_MS, found
    assert rate_while_stopped(stops, calls_ms(world, "globex"), settle_ms=500) > 0.8
    totals = ledger_total(world)
    assert (totals[LedgerType.SWITCH_ENGAGED], totals[LedgerType.SWITCH_RELEASED]) == (ROUNDS, ROUNDS)
    assert totals[LedgerType.EXECUTION_HELD] == totals[LedgerType.EXECUTION_RELEASED] > 0


@pytest.mark.timeout(180)
def test_a_process_that_was_paused_across_an_engagement_makes_no_matching_call_when_it_continues(world: World) -> None:
    switches = SwitchCommands(command_door(world))
    with traffic(world, "paused") as running:
        world.wait_until(lambda: len(calls_ms(world, "acme")) > 20, 30, "calls")
        world.signal("invocation", signal.SIGSTOP)
        time.sleep(0.5)
        switch = switches.engage("tenant:acme", reason="a test")
        time.sleep(4.5)
        continued = now_ms()
        world.signal("invocation", signal.SIGCONT)
        others = len(calls_ms(world, "globex"))
        world.wait_until(lambda: len(calls_ms(world, "globex")) > others + 50, 30, "calls of the other tenant")
        late = [at_ms for at_ms in calls_ms(world, "acme") if at_ms >= continued]
        switches.release("tenant:acme", reason="a test", engagement_id=switch.engagement_id)

    assert late == []
    outcomes = world.wait_for_outcomes(len(running.published), 90, {Status.SUCCEEDED})
    assert len(outcomes) == len(running.published)
    assert len(world.sandbox.objects(object_type="Task")) == len(running.published)


@pytest.fixture
def lane_world(tmp_path: Path) -> Iterator[tuple[Lane, ChaosWorld]]:
    """A world whose stages reach the broker through a proxy."""
    lane = Lane(tmp_path / "lane")
    lane.start()
    world = ChaosWorld(lane, tmp_path / "world", "partitioned")
    try:
        world.start()
        yield lane, world
    finally:
        world.stop()
        lane.stop()


@pytest.mark.timeout(240)
def test_a_process_that_lost_the_broker_stops_calling_within_two_seconds(lane_world: tuple[Lane, ChaosWorld]) -> None:
    """Half-open: nothing moves, and nobody says so. Then a tenant is stopped that the lost process cannot hear of."""
    lane, world = lane_world
    switches = SwitchCommands(command_door(world))
    with traffic(world, "lost") as running:
        world.wait_until(lambda: len(calls_ms(world, "acme")) > 20, 30, "calls")
        lost = now_ms()
        lane.proxy.add(Fault(harm=Harm.HALF_OPEN, for_s=60, client="enact.invocation*"))
        switch = switches.engage("tenant:acme", reason="a test")
        time.sleep(6)
        healed = now_ms()
        lane.proxy.heal()
        others = len(calls_ms(world, "globex"))
        world.wait_until(lambda: len(calls_ms(world, "globex")) > others + 50, 60, "calls of the other tenant after the fault")
        while_lost = [at_ms - lost for tenant in TENANTS for at_ms in calls_ms(world, tenant) if lost <= at_ms < healed]
        late = [at_ms for at_ms in calls_ms(world, "acme") if at_ms >= healed]
        switches.release("tenant:acme", reason="a test", engagement_id=switch.engagement_id)

    assert any(lost - 1_000 <= at_ms < lost for at_ms in calls_ms(world, "acme")), "nothing was called before: nothing was shown"
    assert max(while_lost, default=0) <= BOUND_MS
    assert late == []
    outcomes = world.wait_for_outcomes(len(running.published), 120, {Status.SUCCEEDED})
    assert len(outcomes) == len(running.published)
    assert len(world.sandbox.objects(object_type="Task")) == len(running.published)


def test_a_late_duplicate_of_an_old_release_changes_nothing(world: World) -> None:
    switches = SwitchCommands(command_door(world))
    old = switches.engage("tenant:acme", reason="old")
    (release,) = switches.release("tenant:acme", reason="old", engagement_id=old.engagement_id)
    new = switches.engage("tenant:acme", reason="new")

    duplicate = OutRecord(world.platform.topic("switches"), 0, key_of(release.scope, release.engagement_id), encode(release))
    world.send([duplicate, duplicate])
    time.sleep(1)
    world.publish([make_intent(n) for n in range(5)])
    world.wait_until(lambda: ledger_total(world)[LedgerType.EXECUTION_HELD] == 5, 30, "5 held executions")
    time.sleep(2)

    assert world.receipts() == []
    assert [one.engagement_id for one in switches.switches() if one.state.value == "ENGAGED"] == [new.engagement_id]
    switches.release("tenant:acme", reason="done", engagement_id=new.engagement_id)
    assert len(world.wait_for_outcomes(5, 30, {Status.SUCCEEDED})) == 5


def test_a_switch_that_rejects_ends_what_comes_and_what_is_held_and_leaves_no_dead_letter(world: World) -> None:
    held = put(world, "connector:crm", state="ENGAGED")
    time.sleep(1)
    world.publish([make_intent(n) for n in range(5)])
    world.wait_until(lambda: ledger_total(world)[LedgerType.EXECUTION_HELD] == 5, 30, "5 held executions")

    rejecting = put(world, "tenant:acme", state="ENGAGED", mode="REJECT")
    ended = world.wait_for_outcomes(5, 30, {Status.FAILED})
    world.publish([make_intent(n) for n in range(5, 10)])
    world.publish([make_intent("free", tenant_id="globex", action_type="CREATE_INTERNAL_NOTE")])
    outcomes = world.wait_for_outcomes(11, 30)
    world.wait_for_quiet()

    assert rejecting["affected"]["held"] == 5
    assert rejecting["is_known"] is True
    assert {outcome.error_code for outcome in ended.values()} == {"KILL_SWITCH_ENABLED"}
    assert {key[1] for key, one in outcomes.items() if one.status is Status.FAILED} == {f"int-{n}" for n in range(10)}
    assert outcomes["globex", "int-free"].status is Status.SUCCEEDED
    refused_by = Counter(entry.stage for entry in world.ledger().values() if entry.type is LedgerType.INTENT_REFUSED)
    assert refused_by == {"invocation": 5, "validation": 5}, "what is held ends at the gate, what comes ends at validation"
    assert world.receipts() == []
    assert [world.dead_letters(stage) for stage in ("validation", "tool_mapping", "invocation", "recording")] == [[], [], [], []]
    released = put(world, "tenant:acme", state="RELEASED", engagement_id=rejecting["changed"][0]["engagement_id"])
    assert (released["is_stopped"], [one["scope"] for one in listed(world)]) == (False, ["connector:crm"])
    put(world, "connector:crm", state="RELEASED", engagement_id=held["changed"][0]["engagement_id"])
    world.publish([make_intent("after")])
    assert world.wait_for_outcomes(2, 30, {Status.SUCCEEDED})["acme", "int-after"].attempt_count == 1


def listed(world: World) -> list[dict[str, Any]]:
    """What the api says is stopped, once it has read what was ordered."""
    time.sleep(1)
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"{world.platform.api_url}/switches", timeout=30) as response:
        found: list[dict[str, Any]] = json.load(response)["switches"]
    return found


def test_the_start_time_variable_stops_and_cannot_start_what_a_switch_holds(make_world: Callable[..., World]) -> None:
    """Planted bug: `ENACT_EXECUTION_ENABLED=true` opens what a switch holds."""
    stopped = make_world(environ={"ENACT_EXECUTION_ENABLED": "false"})
    stopped.publish([make_intent(n) for n in range(5)])
    stopped.wait_until(lambda: ledger_total(stopped)[LedgerType.EXECUTION_HELD] == 5, 30, "5 held executions")
    started = make_world(environ={"ENACT_EXECUTION_ENABLED": "true"})
    SwitchCommands(command_door(started)).engage("global", reason="a test", mode=SwitchMode.HOLD)
    time.sleep(1)
    started.publish([make_intent(n) for n in range(5)])
    started.wait_until(lambda: ledger_total(started)[LedgerType.EXECUTION_HELD] == 5, 30, "5 held executions")
    time.sleep(2)

    assert (stopped.receipts(), started.receipts()) == ([], [])


def test_a_record_that_nobody_can_read_stops_everything_until_it_is_released_by_its_name(world: World) -> None:
    world.send([OutRecord(world.platform.topic("switches"), 0, key_of("tenant:acme", "of a newer version"), b"\xc3\x01 whatever")])
    time.sleep(1)
    world.publish([make_intent(n) for n in range(5)])
    world.wait_until(lambda: ledger_total(world)[LedgerType.EXECUTION_HELD] == 5, 30, "5 held executions")
    switches = SwitchCommands(command_door(world))
    (found,) = [one for one in switches.switches() if one.state.value == "ENGAGED"]

    switches.release("global", reason="it was rubbish", engagement_id=found.engagement_id)

    assert found.engagement_id.startswith("unreadable-")
    assert {one.attempt_count for one in world.wait_for_outcomes(5, 30, {Status.SUCCEEDED}).values()} == {1}
    key = key_of("tenant:acme", "of a newer version")
    assert [record.value for record in world.dump("switches") if record.key == key][-1] is None
