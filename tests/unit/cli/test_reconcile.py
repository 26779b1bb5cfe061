"""`enact reconcile` on a cluster in memory: what it finds, what it changes and when, how it ends."""

import json
from typing import Any

import pytest
from msgspec.structs import replace

from cli.exit_codes import Exit
from enact.ids import key_of
from enact.kafka.partitioner import partition_of
from enact.kafka.transport import OutRecord
from enact.records import ExecutionEvent, Expired, LedgerType, ReturnedIntent, Status
from enact.records.codec import decode, encode
from tests.unit.cli.command import run
from tests.unit.enact.event_factories import START_MS, a_claim, a_tool_call
from tests.unit.enact.ledger_owner import PARTITIONS, World
from tests.unit.services.reconciliation.said import Said, admitted, begun, entered, happened, told

DAY_S = 86_400
HOME = partition_of("intent-1", PARTITIONS)


@pytest.fixture
def lost(world: World) -> World:
    """A cluster with every topic that is read or written, a day after an intent was admitted and never heard of again."""
    for short in ("admissions", "outcomes"):
        world.broker.create_topic(f"t.{short}", PARTITIONS)
    world.clock.now_ms = START_MS
    put(world, *begun())
    return world


def put(world: World, *said: Said, intent_id: str = "intent-1") -> None:
    for one in said:
        key = key_of("tenant-1", intent_id) if one.topic in {"executions", "outcomes"} else intent_id.encode()
        record = replace(one.record, action_intent_id=intent_id)
        world.broker.append(OutRecord(f"t.{one.topic}", partition_of(intent_id, PARTITIONS), key, encode(record)))


def answered(*arguments: str) -> tuple[int, dict[str, Any]]:
    result = run("reconcile", *arguments, "--json")
    return result.exit_code, json.loads(result.stdout)


def test_an_execution_that_is_alive_within_its_bound_is_no_finding(lost: World) -> None:
    lost.clock.advance(299)

    result = run("reconcile")

    assert (result.exit_code, result.stdout) == (Exit.OK, "1 executions: each is at its end, or alive within its bound.\n")


def test_what_was_lost_is_named_with_what_is_missing_and_nothing_is_changed(lost: World) -> None:
    lost.clock.advance(600)

    code, body = answered()

    [finding] = body["findings"]
    assert code == Exit.PROBLEM
    assert (finding["action_intent_id"], finding["missing"], finding["done"]) == ("intent-1", "NOT_IN_LOG", "would be sent again")
    assert lost.broker.records("t.intents.returned") == []


def test_people_are_told_where_to_look(lost: World) -> None:
    lost.clock.advance(600)

    result = run("reconcile")

    assert "intent-1" in result.stdout
    assert "Look whether tool-mapping and invocation run" in result.stdout
    assert "add --repair" in result.stdout


def test_repair_sends_it_again_as_the_same_generation(lost: World) -> None:
    lost.clock.advance(600)

    code, body = answered("--repair")

    [sent] = lost.broker.records("t.intents.returned")
    assert code == Exit.PROBLEM
    assert body["findings"][0]["done"] == "sent again"
    assert (sent.partition, sent.key, decode(ReturnedIntent, sent.value or b"").generation) == (HOME, b"intent-1", 1)


def test_a_dry_run_changes_nothing_whatever_else_is_asked(lost: World) -> None:
    lost.clock.advance(600)

    _, body = answered("--repair", "--dry-run")

    assert body["is_repaired"] is False
    assert lost.broker.records("t.intents.returned") == []


def test_what_is_over_its_deadline_is_expired(lost: World) -> None:
    lost.clock.advance(2 * 3600)

    _, body = answered("--repair")

    [sent] = lost.broker.records("t.executions")
    assert body["findings"][0]["done"] == "expired"
    assert isinstance(decode(ExecutionEvent, sent.value or b"").data, Expired)


def test_an_overdue_claim_is_sent_again_and_one_that_validation_does_not_know_is_left_to_a_person(world: World, lost: World) -> None:
    put(lost, happened(a_claim(), subject=a_tool_call()))
    put(lost, happened(a_claim(), subject=a_tool_call()), intent_id="intent-2")
    lost.clock.advance(600)

    _, body = answered("--repair")

    done = {one["action_intent_id"]: (one["missing"], one["done"]) for one in body["findings"]}
    assert done == {"intent-1": ("STANDS_STILL", "sent again"), "intent-2": ("STANDS_STILL", "a person must look")}


def test_what_has_ended_everywhere_is_counted_and_what_cannot_be_read_is_told(lost: World) -> None:
    put(lost, told(Status.SUCCEEDED, 1), entered(LedgerType.ACTION_EXECUTED, 1), admitted(generation=2))
    lost.broker.append(OutRecord("t.ledger", 0, b"k", b"\xc3\x01"))
    lost.clock.advance(DAY_S)

    code, body = answered()

    assert (code, body["executions"], body["unreadable"], body["findings"]) == (Exit.PROBLEM, 1, 1, [])
