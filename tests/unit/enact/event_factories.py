"""Makes events of the execution log for tests: everything has a default, tests name only what they are about."""

from dataclasses import dataclass, field
from itertools import count

from msgspec.structs import replace

from enact.execution import FOLD_VERSION, HORIZON_MS, apply, claim_refusal, verdict
from enact.execution_state import Attempt, AttemptState, Execution, StepState
from enact.records import (
    EVENT_TYPES,
    CancelRequested,
    Claimed,
    Effect,
    EffectClass,
    EffectKind,
    ErrorCategory,
    ErrorClass,
    ErrorInfo,
    EventData,
    ExecutionEvent,
    Expired,
    ExternalRef,
    Fact,
    FactSource,
    Owner,
    Parked,
    ParkReason,
    RedriveRequested,
    Refusal,
    Refused,
    Released,
    Status,
    Step,
    ToolCall,
)

START_MS = 1_700_000_000_000
LEASE_MS = 10_000
SETTLE_MS = 5_000
LIFETIME_S = 3_600
EXPIRES_S = START_MS // 1000 + LIFETIME_S
OWNER = Owner(boot_id="boot-1", instance_id="instance-1", incarnation_id="life-1")

NONE = EffectClass(kind=EffectKind.NONE)
UPSERT = EffectClass(kind=EffectKind.UPSERT, natural_key="external_id")
IDEMPOTENT = EffectClass(kind=EffectKind.IDEMPOTENT, key_ttl_s=86_400)
LOOKUP = EffectClass(kind=EffectKind.LOOKUP, settle_ms=SETTLE_MS)

_fresh = count(1)


def a_tool_call(step: Step = Step.EXECUTE, generation: int = 1, **changes: object) -> ToolCall:
    """A full subject."""
    call = ToolCall(
        tenant_id="tenant-1",
        account_id="account-1",
        action_intent_id="intent-1",
        generation=generation,
        step=step,
        action_type="create_task",
        tool_name="crm.create_task",
        connector="crm",
        arguments="{}",
        request_digest="digest-1",
        max_attempts=3,
        expires_at_epoch=EXPIRES_S,
    )
    return replace(call, **changes)


def a_bare_subject(**changes: object) -> ToolCall:
    """What a command or reconciliation knows: ids and the deadline."""
    return replace(a_tool_call(tool_name="", connector="", arguments="", request_digest=""), **changes)


def a_refused_call() -> ToolCall:
    """A refusal in the place of a call; it counts as full."""
    return a_bare_subject(refusal=Refusal(code="MAPPING_FAILED", message="No such field."))


def an_event(
    data: EventData,
    *,
    step: Step = Step.EXECUTE,
    generation: int = 1,
    subject: ToolCall | None = None,
    event_id: str | None = None,
    first_ms: int | None = None,
    at_ms: int = START_MS,
) -> ExecutionEvent:
    """One record of the log."""
    return ExecutionEvent(
        tenant_id="tenant-1",
        action_intent_id="intent-1",
        generation=generation,
        step=step,
        event_id=event_id or f"event-{next(_fresh)}",
        type=EVENT_TYPES[type(data)],
        at_ms=at_ms,
        actor="test",
        first_ms=first_ms,
        subject=subject,
        data=data,
    )


def a_claim(
    attempt: int = 1,
    nonce: str | None = None,
    *,
    digest: str = "digest-1",
    effect_class: EffectClass = NONE,
    max_attempts: int = 3,
) -> Claimed:
    """A claim; its nonce is `n<attempt>` unless given."""
    return Claimed(
        attempt=attempt,
        nonce=nonce or f"n{attempt}",
        owner=OWNER,
        request_digest=digest,
        effect_class=effect_class,
        max_attempts=max_attempts,
        lease_ms=LEASE_MS,
        fold_version=FOLD_VERSION,
    )


def a_fact(
    effect: Effect,
    nonce: str = "n1",
    source: FactSource = FactSource.CALL,
    *,
    is_permanent: bool = False,
    error: ErrorInfo | None = None,
    not_before_ms: int | None = None,
    refs: tuple[ExternalRef, ...] = (),
    started_at_ms: int | None = None,
) -> Fact:
    """A fact about the attempt with `nonce`."""
    if is_permanent:
        error = an_error(is_permanent=True)
    return Fact(
        attempt=1,
        nonce=nonce,
        effect=effect,
        source=source,
        error=error,
        not_before_ms=not_before_ms,
        refs=refs,
        started_at_ms=started_at_ms,
    )


def an_error(code: str = "TOOL_REJECTED", *, is_permanent: bool = False) -> ErrorInfo:
    """A failure in public words."""
    return ErrorInfo(
        category=ErrorCategory.TOOL_ERROR,
        error_class=ErrorClass.VALIDATION,
        code=code,
        message="The tool said no.",
        is_permanent=is_permanent,
    )


def a_ref(object_id: str = "task-1") -> ExternalRef:
    """An object in the outside world."""
    return ExternalRef(system="crm", object_type="task", object_id=object_id)


def released(nonce: str = "n1") -> Released:
    """The claimant's word that the call was never sent."""
    return Released(attempt=1, nonce=nonce)


def parked(not_before_ms: int, reason: ParkReason = ParkReason.RETRY) -> Parked:
    """The step waits."""
    return Parked(reason=reason, not_before_ms=not_before_ms)


def refused(code: str = "MAPPING_FAILED") -> Refused:
    """A bar by refusal."""
    return Refused(code=code, message="Refused.")


def cancelled() -> CancelRequested:
    """A bar by cancel."""
    return CancelRequested(command_id="command-1", reason="changed our minds")


def expired(expires_s: int = EXPIRES_S) -> Expired:
    """A bar by deadline."""
    return Expired(expires_at_epoch=expires_s)


def redriven() -> RedriveRequested:
    """A request for the next generation."""
    return RedriveRequested(command_id="command-2", reason="try again")


@dataclass
class Log:
    """A log of one execution that folds as it grows. `now_ms` is log time and only goes forward."""

    now_ms: int = START_MS
    horizon_ms: int = HORIZON_MS
    state: Execution | None = None
    events: list[tuple[ExecutionEvent, int]] = field(default_factory=list)

    def add(
        self,
        data: EventData,
        *,
        after_ms: int = 0,
        step: Step = Step.EXECUTE,
        generation: int = 1,
        subject: ToolCall | None = None,
        first_ms: int | None = None,
        event_id: str | None = None,
    ) -> "Log":
        """Append one event `after_ms` later, with a full subject unless one is given; returns itself."""
        subject = subject if subject is not None else a_tool_call(step, generation)
        return self.add_event(
            an_event(data, step=step, generation=generation, subject=subject, first_ms=first_ms, event_id=event_id), after_ms=after_ms
        )

    def add_event(self, event: ExecutionEvent, *, after_ms: int = 0) -> "Log":
        """Append this very event."""
        self.now_ms += after_ms
        self.state = apply(self.state, event, log_ms=self.now_ms, horizon_ms=self.horizon_ms)
        self.events.append((event, self.now_ms))
        return self

    @property
    def execution(self) -> Execution:
        """The fold so far."""
        if self.state is None:
            return Execution(tenant_id="tenant-1", action_intent_id="intent-1", first_ms=self.now_ms)
        return self.state

    @property
    def execute(self) -> StepState:
        """The fold of the step `execute`."""
        return self.execution.execute

    @property
    def compensate(self) -> StepState:
        """The fold of the step `compensate`."""
        return self.execution.compensate

    @property
    def status(self) -> Status | None:
        """The status people see."""
        return verdict(self.execute).status

    def attempt(self, nonce: str = "n1") -> Attempt:
        """The valid claim with this nonce."""
        found = self.execute.by_nonce(nonce) or self.compensate.by_nonce(nonce)
        if found is None:
            raise AssertionError(f"no valid claim {nonce}")
        return found

    def attempt_state(self, nonce: str = "n1") -> AttemptState:
        """What is known of the attempt with this nonce."""
        return self.attempt(nonce).state

    def refusal(self, claim: Claimed, *, step: Step = Step.EXECUTE, generation: int = 1, after_ms: int = 0) -> str | None:
        """Why a claim appended now would not be valid."""
        return claim_refusal(self.execution, an_event(claim, step=step, generation=generation), claim, log_ms=self.now_ms + after_ms)
