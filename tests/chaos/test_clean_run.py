"""A run without faults, checked from outside: every promise kept, and a broken one seen."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.checker.__main__ import main
from tests.chaos.journal import Journal, now_ms
from tests.e2e.intents import TENANTS, make_intent
from tests.e2e.world import World

INTENTS = 60
TYPES = ("CREATE_CRM_TASK", "CREATE_INTERNAL_NOTE", "SANDBOX_FIRE_ONCE")


@pytest.fixture(scope="module")
def clean(broker_bootstrap: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run in which nothing was broken."""
    folder = tmp_path_factory.mktemp("clean")
    world = World(folder / "world", "chaos-clean", bootstrap=broker_bootstrap, environ={"ENACT_FAILPOINTS": "watch"})
    journal = Journal(folder / "run")
    journal.run(seed=0, world_mode="kind", began_ms=now_ms(), planned=[])
    world.start()
    try:
        with journal.sampling(world, every_s=0.5):
            intents = [make_intent(n, TYPES[n % 3], tenant_id=TENANTS[n % 3]) for n in range(INTENTS)]
            assert journal.publish(world, intents) == INTENTS
            world.wait_for_outcomes(INTENTS, 60)
            world.wait_for_quiet()
            journal.run(healed_ms=now_ms())
            assert journal.wait_for_no_lag(world)
            world.wait_until(lambda: len(journal.path.joinpath("processes.jsonl").read_text().splitlines()) > 60, 30, "enough looks")
        journal.collect(world)
    finally:
        world.stop()
    return journal.path


@pytest.mark.timeout(180)
def test_a_clean_run_keeps_every_promise(clean: Path) -> None:
    ended = subprocess.run([sys.executable, "-m", "tests.chaos.checker", str(clean)], capture_output=True, text=True, check=False)

    print(ended.stdout)
    report = json.loads((clean / "result.json").read_text(encoding="utf-8"))
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert report["figures"]["intents"] == INTENTS
    assert report["figures"]["statuses"] == {"SUCCEEDED": INTENTS}
    assert report["reached"]["failpoints"].keys() >= {"after_claim", "before_first_byte", "after_fact", "on_live", "after_commit"}


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def test_a_receipt_more_or_an_outcome_less_in_a_real_run_is_seen(clean: Path, tmp_path: Path) -> None:
    twice, lost = tmp_path / "twice", tmp_path / "lost"
    shutil.copytree(clean, twice)
    shutil.copytree(clean, lost)

    with (twice / "receipts.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps({**lines(clean / "receipts.jsonl")[-1], "seq": 10_000}) + "\n")
    (lost / "topics" / "outcomes.jsonl").write_text(
        "".join(json.dumps(line) + "\n" for line in lines(clean / "topics" / "outcomes.jsonl") if line["partition"] != 0), encoding="utf-8"
    )

    assert main([str(twice)]) == 1
    assert main([str(lost)]) == 1
