"""One world for each connector: how to call it, how to break it, and what it saw."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from msgspec.structs import replace

from connectors.catalogue import build_connectors
from connectors.contract import Call, Connector
from connectors.sandbox.admin_client import SandboxAdmin
from connectors.sandbox.tenants import write_sandbox_credentials
from enact.clock import ManualClock
from enact.errors import (
    AmbiguousError,
    AnswerTimeoutError,
    AuthError,
    DeliveryError,
    DownstreamError,
    EnactError,
    NotNowError,
    RateLimitError,
    RecordTooLargeError,
    RejectedError,
    UnusableAnswerError,
)
from enact.ids import idempotency_key
from enact.records import Step

SECRET_VALUE = "value-that-no-message-may-show"


def nothing() -> None:
    """A last look that agrees."""


def make_call(tool_name: str, arguments: dict[str, Any], /, **changes: Any) -> Call:
    step: Step = changes.get("step", Step.EXECUTE)
    given = Call(
        tool_name=tool_name,
        tenant_id="acme",
        account_id="account-1",
        action_intent_id="intent-1",
        step=step,
        attempt=1,
        nonce="nonce-1",
        idempotency_key=idempotency_key(changes.get("tenant_id", "acme"), changes.get("action_intent_id", "intent-1"), step),
        arguments=arguments,
        timeout_ms=2_000,
        traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        last_look=nothing,
    )
    return replace(given, **changes)


class World(Protocol):
    """What the suite needs of a connector's world. `faults` names each way it can fail and the error that has to come of it."""

    @property
    def connector(self) -> Connector:
        """The one under test."""

    @property
    def faults(self) -> dict[str, type[EnactError]]:
        """Fault to error class."""

    def call(self, **changes: Any) -> Call:
        """A call that works."""

    def undo(self) -> Call | None:
        """The call that compensates it, if there is one."""

    def break_it(self, fault: str) -> None:
        """Let the next call meet a fault."""

    def receipts(self) -> int:
        """Writes received."""

    def effects(self) -> int:
        """Effects that stand."""

    def wait(self, seconds: float) -> None:
        """Let time pass, by the connector's clock."""


@dataclass
class Topic:
    """A compacted topic in memory that can refuse, or write and not acknowledge."""

    records: dict[bytes, bytes] = field(default_factory=dict)
    received: int = 0
    fault: Exception | None = None

    async def publish(self, key: bytes, value: bytes) -> None:
        self.received += 1
        fault, self.fault = self.fault, None
        if not isinstance(fault, RecordTooLargeError):
            self.records[key] = value
        if fault is not None:
            raise fault


@dataclass
class InternalWorld:
    """The internal connector on a topic in memory."""

    connector: Connector
    topic: Topic
    tool_name: str
    arguments: dict[str, Any]
    undo_name: str
    clock: ManualClock

    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @property
    def faults(self) -> dict[str, type[EnactError]]:
        return {"answer lost": AmbiguousError, "rejected": RejectedError}

    def call(self, **changes: Any) -> Call:
        return make_call(self.tool_name, self.arguments, **changes)

    def undo(self) -> Call | None:
        return make_call(self.undo_name, {}, step=Step.COMPENSATE)

    def break_it(self, fault: str) -> None:
        self.topic.fault = {"answer lost": DeliveryError("x"), "rejected": RecordTooLargeError("x")}[fault]

    def receipts(self) -> int:
        return self.topic.received

    def effects(self) -> int:
        from enact.records import InternalObject  # noqa: PLC0415 - beside its only use
        from enact.records.codec import decode  # noqa: PLC0415

        return sum(not decode(InternalObject, value).is_deleted for value in self.topic.records.values())


SANDBOX_FAULTS: dict[str, tuple[type[EnactError], dict[str, Any]]] = {
    "answer lost": (AmbiguousError, {"behaviour": "drop_after"}),
    "request lost": (AmbiguousError, {"behaviour": "drop_before"}),
    "silence before": (AnswerTimeoutError, {"behaviour": "hang_before", "hang_s": 1}),
    "silence after": (AnswerTimeoutError, {"behaviour": "hang_after", "hang_s": 1}),
    "failed before": (AmbiguousError, {"behaviour": "fail_before"}),
    "failed after": (AmbiguousError, {"behaviour": "fail_after"}),
    "throttled": (RateLimitError, {"behaviour": "throttle", "retry_after_s": 7}),
    "too early": (NotNowError, {"behaviour": "fail_before", "status": 425}),
    "request timeout": (AmbiguousError, {"behaviour": "fail_before", "status": 408}),
    "rejected": (RejectedError, {"behaviour": "reject"}),
    "too slow": (AnswerTimeoutError, {"behaviour": "slow", "hang_s": 1}),
    "huge answer": (UnusableAnswerError, {"behaviour": "huge"}),
    "broken answer": (UnusableAnswerError, {"behaviour": "broken_json"}),
    "moved": (RejectedError, {"behaviour": "redirect"}),
    "done, look elsewhere": (UnusableAnswerError, {"behaviour": "redirect", "status": 303}),
    "forbidden": (AuthError, {"behaviour": "fail_before", "status": 403, "error_code": "INSUFFICIENT_ACCESS"}),
}
CRM_FAULTS: dict[str, tuple[type[EnactError], dict[str, Any]]] = {
    "unavailable": (DownstreamError, {"behaviour": "fail_before", "status": 503}),
    "row locked": (NotNowError, {"behaviour": "fail_before", "status": 400, "error_code": "UNABLE_TO_LOCK_ROW"}),
    "limit": (RateLimitError, {"behaviour": "fail_before", "status": 403, "error_code": "REQUEST_LIMIT_EXCEEDED"}),
    "login throttled": (RateLimitError, {"behaviour": "throttle", "on": "token"}),
    "login down": (DownstreamError, {"behaviour": "fail_before", "on": "token"}),
    "login silent": (DownstreamError, {"behaviour": "drop_before", "on": "token"}),
    "login refused": (AuthError, {"behaviour": "reject", "on": "token"}),
}


@dataclass
class SandboxWorld:
    """A connector whose system is the sandbox."""

    connector: Connector
    admin: SandboxAdmin
    make: Callable[..., Call]
    make_undo: Callable[[], Call | None]
    fault_table: dict[str, tuple[type[EnactError], dict[str, Any]]]
    count_effects: Callable[[SandboxAdmin], int]
    clock: ManualClock

    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @property
    def faults(self) -> dict[str, type[EnactError]]:
        return {name: kind for name, (kind, _) in self.fault_table.items()}

    def call(self, **changes: Any) -> Call:
        return self.make(**changes)

    def undo(self) -> Call | None:
        return self.make_undo()

    def break_it(self, fault: str) -> None:
        self.admin.set_mode(**{"count": 1, **self.fault_table[fault][1]})

    def receipts(self) -> int:
        return len(self.admin.receipts(kind="write"))

    def effects(self) -> int:
        return self.count_effects(self.admin)


NOTE = ("internal.create_note", {"title": SECRET_VALUE}, "internal.delete_note")
TASK = ("internal.create_task", {"title": SECRET_VALUE, "priority": "HIGH"}, "internal.delete_task")
BRIEF_ABOUT = {"format": "MARKDOWN", "entity_type": "Account", "entity_id": "001A"}
BRIEF = ("internal.attach_brief", {"title": "Meeting", "body": SECRET_VALUE, **BRIEF_ABOUT}, "internal.delete_brief")
INTERNAL = {"internal note": NOTE, "internal task": TASK, "internal brief": BRIEF}

RECORD_ID = "001Sb000000001AMAA"
"""An account of acme that is there from the beginning."""


def crm_call(**changes: Any) -> Call:
    return make_call("crm.create_task", {"subject": SECRET_VALUE, "related_type": "Account", "related_id": "001Sb0000000001MAA"}, **changes)


def crm_undo() -> Call | None:
    return make_call("crm.delete_task", {}, step=Step.COMPENSATE)


def opportunity_call(**changes: Any) -> Call:
    asked = {"name": SECRET_VALUE, "stage_name": "Prospecting", "close_date": "2030-06-30", "amount": 1250.5}
    return make_call("crm.create_opportunity", {**asked, "related_type": "Account", "related_id": RECORD_ID}, **changes)


def opportunity_undo() -> Call | None:
    return make_call("crm.delete_opportunity", {}, step=Step.COMPENSATE)


def field_call(**changes: Any) -> Call:
    asked = {"object_type": "Account", "record_id": RECORD_ID, "field": "Industry", "value": SECRET_VALUE}
    return make_call("crm.update_field", asked, **changes)


def no_undo() -> Call | None:
    """Nothing undoes it."""
    return None


def living(object_type: str) -> Callable[[SandboxAdmin], int]:
    """How many objects of a type there are."""
    return lambda admin: len(admin.objects(object_type=object_type, is_deleted=0))


def fields_set(admin: SandboxAdmin) -> int:
    """Whether the account has the value: an effect that a repeat can only find done."""
    return sum(row["fields"].get("Industry") == SECRET_VALUE for row in admin.objects(object_type="Account"))


CRM: dict[str, tuple[Callable[..., Call], Callable[[], Call | None], Callable[[SandboxAdmin], int]]] = {
    "crm task": (crm_call, crm_undo, living("Task")),
    "crm opportunity": (opportunity_call, opportunity_undo, living("Opportunity")),
    "crm field": (field_call, no_undo, fields_set),
}


def fire_with(tool_name: str) -> Callable[..., Call]:
    """Calls of one of the tools that fire."""

    def call(**changes: Any) -> Call:
        return make_call(changes.pop("tool_name", tool_name), {"label": SECRET_VALUE}, **changes)

    return call


FIRES = {
    "sandbox fire": fire_with("sandbox.fire_once"),
    "sandbox fire keyed": fire_with("sandbox.fire_keyed"),
    "sandbox fire named": fire_with("sandbox.fire_named"),
}
WORLDS = (*INTERNAL, *CRM, *FIRES)


@asynccontextmanager
async def world(name: str, folder: Path, admin: SandboxAdmin) -> AsyncIterator[World]:
    """The world of one of `WORLDS`, with the system clean and behaving."""
    write_sandbox_credentials(folder, ["acme", "globex"], admin.url)
    topic, clock = Topic(), ManualClock()
    connectors = build_connectors(
        publish=topic.publish, clock=clock, credentials_dir=folder, outbound_allow=[admin.url.removeprefix("http://")]
    )
    connector = connectors[name.partition(" ")[0]]
    made: World
    if name in INTERNAL:
        made = InternalWorld(connector, topic, *INTERNAL[name], clock)
    elif name in CRM:
        made = SandboxWorld(connector, admin, *CRM[name][:2], {**SANDBOX_FAULTS, **CRM_FAULTS}, CRM[name][2], clock)
        if name == "crm field":
            admin.add_object("acme", "Account", {"Name": "Acme", "Industry": "Energy"}, id=RECORD_ID)
    else:
        made = SandboxWorld(connector, admin, FIRES[name], no_undo, SANDBOX_FAULTS, living("Fire"), clock)
    try:
        yield made
    finally:
        for built in connectors.values():
            await built.close()
