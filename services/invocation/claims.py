"""Appends for the owner, and each claim's one chance: appended, read back, started once; or given up and released.

Every method on the loop's thread. Delivery reports may come on any thread; a failure waits for `settle_failures`.
"""

from collections import deque
from dataclasses import dataclass

from msgspec import Struct

from enact.clock import Clock
from enact.errors import DeliveryError, EnactError
from enact.execution import FOLD_VERSION, HELD_REASONS
from enact.execution_state import Execution
from enact.failpoints import Failpoint, hit
from enact.kafka.transport import Headers, OutRecord, Writer
from enact.log import get_logger
from enact.metrics import ClaimResult
from enact.records import Claimed, EventData, Parked, Refused, Released, ToolCall
from services.invocation.caller import Caller
from services.invocation.events import EventWriter
from services.invocation.execution_store import Subject
from services.invocation.gate import MAX_CLOCK_SKEW_MS, End, Gate, Hold, Wait
from services.invocation.jobs import Jobs
from services.invocation.memory import PartitionMemory, ReadBack
from services.invocation.metering import ClaimMeter
from services.invocation.nonces import NonceMemory
from services.invocation.permits import Permits
from services.invocation.request_check import RequestCheck
from services.invocation.window import Slot, Window, group_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What claims are made with."""

    events: EventWriter
    nonces: NonceMemory
    window: Window
    gate: Gate
    permits: Permits
    request_check: RequestCheck
    caller: Caller
    writer: Writer
    clock: Clock
    meter: ClaimMeter


class Candidate(Struct, frozen=True):
    """A step about which something may be appended now: where it lies, its call, the fold of it (None = the log has nothing yet)."""

    memory: PartitionMemory
    subject: Subject
    call: ToolCall
    execution: Execution | None
    headers: Headers = ()


class _Unmet(Struct, frozen=True):
    """A claim that was appended and not read back yet."""

    candidate: Candidate
    attempt: int
    since_s: float


@dataclass(frozen=True, slots=True)
class _Failure:
    """An append that was not acknowledged; it may be in the log all the same."""

    candidate: Candidate
    event_id: str
    nonce: str | None
    error: EnactError


class Claims:
    """One per process."""

    def __init__(self, desk: Desk, jobs: Jobs) -> None:
        self._desk, self._jobs = desk, jobs
        self._unmet: dict[str, _Unmet] = {}
        self._failures: deque[_Failure] = deque()
        self._log = get_logger("invocation")

    @property
    def oldest_unread_s(self) -> float:
        """How long our oldest claim has not been read back."""
        oldest = next(iter(self._unmet.values()), None)
        return 0.0 if oldest is None else self._desk.clock.boot_s() - oldest.since_s

    def claim(self, candidate: Candidate) -> bool:
        """Ask the gate, then the log. True if a claim was appended. What is held already stays as it is, whatever holds it now."""
        desk, memory, call = self._desk, candidate.memory, candidate.call
        match desk.gate.ask(call, candidate.execution, is_owned=memory.is_live) or desk.request_check.ask(call):
            case Wait():
                return False
            case Hold() if _is_held(candidate):
                return False
            case Hold(reason=reason, detail=detail):
                hit(Failpoint.BEFORE_HOLD)
                self.append(candidate, Parked(reason=reason, not_before_ms=desk.clock.wall_ms(), detail=detail))
                hit(Failpoint.AFTER_HOLD)
                return False
            case End(code=code, message=message):
                self.append(candidate, Refused(code=code.value, message=message))
                return False
            case None:
                pass
        hit(Failpoint.BEFORE_CLAIM)
        nonce = desk.nonces.issue(memory.partition)
        desk.permits.take(call, nonce)
        desk.window.take(nonce, Slot(group_of(call.tenant_id, call.connector), candidate.subject[0]))
        claim = desk.events.claim(call, candidate.execution, nonce)
        self._unmet[nonce] = _Unmet(candidate, claim.attempt, desk.clock.boot_s())
        self.append(candidate, claim)
        hit(Failpoint.AFTER_CLAIM)
        return True

    def append(self, candidate: Candidate, data: EventData) -> None:
        """Append an event once; until it is folded, or known to have failed, nothing else is done with this step."""
        event_id, record = self._event(candidate, data)
        nonce = data.nonce if isinstance(data, Claimed) else None

        def reported(error: EnactError | None, partition: int, offset: int) -> None:
            del partition, offset
            if error is None:
                hit(Failpoint.AFTER_ACK)
            else:
                self._failures.append(_Failure(candidate, event_id, nonce, error))

        try:
            self._desk.writer.send(record, reported)
        except DeliveryError as error:
            reported(error, -1, -1)

    def settle_failures(self) -> None:
        """Let go of what was not acknowledged. A claim's nonce is given up and released, never appended again."""
        while self._failures:
            failed = self._failures.popleft()
            self._log.warning("append_failed", failed.error, event_id=failed.event_id)
            appending, subject = failed.candidate.memory.appending, failed.candidate.subject
            if appending.get(subject) == failed.event_id:
                del appending[subject]
            if failed.nonce is not None:
                self._give_up(failed.nonce, "the claim's append was not acknowledged")

    def give_up_all(self, partition: int, reason: str) -> None:
        """Claims of this partition that were not read back never start; the log learns it."""
        for nonce in self._desk.nonces.waiting_in(partition):
            self._give_up(nonce, reason)

    def drop(self, nonce: str) -> None:
        """The log did not permit this claim of ours: nothing."""
        if self._desk.nonces.give_up(nonce):
            self._end(nonce, ClaimResult.LOST)
            self._desk.window.give_back(nonce)

    def start(self, memory: PartitionMemory, met: ReadBack, *, is_stopping: bool) -> None:
        """Our claim, valid in the log: its one chance to start."""
        nonce, clock = met.attempt.nonce, self._desk.clock
        if not self._desk.nonces.start(nonce):
            return
        reason = None
        if not memory.is_live or is_stopping:
            reason = "not ours to start any more"
        elif abs(clock.wall_ms() - met.record.timestamp_ms) > MAX_CLOCK_SKEW_MS:
            reason = "read back too late, or the clocks differ"
            self._desk.window.narrow(claimed_s=self._unmet[nonce].since_s, now_s=clock.boot_s())
        elif met.claim.fold_version != FOLD_VERSION or memory.fold_version > FOLD_VERSION:
            reason = "another fold version is in force"
        self._end(nonce, ClaimResult.STARTED if reason is None else ClaimResult.RELEASED)
        if reason is None:
            hit(Failpoint.AFTER_READ_BACK)
            self._desk.window.widen()
            self._desk.caller.submit(self._jobs.call(memory, met))
        else:
            self._release(Candidate(memory, met.subject, met.call, met.execution), met.attempt.number, nonce, reason)

    def _give_up(self, nonce: str, reason: str) -> None:
        """A claim that was not met: its nonce cannot start any more, and the log learns it."""
        unmet = self._unmet.get(nonce)
        if unmet is not None and self._desk.nonces.give_up(nonce):
            self._end(nonce, ClaimResult.GIVEN_UP)
            self._release(unmet.candidate, unmet.attempt, nonce, reason)

    def _end(self, nonce: str, result: ClaimResult) -> None:
        """A claim had its one chance, or lost it."""
        unmet = self._unmet.pop(nonce)
        self._desk.meter.claimed(result, self._desk.clock.boot_s() - unmet.since_s)

    def _release(self, candidate: Candidate, attempt: int, nonce: str, reason: str) -> None:
        """Definitely not sent: say so until the log has it."""
        hit(Failpoint.BEFORE_RELEASE)
        _, record = self._event(candidate, Released(attempt=attempt, nonce=nonce, reason=reason))
        self._desk.caller.append(record, nonce)

    def _event(self, candidate: Candidate, data: EventData) -> tuple[str, OutRecord]:
        memory = candidate.memory
        event_id, record = self._desk.events.record(
            candidate.call, data, partition=memory.partition, execution=candidate.execution, headers=candidate.headers
        )
        memory.appending[candidate.subject] = event_id
        return event_id, record


def _is_held(candidate: Candidate) -> bool:
    """True if the log says already that this step waits on purpose."""
    execution, step = candidate.execution, candidate.subject[1]
    return execution is not None and execution.step(step).generation.park in HELD_REASONS
