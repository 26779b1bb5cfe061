"""Our side of a schema registry, against the client library's in-process one (`mock://`) and against one that fails."""

import json
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from confluent_kafka.schema_registry import Schema as RegisteredText
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.schema_registry.error import SchemaRegistryError
from confluent_kafka.serialization import MessageField, SerializationContext

from enact.errors import BrokerError, ConfigurationError, ErrorCode
from enact.kafka import schema_registry
from enact.kafka.schema_registry import ClientSchemaRegistry, SchemaRegistryUnavailableError, connected
from enact.kafka.value_framing import value_framing
from enact.records import ApprovedIntent
from enact.records.codec import decode, encode
from enact.records.framing import IN_USE, framed_by, header_for
from enact.records.schema import schema_text, schemas_of
from enact.settings import SchemaRegistrySettings
from tests.unit.enact.records.factories import an_intent, an_intent_tree
from tests.unit.enact.records.refusals import refusal_of
from topology.subjects import subjects

TOPIC = "enact.intents.approved.v1"
CONTEXT = SerializationContext(TOPIC, MessageField.VALUE)


class Failing(SchemaRegistryClient):
    """A registry that answers every question with one error."""

    def __init__(self, error: Exception) -> None:
        super().__init__({"url": "http://127.0.0.1:1"})
        self.error = error

    def get_schema(self, *given: Any, **named: Any) -> Any:
        raise self.error

    def register_schema(self, *given: Any, **named: Any) -> Any:
        raise self.error

    def lookup_schema(self, *given: Any, **named: Any) -> Any:
        raise self.error


@pytest.fixture
def client() -> SchemaRegistryClient:
    return SchemaRegistryClient.new_client({"url": "mock://"})


@pytest.fixture
def registry(client: SchemaRegistryClient) -> Iterator[ClientSchemaRegistry]:
    """Ours, after a foreign schema, so that no id is 1 by luck."""
    client.register_schema("elsewhere-value", RegisteredText('"string"', "AVRO"))
    ours = ClientSchemaRegistry(client)
    ours.register(subjects())
    with framed_by(ours):
        yield ours


def upstream_tree() -> dict[str, Any]:
    tree = an_intent_tree()
    return tree | {"parameters": json.dumps(tree["parameters"]), "execution_policy": {"max_attempts": 2}}


def test_every_schema_stands_under_its_topic_s_subject(client: SchemaRegistryClient, registry: ClientSchemaRegistry) -> None:
    found = client.get_latest_version(f"{TOPIC}-value")

    assert set(client.get_subjects()) == {"elsewhere-value", *subjects()}
    assert json.loads(str(found.schema.schema_str)) == json.loads(schema_text(ApprovedIntent))
    assert registry.header_of(ApprovedIntent) == header_for(int(str(found.schema_id)))


def test_a_second_process_gets_the_same_ids_and_adds_nothing(client: SchemaRegistryClient, registry: ClientSchemaRegistry) -> None:
    second = ClientSchemaRegistry(client)

    second.register(subjects(), is_adding=False)

    assert all(second.header_of(cls) == registry.header_of(cls) for cls in subjects().values())
    assert client.get_versions(f"{TOPIC}-value") == [1]


def test_a_foreign_serializer_s_intent_is_read(client: SchemaRegistryClient, registry: ClientSchemaRegistry) -> None:
    declared = json.loads(schema_text(ApprovedIntent))
    declared["fields"] = [field for field in declared["fields"] if field["name"] not in {"registry_version", "edited_fields"}]
    serializer = AvroSerializer(client, json.dumps(declared))

    value = serializer(upstream_tree(), CONTEXT)

    assert isinstance(value, bytes)
    assert value[:5] != registry.header_of(ApprovedIntent)
    assert decode(ApprovedIntent, value) == an_intent()


def test_a_foreign_deserializer_reads_what_we_write(client: SchemaRegistryClient, registry: ClientSchemaRegistry) -> None:
    tree = AvroDeserializer(client)(encode(an_intent()), CONTEXT)

    assert isinstance(tree, dict)
    assert tree["action_intent_id"] == "int-1"
    assert tree["execution_policy"] == {"max_attempts": 2, "timeout_seconds": None}


def test_a_logical_type_of_a_foreign_schema_does_not_change_the_value(client: SchemaRegistryClient, registry: ClientSchemaRegistry) -> None:
    declared = json.loads(schema_text(ApprovedIntent))
    for field in declared["fields"]:
        if field["name"] == "expires_at_epoch":
            field["type"] = {"type": "long", "logicalType": "timestamp-millis"}
    serializer = AvroSerializer(client, json.dumps(declared))

    value = serializer(upstream_tree(), CONTEXT)

    assert isinstance(value, bytes)
    assert decode(ApprovedIntent, value).expires_at_epoch == an_intent().expires_at_epoch


@pytest.mark.parametrize(
    "text",
    [
        RegisteredText('{"type": "object"}', "JSON"),
        RegisteredText("syntax", "AVRO"),
        RegisteredText('{"type": "record", "fields": []}', "AVRO"),
        RegisteredText('{"type": "array", "items": "elsewhere.Type"}', "AVRO"),
    ],
)
def test_a_schema_that_is_no_usable_avro_schema_is_an_unknown_one(
    client: SchemaRegistryClient, registry: ClientSchemaRegistry, text: RegisteredText
) -> None:
    schema_id = client.register_schema("odd-value", text)

    error = refusal_of(ApprovedIntent, header_for(schema_id) + b"abc")

    assert error.code is ErrorCode.UNKNOWN_SCHEMA
    assert f"schema id {schema_id}" in error.message


def test_an_unknown_id_is_asked_again_and_known_once_it_is_registered(client: SchemaRegistryClient, registry: ClientSchemaRegistry) -> None:
    text = schema_text(ApprovedIntent).replace("Who may do what", "Who may do what, says upstream")
    next_id = max(int.from_bytes(registry.header_of(cls)[1:], "big") for cls in subjects().values()) + 1
    value = header_for(next_id) + encode(an_intent())[5:]

    assert refusal_of(ApprovedIntent, value).code is ErrorCode.UNKNOWN_SCHEMA
    assert client.register_schema("upstream-value", RegisteredText(text, "AVRO")) == next_id
    assert decode(ApprovedIntent, value) == an_intent()


def test_a_known_id_is_not_asked_for_again() -> None:
    ours = ClientSchemaRegistry(SchemaRegistryClient.new_client({"url": "mock://"}))
    ours.register({f"{TOPIC}-value": ApprovedIntent})
    schema_id = int.from_bytes(ours.header_of(ApprovedIntent)[1:], "big")
    ours._client = Failing(httpx2.ConnectError("away"))

    found = ours.schema_of(schema_id)

    assert found is not None
    assert found.fingerprint == schemas_of(ApprovedIntent).current.fingerprint


AWAY = [
    httpx2.ConnectError("refused"),
    httpx2.ReadTimeout("late"),
    OSError("no route"),
    ValueError("not JSON"),
    KeyError("id"),
    SchemaRegistryError(500, 50001, "store"),
    SchemaRegistryError(503, -1, "proxy"),
    SchemaRegistryError(404, 404, "no such path: this is another service"),
    SchemaRegistryError(401, 40101, "who are you"),
    SchemaRegistryError(429, 42900, "slow down"),
]


@pytest.mark.parametrize("error", AWAY, ids=repr)
def test_a_registry_that_says_nothing_about_the_schema_ends_the_process_and_no_record(error: Exception) -> None:
    with framed_by(ClientSchemaRegistry(Failing(error))), pytest.raises(SchemaRegistryUnavailableError) as caught:
        decode(ApprovedIntent, header_for(7) + b"abc")

    assert isinstance(caught.value, BrokerError)
    assert "ENACT_SCHEMA_REGISTRY__URL" in caught.value.message


@pytest.mark.parametrize("code", [40403, 40400])
def test_only_the_registry_s_own_word_makes_an_unknown_schema(code: int) -> None:
    ours = ClientSchemaRegistry(Failing(SchemaRegistryError(404, code, "Schema not found")))

    assert ours.schema_of(7) is None


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        (SchemaRegistryError(409, 409, "incompatible"), ConfigurationError, f"{TOPIC}-value"),
        (SchemaRegistryError(422, 42201, "invalid"), ConfigurationError, f"{TOPIC}-value"),
        (SchemaRegistryError(403, 40301, "forbidden"), ConfigurationError, "user and password"),
        (SchemaRegistryError(404, 40403, "not found"), ConfigurationError, "ENACT_SCHEMA_REGISTRY__REGISTERS"),
        (SchemaRegistryError(500, 50001, "store"), SchemaRegistryUnavailableError, "HTTP status 500"),
        (httpx2.ConnectError("refused"), SchemaRegistryUnavailableError, "ConnectError"),
    ],
)
@pytest.mark.parametrize("is_adding", [True, False])
def test_what_goes_wrong_at_the_start_says_what_to_do(error: Exception, kind: type[Exception], said: str, is_adding: bool) -> None:
    ours = ClientSchemaRegistry(Failing(error))

    with pytest.raises(kind, match=said):
        ours.register({f"{TOPIC}-value": ApprovedIntent}, is_adding=is_adding)


def test_schemas_are_not_added_where_that_is_not_allowed(client: SchemaRegistryClient) -> None:
    with pytest.raises(ConfigurationError, match="register schemas/avro"):
        ClientSchemaRegistry(client).register(subjects(), is_adding=False)

    assert client.get_subjects() == []


def test_a_class_without_a_subject_is_not_written() -> None:
    with pytest.raises(ConfigurationError, match="ApprovedIntent has no subject"):
        ClientSchemaRegistry(Failing(OSError())).header_of(ApprovedIntent)


def test_with_an_address_values_are_framed_until_the_end(client: SchemaRegistryClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema_registry, "connected", lambda _: client)
    before = encode(an_intent())

    with value_framing(SchemaRegistrySettings(url="http://schemas.example"), subjects()):
        framed = encode(an_intent())

    assert framed[:1] == b"\x00"
    assert encode(an_intent()) == before


def test_without_an_address_nothing_changes() -> None:
    with value_framing(SchemaRegistrySettings(), subjects()):
        assert IN_USE.registry is None


def test_an_address_where_nobody_answers_is_said_before_the_first_record() -> None:
    with (
        pytest.raises(SchemaRegistryUnavailableError),
        value_framing(SchemaRegistrySettings(url="http://127.0.0.1:1"), subjects()),
    ):
        raise AssertionError("it must not start")

    assert IN_USE.registry is None


def test_user_and_certificate_authorities_reach_the_client(tmp_path: Any) -> None:
    settings = SchemaRegistrySettings.model_validate({"url": "https://schemas.example", "username": "enact", "password": "secret"})

    with connected(settings) as client:
        assert client._rest_client.auth == ("enact", "secret")
    with pytest.raises(ConfigurationError, match="ENACT_SCHEMA_REGISTRY__URL"):
        connected(settings.model_copy(update={"ca_location": tmp_path / "missing.pem"}))
    with pytest.raises(ConfigurationError, match="is not set"):
        connected(SchemaRegistrySettings())
