"""Misbehaviour on demand: rules that say which requests go wrong, how, and how often. They survive a restart."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Final

import pydantic
from pydantic import BaseModel, ConfigDict, Field

from connectors.sandbox.store import Store


class Behaviour(StrEnum):
    """What happens to a request that a rule meets. *Before* and *after* are about applying it."""

    FAIL_BEFORE = "fail_before"
    FAIL_AFTER = "fail_after"
    THROTTLE = "throttle"
    HANG_BEFORE = "hang_before"
    HANG_AFTER = "hang_after"
    SLOW = "slow"
    DROP_BEFORE = "drop_before"
    DROP_AFTER = "drop_after"
    REJECT = "reject"
    HUGE = "huge"
    BROKEN_JSON = "broken_json"
    REDIRECT = "redirect"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a rule can tell of a request. `kind` is write, read or token; `subject` the text that names what is made."""

    kind: str
    method: str
    tenant: str | None
    object_type: str | None
    tool: str | None
    subject: str


class Rule(BaseModel):
    """Meets writes (or, with `on`, reads, token requests, any) that fit every given condition, `count` times (None = always).

    `fail_*` answer `status` (default 500); `throttle` answers 429 with `retry_after_s`; `hang_*` are silent for
    `hang_s` and then drop the connection; `slow` waits `hang_s` and then does its work; `drop_*` close the
    connection without an answer; `reject` is a validation error; `huge` does its work and answers JSON of `size_bytes`;
    `broken_json` does its work and answers JSON that ends half-way; `redirect` answers `status` (default 307) with
    `location` (default: the same address again) and does nothing.

    `tool` is the name of a connector's tool, for those whose requests can be told apart (see `connectors.sandbox.tool_names`).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    behaviour: Behaviour
    on: Annotated[str, Field(pattern="^(write|read|token|any)$")] = "write"
    object: str | None = None
    tenant: str | None = None
    tool: str | None = None
    subject: str | None = None
    method: str | None = None
    status: Annotated[int, Field(ge=300, le=599)] | None = None
    error_code: str | None = None
    retry_after_s: Annotated[int, Field(ge=0)] = 1
    hang_s: Annotated[float, Field(ge=0, le=86_400)] = 3_600.0
    size_bytes: Annotated[int, Field(ge=2, le=1 << 28)] = 5 * 1024 * 1024
    location: str | None = None
    count: Annotated[int, Field(ge=1)] | None = None

    def meets(self, request: Asked) -> bool:
        """True if the request fits every condition; `subject` matches as a part of the request's subject."""
        return (
            self.on in {request.kind, "any"}
            and self.object in {None, request.object_type}
            and self.tenant in {None, request.tenant}
            and self.tool in {None, request.tool}
            and self.method in {None, request.method}
            and (self.subject is None or self.subject in request.subject)
        )

    def status_and_code(self) -> tuple[int, str]:
        """What a failing answer says. 503 with its own code is Salesforce's word for "not applied"; 500 leaves it open."""
        default = {Behaviour.THROTTLE: 429, Behaviour.REJECT: 400, Behaviour.REDIRECT: 307}.get(self.behaviour, 500)
        status = self.status or default
        return status, self.error_code or ERROR_CODES.get(status, "UNKNOWN_EXCEPTION")


ERROR_CODES: Final = {400: "FIELD_CUSTOM_VALIDATION_EXCEPTION", 429: "REQUEST_LIMIT_EXCEEDED", 503: "SERVER_UNAVAILABLE"}
RULE: Final[pydantic.TypeAdapter[Rule]] = pydantic.TypeAdapter(Rule)


class Modes:
    """The rules in force, oldest first; the first that meets a request has it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        rows = store.read("SELECT id, rule, remaining FROM modes ORDER BY id")
        self._rules: dict[int, tuple[Rule, int | None]] = {int(row[0]): (RULE.validate_json(row[1]), row[2]) for row in rows}

    def add(self, rule: Rule) -> int:
        """Put a rule in force; returns its id."""
        cursor = self._store.write("INSERT INTO modes (rule, remaining) VALUES (?, ?)", (rule.model_dump_json(), rule.count))
        rule_id = int(cursor.lastrowid or 0)
        self._rules[rule_id] = (rule, rule.count)
        return rule_id

    def clear(self) -> None:
        """Behave again."""
        self._store.write("DELETE FROM modes", ())
        self._rules.clear()

    def shown(self) -> list[dict[str, Any]]:
        """The rules for the admin's eyes."""
        return [
            {"id": rule_id, "remaining": remaining, **rule.model_dump(mode="json", exclude_none=True)}
            for rule_id, (rule, remaining) in self._rules.items()
        ]

    def take(self, request: Asked) -> Rule | None:
        """The rule that has this request, used up by one."""
        for rule_id, (rule, remaining) in self._rules.items():
            if rule.meets(request):
                self._use(rule_id, rule, remaining)
                return rule
        return None

    def _use(self, rule_id: int, rule: Rule, remaining: int | None) -> None:
        if remaining is None:
            return
        if remaining > 1:
            self._rules[rule_id] = (rule, remaining - 1)
            self._store.write("UPDATE modes SET remaining = ? WHERE id = ?", (remaining - 1, rule_id))
        else:
            del self._rules[rule_id]
            self._store.write("DELETE FROM modes WHERE id = ?", (rule_id,))
