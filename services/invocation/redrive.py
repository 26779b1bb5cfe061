"""What follows from a redrive: the intent goes back to validation, or the compensation's call waits for its next turn.

A function of the state before the event, the state after it and the event, like all emission.
"""

from typing import Final

from msgspec.structs import replace

from enact.canonical import sha256_hex
from enact.errors import ErrorCode
from enact.execution import redrive_refusal, verdict
from enact.execution_state import Execution, StepState
from enact.ids import key_of
from enact.intent_records import passed_on
from enact.kafka.transport import InRecord, OutRecord
from enact.records import EVENT_TYPES, EventData, ExecutionEvent, Parked, ParkReason, Refusal, Refused, ReturnedIntent, Status, Step
from enact.records.codec import encode
from services.invocation.events import ACTOR
from services.invocation.topics import InvocationTopics
from services.invocation.verdicts import subject_of

OPENED: Final = "OPENED"
SENT_AGAIN: Final = "SENT_AGAIN"
CAUSE: Final = "REDRIVE"
_NO_CALL = "This compensation never had a call of its own, so there is none to repeat: ask for the compensation anew."
_TOO_OLD = "older than the log remembers"
_IN_DOUBT = "an attempt is in doubt"
_TOO_EARLY = "a claim's time is not over"
_ALL_OVER_MS = 1 << 62
"""A log time at which every claim's time is over."""


def redriven(was: StepState, after: Execution, event: ExecutionEvent, record: InRecord, topics: InvocationTopics) -> OutRecord | None:
    """The one record that a redrive sends; None if it was refused."""
    now = after.step(event.step).generation
    is_opened = now.number > was.generation.number
    if event.step is Step.EXECUTE and (is_opened or is_sent_again(was, after, event)):
        # Without an original: validation decides afresh from the intent that it stored.
        returned = ReturnedIntent(tenant_id=after.tenant_id, action_intent_id=after.action_intent_id, generation=now.number, cause=CAUSE)
        key = after.action_intent_id.encode()
        return OutRecord(topics.returned, record.partition, key, encode(returned), passed_on(record.headers))
    return _next_compensation(was, after, event, record, topics) if is_opened else None


def _next_compensation(was: StepState, after: Execution, event: ExecutionEvent, record: InRecord, topics: InvocationTopics) -> OutRecord:
    """The first event of the generation that was opened: the previous call waits for its turn.

    One that never had a call has nothing to repeat, and ends again at once: nobody sends calls of a later generation.
    """
    number = after.step(event.step).generation.number
    call = subject_of(Execution(tenant_id=after.tenant_id, action_intent_id=after.action_intent_id, first_ms=0, compensate=was), event.step)
    if call.tool_name:
        data: EventData = Parked(reason=ParkReason.REDRIVE, not_before_ms=record.timestamp_ms)
    else:
        refusal = call.refusal or Refusal(code=ErrorCode.MAPPING_FAILED.value, message=_NO_CALL)
        call, data = replace(call, refusal=refusal), Refused(code=refusal.code, message=refusal.message)
    opened = ExecutionEvent(
        tenant_id=after.tenant_id,
        action_intent_id=after.action_intent_id,
        generation=number,
        step=event.step,
        event_id=sha256_hex([CAUSE, event.event_id]),
        type=EVENT_TYPES[type(data)],
        at_ms=record.timestamp_ms,
        actor=ACTOR,
        first_ms=after.first_ms,
        subject=replace(call, generation=number),
        data=data,
    )
    key = key_of(after.tenant_id, after.action_intent_id)
    return OutRecord(topics.executions, record.partition, key, encode(opened), passed_on(record.headers))


def is_sent_again(was: StepState, after: Execution, event: ExecutionEvent) -> bool:
    """True if the redrive names the current generation of an action whose call never reached the log.

    Nothing opens then, the intent comes again.
    """
    current = was.generation
    is_reached = current.subject is not None and current.subject.is_full
    is_over = current.bar is not None or current.ending is not None or after.is_merely_known
    return event.step is Step.EXECUTE and event.generation == current.number and not is_reached and not is_over


def why_refused(was: StepState, after: Execution, event: ExecutionEvent) -> str:
    """Why the fold opened nothing. Its log time is not at hand here: what nothing else forbade came too early."""
    if after.is_merely_known:
        return _TOO_OLD
    if event.generation == was.generation.number and verdict(was).status is Status.IN_DOUBT:
        return _IN_DOUBT
    return redrive_refusal(was, event.generation, log_ms=_ALL_OVER_MS) or _TOO_EARLY
