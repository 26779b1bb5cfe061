"""What the fold keeps of one execution. Values only; the rules that make them are in `enact.execution`."""

from enum import StrEnum

from msgspec import Struct

from enact.records import EffectClass, EffectKind, ErrorInfo, ExternalRef, Owner, ParkReason, Status, Step, ToolCall


class AttemptState(StrEnum):
    """What is known of one valid claim. It only rises, in the order of `RANK`."""

    OPEN = "OPEN"
    UNKNOWN = "UNKNOWN"
    RELEASED = "RELEASED"
    NOT_APPLIED = "NOT_APPLIED"
    PARTIAL = "PARTIAL"
    APPLIED = "APPLIED"


RANK = {
    AttemptState.OPEN: 0,
    AttemptState.UNKNOWN: 1,
    AttemptState.RELEASED: 2,
    AttemptState.NOT_APPLIED: 2,
    AttemptState.PARTIAL: 3,
    AttemptState.APPLIED: 4,
}
_UNSETTLED = (AttemptState.OPEN, AttemptState.UNKNOWN)
_REPEATABLE = (EffectKind.IDEMPOTENT, EffectKind.UPSERT)


class Attempt(Struct, frozen=True, kw_only=True):
    """One valid claim and the best that is known of its call. `claimed_ms` is log time at the claim."""

    number: int
    nonce: str
    generation: int
    owner: Owner
    digest: str
    effect_class: EffectClass
    max_attempts: int
    claimed_ms: int
    lease_ms: int
    state: AttemptState = AttemptState.OPEN
    is_given_up: bool = False
    look_ups: int = 0
    refs: tuple[ExternalRef, ...] = ()
    error: ErrorInfo | None = None

    @property
    def lease_end_ms(self) -> int:
        """Log time from which the claimant can no longer be in the middle of its call."""
        return self.claimed_ms + self.lease_ms

    @property
    def settled_ms(self) -> int:
        """Log time from which a look-up that finds nothing means that nothing will appear."""
        is_lookup = self.effect_class.kind is EffectKind.LOOKUP
        return self.lease_end_ms + ((self.effect_class.settle_ms or 0) if is_lookup else 0)

    @property
    def allows_repeat(self) -> bool:
        """True if the same bytes with the same key may be sent again although the answer is unknown."""
        return self.effect_class.kind in _REPEATABLE and not self.is_given_up


class Evidence(Struct, frozen=True, kw_only=True):
    """APPLIED or PARTIAL from somebody whose nonce is not a valid claim's: it counts all the same."""

    state: AttemptState
    refs: tuple[ExternalRef, ...] = ()
    error: ErrorInfo | None = None


class Ending(Struct, frozen=True, kw_only=True):
    """How a generation ended, or how it will end once barred: the status and the public code."""

    status: Status
    code: str | None = None
    message: str | None = None
    error: ErrorInfo | None = None


class Generation(Struct, frozen=True, kw_only=True):
    """The current generation of a step. `due_ms` is when its next action may happen, 0 = now."""

    number: int = 1
    subject: ToolCall | None = None
    digest: str | None = None
    bar: Ending | None = None
    ending: Ending | None = None
    due_ms: int = 0
    park: ParkReason | None = None
    releases: int = 0


class StepState(Struct, frozen=True, kw_only=True):
    """One step: its current generation, and attempts, nonces and evidence over all generations."""

    generation: Generation = Generation()
    attempts: tuple[Attempt, ...] = ()
    burnt: tuple[str, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    is_contradicted: bool = False

    @property
    def is_begun(self) -> bool:
        """True once the log knows anything of this step."""
        current = self.generation
        return bool(self.attempts or self.evidence or current.subject or current.bar or current.ending or current.number > 1)

    @property
    def open_attempt(self) -> Attempt | None:
        """The open claim; the validity of claims admits at most one."""
        for attempt in self.attempts:
            if attempt.state is AttemptState.OPEN:
                return attempt
        return None

    @property
    def unknown_attempts(self) -> tuple[Attempt, ...]:
        """Attempts of which nobody can say whether they were applied."""
        return tuple(a for a in self.attempts if a.state is AttemptState.UNKNOWN)

    @property
    def unsettled_attempts(self) -> tuple[Attempt, ...]:
        """Attempts that are open or UNKNOWN."""
        return tuple(a for a in self.attempts if a.state in _UNSETTLED)

    @property
    def used_attempts(self) -> tuple[Attempt, ...]:
        """Valid unreleased claims of the current generation: what `max_attempts` counts."""
        number = self.generation.number
        return tuple(a for a in self.attempts if a.generation == number and a.state is not AttemptState.RELEASED)

    @property
    def max_attempts(self) -> int | None:
        """How many calls the current generation may make: its first valid claim says it, like the digest."""
        return next((a.max_attempts for a in self.attempts if a.generation == self.generation.number), None)

    @property
    def next_number(self) -> int:
        """The number a new claim must carry."""
        return self.attempts[-1].number + 1 if self.attempts else 1

    def has(self, state: AttemptState) -> bool:
        """True if an attempt or other evidence stands at `state`."""
        for attempt in self.attempts:
            if attempt.state is state:
                return True
        return any(e.state is state for e in self.evidence) if self.evidence else False

    def by_nonce(self, nonce: str) -> Attempt | None:
        """The valid claim with this nonce."""
        for attempt in self.attempts:
            if attempt.nonce == nonce:
                return attempt
        return None


class Execution(Struct, frozen=True, kw_only=True):
    """The fold of all events of one (tenant, id) so far."""

    tenant_id: str
    action_intent_id: str
    first_ms: int
    is_merely_known: bool = False
    execute: StepState = StepState()
    compensate: StepState = StepState()
    event_ids: tuple[str, ...] = ()

    def step(self, step: Step) -> StepState:
        """The state of one step."""
        return self.execute if step is Step.EXECUTE else self.compensate
