"""The guide's ways to publish and to read, as they stand on the page, against all stages on the real broker."""

import json
import subprocess

import pytest

from enact.records import ActionOutcome, Status
from tests.e2e.foreign.guide import PAGE, Stranger, blocks_of, sections
from tests.e2e.world import World

PATIENCE_S = 60.0
SETTING_UP = sections(PAGE.read_text("utf-8"))[""]


def outcome_of(world: World, prefix: str) -> ActionOutcome:
    """The outcome of the one intent whose id begins like this. Raises: AssertionError if it does not come, or another comes, too."""
    found: list[ActionOutcome] = []

    def is_there() -> bool:
        nonlocal found
        found = [one for one in world.outcomes().values() if one.action_intent_id.startswith(prefix)]
        return any(one.completed_at for one in found)

    world.wait_until(is_there, PATIENCE_S, f"an outcome of {prefix}…")
    assert len(found) == 1
    return found[0]


def test_every_block_of_the_page_is_run_by_a_test() -> None:
    found = {title: len(blocks) for title, blocks in sections(PAGE.read_text("utf-8")).items() if blocks}

    assert found == {
        "": 1,
        "1. JSON with kcat": 1,
        "2. JSON with Kafka's console producer": 1,
        "3. Avro from a program of your own": 2,
        "4. Avro with a schema registry": 3,
    }
    assert SETTING_UP == ["export BROKER=${BROKER:-127.0.0.1:9092} PREFIX=${PREFIX:-enact}\n"]


def test_json_by_kcat_is_carried_out(kcat: str, foreign_world: World, stranger: Stranger) -> None:
    stranger.run(*SETTING_UP, *blocks_of("JSON with kcat"))

    outcome = outcome_of(foreign_world, "from-kcat-")

    assert (outcome.status, outcome.attempt_count, outcome.tenant_id) == (Status.SUCCEEDED, 1, "acme")
    assert [task["fields"]["Subject"] for task in foreign_world.sandbox.objects(object_type="Task")].count(
        "Call Kim about the renewal"
    ) == 1


def test_json_by_kafka_s_console_producer_is_carried_out(foreign_world: World, stranger: Stranger) -> None:
    stranger.run(*SETTING_UP, *blocks_of("JSON with Kafka's console producer"))

    outcome = outcome_of(foreign_world, "from-console-")

    assert (outcome.status, outcome.attempt_count) == (Status.SUCCEEDED, 1)
    assert [task["fields"]["Subject"] for task in foreign_world.sandbox.objects(object_type="Task")].count("Send the offer") == 1


def test_avro_by_a_program_that_knows_only_the_schema_is_carried_out_and_read(foreign_world: World, stranger: Stranger) -> None:
    publish, read = blocks_of("Avro from a program of your own")

    stranger.run(*SETTING_UP, publish)
    outcome = outcome_of(foreign_world, "from-avro-")
    foreign_world.wait_for_quiet()
    lines = [json.loads(line) for line in stranger.run(*SETTING_UP, read).splitlines()]

    assert outcome.status is Status.SUCCEEDED
    told = [line for line in lines if line.get("action_intent_id") == outcome.action_intent_id and "attempt_count" in line]
    assert [(line["status"], line["tenant_id"], line["tool_name"]) for line in told if line["version"] == outcome.version] == [
        ("SUCCEEDED", "acme", "crm.create_task")
    ]
    signals = [line for line in lines if "signal_id" in line and line["window_key"] == f"account-1-{outcome.action_intent_id}"]
    assert [(line["type"], line["data"]["status"]) for line in signals] == [("ACTION_EXECUTED", "SUCCEEDED")]
    assert len(lines) == len(foreign_world.dump("outcomes")) + len(foreign_world.dump("signals"))


def test_a_wrong_fingerprint_is_a_dead_letter_and_not_a_guess(foreign_world: World, stranger: Stranger) -> None:
    program = stranger.folder / "docs" / "examples" / "publish_avro.py"
    turned = program.read_text("utf-8").replace('"CRC-64-AVRO"))', '"CRC-64-AVRO"))[::-1]').replace("from-avro-", "from-turned-")
    (program.parent / "publish_turned.py").write_text(turned, encoding="utf-8")

    stranger.run(*SETTING_UP, "python docs/examples/publish_turned.py $BROKER $PREFIX.intents.approved.v1")
    foreign_world.wait_until(lambda: len(foreign_world.dead_letters("validation")) == 1, PATIENCE_S, "a dead letter")

    (letter,) = foreign_world.dead_letters("validation")
    (sent,) = [one for one in foreign_world.dump("intents.approved") if one.key is not None and one.key.startswith(b"from-turned-")]
    assert dict(letter.headers)["enact-error-code"] == b"UNKNOWN_SCHEMA"
    assert (letter.key, letter.value) == (sent.key, sent.value)


def test_a_block_that_fails_fails_the_test(stranger: Stranger) -> None:
    with pytest.raises(AssertionError, match="exit 1"):
        stranger.run("false", "true")
    with pytest.raises(subprocess.TimeoutExpired):
        stranger.run("sleep 5", timeout_s=0.2)
