"""Cancel, resolve and redrive: one append to the execution log, then the owner's answer from the ledger.

The one piece of code behind CLI and API; it needs a broker and nothing else. A command never decides: it is a
request in the log, and the fold of the log says what became of it. Giving a command twice does no harm.
"""

import uuid
from contextlib import closing

from enact.command_answers import (
    CANCEL_RECORDED,
    LATER_RECORDED,
    Answer,
    Recorded,
    cancel_answer,
    is_answer,
    redrive_answer,
    resolve_answer,
)
from enact.command_door import CommandDoor
from enact.errors import ErrorCode, PermanentError
from enact.execution import DAY_MS, HORIZON_MS
from enact.ids import key_of
from enact.kafka.partitioner import partition_of
from enact.kafka.transport import OutRecord
from enact.records import (
    EVENT_TYPES,
    CancelRequested,
    Effect,
    EventData,
    ExecutionEvent,
    ExternalRef,
    Fact,
    FactSource,
    RedriveRequested,
    Step,
    ToolCall,
)
from enact.records.codec import encode
from enact.seen_execution import LedgerOfOne, SeenAttempt, SeenExecution, see

ANSWER_TIMEOUT_S = 10.0
READ_TIMEOUT_S = 60.0


class CommandRefusedError(PermanentError):
    """The command cannot be given for this execution: nothing was appended."""

    code = ErrorCode.PARAMETERS_INVALID


class UnknownExecutionError(CommandRefusedError):
    """No such execution is in the ledger for this tenant and account: check the id, the tenant and the account."""


class Commands:
    """Gives commands as `actor`. Every call opens its own reader and closes it; the writer stays the caller's."""

    def __init__(self, door: CommandDoor, *, horizon_ms: int = HORIZON_MS) -> None:
        self._door = door
        self._horizon_ms = horizon_ms

    def cancel(
        self, *, tenant_id: str, action_intent_id: str, reason: str, account_id: str | None = None, timeout_s: float = ANSWER_TIMEOUT_S
    ) -> Answer:
        """Ask that nothing (more) is done. Accepted also while a call is under way: then its result decides.

        Raises: UnknownExecutionError; CommandRefusedError (too old); BrokerError, DeliveryError.
        """
        command_id = fresh_id()
        with closing(self._ledger(tenant_id, action_intent_id)) as ledger:
            seen = self._see(ledger, account_id)
            self._append(ledger, seen, Step.EXECUTE, seen.generation, CancelRequested(command_id=command_id, reason=reason))
            entry = ledger.wait_for(lambda e: is_answer(e, command_id), timeout_s)
        if entry is None:
            return Recorded(command_id=command_id, status=seen.status, message=CANCEL_RECORDED)
        return cancel_answer(entry, command_id, seen)

    def resolve(
        self,
        *,
        tenant_id: str,
        action_intent_id: str,
        is_applied: bool,
        reason: str,
        refs: tuple[ExternalRef, ...] = (),
        account_id: str | None = None,
        attempt: int | None = None,
        step: Step = Step.EXECUTE,
        timeout_s: float = ANSWER_TIMEOUT_S,
    ) -> Answer:
        """Say what a person found in the other system: it was done (`is_applied`) or it was not.

        Without `attempt` the latest undecided one is meant, for not-applied every undecided one.
        Raises: UnknownExecutionError; CommandRefusedError (nothing was ever called, nothing is in doubt, too old);
        BrokerError, DeliveryError.
        """
        with closing(self._ledger(tenant_id, action_intent_id)) as ledger:
            seen = self._see(ledger, account_id)
            targets = _targets(seen, step, attempt, is_applied=is_applied)
            command_id = ""
            for target in targets:
                command_id = fresh_id()
                fact = Fact(
                    attempt=target.attempt,
                    nonce=target.nonce,
                    effect=Effect.APPLIED if is_applied else Effect.NOT_APPLIED,
                    source=FactSource.HUMAN,
                    refs=refs,
                    command_id=command_id,
                    reason=reason,
                )
                self._append(ledger, seen, step, target.generation, fact)
            entry = ledger.wait_for(lambda e: is_answer(e, command_id), timeout_s)
        if entry is None:
            return Recorded(command_id=command_id, status=seen.status, message=LATER_RECORDED)
        return resolve_answer(entry, command_id, seen, targets, is_applied=is_applied, now_ms=self._door.clock.wall_ms())

    def redrive(
        self,
        *,
        tenant_id: str,
        action_intent_id: str,
        reason: str,
        step: Step = Step.EXECUTE,
        account_id: str | None = None,
        timeout_s: float = ANSWER_TIMEOUT_S,
    ) -> Answer:
        """Ask that an ended step runs again: an action as validation decides afresh, a compensation with the call it had.

        Only if nothing was applied and nothing is in doubt; of an action that never began, the intent is sent again.
        Raises: UnknownExecutionError; CommandRefusedError (no such step, deadline passed, too old); BrokerError, DeliveryError.
        """
        command_id = fresh_id()
        with closing(self._ledger(tenant_id, action_intent_id)) as ledger:
            seen = self._see(ledger, account_id)
            generation = _redrivable(seen, step, now_ms=self._door.clock.wall_ms())
            self._append(ledger, seen, step, generation, RedriveRequested(command_id=command_id, reason=reason))
            entry = ledger.wait_for(lambda e: is_answer(e, command_id), timeout_s)
        if entry is None:
            return Recorded(command_id=command_id, status=seen.status, message=LATER_RECORDED)
        return redrive_answer(entry, command_id, seen, step, now_ms=self._door.clock.wall_ms())

    def is_known(self, tenant_id: str, action_intent_id: str) -> bool:
        """True if the ledger tells of this execution. Raises: BrokerError."""
        with closing(self._ledger(tenant_id, action_intent_id)) as ledger:
            return see(ledger.read(READ_TIMEOUT_S)) is not None

    def _ledger(self, tenant_id: str, action_intent_id: str) -> LedgerOfOne:
        reader = self._door.open_reader()
        try:
            return LedgerOfOne(
                reader, topic=self._door.topics.ledger, tenant_id=tenant_id, action_intent_id=action_intent_id, clock=self._door.clock
            )
        except BaseException:
            reader.close()
            raise

    def _see(self, ledger: LedgerOfOne, account_id: str | None) -> SeenExecution:
        seen = see(ledger.read(READ_TIMEOUT_S))
        if seen is None or (account_id is not None and seen.account_id != account_id):
            raise UnknownExecutionError
        age_ms = self._door.clock.wall_ms() - (seen.first_ms if seen.first_ms is not None else self._door.clock.wall_ms())
        if age_ms > self._horizon_ms - 2 * DAY_MS:
            raise CommandRefusedError(
                f"This execution began {age_ms // DAY_MS} days ago, before what the execution log remembers in full. "
                "Cancelling or redriving it has no effect any more, and resolving it needs the whole tool call as its subject, "
                "which this command does not carry. Nothing was recorded; note your finding outside, with its id."
            )
        return seen

    def _append(self, ledger: LedgerOfOne, seen: SeenExecution, step: Step, generation: int, data: EventData) -> None:
        topic = self._door.topics.executions
        event = command_event(seen, data, step=step, generation=generation, actor=self._door.actor, at_ms=self._door.clock.wall_ms())
        record = command_record(event, topic=topic, partition_count=ledger.partition_count(topic))
        self._door.append(record)


def command_event(seen: SeenExecution, data: EventData, *, step: Step, generation: int, actor: str, at_ms: int) -> ExecutionEvent:
    """A command about an execution that the caller saw. Its event id is the command's id, so the same command counts once."""
    subject = ToolCall(
        tenant_id=seen.tenant_id,
        account_id=seen.account_id,
        action_intent_id=seen.action_intent_id,
        generation=generation,
        step=step,
        action_type=seen.action_type,
        execution_trace_id=seen.execution_trace_id,
    )
    return ExecutionEvent(
        tenant_id=seen.tenant_id,
        action_intent_id=seen.action_intent_id,
        generation=generation,
        step=step,
        event_id=_command_id(data) or fresh_id(),
        type=EVENT_TYPES[type(data)],
        at_ms=at_ms,
        actor=actor,
        first_ms=seen.first_ms,
        subject=subject,
        data=data,
    )


def _command_id(data: EventData) -> str | None:
    return data.command_id if isinstance(data, CancelRequested | RedriveRequested | Fact) else None


def command_record(event: ExecutionEvent, *, topic: str, partition_count: int) -> OutRecord:
    """Where an event of an execution belongs: in the log partition of its id."""
    return OutRecord(
        topic=topic,
        partition=partition_of(event.action_intent_id, partition_count),
        key=key_of(event.tenant_id, event.action_intent_id),
        value=encode(event),
    )


def _targets(seen: SeenExecution, step: Step, attempt: int | None, *, is_applied: bool) -> tuple[SeenAttempt, ...]:
    """The attempts that a person's finding is about."""
    claimed = [one for one in seen.attempts if one.step is step and not one.is_released and one.nonce]
    if not claimed:
        raise CommandRefusedError(
            f"No call was ever made for the step {step.value} of this execution, so there is nothing to resolve. "
            "If it must not be done any more, cancel it."
        )
    if attempt is not None:
        named = tuple(one for one in claimed if one.attempt == attempt)
        if not named:
            raise CommandRefusedError(
                f"The ledger knows no attempt {attempt} that was sent; it knows {', '.join(str(one.attempt) for one in claimed)}."
            )
        return named
    undecided = seen.undecided(step)
    if is_applied:
        return (undecided or tuple(claimed))[-1:]
    if not undecided:
        raise CommandRefusedError(
            "Every call of this execution has a known result, so there is no doubt to resolve. "
            "If something was done after all, resolve it as applied; look at the timeline first."
        )
    return undecided


def _redrivable(seen: SeenExecution, step: Step, *, now_ms: int) -> int:
    """The generation that a redrive names. Raises: CommandRefusedError if a redrive would change nothing."""
    if step is Step.COMPENSATE:
        if seen.compensate_generation is None:
            raise CommandRefusedError("This execution was never compensated, so there is no compensation to try again.")
        return seen.compensate_generation
    if seen.expires_at_epoch is not None and seen.expires_at_epoch * 1000 <= now_ms:
        late_s = now_ms // 1000 - seen.expires_at_epoch
        raise CommandRefusedError(
            f"Its deadline passed {late_s} s ago: started again it would end as EXPIRED. "
            "If it is still wanted, have a new intent approved and publish it under a new id."
        )
    return seen.generation


def fresh_id() -> str:
    """An id that nothing else has."""
    return uuid.uuid4().hex
