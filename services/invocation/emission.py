"""What follows from one event of the execution log: a function of (state before, event, state after).

Every id is made from the event's own id, so reading an event twice emits the same bytes.
"""

from msgspec import Struct

from enact.error_catalogue import row_of
from enact.errors import ErrorCode
from enact.execution import verdict
from enact.execution_state import RANK, Attempt, AttemptState, Execution, StepState
from enact.ids import entry_id
from enact.intent_records import passed_on, with_approved_at
from enact.kafka.stage import DeadLetter, Effect
from enact.kafka.transport import InRecord, OutRecord
from enact.lifecycle import TERMINAL
from enact.next_action import DEADLINE_FIRST, deadline_ms
from enact.records import (
    CancelRequested,
    Claimed,
    ExecutionEvent,
    Fact,
    FactSource,
    LedgerEntry,
    LedgerType,
    Original,
    Parked,
    RedriveRequested,
    Refused,
    Released,
    SourcePosition,
    Status,
    Step,
    ToolCall,
)
from enact.records.codec import encode
from services.invocation.redrive import OPENED, SENT_AGAIN, is_sent_again, redriven, why_refused
from services.invocation.topics import InvocationTopics
from services.invocation.verdicts import doubt_details, step_verdict, subject_of, tool_result

_GOING_ON = frozenset({Status.PENDING, Status.EXECUTING, Status.RETRYING})
_SHOWN = TERMINAL | {Status.IN_DOUBT, Status.HELD}
_NOTHING = StepState()


class Emission(Struct, frozen=True):
    """Effects in order, and the encoded ToolResult among them if the public state changed."""

    effects: list[Effect]
    result: bytes | None


def emission(before: Execution | None, after: Execution, event: ExecutionEvent, record: InRecord, topics: InvocationTopics) -> Emission:
    """Ledger entries, the ToolResult, the dead letter and the returned intent that follow from `event`."""
    was = before.step(event.step) if before else _NOTHING
    now = after.step(event.step)
    subject = subject_of(after, event.step, event)
    scribe = _Scribe(after, event, record, subject, topics)
    scribe.write_event(was, now)
    effects: list[Effect] = list(scribe.written)
    encoded = None
    if _is_shown(was, now):
        encoded = encode(tool_result(after, event, record, subject))
        # What waited on disk has lost its headers: then the beginning is its first event.
        headers = with_approved_at(passed_on(record.headers), after.first_ms)
        effects.append(OutRecord(topics.tool_results, record.partition, subject.action_intent_id.encode(), encoded, headers))
        if (letter := _dead_letter(was, now, subject, record)) is not None:
            effects.append(letter)
    if isinstance(event.data, RedriveRequested) and (sent := redriven(was, after, event, record, topics)) is not None:
        effects.append(sent)
    return Emission(effects, encoded)


def shown_result(before: Execution | None, after: Execution, event: ExecutionEvent, record: InRecord) -> bytes | None:
    """The encoded ToolResult of `emission` alone; None if the public state did not change."""
    was = before.step(event.step) if before else _NOTHING
    if not _is_shown(was, after.step(event.step)):
        return None
    return encode(tool_result(after, event, record, subject_of(after, event.step, event)))


def _is_shown(was: StepState, now: StepState) -> bool:
    """True if people must be told: another public state than before, and one that is worth a word."""
    status = verdict(now).status
    return status in _SHOWN and (status is not verdict(was).status or step_verdict(now) != step_verdict(was))


def _dead_letter(was: StepState, now: StepState, subject: ToolCall, record: InRecord) -> DeadLetter | None:
    """A failure that a person could mend, unless the stage that refused has kept it already."""
    public = step_verdict(now)
    if public.status is not Status.FAILED or public.error is None or verdict(was).status is Status.FAILED:
        return None
    if not row_of(public.error.code).has_dead_letter or subject.refusal is not None:
        return None
    original = Original(key=subject.action_intent_id.encode(), value=encode(subject))
    return DeadLetter(
        code=ErrorCode(public.error.code) if public.error.code in ErrorCode.__members__ else ErrorCode.TOOL_REJECTED,
        message=public.error.message,
        generation=now.generation.number,
        original=original,
        exception_class="ToolFailure",
        headers=passed_on(record.headers),
    )


class _Scribe:
    """Writes the ledger entries of one event."""

    def __init__(self, after: Execution, event: ExecutionEvent, record: InRecord, subject: ToolCall, topics: InvocationTopics) -> None:
        self._after, self._event, self._record, self._subject, self._topics = after, event, record, subject, topics
        self.written: list[OutRecord] = []

    def write_event(self, was: StepState, now: StepState) -> None:
        """The entries of this event, in the order in which things happened."""
        before, after = verdict(was).status, verdict(now).status
        if before is Status.HELD and after in _GOING_ON:
            self._write(LedgerType.EXECUTION_RELEASED, Status.PENDING)
        match self._event.data:
            case Claimed() as claim if (attempt := now.by_nonce(claim.nonce)) is not None and was.by_nonce(claim.nonce) is None:
                self._claimed(attempt)
            case Released() as released if _rose(was, now, released.nonce):
                status = _open_status(now)
                self._write(LedgerType.ATTEMPT_CONCLUDED, status, attempt=released.attempt, effect="RELEASED", reason=released.reason)
            case Fact() as fact:
                self._fact(was, now, fact)
            case Parked() as parked if after is Status.HELD and before is not Status.HELD:
                self._write(LedgerType.EXECUTION_HELD, Status.HELD, reason=parked.reason, detail=parked.detail)
            case Refused() as refused if self._subject.refusal is None and now.generation.bar is not was.generation.bar:
                self._write(LedgerType.INTENT_REFUSED, None, code=refused.code)
            case CancelRequested() as cancel:
                self._cancel(was, now, cancel)
            case RedriveRequested() as redrive:
                self._redrive(was, now, redrive)
            case _:
                pass
        if after is Status.IN_DOUBT and before is not Status.IN_DOUBT:
            self._write(LedgerType.DOUBT_RAISED, Status.IN_DOUBT, attempt=now.unknown_attempts[-1].number, **doubt_details(now))
        if before is Status.IN_DOUBT and after is not Status.IN_DOUBT and not isinstance(self._event.data, Fact):
            self._write(LedgerType.DOUBT_RESOLVED, None)

    def _claimed(self, attempt: Attempt) -> None:
        self._write(
            LedgerType.ATTEMPT_CLAIMED,
            Status.EXECUTING,
            attempt=attempt.number,
            nonce=attempt.nonce,
            request_digest=attempt.digest,
            lease_ms=str(attempt.lease_ms),
            owner=attempt.owner.incarnation_id,
        )

    def _fact(self, was: StepState, now: StepState, fact: Fact) -> None:
        status, before = verdict(now).status, verdict(was).status
        is_human = fact.source is FactSource.HUMAN
        if is_human and not _is_learned(was, now):
            known = was.by_nonce(fact.nonce)
            self._write(LedgerType.RESOLVE_REFUSED, None, attempt=fact.attempt, command_id=fact.command_id, reason=fact.reason,
                        result=_why_refused(known))  # fmt: skip
            return
        if not is_human and (_rose(was, now, fact.nonce) or now.evidence != was.evidence):
            error = fact.error.code if fact.error else None
            open_status = Status.PENDING if status is Status.PENDING else None
            self._write(LedgerType.ATTEMPT_CONCLUDED, open_status, attempt=fact.attempt, effect=fact.effect, by=fact.source, code=error)
        if is_human or (before is Status.IN_DOUBT and status is not Status.IN_DOUBT):
            self._write(LedgerType.DOUBT_RESOLVED, None, attempt=fact.attempt, effect=fact.effect, by=fact.source,
                        command_id=fact.command_id, reason=fact.reason)  # fmt: skip
        if status is Status.RETRYING and (before is not Status.RETRYING or fact.not_before_ms):
            due_ms, ends_ms = now.generation.due_ms, deadline_ms(self._after, self._event.step)
            never_comes = ends_ms is not None and due_ms >= ends_ms and not now.has(AttemptState.UNKNOWN)
            reason = DEADLINE_FIRST if never_comes else None
            shown_ms = str(due_ms) if due_ms else None
            self._write(LedgerType.RETRY_SCHEDULED, Status.RETRYING, attempt=fact.attempt, not_before_ms=shown_ms, reason=reason)

    def _cancel(self, was: StepState, now: StepState, cancel: CancelRequested) -> None:
        status, after = verdict(was).status, verdict(now).status
        if status is Status.IN_DOUBT or status in TERMINAL:
            self._write(LedgerType.CANCEL_REFUSED, None, command_id=cancel.command_id, result=status, reason=cancel.reason)
        else:
            result = "CANCELLED" if after is Status.CANCELLED else "NO_LATER_CALL"
            self._write(LedgerType.CANCEL_ACCEPTED, None, command_id=cancel.command_id, result=result, reason=cancel.reason)

    def _redrive(self, was: StepState, now: StepState, redrive: RedriveRequested) -> None:
        command_id, reason = redrive.command_id, redrive.reason
        if now.generation.number > was.generation.number:
            self._write(LedgerType.REDRIVE_ACCEPTED, Status.PENDING, command_id=command_id, reason=reason, result=OPENED)
        elif is_sent_again(was, self._after, self._event):
            self._write(LedgerType.REDRIVE_ACCEPTED, None, command_id=command_id, reason=reason, result=SENT_AGAIN)
        else:
            why = why_refused(was, self._after, self._event)
            self._write(LedgerType.REDRIVE_REFUSED, None, command_id=command_id, reason=reason, result=why)

    def _write(self, type_: LedgerType, status: Status | None, *, attempt: int | None = None, **details: str | None) -> None:
        event, record, subject = self._event, self._record, self._subject
        entry = LedgerEntry(
            entry_id=entry_id(
                subject.tenant_id, subject.action_intent_id, event.generation, type_, step=event.step, attempt=attempt, cause=event.event_id
            ),
            tenant_id=subject.tenant_id,
            account_id=subject.account_id,
            action_intent_id=subject.action_intent_id,
            generation=self._after.step(event.step).generation.number,
            version=int(record.offset),
            step=event.step,
            attempt=attempt,
            type=type_,
            actor=event.actor,
            at_ms=record.timestamp_ms,
            stage="invocation",
            status=status if event.step is Step.EXECUTE else None,
            details={"first_ms": str(self._after.first_ms), **{name: str(value) for name, value in details.items() if value is not None}},
            execution_trace_id=subject.execution_trace_id,
            source=SourcePosition(topic=record.topic, partition=record.partition, offset=int(record.offset)),
        )
        self.written.append(_out(self._topics.ledger, record, subject.action_intent_id, encode(entry)))


def _rose(was: StepState, now: StepState, nonce: str) -> bool:
    before, after = was.by_nonce(nonce), now.by_nonce(nonce)
    if before is None or after is None:
        return False
    return before.state is not after.state and RANK[after.state] > RANK[before.state]


def _is_learned(was: StepState, now: StepState) -> bool:
    """True if the fold took something from a fact; a subject that came along with it is nothing learned."""
    return now.attempts != was.attempts or now.evidence != was.evidence or now.generation.ending != was.generation.ending


def _why_refused(attempt: Attempt | None) -> str:
    """Why a person's finding changed nothing."""
    if attempt is None:
        return "no such attempt"
    is_undecided = attempt.state in {AttemptState.OPEN, AttemptState.UNKNOWN}
    return "its lease is not over: the call may still be under way" if is_undecided else f"it is {attempt.state} already"


def _open_status(step: StepState) -> Status | None:
    status = verdict(step).status
    return None if status in TERMINAL or status is Status.IN_DOUBT or status is Status.EXECUTING else status


def _out(topic: str, record: InRecord, action_intent_id: str, value: bytes) -> OutRecord:
    return OutRecord(topic, record.partition, action_intent_id.encode(), value, passed_on(record.headers))
