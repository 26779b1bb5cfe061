"""Ten thousand intents of a tenant whose tool is slow hold up nobody else in their partition, and one cancel ends them."""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from itertools import count, islice
from pathlib import Path

import pytest

from enact.cancel_all import CancelAll
from enact.ids import key_of
from enact.kafka.log_reader import LogReader
from enact.kafka.partitioner import partition_of
from enact.kafka.transport import TopicPartition
from enact.records import ApprovedIntent, CancelRequested, Claimed, LedgerEntry, LedgerType, Status
from enact.records.codec import decode
from tests.e2e.checker import violations
from tests.e2e.intents import make_intent
from tests.e2e.test_doubt_and_stops import command_door
from tests.e2e.world import World

INTENTS = 10_000
HOME = 1
"""The partition that everything here lies in."""
TOOL_S = 2.0
SHARE = 125
"""A quarter of the window: what one tenant and connector may have under way."""
OTHERS_WITHIN_S = 3.0
MAX_GROWTH_MB = 100
SLOW, QUICK = "acme", "globex"


def intents_at_home(world: World) -> Iterator[ApprovedIntent]:
    """Intents of the slow tenant, all in one partition."""
    return (make_intent(n, tenant_id=SLOW) for n in count() if partition_of(f"int-{n}", world.platform.options.partitions) == HOME)


def wait_for_length(world: World, short: str, wanted: int) -> None:
    """Wait until so many records of a topic lie in the partition."""
    partition = TopicPartition(world.platform.topic(short), HOME)
    with closing(LogReader(world.platform.kafka)) as reader:
        world.wait_until(lambda: int(reader.end_offsets([partition])[partition]) >= wanted, 120, f"{wanted} records of {short}")


def memory_mb(world: World) -> float:
    """Resident memory of invocation."""
    (pid,) = world.pids(stage="invocation").values()
    (line,) = (line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024


def way_of(world: World, intent: ApprovedIntent) -> dict[str, float]:
    """When the intent's first record lay in each topic, by the broker's clock: seconds from its own record on."""
    keys = {intent.action_intent_id.encode(), key_of(intent.tenant_id, intent.action_intent_id)}
    keys.add(key_of(intent.tenant_id, intent.action_intent_id, "1"))
    first_ms = {}
    for short in ("intents.approved", "admissions", "intents.validated", "tool-calls", "executions", "tool-results", "outcomes"):
        first_ms[short] = min((record.timestamp_ms for record in world.dump(short) if record.key in keys), default=0)
    return {short: (at_ms - first_ms["intents.approved"]) / 1000 for short, at_ms in first_ms.items() if at_ms}


def most_at_once(at_ms: list[int]) -> int:
    """How many calls were under way at the same time at least: each takes `TOOL_S` from its receipt."""
    most, first = 0, 0
    for last, end_ms in enumerate(at_ms):
        while at_ms[first] <= end_ms - TOOL_S * 1000:
            first += 1
        most = max(most, last - first + 1)
    return most


def calls_after_their_cancel(world: World) -> list[str]:
    """Receipts that came in later than the owner's answer to the cancel was in the ledger: it had folded the cancel before."""
    folded_ms: dict[str, int] = {}
    for record in world.dump("ledger"):
        entry = decode(LedgerEntry, record.value or b"")
        if entry.type in {LedgerType.CANCEL_ACCEPTED, LedgerType.CANCEL_REFUSED}:
            folded_ms.setdefault(entry.action_intent_id, record.timestamp_ms)
    claims = {event.data.nonce: event.action_intent_id for event in world.events() if isinstance(event.data, Claimed)}
    assert folded_ms
    return [
        receipt["attempt"]
        for receipt in world.receipts()
        if receipt["at_ms"] > folded_ms.get(claims[receipt["attempt"].partition(".")[2]], receipt["at_ms"])
    ]


def valid_claims_behind_a_cancel(world: World) -> list[str]:
    """Executions in whose log a claim was called although it stands behind the cancel."""
    called = {receipt["attempt"].partition(".")[2] for receipt in world.receipts()}
    cancelled: set[bytes] = set()
    found = []
    for event in world.events():
        key = key_of(event.tenant_id, event.action_intent_id)
        if isinstance(event.data, CancelRequested):
            cancelled.add(key)
        elif isinstance(event.data, Claimed) and key in cancelled and event.data.nonce in called:
            found.append(event.action_intent_id)
    return found


@pytest.mark.timeout(300)
def test_a_slow_tenant_s_thousands_hold_up_nobody_and_drain_when_they_are_cancelled(world: World) -> None:
    *slow, last = islice(intents_at_home(world), INTENTS + 1)
    quick = make_intent(last.action_intent_id.removeprefix("int-"), tenant_id=QUICK)
    world.sandbox.set_mode("slow", tenant=SLOW, hang_s=TOOL_S)
    at_rest_mb, began = memory_mb(world), time.monotonic()

    def note(what: str) -> None:
        print(f"{time.monotonic() - began:6.1f} s  {what}; invocation holds {memory_mb(world):.0f} MB", flush=True)

    world.publish(slow)
    wait_for_length(world, "admissions", INTENTS)
    note(f"{INTENTS} intents admitted, {len(world.receipts())} called")

    world.publish([quick])
    world.wait_until(lambda: bool(world.sandbox.receipts(kind="write", tenant=QUICK)), 60, "the other tenant's call")
    grown_mb = memory_mb(world) - at_rest_mb
    note(f"the other tenant was called, after {len(world.sandbox.receipts(kind='write', tenant=SLOW))} calls for the slow one")
    canceller = CancelAll(command_door(world))
    told = canceller.give(tenant_id=SLOW, reason="its tool is slow")
    note(f"{told}")
    outcomes = world.wait_for_outcomes(INTENTS + 1, 120)
    world.wait_for_quiet()
    note("everything ended")

    way = way_of(world, quick)
    took_s = way["outcomes"]
    ends = Counter(outcome.status for (tenant, _), outcome in outcomes.items() if tenant == SLOW)
    receipts = [receipt for receipt in world.receipts() if receipt["tenant"] == SLOW]
    print(f"The other tenant's intent on its way: {way}")
    print(f"The other tenant's intent was done after {took_s:.2f} s. Invocation grew by {grown_mb:.0f} MB.")
    print(f"{dict(ends)}; {len(receipts)} receipts, {most_at_once([r['at_ms'] for r in receipts])} at once")
    assert outcomes[QUICK, quick.action_intent_id].status is Status.SUCCEEDED
    assert set(ends) == {Status.SUCCEEDED, Status.CANCELLED}
    assert ends.total() == INTENTS
    assert ends[Status.SUCCEEDED] == len(receipts) == len(world.sandbox.objects(object_type="Task", tenant=SLOW))
    assert (told.unanswered, told.left_alone) == (0, 0)
    assert told.accepted >= ends[Status.CANCELLED]
    assert calls_after_their_cancel(world) == []
    assert valid_claims_behind_a_cancel(world) == []
    assert violations(world, [*slow, quick]) == []
    assert most_at_once([receipt["at_ms"] for receipt in receipts]) <= SHARE
    assert grown_mb <= MAX_GROWTH_MB
    assert took_s <= OTHERS_WITHIN_S
