"""Records that cannot be read, or say nothing of who they are: a dead letter only, whole, and no execution."""

import json

from enact.errors import ErrorCode
from enact.records import ApprovedIntent, Notification, NotificationKind, ReturnedIntent
from enact.records.codec import encode
from enact.records.intent import Original
from tests.hostile.case import MAX_INTENT_BYTES, RETURNED, SECRET, TENANT, Ground, Published, Row, only, with_raw, without, written

MALFORMED, UNKNOWN_SCHEMA, MISMATCH, MISSING = (
    ErrorCode.MALFORMED_RECORD,
    ErrorCode.UNKNOWN_SCHEMA,
    ErrorCode.KEY_MISMATCH,
    ErrorCode.FIELD_MISSING,
)
PUBLISH, WHOLE, AS_KEY, CORRECT = (
    "publish",
    "publish the whole value",
    "publish it with action_intent_id as its key",
    "correct it and publish",
)


def avro(ground: Ground) -> bytes:
    return encode(ground.intent(parameters_={"subject": f"{SECRET} {ground.id}"}))


def text(ground: Ground) -> bytes:
    return json.dumps(ground.tree(parameters={"subject": SECRET})).encode()


def notification(ground: Ground) -> bytes:
    return encode(Notification(notification_id=ground.id, kind=NotificationKind.HELD, tenant_id=TENANT, text=SECRET, at_ms=1))


def large(ground: Ground, size: int) -> bytes:
    value = text(ground)
    return value + b" " * (size - len(value))


def is_not(found: str) -> tuple[str, ...]:
    return (found, "where its action_intent_id is expected", AS_KEY)


def strange_id(name: str, made: str, found: str) -> tuple[Row, ...]:
    """A hostile string as the intent's id and as the tenant's. `{}` stands for what makes it unique."""

    def of(ground: Ground) -> str:
        return made.replace("{}", ground.id[-12:])

    def as_id(ground: Ground) -> Published:
        return Published(key=of(ground).encode(), value=written(ground.intent(action_intent_id=of(ground))), home=ground.id)

    def as_tenant(ground: Ground) -> ApprovedIntent:
        return ground.intent(tenant_id=of(ground))

    advice = ("expected 1 to 128 of A-Z a-z 0-9", CORRECT)
    return (
        only(f"{name} as id", MISSING, ("action_intent_id", found, *advice), as_id),
        only(f"{name} as tenant", MISSING, ("tenant_id", found, *advice), as_tenant),
    )


UNDECODABLE = (
    only("empty value", MALFORMED, ("ApprovedIntent", "empty value", PUBLISH), lambda _: b""),
    only("plain text", MALFORMED, ("begins with byte 68", PUBLISH), lambda g: f"hello {SECRET} {g.id}".encode()),
    only("zip archive", MALFORMED, ("begins with byte 50", PUBLISH), lambda g: b"PK\x03\x04" + g.id.encode()),
    only("JSON list", MALFORMED, ("begins with byte 5B", PUBLISH), lambda g: b"[" + text(g) + b"]"),
    only("JSON after a byte order mark", MALFORMED, ("begins with byte EF", PUBLISH), lambda g: b"\xef\xbb\xbf" + text(g)),
    only("JSON cut short", MALFORMED, ("is not JSON", "line 1, column", "correct the text"), lambda g: text(g)[:-20]),
    only("two JSON values", MALFORMED, ("is not JSON", "Extra data", "correct the text"), lambda g: text(g) + b"{}"),
    only("JSON in Latin-1", MALFORMED, ("not valid UTF-8", "encode the text as UTF-8"), lambda g: text(g).replace(b"kim", b"k\xefm")),
    only("raw line feed in JSON", MALFORMED, ("is not JSON", "control character"), lambda g: text(g).replace(b"kim", b"k\nm")),
    only("JSON nested 20,000 deep", MALFORMED, ("deeper than 64", "flatten"), lambda g: with_raw(g, "parameters", '{"a":' * 20_000)),
    only("Avro header cut", MALFORMED, ("5 bytes hold no whole header", WHOLE), lambda g: avro(g)[:5]),
    only("Avro cut in a field", MALFORMED, ("cut short", WHOLE), lambda g: avro(g)[:-5]),
    only("bytes after Avro", MALFORMED, ("3 of", "bytes follow it", "one value in each record"), lambda g: avro(g) + b"abc"),
    only("Avro text in Latin-1", MALFORMED, ("not valid UTF-8", "as UTF-8"), lambda g: avro(g).replace(b"kim", b"k\xefm")),
    only("Avro with a negative length", MALFORMED, ("cut short", WHOLE), lambda g: avro(g).replace(b"\x06kim", b"\x05kim")),
    only("Avro with an unknown union branch", MALFORMED, ("a union branch", "header names"), lambda g: avro(g)[:-1] + b"\x12"),
    only("unknown fingerprint", UNKNOWN_SCHEMA, ("abababababababab", "upgrade enact"), lambda g: b"\xc3\x01" + b"\xab" * 8 + avro(g)[10:]),
    only("Avro of another record", UNKNOWN_SCHEMA, ("not among the published forms", "upgrade enact"), notification),
    only("Confluent framing", UNKNOWN_SCHEMA, ("Confluent",), lambda g: b"\x00\x00\x00\x00\x07" + avro(g)[10:]),
    only("null value", ErrorCode.NULL_VALUE, ("no value", "ApprovedIntent", "publish the intent"), lambda _: None),
)

ENVELOPES = (
    only("unknown field", MALFORMED, (".surprise", "is no field", "remove it"), lambda g: g.tree(surprise=SECRET)),
    only("secret as field name", MALFORMED, (".<name of", "is no field", "remove it"), lambda g: g.tree(**{f"{SECRET}!": 1})),
    only("field twice", MALFORMED, ("one key twice", "name each key once"), lambda g: text(g)[:-1] + b',"status":"REJECTED"}'),
    only(
        "tenant twice and NaN",
        MALFORMED,
        ("one key twice", "name each key once"),
        lambda g: with_raw(g, "parameters", '{"a":NaN}')[:-1] + b',"tenant_id":"globex"}',
    ),
    only("text as time", MALFORMED, (".expires_at_epoch", "a string", "correct its type"), lambda g: g.tree(expires_at_epoch=SECRET)),
    only("list as target", MALFORMED, (".target", "a list", "correct its type"), lambda g: g.tree(target=[SECRET])),
    only("number as tenant", MALFORMED, (".tenant_id", "an integer", "correct its type"), lambda g: g.tree(tenant_id=7)),
    only(
        "half a character in the account",
        MALFORMED,
        (".account_id", "surrogate", "whole characters"),
        lambda g: g.tree(account_id="a\ud800"),
    ),
    only("NaN as tenant", MISSING, ("tenant_id", "found a number", CORRECT), lambda g: with_raw(g, "tenant_id", "NaN")),
    only("tenant missing", MISSING, ("tenant_id", "found nothing", CORRECT), lambda g: without(g.tree(), "tenant_id")),
    only("id missing", MISSING, ("action_intent_id", "found nothing", CORRECT), lambda g: without(g.tree(), "action_intent_id")),
    only(
        "one byte too large",
        ErrorCode.INTENT_TOO_LARGE,
        (f"{MAX_INTENT_BYTES + 1} bytes", f"allowed are {MAX_INTENT_BYTES}", "pass a reference"),
        lambda g: large(g, MAX_INTENT_BYTES + 1),
    ),
    only("nearly a megabyte", ErrorCode.INTENT_TOO_LARGE, ("1000000 bytes", "pass a reference"), lambda g: large(g, 1_000_000)),
)

KEYS = (
    only("empty key", MISMATCH, is_not("a key of 0 bytes"), avro, key=lambda _: b""),
    only("no key", MISMATCH, is_not("no key"), avro, key=lambda _: None),
    only("key of another intent", MISMATCH, is_not("a key of 9 bytes"), avro, key=lambda _: b"int-other"),
    only("key that is not UTF-8", MISMATCH, is_not("a key of"), avro, key=lambda g: b"\xff\xfe" + g.id.encode()),
    only("key with a line feed", MISMATCH, is_not("a key of"), avro, key=lambda g: g.id.encode() + b"\n"),
    only("key of a damaged intent", MISMATCH, is_not("a key of 9"), lambda g: without(g.tree(), "target"), key=lambda _: b"int-other"),
)

IDS = (
    *strange_id("a bar", "a|{}", "a string of"),
    *strange_id("a slash", "a/{}", "a string of"),
    *strange_id("a way out", "../../{}", "a string of"),
    *strange_id("two dots", "..", "a string of 2 characters"),
    *strange_id("129 characters", "x" * 129, "a string of 129 characters"),
    *strange_id("nothing", "", "a string of 0 characters"),
    *strange_id("a line feed", "{}\n", "a string of"),
    *strange_id("a null character", "{}\x00", "a string of"),
    *strange_id("a turned direction", "{}\u202e", "a string of"),
    *strange_id("letters of another script", "інтент-{}", "a string of"),
)


def _reused(ground: Ground) -> tuple[Published, ...]:
    first, second = ground.intent(), ground.tree(parameters={"subject": SECRET})
    key = ground.id.encode()
    return (
        Published(key=key, value=written(first), home=ground.id),
        Published(key=key, value=written(second), home=ground.id, headers=(("from", b"upstream"),)),
    )


def _returned(ground: Ground, generation: int) -> Published:
    original = Original(key=ground.id.encode(), value=avro(ground))
    value = encode(ReturnedIntent(tenant_id=TENANT, action_intent_id=ground.id, generation=generation, cause="REDRIVE", original=original))
    return Published(topic=RETURNED, key=ground.id.encode(), value=value, home=ground.id)


def _on(topic: str, value: bytes | None) -> "Row":
    """Garbage on the input of a later stage."""
    stage = {RETURNED: "validation", "intents.validated": "tool_mapping", "tool-calls": "invocation", "tool-results": "recording"}[topic]
    code = ErrorCode.NULL_VALUE if value is None else MALFORMED

    def make(ground: Ground) -> Published:
        full = None if value is None else value + ground.id.encode()
        return Published(topic=topic, key=ground.id.encode(), value=full, home=ground.id)

    said = ("no value",) if value is None else ("begins with byte 68", PUBLISH)
    return only(f"{'nothing' if value is None else 'plain text'} on {topic}", code, said, make, stage=stage)


GENERATIONS = (
    only(
        "same id with other content",
        ErrorCode.INTENT_ID_REUSED,
        ("action_intent_id", "used before with another content", "under a new id"),
        _reused,
        good=lambda g: ((TENANT, g.id),),
    ),
    only(
        "generation that nobody opened",
        ErrorCode.UNKNOWN_GENERATION,
        ("generation is 7", "follows no decision", "redrive"),
        lambda g: _returned(g, 7),
        kept=avro,
    ),
    only("generation zero", MALFORMED, ("generation is below 1", "let only enact write"), lambda g: _returned(g, 0)),
    *(_on(topic, value) for topic in (RETURNED, "intents.validated", "tool-calls", "tool-results") for value in (None, b"hello ")),
)

ROWS = (*UNDECODABLE, *ENVELOPES, *KEYS, *IDS, *GENERATIONS)
