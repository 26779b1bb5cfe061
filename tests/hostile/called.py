"""Intents that get further: to the mapping, to the gate, to the other system; and some that only look hostile and are done."""

import json

import msgspec

from connectors.catalogue import argument_schemas, registry_files
from enact import ids
from enact.error_catalogue import Consequence
from enact.errors import ErrorCode
from enact.mapping import map_intent
from enact.records import Target, ToolCall, ValidatedIntent
from enact.records.action_type import ActionType
from enact.records.codec import encode
from enact.registry import entry_digest
from enact.registry_file import read_entries
from tests.hostile.case import (
    DAY_S,
    DOWN,
    LOCKED_OUT,
    LOST,
    MAX_INTENT_BYTES,
    OTHER_TENANT,
    PARTIAL,
    REJECTED,
    SECRET,
    STRANGER,
    TENANT,
    Ground,
    Made,
    Published,
    Row,
    failed,
    fine,
    only,
    with_raw,
    written,
)


def shipped_entries() -> list[ActionType]:
    """The registry as `enact up --sandbox` fills it."""
    return [
        entry
        for name, file in registry_files(with_sandbox=True)
        for entry in read_entries(file.read_text(), file=name, argument_schemas=argument_schemas())
    ]


ENTRY = next(entry for entry in shipped_entries() if entry.action_type == "CREATE_CRM_TASK")


def call_of(ground: Ground) -> ToolCall:
    intent = ground.intent()
    validated = ValidatedIntent(
        intent=intent,
        generation=1,
        execution_trace_id=ids.execution_trace_id(TENANT, ground.id),
        registry_version=ENTRY.registry_version,
        registry_digest=entry_digest(ENTRY),
        registry_offset=0,
        admitted_at_ms=ground.now_s * 1000,
        intent_sha256=ids.intent_sha256(intent),
    )
    return map_intent(validated, ENTRY)


def on_calls(ground: Ground, call: ToolCall, shift: int = 0) -> Published:
    return Published(topic="tool-calls", key=ground.id.encode(), value=encode(call), home=ground.id, shift=shift)


def _drifted(ground: Ground) -> Made:
    """Somebody else writes the call of an approved intent, with other arguments."""
    return on_calls(ground, msgspec.structs.replace(call_of(ground), arguments=json.dumps({"subject": SECRET})))


def _subject(subject: str) -> dict[str, str]:
    return {"subject": subject}


def _twice(ground: Ground) -> Made:
    record = Published(key=ground.id.encode(), value=written(ground.tree()), home=ground.id)
    return record, Published(key=ground.id.encode(), value=written(ground.intent()), home=ground.id)


def _two_tenants(ground: Ground) -> Made:
    key, parameters = ground.id.encode(), {"subject": f"Another thing about {ground.id}"}
    return (
        Published(key=key, value=written(ground.intent()), home=ground.id),
        Published(key=key, value=written(ground.tree(tenant_id=OTHER_TENANT, parameters=parameters)), home=ground.id),
    )


def _full(ground: Ground) -> bytes:
    value = json.dumps(ground.tree()).encode()
    return value + b" " * (MAX_INTENT_BYTES - len(value))


def _long_id(ground: Ground) -> str:
    return ground.id.rjust(128, ":")


def _long(ground: Ground) -> Made:
    name = _long_id(ground)
    return Published(key=name.encode(), value=written(ground.intent(action_intent_id=name)), home=name)


CALLS = (
    failed(
        "argument that the tool does not take",
        ErrorCode.MAPPING_FAILED,
        ("arguments.related_id", "a string of 200 characters", "maxLength 120", "new registry version"),
        lambda g: g.intent(target=Target(entity_type="Account", entity_id="0" * 200)),
        stage="tool_mapping",
    ),
    failed(
        "call that differs from what was approved",
        ErrorCode.REQUEST_DRIFT,
        ("another request than the one that was mapped", "redrive"),
        _drifted,
        stage="invocation",
    ),
    only(
        "call of a generation that nobody opened",
        ErrorCode.UNKNOWN_GENERATION,
        ("generation 3", "never opened", "redrive"),
        lambda g: on_calls(g, msgspec.structs.replace(call_of(g), generation=3)),
        stage="invocation",
    ),
    only(
        "call in another partition",
        ErrorCode.KEY_MISMATCH,
        ("partition", "belongs to", "murmur2"),
        lambda g: on_calls(g, call_of(g), shift=1),
        stage="invocation",
    ),
    failed(
        "tenant without credentials",
        ErrorCode.CREDENTIALS_MISSING,
        (f"{STRANGER}/crm.json", "There is no", "ENACT_CREDENTIALS_DIR"),
        lambda g: g.intent(tenant_id=STRANGER),
        stage="invocation",
        tenant=STRANGER,
    ),
    failed(
        "tenant whose credentials are refused",
        ErrorCode.AUTH_REJECTED,
        ("renew",),
        lambda g: g.intent(tenant_id=LOCKED_OUT),
        stage="invocation",
        tenant=LOCKED_OUT,
    ),
    failed(
        "request that the tool rejects",
        ErrorCode.TOOL_REJECTED,
        ("refused", "redrive"),
        lambda g: g.intent(parameters_=_subject(f"{REJECTED} {g.id}")),
        stage="invocation",
    ),
    failed(
        "tool that stays down",
        ErrorCode.RETRIES_EXHAUSTED,
        ("Tried 5 times", "nothing was applied", "the connector's health, then redrive", "Last:"),
        lambda g: g.intent(parameters_=_subject(f"{DOWN} {g.id}")),
        stage="invocation",
    ),
    failed(
        "tool that stops half way",
        ErrorCode.PARTIAL_EFFECT,
        ("did a part", "look at the recorded objects", "compensate or complete by hand"),
        lambda g: g.intent(parameters_=_subject(f"{PARTIAL} {g.id}")),
        stage="invocation",
        is_reachable=False,
    ),
    Row(
        name="answer that is lost",
        make=lambda g: g.intent(action_type="SANDBOX_FIRE_ONCE", parameters_={"label": f"{LOST} {g.id}"}),
        ends=Consequence.IN_DOUBT,
        code=ErrorCode.OUTCOME_UNKNOWN,
        says=("answer of the last call was lost", "look in the external system", "enact resolve"),
    ),
)

FINE = (
    fine("wrong partition", lambda g: Published(key=g.id.encode(), value=written(g.intent()), home=g.id, shift=1)),
    fine("wrong partition in JSON", lambda g: Published(key=g.id.encode(), value=written(g.tree()), home=g.id, shift=2)),
    fine("the same intent twice", _twice),
    fine("same id from another tenant", _two_tenants, tenant=OTHER_TENANT, good=lambda g: ((TENANT, g.id),)),
    fine("one second left", lambda g: g.intent(expires_at_epoch=g.now_s + 1), is_late=True),
    fine("deadline at the horizon", lambda g: g.intent(expires_at_epoch=g.now_s + 21 * DAY_S)),
    fine("as large as allowed", _full),
    fine("parameters as text", lambda g: g.tree(parameters=json.dumps({"subject": "x"}, indent=2))),
    fine("escaped control characters", lambda g: g.tree(parameters=_subject("a\x00b\x1b[31mc\u0085"))),
    fine("turned direction", lambda g: g.intent(parameters_=_subject("\u202etxt.exe \u2066 \u05d0\u05d1 \u200f"))),
    fine("faces and scripts", lambda g: g.intent(parameters_=_subject("\U0001f9d1\u200d\U0001f680 \u4f60\u597d e\u0301"))),
    fine("255 characters", lambda g: g.intent(parameters_=_subject("\U0001f680" * 255))),
    fine("text that grows when written as JSON", lambda g: g.intent(decision_trace_id="\x01" * 200_000)),
    fine("200,000 empty names", lambda g: g.intent(edited_fields=("",) * 200_000)),
    fine("a path in the target", lambda g: g.intent(target=Target(entity_type="../../Account", entity_id="001A|/..;DROP TABLE"))),
    fine("largest exact integer", lambda g: with_raw(g, "approval", json.dumps(g.tree()["approval"] | {"approved_at": 2**53 - 1}))),
    fine("id of 128 characters", _long, who=_long_id),
)


ROWS = (*CALLS, *FINE)
