"""Fingerprints, and what happens to a value whose writer had another form of the schema."""

import copy
import json
from collections.abc import Callable, Iterator
from importlib.resources import files
from io import BytesIO
from typing import Any

import pytest
from fastavro import schemaless_writer

from enact.errors import ErrorCode, ValidationError
from enact.records import Approval, ApprovalSource, ApprovedIntent, Backoff, EffectKind, EventType, ExecutionEvent, ToolCall, codec, schema
from enact.records.avro_form import tree_writer
from enact.records.codec import decode, encode
from enact.records.schema import RecordSchemas, Schema, schema_from, schemas_of
from enact.records.shape import shape_of
from tests.unit.enact.records.factories import a_call, a_claim_event, an_intent


def declared(name: str) -> Any:
    return json.loads((files("schemas") / "avro" / f"{name}.avsc").read_text("utf-8"))


def field_of(record: Any, name: str) -> Any:
    return next(field for field in record["fields"] if field["name"] == name)


@pytest.fixture
def publish(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[type, Any], Schema]]:
    """Makes one more form of a class known to the reader, as a file in `history` would."""

    def add(cls: type, declaration: Any) -> Schema:
        written, forms = schema_from(declaration), schemas_of(cls)
        known = RecordSchemas(forms.current, {**forms.known, written.fingerprint: written})

        def asked_for(asked: type) -> RecordSchemas:
            return {cls: known}.get(asked) or schemas_of(asked)

        monkeypatch.setattr(codec, "schemas_of", asked_for)
        return written

    yield add
    codec._avro.cache_clear()


def written_with(form: Schema, record: object, **changes: Any) -> bytes:
    cls: type = type(record)
    out = BytesIO()
    out.write(b"\xc3\x01" + form.fingerprint)
    schemaless_writer(out, form.parsed, {**tree_writer(shape_of(cls))(record), **changes})
    return out.getvalue()


def test_the_fingerprint_is_the_published_one_in_little_endian_order() -> None:
    # Avro's own test vectors: CRC-64-AVRO of "int" is 7275d51a3f395c8f, of "string" 8f014872634503c7.
    assert schema_from("int").fingerprint == bytes.fromhex("7275d51a3f395c8f")[::-1]
    assert schema_from("string").fingerprint == bytes.fromhex("8f014872634503c7")[::-1]


def test_docs_and_defaults_do_not_change_a_fingerprint_but_fields_do() -> None:
    plain = declared("probe")
    documented, longer = copy.deepcopy(plain), copy.deepcopy(plain)
    documented["doc"] = "other words"
    longer["fields"].append({"name": "colour", "type": "string", "default": ""})

    assert schema_from(documented).fingerprint == schema_from(plain).fingerprint
    assert schema_from(longer).fingerprint != schema_from(plain).fingerprint


def test_a_newer_writers_field_is_dropped(publish: Callable[[type, Any], Schema]) -> None:
    newer = declared("approved_intent")
    newer["fields"].insert(2, {"name": "colour", "type": {"type": "map", "values": "string"}})
    form = publish(ApprovedIntent, newer)

    value = written_with(form, an_intent(), colour={"a": "red"})

    assert decode(ApprovedIntent, value) == an_intent()


def test_a_newer_writers_enum_symbol_is_unknown(publish: Callable[[type, Any], Schema]) -> None:
    newer = declared("approved_intent")
    field_of(field_of(newer, "approval")["type"], "source")["type"]["symbols"].append("ORACLE")
    form = publish(ApprovedIntent, newer)
    approval = {"source": "ORACLE", "approved_by": "o", "approved_at": 1, "decision_id": "d", "proposal_id": "p", "jws": None}

    value = written_with(form, an_intent(), approval=approval)

    assert decode(ApprovedIntent, value).approval == Approval(
        source=ApprovalSource.UNKNOWN, approved_by="o", approved_at=1, decision_id="d", proposal_id="p"
    )


def test_an_event_type_that_the_reader_does_not_know_is_malformed(publish: Callable[[type, Any], Schema]) -> None:
    newer = declared("execution_event")
    field_of(newer, "type")["type"]["symbols"].append("TELEPORTED")
    form = publish(ExecutionEvent, newer)

    known = written_with(form, a_claim_event())
    unknown = written_with(form, a_claim_event(), type="TELEPORTED")

    assert decode(ExecutionEvent, known) == a_claim_event()
    with pytest.raises(ValidationError, match="cannot take in") as caught:
        decode(ExecutionEvent, unknown)
    assert caught.value.code is ErrorCode.MALFORMED_RECORD


def test_an_older_writers_missing_fields_take_their_defaults_every_time(publish: Callable[[type, Any], Schema]) -> None:
    older = declared("tool_call")
    dropped = {"effect_class", "backoff", "refusal", "decision_trace_id"}
    older["fields"] = [field for field in older["fields"] if field["name"] not in dropped]
    form = publish(ToolCall, older)

    for _ in range(3):  # a default that a reader changed in place would break the second time
        call = decode(ToolCall, written_with(form, a_call()))

        assert call == a_call()
        assert call.effect_class.kind is EffectKind.NONE
        assert call.backoff == Backoff()
        assert type(field_of(schemas_of(ToolCall).current.parsed, "effect_class")["default"]["kind"]) is str


def test_every_published_form_of_every_class_can_be_read(publish: Callable[[type, Any], Schema]) -> None:
    for cls, name in schema.SCHEMA_NAMES.items():
        published = json.loads((files("schemas") / "avro" / "history" / name / "1.avsc").read_text("utf-8"))

        assert schema_from(published).fingerprint in schemas_of(cls).known


def test_a_class_that_is_only_a_part_of_records_has_no_schema() -> None:
    with pytest.raises(KeyError):
        schemas_of(Backoff)


def test_an_event_in_a_published_form_keeps_its_branch(publish: Callable[[type, Any], Schema]) -> None:
    older = declared("execution_event")
    older["fields"] = [field for field in older["fields"] if field["name"] != "first_ms"]
    form = publish(ExecutionEvent, older)

    event = decode(ExecutionEvent, written_with(form, a_claim_event(first_ms=7, subject=None)))

    assert event == a_claim_event(first_ms=None)
    assert event.type is EventType.CLAIMED
    assert encode(event) == encode(a_claim_event())
