"""The one external call that follows from an approved intent, or the refusal that takes its place."""

from msgspec import Struct

from enact.records.enums import EffectKind, Step


class EffectClass(Struct, frozen=True, kw_only=True):
    """What the tool promises about a second call. `key_ttl_s` counts from the first claim, broker time."""

    kind: EffectKind
    key_ttl_s: int | None = None
    natural_key: str | None = None
    settle_ms: int | None = None


class Backoff(Struct, frozen=True, kw_only=True):
    """Exponential backoff with full jitter: delay is uniform in [0, min(max_ms, initial_ms * factor^(n-1))]."""

    initial_ms: int = 1_000
    factor: float = 2.0
    max_ms: int = 60_000


class Refusal(Struct, frozen=True, kw_only=True):
    """Why there is no call: one of the codes of the error catalogue and a sentence without values."""

    code: str
    message: str


class ToolCall(Struct, frozen=True, kw_only=True):
    """The subject of an execution's step. With a `refusal` the call fields are empty.

    `arguments` is canonical JSON text; `intent` is the canonical JSON of the ApprovedIntent with its
    approval (empty for a command that only knows the ids). `is_full` tells a subject that suffices to
    emit everything from one that a command carried.
    """

    tenant_id: str
    account_id: str
    action_intent_id: str
    generation: int
    step: Step
    action_type: str = ""
    tool_name: str = ""
    tool_schema_version: str = ""
    registry_version: int = 0
    connector: str = ""
    arguments: str = ""
    idempotency_key: str = ""
    request_digest: str = ""
    effect_class: EffectClass = EffectClass(kind=EffectKind.NONE)
    timeout_ms: int = 0
    max_attempts: int = 0
    backoff: Backoff = Backoff()
    expires_at_epoch: int = 0
    execution_trace_id: str = ""
    decision_trace_id: str = ""
    intent: str = ""
    intent_sha256: str = ""
    refusal: Refusal | None = None

    @property
    def is_full(self) -> bool:
        """True if this subject says everything: a call, or a refusal in its place."""
        return self.refusal is not None or bool(self.tool_name)
