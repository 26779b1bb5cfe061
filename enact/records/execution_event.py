"""Events of the execution log: everything that is true about an execution is the fold of these."""

from msgspec import Struct

from enact.records.enums import Effect, ErrorCategory, ErrorClass, EventType, FactSource, ParkReason, Step
from enact.records.tool_call import EffectClass, ToolCall


class Owner(Struct, frozen=True, kw_only=True):
    """Which process claimed: this boot of the machine, this instance directory, this life of the process."""

    boot_id: str
    instance_id: str
    incarnation_id: str


class ExternalRef(Struct, frozen=True, kw_only=True):
    """An object in the outside world that a call made or changed."""

    system: str
    object_type: str
    object_id: str
    object_url: str | None = None


class ErrorInfo(Struct, frozen=True, kw_only=True):
    """A failure in public words. `is_permanent` = the same call can never pass (or, on an UNKNOWN, no step is left)."""

    category: ErrorCategory
    error_class: ErrorClass
    code: str
    message: str
    is_permanent: bool = False


class Parked(Struct, frozen=True, kw_only=True):
    """The step waits until `not_before_ms` (wall clock) for `reason`."""

    reason: ParkReason
    not_before_ms: int
    detail: str | None = None


class Claimed(Struct, frozen=True, kw_only=True):
    """Asks for permission to make one attempt; valid if the fold before its offset permits it."""

    attempt: int
    nonce: str
    owner: Owner
    request_digest: str
    effect_class: EffectClass
    max_attempts: int
    lease_ms: int
    fold_version: int


class Released(Struct, frozen=True, kw_only=True):
    """The claimant's word that this claim was never sent; burns the nonce also before its claim."""

    attempt: int
    nonce: str
    reason: str | None = None


class Fact(Struct, frozen=True, kw_only=True):
    """What the world did, as far as somebody learned. Matched to its claim by nonce."""

    attempt: int
    nonce: str
    effect: Effect
    source: FactSource
    refs: tuple[ExternalRef, ...] = ()
    error: ErrorInfo | None = None
    not_before_ms: int | None = None
    tool_run_ref: str | None = None
    raw_response_artifact_ref: str | None = None
    started_at_ms: int | None = None
    completed_at_ms: int | None = None
    command_id: str | None = None
    reason: str | None = None


class Refused(Struct, frozen=True, kw_only=True):
    """Bars the generation it names, if current."""

    code: str
    message: str


class CancelRequested(Struct, frozen=True, kw_only=True):
    """Bars the generation current at its own offset, whatever it names."""

    command_id: str
    reason: str


class Expired(Struct, frozen=True, kw_only=True):
    """Bars if log time has reached the deadline; without effect it may be appended again later."""

    expires_at_epoch: int


class RedriveRequested(Struct, frozen=True, kw_only=True):
    """Opens the next generation of the step if the named one ended without effect."""

    command_id: str
    reason: str


class FoldVersionSet(Struct, frozen=True, kw_only=True):
    """From its offset on this fold version is in force in its partition."""

    version: int


EventData = Parked | Claimed | Released | Fact | Refused | CancelRequested | Expired | RedriveRequested | FoldVersionSet

EVENT_TYPES: dict[type[EventData], EventType] = {
    Parked: EventType.PARKED,
    Claimed: EventType.CLAIMED,
    Released: EventType.RELEASED,
    Fact: EventType.FACT,
    Refused: EventType.REFUSED,
    CancelRequested: EventType.CANCEL_REQUESTED,
    Expired: EventType.EXPIRED,
    RedriveRequested: EventType.REDRIVE_REQUESTED,
    FoldVersionSet: EventType.FOLD_VERSION,
}


class ExecutionEvent(Struct, frozen=True, kw_only=True):
    """One record of the execution log.

    `event_id` is fresh for each append; the fold drops repeats. `first_ms` is the LogAppendTime of the
    execution's first event (None = this event's own). `subject` is present until the log holds a full one
    for (step, generation). `at_ms` is the writer's clock and decides nothing.
    """

    tenant_id: str
    action_intent_id: str
    generation: int
    step: Step
    event_id: str
    type: EventType
    at_ms: int
    actor: str
    first_ms: int | None = None
    subject: ToolCall | None = None
    data: EventData
