"""What every connector promises, whatever it speaks to; `tests/contract/connectors` runs it against each of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from msgspec import Struct

from enact.records import EffectClass, ExternalRef, Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """One call a connector can make. `name` is `connector.verb_object`; the schemas are JSON Schema (draft 2020-12).

    `step` COMPENSATE marks a tool that undoes another one: it is reached through `Connector.compensate`.
    `effect_class` and `timeout_ms` are what the tool can keep; a registry entry may ask for less, never for more.
    """

    name: str
    schema_version: str
    description: str
    arguments_schema: dict[str, Any]
    result_schema: dict[str, Any]
    effect_class: EffectClass
    timeout_ms: int
    step: Step = Step.EXECUTE


class Call(Struct, frozen=True, kw_only=True):
    """One permitted attempt. `idempotency_key` is the same for every attempt of a step, `nonce` is the claim's own.

    `last_look` is called synchronously with the connection in hand, exactly once, before the first byte; it raises
    CallRefusedError, and then nothing was sent. It is not asked for a token exchange: that is no effect.
    """

    tool_name: str
    tenant_id: str
    account_id: str
    action_intent_id: str
    step: Step
    attempt: int
    nonce: str
    idempotency_key: str
    arguments: Mapping[str, Any]
    timeout_ms: int
    traceparent: str | None
    last_look: Callable[[], None]

    @property
    def attempt_marker(self) -> str:
        """The value of `X-Enact-Attempt`: joins a receipt in the outside world with its claim."""
        return f"{self.attempt}.{self.nonce}"


class CallResult(Struct, frozen=True, kw_only=True):
    """The world says it did it. `response` is the answer's bytes as received; `is_partial` = begun, not finished."""

    refs: tuple[ExternalRef, ...]
    tool_run_ref: str | None
    response: bytes
    is_partial: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """Whether the system answers; `detail` is one sentence without secrets."""

    ok: bool
    detail: str


class Connector(Protocol):
    """A stateless door to one system. Two calls in one process share connections and tokens, never results.

    Every method raises only `PermanentError` (can never pass as it is; not applied), `TransientError` (definitely not
    executed), `AmbiguousError` (may have been executed) or `CallRefusedError` (the last look said no; nothing sent).
    Messages never contain values, bodies or credentials.
    """

    @property
    def name(self) -> str:
        """The connector's name: the first part of its tools' names and the credentials file's stem."""

    def tools(self) -> tuple[Tool, ...]:
        """What it can do; always the same answer."""

    def validate(self, tool_name: str, arguments: Mapping[str, Any]) -> None:
        """Check arguments without any I/O. Raises: PermanentError naming the field."""

    async def execute(self, call: Call) -> CallResult:
        """Make the call exactly once."""

    async def compensate(self, call: Call) -> CallResult:
        """Undo what the execution's `execute` step did, exactly one call. Undone already counts as undone."""

    async def look_up(self, call: Call) -> CallResult | None:
        """Ask the world, without changing it, what became of `call`. None = the world was asked and has nothing.

        Never None for a question that was not answered. Raises: PermanentError if the system cannot be asked;
        TransientError if it did not answer; never AmbiguousError.
        """

    async def health(self) -> Health:
        """Whether the system answers now. Never raises."""

    async def close(self) -> None:
        """Close connections."""
