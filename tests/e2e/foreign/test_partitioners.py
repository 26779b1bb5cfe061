"""kcat's own default partitioner is not Kafka's: what it puts elsewhere comes home through `intents.returned`, whole and once."""

import subprocess
import zlib
from pathlib import Path

import pytest

from enact.kafka.partitioner import partition_of
from enact.records import ReturnedIntent, Status
from enact.records.codec import encode_json
from tests.e2e.checker import violations
from tests.e2e.foreign.conftest import find_kcat
from tests.e2e.intents import make_intent
from tests.e2e.world import World

COUNT = 24


def publish(kcat: str, world: World, folder: Path, names: list[str], *options: str) -> dict[str, bytes]:
    """Publish an intent of each name with kcat; their bytes by id."""
    values = {f"int-{name}": encode_json(make_intent(name)) for name in names}
    for intent_id, value in values.items():
        file = folder / f"{intent_id}.json"
        file.write_bytes(value)
        topic = world.platform.topic("intents.approved")
        command = [kcat, "-P", "-b", world.platform.bootstrap_servers, "-t", topic, "-k", intent_id, *options, str(file)]
        subprocess.run(command, check=True, timeout=30, capture_output=True)
    return values


def arrived(world: World, values: dict[str, bytes]) -> dict[str, int]:
    """Where each intent lies in the input topic."""
    found = {record.key.decode(): record.partition for record in world.dump("intents.approved") if record.key is not None}
    return {intent_id: found[intent_id] for intent_id in values}


def returned(world: World, values: dict[str, bytes]) -> dict[str, ReturnedIntent]:
    """What validation forwarded of these."""
    found = {str(record.action_intent_id): record for record in world.records("intents.returned", ReturnedIntent)}
    return {intent_id: record for intent_id, record in found.items() if intent_id in values}


def test_intents_by_kcat_s_default_partitioner_come_home_and_have_one_effect(kcat: str, foreign_world: World, tmp_path: Path) -> None:
    partitions = foreign_world.platform.options.partitions
    names = [f"crc-{n}" for n in range(COUNT)]

    values = publish(kcat, foreign_world, tmp_path, names)
    outcomes = foreign_world.wait_for_outcomes(COUNT, 90)
    foreign_world.wait_for_quiet()

    assert arrived(foreign_world, values) == {one: zlib.crc32(one.encode()) % partitions for one in values}
    strays = {one for one, partition in arrived(foreign_world, values).items() if partition != partition_of(one, partitions)}
    forwarded = returned(foreign_world, values)
    assert 0 < len(strays) < COUNT
    assert set(forwarded) == strays
    assert all(one.cause == "WRONG_PARTITION" and one.original is not None for one in forwarded.values())
    assert {one: forwarded[one].original.value for one in strays} == {one: values[one] for one in strays}  # type: ignore[union-attr] # above
    assert {outcome.status for outcome in outcomes.values()} == {Status.SUCCEEDED}
    assert violations(foreign_world, [make_intent(name) for name in names]) == []


def test_a_missing_kcat_fails_the_test_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(pytest.fail.Exception, match=r"`make setup` installs it.*apt-get install kcat"):
        find_kcat(str(tmp_path))


def test_intents_by_kafka_s_own_partitioner_go_straight(kcat: str, foreign_world: World, tmp_path: Path) -> None:
    partitions = foreign_world.platform.options.partitions
    known = len(foreign_world.outcomes())

    values = publish(kcat, foreign_world, tmp_path, [f"murmur-{n}" for n in range(COUNT)], "-X", "partitioner=murmur2_random")
    outcomes = foreign_world.wait_for_outcomes(known + COUNT, 90)

    assert arrived(foreign_world, values) == {one: partition_of(one, partitions) for one in values}
    assert returned(foreign_world, values) == {}
    assert {outcomes["acme", one].status for one in values} == {Status.SUCCEEDED}
