"""Every decoder of bytes and texts that come from outside, and what it may raise: nothing but that, soon, and without showing a value."""

import json
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from multidict import CIMultiDict, MultiDict

from cli.intent_file import read_intents
from connectors.answers import json_of, retry_after
from connectors.credentials import CredentialStore
from connectors.http import HttpAnswer
from enact.canonical import canonical_text
from enact.clock import ManualClock
from enact.errors import AmbiguousError, AuthError, ConfigurationError, EnactError, PermanentError, ValidationError
from enact.ids import key_of, parts_of
from enact.intent_records import approved_at, passed_on
from enact.intent_text import intent_from_json, read_written
from enact.kafka.dead_letter import dead_letter_record, letter_for
from enact.kafka.local import LocalBroker
from enact.kafka.stage import DeadLetter
from enact.kafka.transport import InRecord
from enact.mapping import map_arguments
from enact.records import ApprovedIntent, Switch
from enact.records.action_type import MappingRule
from enact.records.avro_form import tree_reader
from enact.records.codec import SINGLE_OBJECT_MARK, avro_tree, decode, decode_switch_record, encode
from enact.records.intent import Original, ReturnedIntent
from enact.records.shape import shape_of
from enact.registry_file import read_entries
from enact.strict_json import parse_json
from enact.switches import SwitchWatch
from services.api.cursor import Question, place_in
from services.api.parameters import (
    ACCOUNT_ID,
    CURSOR,
    LIMIT,
    STATUS,
    RequestError,
    account_of,
    checked_query,
    limit_of,
    statuses_of,
    tenant_of,
)
from tests.factories import NOW_MS, in_record, make_intent
from tests.hostile.mutation import OPERATIONS, PLANTED, damaged, seeds
from tests.unit.services.validation.world import TOPICS, World

MAX_CPU_S = 2.0
"""Of one call, by the thread's own clock. Most take well under a millisecond."""

JSON_SEED = b'{"a":{"b":[1,2.5,"' + PLANTED.encode() + b'",null,true]},"n":-12,"t":"' + PLANTED.encode() + b'"}'
SEEDS = tuple(seeds())
YAML_SEED = Path("connectors/internal/registry.yaml")
SCHEMAS = {"internal.create_note": {"type": "object"}, "internal.create_task": {"type": "object"}}
SOURCES = ("parameters.subject", "parameters.list.1.deep", "target.entity_id", "", "..", f"parameters.list.{'9' * 5000}")
RULES = st.builds(
    MappingRule,
    argument=st.just("x"),
    source=st.none() | st.sampled_from(SOURCES),
    transform=st.sampled_from(("PASSTHROUGH", "UPPERCASE", "LOWERCASE", "CONSTANT", "TEMPLATE", "NOBODY_KNOWS")),
    value=st.none() | st.sampled_from(('"x"', "{", "NaN", "", f'{{"a":"{PLANTED}","a":1}}', "9" * 5000)),
    template=st.none() | st.text(alphabet="{}. ab", max_size=12) | st.just("{parameters.subject} {{x}} {target.entity_id}"),
    default=st.none() | st.sampled_from(('"x"', "[", "1e999")),
    is_required=st.booleans(),
)


@dataclass(frozen=True, slots=True)
class Decoder:
    """`draw` gives what is handed to `read`; `raises` is all that it may raise."""

    name: str
    draw: st.SearchStrategy[Any]
    read: Callable[[Any], object]
    raises: tuple[type[Exception], ...] = (ValidationError,)

    def attack(self, drawn: Any) -> None:
        """Read once. Raises: AssertionError, or what the decoder should not have raised."""
        started_s = time.thread_time()
        try:
            self.read(drawn)
        except self.raises as error:
            message = error.message if isinstance(error, EnactError | RequestError) else str(error)
            assert message, "a refusal without a word"
            assert PLANTED not in message, f"a value is shown: {message}"
        assert time.thread_time() - started_s < MAX_CPU_S, "it took too long"


def _damaged(*valid: bytes) -> st.SearchStrategy[bytes]:
    return st.builds(damaged, st.sampled_from(valid), OPERATIONS)


def _texts(*valid: bytes) -> st.SearchStrategy[str]:
    return _damaged(*valid).map(lambda value: value.decode(errors="replace")) | st.text(max_size=50)


def _of_class(cls: type) -> Decoder:
    valid = [value for kind, value in SEEDS if kind is cls]
    header = next(value[:10] for value in valid)
    bodies = st.binary(max_size=200).map(lambda body: header + body)
    return Decoder(f"{cls.__name__}", _damaged(*valid) | bodies | st.binary(max_size=200), lambda value: _decode(cls, value))


def _decode(cls: type, value: bytes) -> object:
    """The reader that is made for a schema says what the general one says, for whatever it takes."""
    record: object = decode(cls, value)
    if value.startswith(SINGLE_OBJECT_MARK):
        try:
            general = tree_reader(shape_of(cls))(avro_tree(cls, value))
        except ValidationError as error:
            raise AssertionError(f"read, but the general reader refuses: {error.message}") from error
        assert repr(record) == repr(general), "the two readers disagree"
    return record


def _parse(text: bytes) -> object:
    """What is read quickly is what a parser reads that sees every key."""
    tree = parse_json(text)

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len(dict(pairs)) == len(pairs), "a doubled key was let through"
        return dict(pairs)

    assert repr(json.loads(text, object_pairs_hook=members)) == repr(tree)
    return tree


def _intent_text(text: str) -> object:
    """The short way gives what the codec gives."""
    told = intent_from_json(text)
    assert told == decode(ApprovedIntent, text.encode())
    return read_written(text)


def _decide(drawn: tuple[bytes, bytes | None]) -> object:
    """The whole of validation's decision on one record, with its log read back."""
    value, key = drawn
    return World(partition_count=3).log.take(in_record(TOPICS.approved, key, value))


def _decide_returned(drawn: bytes) -> object:
    return World(partition_count=3).log.take(in_record(TOPICS.returned, b"int-1", drawn))


def _watch(drawn: tuple[bytes | None, bytes]) -> object:
    """A switch that cannot be read stops everything, and raises nothing."""
    broker = LocalBroker()
    broker.create_topic("switches", 1)
    watch = SwitchWatch(topic="switches", slot="slot", writer=broker.writer(), clock=ManualClock(NOW_MS))
    watch.on_record(in_record("switches", drawn[0], drawn[1]))
    for engagement in watch.view.engagements:
        assert not (engagement.engagement_id.startswith("unreadable") and PLANTED in engagement.reason)
    return watch.view.stopped_by(("global",))


def _dead_letter(headers: Sequence[tuple[str, bytes]]) -> object:
    """What a record brought along never hides why it is a dead letter."""
    record: InRecord = in_record("source", b"k", b"v", headers=tuple(headers))
    letter = dead_letter_record(letter_for(KeyError(PLANTED)), record, topic="letters", stage="validation", at_ms=NOW_MS)
    reasons = [value for name, value in letter.headers if name == "enact-error-code"]
    assert reasons == [b"UNEXPECTED_ERROR"]
    assert all(PLANTED.encode() not in value for name, value in letter.headers if name.startswith("__connect"))
    kept = DeadLetter(code=letter_for(KeyError()).code, message="m", original=Original(key=None, value=None))
    assert dead_letter_record(kept, record, topic="letters", stage="validation", at_ms=NOW_MS).value is None
    passed_on(record.headers)
    return approved_at(record.headers)


def _credentials(drawn: bytes) -> object:
    folder = Path("/dev/shm") if Path("/dev/shm").is_dir() else Path.cwd()
    path = folder / "enact-fuzz" / "acme" / "crm.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(drawn)
    return CredentialStore(folder / "enact-fuzz").get("acme", "crm")


def _answer(drawn: bytes) -> object:
    return json_of(HttpAnswer(status=200, headers=CIMultiDict(), body=drawn), system="The CRM")


def _request(given: dict[str, str]) -> object:
    """Each parameter is read, whatever was found in those before; the first refusal counts."""
    told = MultiDict({name: value for name, value in given.items() if name != "tenant"})
    tenant = CIMultiDict({"x-tenant-id": given.get("tenant", "")})
    query = checked_query(told, (ACCOUNT_ID, STATUS, LIMIT, CURSOR))
    place = place_in(Question("acme", "account-1", []), given.get("cursor", ""))
    assert place is None or 0 <= place.created_at < 2**63, "the database has no such number"
    refusals: list[RequestError] = []
    reads: tuple[Callable[[], object], ...] = (
        lambda: limit_of(query),
        lambda: statuses_of(query),
        lambda: account_of(query),
        lambda: tenant_of(tenant),
    )
    for read in reads:
        try:
            read()
        except RequestError as refusal:
            refusals.append(refusal)
    if refusals:
        raise refusals[0]
    return place


HEADERS = st.lists(
    st.tuples(
        st.sampled_from(("traceparent", "enact-error-code", "enact-generation", "enact-approved-at-ms", "__connect.errors.offset", "x")),
        st.sampled_from((b"", b"\xff", b"9" * 5000, b"-1", b"1790000000000", PLANTED.encode())) | st.binary(max_size=8),
    ),
    max_size=6,
)
CURSORS = (b"[1]", b'[1,"a"]', b'["a",1]', b"[1e999,1]", b'[18446744073709551615,"a"]', b"{", b"[" * 2000)
ODD = ("1", "\u0661", "1_0", " 7", "-1", "9" * 5000, "RUNNING", "a,b", "..", *(urlsafe_b64encode(cursor).decode() for cursor in CURSORS))
NAMES = ("limit", "status", "tenant", "cursor", "account_id")
QUERY = st.fixed_dictionaries({}, optional={name: st.sampled_from(ODD) | st.text(max_size=30) for name in NAMES})
CREDENTIALS = (
    b'{"mode":"api_key","instance_url":"https://crm.example","api_key":"' + PLANTED.encode() + b'"}',
    b'{"mode":"client_credentials","instance_url":"https://crm.example","client_id":"c","client_secret":"' + PLANTED.encode() + b'"}',
)
INTENTS = (
    *(value for cls, value in SEEDS if cls is ApprovedIntent),
    encode(make_intent(parameters=f'{{"subject":"{PLANTED}"}}')),
    b'{"action_intent_id":"int-1","tenant_id":"acme","parameters":{"subject":"' + PLANTED.encode() + b'"}}',
)

IN_JSON = tuple(value for value in INTENTS if value.startswith(b"{"))

DECODERS: tuple[Decoder, ...] = (
    *(_of_class(cls) for cls in dict.fromkeys(cls for cls, _ in SEEDS)),
    Decoder("parse_json", _damaged(JSON_SEED, JSON_SEED.replace(b",", b" , ")), _parse),
    Decoder("canonical_text", _texts(JSON_SEED), canonical_text),
    Decoder("intent_from_json", _texts(*IN_JSON), _intent_text),
    Decoder("parts_of", _damaged(key_of("acme", PLANTED, "1")) | st.binary(max_size=40), parts_of),
    Decoder(
        "mapping",
        st.tuples(_texts(JSON_SEED, b'{"subject":"' + PLANTED.encode() + b'","list":[1,{"deep":2}]}'), st.lists(RULES, max_size=3)),
        lambda drawn: map_arguments(make_intent(parameters=drawn[0]), tuple(drawn[1])),
        (PermanentError,),
    ),
    Decoder("switch or probe", _damaged(*(v for cls, v in SEEDS if cls is Switch)) | st.binary(max_size=60), decode_switch_record),
    Decoder("switch watch", st.tuples(st.none() | st.binary(max_size=9), _damaged(*(v for cls, v in SEEDS if cls is Switch))), _watch, ()),
    Decoder("validation", st.tuples(_damaged(*INTENTS), st.sampled_from((b"int-1", PLANTED.encode(), b"", None))), _decide, ()),
    Decoder("validation of returned", _damaged(*(v for cls, v in SEEDS if cls is ReturnedIntent)), _decide_returned),
    Decoder("dead-letter headers", HEADERS, _dead_letter, ()),
    Decoder(
        "registry file",
        _texts(YAML_SEED.read_bytes(), f"- action_type: A\n  description: '{PLANTED}'\n".encode()),
        lambda text: read_entries(text, file="entries.yaml", argument_schemas=SCHEMAS),
        (ConfigurationError,),
    ),
    Decoder("credentials file", _damaged(*CREDENTIALS), _credentials, (AuthError,)),
    Decoder("intent file", _texts(*IN_JSON), lambda text: read_intents(text, file="f", new_until_s=9), ()),
    Decoder("answer of a tool", _damaged(JSON_SEED), _answer, (AmbiguousError,)),
    Decoder("retry-after", st.text(max_size=40), lambda text: retry_after(text, ManualClock(NOW_MS)), ()),
    Decoder("api parameters", QUERY, _request, (RequestError,)),
)
