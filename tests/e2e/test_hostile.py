"""Every kind of hostile record, one in twenty, between good ones on a real broker: each ends where it belongs."""

import itertools
import json
import random
import time

import pytest

from connectors.sandbox.tenants import client_id
from enact.kafka.transport import InRecord
from enact.records import ApprovedIntent
from enact.records.codec import decode
from tests.e2e import checker
from tests.e2e.world import STAGES_WITH_GROUPS, World
from tests.hostile.case import DOWN, LOCKED_OUT, LOST, REJECTED, SECRET, Sample, fine
from tests.hostile.rows import ROWS
from tests.hostile.verdict import KEPT, Seen, expected_good, table, violations

RECORDS = 5_000
HOSTILE = RECORDS // 20
GOOD = fine("good", lambda ground: ground.intent())
READ = ("intents.approved", "intents.returned", "intents.validated", "tool-calls", "tool-results", "executions")


def mixture(now_s: int) -> list[Sample]:
    """Every hostile row at least once, every odd but good one once, and good ones: in an order that is always the same."""
    hostile = [row for row in ROWS if row.ends is not None and row.is_reachable]
    odd = [row for row in ROWS if row.ends is None]
    rows = [*itertools.islice(itertools.cycle(hostile), HOSTILE), *odd, *[GOOD] * (RECORDS - HOSTILE - len(odd))]
    samples = [row.sample(number, now_s) for number, row in enumerate(rows)]
    random.Random(2026).shuffle(samples)
    return samples


def turn_hostile(world: World) -> None:
    """The other system rejects, stays down and loses answers; one tenant has a wrong secret."""
    world.sandbox.set_mode("reject", subject=REJECTED)
    world.sandbox.set_mode("fail_before", status=503, subject=DOWN)
    world.sandbox.set_mode("drop_after", subject=LOST)
    assert world.platform.credentials_dir is not None
    folder = world.platform.credentials_dir / LOCKED_OUT
    folder.mkdir()
    wrong = {"mode": "client_credentials", "instance_url": world.platform.sandbox_url, "client_id": client_id(LOCKED_OUT)}
    (folder / "crm.json").write_text(json.dumps(wrong | {"client_secret": SECRET}))


def look(world: World) -> Seen:
    records = {(one.topic, one.partition, int(one.offset)): one for short in READ for one in world.dump(short)}

    def read(topic: str, partition: int, offset: int) -> InRecord | None:
        return records.get((topic, partition, offset))

    return Seen(
        outcomes=world.outcomes(),
        letters={stage: world.dead_letters(stage) for stage in STAGES_WITH_GROUPS},
        executions=frozenset((entry.tenant_id, entry.action_intent_id) for entry in world.ledger().values() if entry.tenant_id),
        told=[record.value or b"" for short in ("ledger", "signals", "notifications") for record in world.dump(short)],
        read=read,
    )


@pytest.mark.timeout(300)
def test_one_hostile_record_in_twenty_leaves_the_good_ones_alone(world: World) -> None:
    turn_hostile(world)
    samples = mixture(int(time.time()))
    ended = {key for sample in samples for key in (*sample.good, *([sample.who] if sample.who else []))}
    kept = sum(sample.row.ends in KEPT for sample in samples)

    started_s = time.monotonic()
    world.send(record.placed(world.platform.options.partitions, world.platform.topic) for sample in samples for record in sample.records)
    world.wait_until(lambda: world.size("outcomes") >= len(ended), 240, f"{len(ended)} outcomes")
    world.wait_for_outcomes(len(ended), 30)
    took_s = time.monotonic() - started_s
    world.wait_until(lambda: sum(len(world.dead_letters(stage)) for stage in STAGES_WITH_GROUPS) >= kept, 30, f"{kept} dead letters")
    world.wait_for_quiet()

    seen = look(world)
    print(f"{len(samples)} records, {HOSTILE} of them hostile, in {took_s:.1f} s\n{table(samples, seen)}")
    found = violations(samples, seen)
    assert not found, "\n".join(found)
    good = [decode(ApprovedIntent, sample.records[-1].value or b"") for sample in expected_good(samples).values() if sample.row is GOOD]
    assert len(good) == RECORDS - HOSTILE - sum(row.ends is None for row in ROWS)
    unsignalled = {f"{sample.who} is FAILED without its signal" for sample in samples if not sample.row.has_signal}
    assert set(checker.violations(world, good)) == unsignalled
    logs = [path for path in (world.data_dir / "logs").rglob("*") if path.is_file()]
    assert logs
    assert [path.name for path in logs if SECRET.encode() in path.read_bytes()] == []
