"""The gate: one list of checks, evaluated before the claim and again at the last look before the first byte.

It is the only way to the wire. A check answers None (nothing against it) or what must happen instead:
`Wait` leaves everything as it is, `Hold` parks without using an attempt, `End` refuses for good.
"""

from collections.abc import Callable
from dataclasses import dataclass

from msgspec import Struct
from msgspec.structs import replace

from enact.clock import Clock
from enact.errors import ErrorCode
from enact.execution import expires_ms
from enact.execution_state import AttemptState, Execution, StepState
from enact.next_action import ActionKind, next_action
from enact.records import ParkReason, Step, SwitchMode, ToolCall
from enact.switch_view import rejection_of, scopes_of
from enact.switches import SwitchWatch


@dataclass(frozen=True, slots=True)
class Wait:
    """Not now, and no event about it."""

    reason: str


@dataclass(frozen=True, slots=True)
class Hold:
    """Park until the reason passes; still expiring."""

    reason: ParkReason
    detail: str


@dataclass(frozen=True, slots=True)
class End:
    """Refuse: the execution cannot go on."""

    code: ErrorCode
    message: str


Answer = Wait | Hold | End


class Request(Struct, frozen=True, kw_only=True):
    """One call that wants to happen. `nonce` is set at the last look, when its claim has been read back."""

    call: ToolCall
    execution: Execution | None
    is_owned: bool
    now_ms: int
    nonce: str | None = None
    lease_left_ms: int | None = None


Check = Callable[[Request], Answer | None]
IsHeld = Callable[[str, str, str], bool]
"""(tenant, action type, connector) → whether this kind of call goes on waiting."""

MAX_CLOCK_SKEW_MS = 2_000
"""Nothing starts while this machine's clock differs by more from the broker's: deadlines and leases are told by it."""


class Gate:
    """Evaluates the checks in order; the first answer counts."""

    def __init__(self, switches: SwitchWatch, clock: Clock, *, is_enabled: bool, further: tuple[Check, ...] = (),
                 is_held_further: IsHeld | None = None) -> None:  # fmt: skip
        """`further` checks come after the switches; `is_held_further` says without an execution in hand what they hold."""
        self._switches, self._clock, self._is_enabled = switches, clock, is_enabled
        self._is_held_further = is_held_further
        self._checks: tuple[Check, ...] = (
            self._owned,
            self._permitted,
            self._not_expired,
            self._enabled,
            self._switches_fresh,
            self._switches_open,
            *further,
            self._lease_covers,
        )

    def ask(self, call: ToolCall, execution: Execution | None, *, is_owned: bool, nonce: str | None = None,
            lease_left_ms: int | None = None) -> Answer | None:  # fmt: skip
        """None if the call may go on. Synchronous, no I/O; any thread."""
        request = Request(
            call=call, execution=execution, is_owned=is_owned, now_ms=self._clock.wall_ms(), nonce=nonce, lease_left_ms=lease_left_ms
        )
        for check in self._checks:
            if (answer := check(request)) is not None:
                return answer
        return None

    @property
    def is_fresh(self) -> bool:
        """False while nothing may start because the switches cannot be trusted."""
        return self._switches.is_fresh

    @property
    def is_on_time(self) -> bool:
        """False while nothing may start because this machine's clock is not the broker's."""
        return abs(self._switches.clock_ahead_ms) <= MAX_CLOCK_SKEW_MS

    @property
    def may_start(self) -> bool:
        """False while nothing at all may start."""
        return self.is_fresh and self.is_on_time

    @property
    def broker_ms(self) -> int:
        """The broker's wall clock, as far as the last probe told it: what log time will be of an event appended now."""
        return self._clock.wall_ms() - self._switches.clock_ahead_ms

    @property
    def engagements(self) -> int:
        """How many switches are engaged."""
        return len(self._switches.view.engagements)

    @property
    def switches_age_s(self) -> float:
        """Seconds since the switches were proven fresh; infinite if they never were."""
        return self._switches.age_s

    def is_held(self, tenant_id: str, action_type: str, connector: str) -> bool:
        """True while what is held of this kind goes on waiting; a switch that rejects is an answer, not a wait."""
        engaged = self._switches.view.stopped_by(scopes_of(tenant_id, action_type, connector))
        if not self._is_enabled or engaged is not None:
            return not self._is_enabled or engaged is None or engaged.mode is not SwitchMode.REJECT
        return self._is_held_further is not None and self._is_held_further(tenant_id, action_type, connector)

    @staticmethod
    def _owned(request: Request) -> Answer | None:
        return None if request.is_owned else Wait("the partition is not ours")

    @staticmethod
    def _permitted(request: Request) -> Answer | None:
        """Before the claim: the fold asks for one. At the last look: our claim is open and nothing was folded against it."""
        execution, step = request.execution, request.call.step
        if request.nonce is None:
            action = next_action(_with_subject(execution, request.call), step)
            is_asked = action is not None and action.kind is ActionKind.CLAIM and action.not_before_ms <= request.now_ms
            return None if is_asked else Wait("the fold asks for no claim now")
        if execution is None:
            return Wait("the execution is not in memory")
        state = execution.step(step)
        attempt = state.by_nonce(request.nonce)
        if attempt is None or attempt.state is not AttemptState.OPEN:
            return Wait("the claim is not open")
        if state.generation.bar is not None or state.generation.ending is not None or state.generation.number != attempt.generation:
            return Wait("a stop was folded since")
        return Wait("something was applied since") if state.has(AttemptState.APPLIED) or state.has(AttemptState.PARTIAL) else None

    @staticmethod
    def _not_expired(request: Request) -> Answer | None:
        """Inclusive: at its deadline it is expired. The index appends EXPIRED; nothing is called meanwhile."""
        return Wait("expired") if request.now_ms >= deadline_ms_of(request.call, request.execution) else None

    def _enabled(self, request: Request) -> Answer | None:
        del request
        return None if self._is_enabled else Hold(ParkReason.SWITCH, "ENACT_EXECUTION_ENABLED")

    def _switches_open(self, request: Request) -> Answer | None:
        call = request.call
        engaged = self._switches.view.stopped_by(scopes_of(call.tenant_id, call.action_type, call.connector))
        if engaged is None:
            return None
        if engaged.mode is SwitchMode.REJECT:
            return End(ErrorCode.KILL_SWITCH_ENABLED, rejection_of(engaged))
        return Hold(ParkReason.SWITCH, f"{engaged.scope}:{engaged.engagement_id}")

    def _switches_fresh(self, request: Request) -> Answer | None:
        """Before they are looked at: what a stale view shows stops nothing and parks nothing, everything waits."""
        del request
        if not self.is_on_time:
            return Wait("this machine's clock is not the broker's")
        return None if self._switches.is_fresh else Wait("the switches cannot be read fresh")

    @staticmethod
    def _lease_covers(request: Request) -> Answer | None:
        if request.lease_left_ms is None or request.lease_left_ms >= request.call.timeout_ms:
            return None
        return Wait("the lease does not cover the timeout")


def deadline_ms_of(call: ToolCall, execution: Execution | None) -> int:
    """When this call expires: a compensation also before the log forgets what it undoes."""
    first_ms = execution.first_ms if execution is not None else call.expires_at_epoch * 1000
    known_ms = expires_ms(StepState(), call.step, first_ms, known_s=call.expires_at_epoch)
    return 0 if known_ms is None else known_ms


def _with_subject(execution: Execution | None, call: ToolCall) -> Execution:
    """What the fold would be once the log knows this call: a claim brings its subject along."""
    if execution is None:
        execution = Execution(tenant_id=call.tenant_id, action_intent_id=call.action_intent_id, first_ms=0)
    state = execution.step(call.step)
    if state.generation.subject is not None and state.generation.subject.is_full:
        return execution
    state = replace(state, generation=replace(state.generation, subject=call))
    return replace(execution, execute=state) if call.step is Step.EXECUTE else replace(execution, compensate=state)
