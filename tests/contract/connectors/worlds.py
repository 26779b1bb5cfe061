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
    RateLimitError,
    RecordTooLargeError,
    RejectedError,
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

    @property
    def faults(self) -> dict[str, type[EnactError]]:
        return {"answer lost": AmbiguousError, "rejected": RejectedError}

    def call(self, **changes: Any) -> Call:
        return make_call("internal.create_note", {"title": SECRET_VALUE}, **changes)

    def undo(self) -> Call | None:
        return make_call("internal.delete_note", {}, step=Step.COMPENSATE)

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
    "too early": (DownstreamError, {"behaviour": "fail_before", "status": 425}),
    "request timeout": (AmbiguousError, {"behaviour": "fail_before", "status": 408}),
    "rejected": (RejectedError, {"behaviour": "reject"}),
    "forbidden": (AuthError, {"behaviour": "fail_before", "status": 403, "error_code": "INSUFFICIENT_ACCESS"}),
}
CRM_FAULTS: dict[str, tuple[type[EnactError], dict[str, Any]]] = {
    "unavailable": (DownstreamError, {"behaviour": "fail_before", "status": 503}),
    "row locked": (DownstreamError, {"behaviour": "fail_before", "status": 400, "error_code": "UNABLE_TO_LOCK_ROW"}),
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
    object_type: str

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
        return len(self.admin.objects(object_type=self.object_type, is_deleted=0))


def crm_call(**changes: Any) -> Call:
    return make_call("crm.create_task", {"subject": SECRET_VALUE, "related_type": "Account", "related_id": "001Sb0000000001MAA"}, **changes)


def crm_undo() -> Call | None:
    return make_call("crm.delete_task", {}, step=Step.COMPENSATE)


def fire_call(**changes: Any) -> Call:
    return make_call("sandbox.fire_once", {"label": SECRET_VALUE}, **changes)


@asynccontextmanager
async def world(name: str, folder: Path, admin: SandboxAdmin) -> AsyncIterator[World]:
    """The world of one connector, with the system clean and behaving."""
    write_sandbox_credentials(folder, ["acme", "globex"], admin.url)
    topic = Topic()
    connectors = build_connectors(
        publish=topic.publish, clock=ManualClock(), credentials_dir=folder, outbound_allow=[admin.url.removeprefix("http://")]
    )
    connector = connectors[name]
    worlds: dict[str, World] = {
        "internal": InternalWorld(connector, topic),
        "crm": SandboxWorld(connector, admin, crm_call, crm_undo, {**SANDBOX_FAULTS, **CRM_FAULTS}, "Task"),
        "sandbox": SandboxWorld(connector, admin, fire_call, lambda: None, SANDBOX_FAULTS, "Fire"),
    }
    try:
        yield worlds[name]
    finally:
        for built in connectors.values():
            await built.close()
