"""Intents that say who they are and cannot be executed: FAILED with a dead letter, or EXPIRED."""

from typing import Any

from enact.error_catalogue import Consequence
from enact.errors import ErrorCode
from enact.records import ApprovalSource, ExecutionPolicy, Target
from tests.hostile.case import DAY_S, SECRET, Ground, Made, Row, failed, with_raw, without

MISSING, INVALID, INEXACT, UNAPPROVED, APPROVAL = (
    ErrorCode.FIELD_MISSING,
    ErrorCode.PARAMETERS_INVALID,
    ErrorCode.NUMBER_NOT_EXACT,
    ErrorCode.NOT_APPROVED,
    ErrorCode.APPROVAL_INVALID,
)
ADD, FILL, NEW_ID, AS_STRING, AGAIN = (
    "add it. Publish the corrected intent under a new id",
    "fill it in",
    "publish under a new id",
    "write it as a string",
    "approved again",
)
LATEST_S = 21 * DAY_S
REQUIRED = (
    "account_id",
    "action_type",
    "target",
    "target.entity_type",
    "target.entity_id",
    "parameters",
    "expires_at_epoch",
    "status",
    "approval",
    "approval.source",
    "approval.approved_by",
    "approval.approved_at",
    "approval.decision_id",
    "approval.proposal_id",
)
STATUSES = ("PENDING", "REJECTED", "EXPIRED", "CANCELLED", "approved", "APPROVED ", "\u0410PPROVED", "APPROVED\x00", SECRET)


def missing(path: str) -> Row:
    return failed(
        f"missing {path}",
        MISSING,
        (f"ApprovedIntent.{path}", "is missing", ADD),
        lambda g: without(g.tree(), path),
        has_signal=path != "account_id",
    )


def empty(name: str, found: str, **changes: Any) -> Row:
    return failed(f"empty {name}", MISSING, (name, found, FILL), lambda g: g.intent(**changes), has_signal=name != "account_id")


def status(word: str) -> Row:
    name = f"status {STATUSES.index(word)}, {'a secret' if word == SECRET else ascii(word)[1:-1]}"
    says = ("status", f"a string of {len(word)} characters", "expected APPROVED", "have the intent approved")
    return failed(name, UNAPPROVED, says, lambda g: g.intent(status=word))


def evidence(name: str, found: str, **changes: Any) -> Row:
    says = (f"approval.{name}", found)
    return failed(f"approval with bad {name}", APPROVAL, says, lambda g: g.intent(approval=g.approval(**changes)))


def both(name: str, code: ErrorCode, says: tuple[str, ...], text: str) -> tuple[Row, ...]:
    """Parameters as raw text: as an object in JSON, as text in JSON, and in Avro."""

    def in_json(ground: Ground) -> Made:
        return with_raw(ground, "parameters", text)

    def as_text(ground: Ground) -> Made:
        return ground.tree(parameters=text)

    def in_avro(ground: Ground) -> Made:
        return ground.intent(parameters=text)

    return (
        failed(f"{name} in JSON", code, says, in_json),
        failed(f"{name} as text in JSON", code, says, as_text),
        failed(f"{name} in Avro", code, says, in_avro),
    )


def unfit(name: str, says: tuple[str, ...], parameters: Any) -> Row:
    return failed(name, INVALID, (*says, NEW_ID), lambda g: g.tree(parameters=parameters))


def number(name: str, path: str, **changes: Any) -> tuple[Row, ...]:
    """An integer beyond 2^53 in the envelope, in both forms."""
    says = (path, "an integer beyond +-(2^53-1)")

    def in_json(ground: Ground) -> Made:
        tree = ground.tree()
        *outer, last = path.split(".")
        holder = tree
        for step in outer:
            holder[step] = holder = dict(holder[step] or {})
        holder[last] = 2**60
        return tree

    def in_avro(ground: Ground) -> Made:
        made = {key: value(ground) if callable(value) else value for key, value in changes.items()}
        return ground.intent(**made)

    return failed(f"{name} in JSON", INEXACT, says, in_json), failed(f"{name} in Avro", INEXACT, says, in_avro)


FIELDS = (
    *(missing(path) for path in REQUIRED),
    empty("account_id", "a string of 0 characters", account_id=""),
    empty("action_type", "a string of 0 characters", action_type=""),
    empty("target.entity_type", "is empty", target=Target(entity_type="", entity_id="001A")),
    empty("target.entity_id", "is empty", target=Target(entity_type="Account", entity_id=" \t")),
    empty("status", "is empty", status=""),
    failed("time zero", MISSING, ("expires_at_epoch", "zero or less", FILL), lambda g: g.intent(expires_at_epoch=0)),
    failed("time below zero", MISSING, ("expires_at_epoch", "zero or less", FILL), lambda g: g.tree(expires_at_epoch=-5)),
    failed(
        "account with a line feed",
        MISSING,
        ("account_id", "a string of 10", FILL),
        lambda g: g.intent(account_id="account-1\n"),
        has_signal=False,
    ),
    failed(
        "account turned round",
        MISSING,
        ("account_id", "a string of 10", FILL),
        lambda g: g.tree(account_id="\u202eaccount-1"),
        has_signal=False,
    ),
    failed("account of 129", MISSING, ("account_id", "a string of 129", FILL), lambda g: g.tree(account_id="a" * 129), has_signal=False),
)

APPROVALS = (
    *(status(word) for word in STATUSES),
    evidence("approved_by", "is empty", approved_by=" "),
    evidence("decision_id", "is empty", decision_id=""),
    evidence("proposal_id", "is empty", proposal_id=""),
    evidence("approved_at", "is not a time", approved_at=0),
    evidence("source", "not a known source", source=ApprovalSource.UNKNOWN),
    failed(
        "approval by a robot",
        APPROVAL,
        ("approval.source", "expected HUMAN or POLICY", AGAIN),
        lambda g: g.tree(approval=g.tree()["approval"] | {"source": SECRET}),
    ),
)

TIMES = (
    Row(
        name="expired a second ago",
        make=lambda g: g.intent(expires_at_epoch=g.now_s - 1),
        ends=Consequence.EXPIRED,
        code=ErrorCode.DEADLINE_PASSED,
        says=("expires_at_epoch", "s before the intent was looked at", "publish a new intent"),
    ),
    Row(
        name="expires now",
        make=lambda g: g.intent(expires_at_epoch=g.now_s),
        ends=Consequence.EXPIRED,
        code=ErrorCode.DEADLINE_PASSED,
        says=("expires_at_epoch", "s before the intent was looked at", "publish a new intent"),
    ),
    failed(
        "deadline beyond the horizon",
        ErrorCode.DEADLINE_TOO_FAR,
        ("expires_at_epoch", "beyond the furthest deadline", "give an earlier one"),
        lambda g: g.intent(expires_at_epoch=g.now_s + LATEST_S + 3600),
    ),
)

KINDS = (
    failed(
        "unknown action type",
        ErrorCode.UNKNOWN_ACTION_TYPE,
        ("action_type", "a string of 12 characters", "apply an entry for it"),
        lambda g: g.intent(action_type="NO_SUCH_TYPE"),
    ),
    failed(
        "unknown version",
        ErrorCode.UNKNOWN_VERSION,
        ("registry_version 99", "is not in the registry", "apply it or name another one"),
        lambda g: g.intent(registry_version=99),
    ),
)

PARAMETERS = (
    *both("not JSON", INVALID, ("parameters", "is not JSON", "correct the text"), '{"subject":}')[1:],
    *both("a list", INVALID, ("parameters", "object"), "[1]"),
    *both("nothing", INVALID, ("parameters", "is not JSON"), "")[1:],
    *both("doubled key", INVALID, ("parameters", "one key twice", "name each key once"), f'{{"a":{{"b":"{SECRET}","b":2}}}}'),
    *both("NaN", INEXACT, ("parameters.amount", "NaN or infinite", "send a number"), '{"amount":NaN}'),
    *both("minus infinity", INEXACT, ("parameters.a[1]", "NaN or infinite", "send a number"), '{"a":[1,-Infinity]}'),
    *both("1e400", INEXACT, ("parameters.a", "NaN or infinite", "send a number"), '{"a":1e400}'),
    *both("2^53", INEXACT, ("parameters.a", "beyond +-(2^53-1)", AS_STRING), f'{{"a":{2**53}}}'),
    *both("1e20", INEXACT, ("parameters.a", "beyond +-(2^53-1)", AS_STRING), '{"a":1e20}'),
    *both("5,000 digits", INEXACT, ("parameters.a", "beyond +-(2^53-1)", AS_STRING), f'{{"a":-{"7" * 5000}}}'),
    *both("65 levels", INVALID, ("parameters", "deeper than 64", "flatten"), '{"a":' * 65 + "1" + "}" * 65),
    *both("20,000 levels", INVALID, ("parameters", "deeper than 64", "flatten"), '{"a":' * 20_000 + "1" + "}" * 20_000)[1:],
    *both("half a character", INVALID, ("parameters.subject", "surrogate", "whole characters"), f'{{"subject":"{SECRET}\\ud800"}}'),
    *both("half a character as name", INVALID, ("parameters", "surrogate", "whole characters"), '{"a\\udfff":1}'),
    *both("raw control character", INVALID, ("parameters", "is not JSON", "control character"), f'{{"subject":"{SECRET}\x01"}}')[1:],
    failed("parameters that are null", INVALID, ("parameters", "is null", "correct its type"), lambda g: g.tree(parameters=None)),
    unfit("without a required parameter", ("parameters.subject", "is required and missing"), {}),
    unfit("with a parameter nobody knows", ("parameters", "unknown fields", "colour"), {"subject": "x", "colour": SECRET}),
    unfit("with a secret as a name", ("unknown fields", "<name of"), {"subject": "x", f"{SECRET} said Kim": 1}),
    unfit("a number as subject", ("parameters.subject", "found an integer", "type string"), {"subject": 7}),
    unfit("null as subject", ("parameters.subject", "found null", "type string"), {"subject": None}),
    unfit("a subject that is too long", ("parameters.subject", "a string of 256 characters", "maxLength 255"), {"subject": "x" * 256}),
    unfit("a priority that is none", ("parameters.priority", "High or Normal or Low"), {"subject": "x", "priority": SECRET}),
    unfit("a date that is none", ("parameters.due_date", "format date"), {"subject": "x", "due_date": SECRET}),
    failed(
        "policy of no attempts",
        INVALID,
        ("execution_policy.max_attempts", "below 1", "at least 1"),
        lambda g: g.intent(execution_policy=ExecutionPolicy(max_attempts=0)),
    ),
    failed(
        "policy of negative time",
        INVALID,
        ("execution_policy.timeout_seconds", "below 1", "at least 1"),
        lambda g: g.tree(execution_policy={"timeout_seconds": -1}),
    ),
)

NUMBERS = (
    *number("endless deadline", "expires_at_epoch", expires_at_epoch=2**60),
    *number("endless version", "registry_version", registry_version=2**60),
    *number("endless approval time", "approval.approved_at", approval=lambda g: g.approval(approved_at=2**60)),
    *number("endless attempts", "execution_policy.max_attempts", execution_policy=ExecutionPolicy(max_attempts=2**60)),
    failed("NaN as deadline", INEXACT, ("expires_at_epoch", "NaN", "send a number"), lambda g: with_raw(g, "expires_at_epoch", "NaN")),
)

ROWS = (*FIELDS, *APPROVALS, *TIMES, *KINDS, *PARAMETERS, *NUMBERS)
