"""Everything in the Confluent framing, all stages on the real broker, with the registry of the tests and unmodified clients."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from enact.kafka.partitioner import partition_of
from enact.kafka.value_framing import value_framing
from enact.records import ApprovedIntent, ReturnedIntent, Status
from enact.records.codec import encode_json
from enact.records.framing import header_for
from enact.records.schema import schema_text
from tests.e2e.checker import incomplete_ledgers, violations
from tests.e2e.command import Enact
from tests.e2e.foreign.guide import Stranger, blocks_of
from tests.e2e.foreign.registry_of_the_tests import RegistryOfTheTests
from tests.e2e.intents import make_intent
from tests.e2e.world import World
from topology.subjects import subjects

PREFIX = "foreign-registry"
VARIABLE = "ENACT_SCHEMA_REGISTRY__URL"
PATIENCE_S = 90.0
OURS = (
    "admissions",
    "intents.validated",
    "tool-calls",
    "executions",
    "tool-results",
    "outcomes",
    "signals",
    "ledger",
    "registry",
    "switches",
)


@pytest.fixture(scope="module")
def registry() -> Iterator[RegistryOfTheTests]:
    started = RegistryOfTheTests()
    started.start()
    yield started
    started.stop()


@pytest.fixture(scope="module")
def framed_world(broker_bootstrap: str, registry: RegistryOfTheTests, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One instance of every stage with the registry; what this process reads is framed, too."""
    world = World(tmp_path_factory.mktemp("framed") / "world", PREFIX, bootstrap=broker_bootstrap, environ={VARIABLE: registry.url})
    world.start()
    with value_framing(world.settings.schema_registry, subjects(PREFIX)):
        yield world
    world.stop()


@pytest.fixture
def framed_stranger(framed_world: World, registry: RegistryOfTheTests, tmp_path: Path) -> Stranger:
    variables = {"BROKER": framed_world.platform.bootstrap_servers, "PREFIX": PREFIX, VARIABLE: registry.url}
    return Stranger.settle(tmp_path / "stranger", tools=tmp_path, **variables)


def upstream_schema(note: str) -> str:
    """An upstream's own form of the intent: a field more, optional ones left out, another order and namespace."""
    declared = json.loads(schema_text(ApprovedIntent))
    left_out = {"execution_policy", "registry_version", "edited_fields", "supersedes_action_intent_id"}
    declared["namespace"] = "com.example.upstream"
    declared["doc"] = note
    declared["fields"] = [
        {"name": "shard", "type": "int", "default": 0},
        *reversed([field for field in declared["fields"] if field["name"] not in left_out]),
    ]
    return json.dumps(declared)


def upstream_value(registry: RegistryOfTheTests, name: str, schema: str) -> bytes:
    """An intent by confluent-kafka's own serializer, with a schema of its own."""
    tree = json.loads(encode_json(make_intent(name)))
    tree = {key: value for key, value in tree.items() if value is not None} | {"parameters": json.dumps(tree["parameters"])}
    with SchemaRegistryClient({"url": registry.url}) as client:
        value = AvroSerializer(client, schema)(tree, SerializationContext(f"{PREFIX}.intents.approved.v1", MessageField.VALUE))
    assert isinstance(value, bytes)
    return value


def publish(world: World, name: str, value: bytes, *, partition: int | None = None) -> None:
    producer = Producer({"bootstrap.servers": world.platform.bootstrap_servers})
    right = partition_of(f"int-{name}", world.platform.options.partitions)
    topic = world.platform.topic("intents.approved")
    producer.produce(topic, value, key=f"int-{name}", partition=right if partition is None else partition)
    assert producer.flush(30) == 0


def wait_for(world: World, name: str) -> Status:
    world.wait_until(lambda: ("acme", f"int-{name}") in world.outcomes(), PATIENCE_S, f"an outcome of int-{name}")
    return world.outcomes()["acme", f"int-{name}"].status


def test_the_guide_s_clients_publish_and_read_through_a_schema_registry(
    framed_world: World, framed_stranger: Stranger, registry: RegistryOfTheTests
) -> None:
    export, publishing, reading = blocks_of("Avro with a schema registry")

    framed_stranger.run(export, publishing)
    framed_world.wait_for_outcomes(1, PATIENCE_S)
    framed_world.wait_for_quiet()
    lines = [json.loads(line) for line in framed_stranger.run(export, reading).splitlines()]

    (outcome,) = [line for line in lines if "attempt_count" in line and line["status"] == "SUCCEEDED"]
    (signal,) = [line for line in lines if "signal_id" in line]
    assert outcome["action_intent_id"].startswith("from-registry-")
    assert signal["type"] == "ACTION_EXECUTED"
    assert signal["data"]["action_intent_id"] == outcome["action_intent_id"]
    assert len(framed_world.sandbox.objects(object_type="Task")) == 1


def test_an_upstream_s_own_schema_is_resolved_also_after_a_detour(framed_world: World, registry: RegistryOfTheTests) -> None:
    schema = upstream_schema("the upstream's first form")
    elsewhere = (partition_of("int-detour", framed_world.platform.options.partitions) + 1) % framed_world.platform.options.partitions

    publish(framed_world, "straight", upstream_value(registry, "straight", schema))
    publish(framed_world, "detour", upstream_value(registry, "detour", schema), partition=elsewhere)

    assert wait_for(framed_world, "straight") is Status.SUCCEEDED
    assert wait_for(framed_world, "detour") is Status.SUCCEEDED
    (returned,) = framed_world.records("intents.returned", ReturnedIntent)
    assert returned.original is not None
    upstream_id = registry.id_of(schema)
    assert registry.subjects[f"{PREFIX}.intents.approved.v1-value"] == [registry.id_of(schema_text(ApprovedIntent)), upstream_id]
    assert (returned.original.value or b"")[:5] == header_for(upstream_id or 0)


def test_json_is_read_beside_it(framed_world: World) -> None:
    framed_world.publish([make_intent("json")])

    assert wait_for(framed_world, "json") is Status.SUCCEEDED


def test_an_unknown_id_is_a_dead_letter_with_the_original_bytes(framed_world: World, registry: RegistryOfTheTests) -> None:
    known = upstream_value(registry, "turned", schema_text(ApprovedIntent))
    turned = known[:1] + known[4:0:-1] + known[5:]

    publish(framed_world, "turned", turned)
    framed_world.wait_until(lambda: len(framed_world.dead_letters("validation")) == 1, PATIENCE_S, "a dead letter")

    (letter,) = framed_world.dead_letters("validation")
    assert dict(letter.headers)["enact-error-code"] == b"UNKNOWN_SCHEMA"
    assert letter.value == turned


def test_the_command_line_and_the_api_speak_it_too(framed_world: World, registry: RegistryOfTheTests) -> None:
    enact = Enact(
        framed_world.data_dir,
        ENACT_KAFKA__BOOTSTRAP_SERVERS=framed_world.platform.bootstrap_servers,
        ENACT_TOPIC_PREFIX=PREFIX,
        **{VARIABLE: registry.url},
    )

    enact.ask("switch", "engage", "global", "--reason", "looking")
    framed_world.publish([make_intent("held")])
    enact.wait_for("int-held", "HELD")
    enact.ask("switch", "release", "global", "--reason", "fine")
    enact.wait_for("int-held", "SUCCEEDED")

    findings = json.loads(enact.run("doctor", "--json").stdout)["findings"]

    assert wait_for(framed_world, "held") is Status.SUCCEEDED
    assert {one["name"]: one["level"] for one in findings if one["part"] == "The work"} == {
        "schema registry": "ok",
        "registry": "ok",
        "switches": "ok",
        "dead letters": "warn",
        "in doubt": "ok",
    }


def test_everything_that_enact_wrote_has_the_confluent_framing_with_its_schema_s_id(
    framed_world: World, registry: RegistryOfTheTests
) -> None:
    found = {short: {(record.value or b"")[:5] for record in framed_world.dump(short)} for short in OURS}

    for short in OURS:
        names = [subject for subject in subjects(PREFIX) if subject.startswith(f"{PREFIX}.{short}.v1-")]
        assert found[short] == {header_for(registry.subjects[name][0]) for name in names}, short
    assert registry.subjects.keys() == subjects(PREFIX).keys()
    assert all(registry.id_of(schema_text(cls)) == registry.subjects[subject][0] for subject, cls in subjects(PREFIX).items())


@pytest.mark.timeout(300)
def test_a_registry_that_fails_stops_validation_again_and_again_and_loses_nothing(
    framed_world: World, registry: RegistryOfTheTests
) -> None:
    new = upstream_value(registry, "away", upstream_schema("a form that validation has not met"))
    letters = len(framed_world.dead_letters("validation"))

    registry.is_failing = True
    publish(framed_world, "away", new)
    # A record that ends its process three times is a dead letter; this one is not to blame.
    framed_world.wait_until(lambda: times_ended(framed_world) >= 3, PATIENCE_S, "three ends of validation")
    registry.stop()
    framed_world.wait_until(lambda: times_ended(framed_world) >= 4, PATIENCE_S, "one more end")
    assert ("acme", "int-away") not in framed_world.outcomes()
    registry.is_failing = False
    registry.start()

    assert wait_for(framed_world, "away") is Status.SUCCEEDED
    framed_world.wait_for_quiet()
    assert len(framed_world.dead_letters("validation")) == letters
    published = [make_intent(name) for name in ("straight", "detour", "json", "away")]
    assert violations(framed_world, published) == []
    assert incomplete_ledgers(framed_world, published) == {}


def times_ended(world: World) -> int:
    """How often validation stopped itself."""
    return sum("validation.0 ended (exit 75" in line for line in world.lines)
