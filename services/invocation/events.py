"""Events that invocation appends, each with a fresh id and, until the log holds one, its full subject."""

from itertools import count

from enact.clock import Clock
from enact.execution import FOLD_VERSION
from enact.execution_state import Execution
from enact.ids import key_of
from enact.kafka.transport import Headers, OutRecord
from enact.records import EVENT_TYPES, Claimed, EventData, ExecutionEvent, Owner, Step, ToolCall
from enact.records.codec import encode

ACTOR = "enact.invocation"
START_SLACK_MS = 5_000


class EventWriter:
    """Builds records for the execution log."""

    def __init__(self, topic: str, clock: Clock, owner: Owner) -> None:
        self.owner = owner
        self._numbers = count(1)
        self._topic, self._clock = topic, clock

    def record(
        self,
        call: ToolCall,
        data: EventData,
        *,
        partition: int,
        execution: Execution | None,
        event_id: str | None = None,
        generation: int | None = None,
        headers: Headers = (),
    ) -> tuple[str, OutRecord]:
        """The event's id and its record."""
        event_id = event_id or self.new_id()
        current = execution.step(call.step).generation if execution else None
        is_known = current is not None and current.subject is not None and current.subject.is_full
        number = generation if generation is not None else (current.number if current else call.generation)
        event = ExecutionEvent(
            tenant_id=call.tenant_id,
            action_intent_id=call.action_intent_id,
            generation=number,
            step=call.step,
            event_id=event_id,
            type=EVENT_TYPES[type(data)],
            at_ms=self._clock.wall_ms(),
            actor=ACTOR,
            first_ms=execution.first_ms if execution else None,
            subject=None if is_known or number != call.generation else call,
            data=data,
        )
        key = key_of(call.tenant_id, call.action_intent_id)
        return event_id, OutRecord(self._topic, partition, key, encode(event), headers)

    def new_id(self) -> str:
        """An event id that nobody has used: this life of the process, and a number. Any thread."""
        return f"{self.owner.incarnation_id}.{next(self._numbers)}"

    def claim(self, call: ToolCall, execution: Execution | None, nonce: str) -> Claimed:
        """The claim for the next attempt of a call."""
        step = execution.step(Step(call.step)) if execution else None
        return Claimed(
            attempt=step.next_number if step else 1,
            nonce=nonce,
            owner=self.owner,
            request_digest=call.request_digest,
            effect_class=call.effect_class,
            max_attempts=call.max_attempts,
            lease_ms=call.timeout_ms + START_SLACK_MS,
            fold_version=FOLD_VERSION,
        )
