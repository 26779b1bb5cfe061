"""What the caller is given: one permitted call with its last look, or one question to the world."""

from collections.abc import Callable

from enact.clock import Clock
from enact.errors import CallRefusedError
from enact.execution_state import Attempt, Execution
from enact.failpoints import Failpoint, hit
from enact.kafka.transport import Headers, OutRecord
from enact.records import EventData, ToolCall
from services.invocation.answers import Asked
from services.invocation.caller import Job
from services.invocation.events import EventWriter
from services.invocation.gate import Answer, End, Gate, Hold, Wait
from services.invocation.memory import PartitionMemory, ReadBack


class Jobs:
    """Makes jobs on the loop's thread; what a job asks back is asked on the caller's."""

    def __init__(self, events: EventWriter, gate: Gate, clock: Clock, is_stopping: Callable[[], bool]) -> None:
        self._events, self._gate, self._clock, self._is_stopping = events, gate, clock, is_stopping

    def call(self, memory: PartitionMemory, met: ReadBack) -> Job:
        """The call of a claim that was read back just now."""
        attempt, call, read_s = met.attempt, met.call, self._clock.boot_s()

        def last_look() -> None:
            hit(Failpoint.BEFORE_LAST_LOOK)
            elapsed_ms = max((self._clock.boot_s() - read_s) * 1000, self._clock.wall_ms() - attempt.claimed_ms)
            answer = self._gate.ask(
                call,
                memory.store.peek(met.subject[0]),
                is_owned=memory.is_live and not self._is_stopping(),
                nonce=attempt.nonce,
                lease_left_ms=attempt.lease_ms - round(elapsed_ms),
            )
            if answer is not None:
                raise CallRefusedError(_reason(answer))

        return Job(
            call=call,
            attempt=attempt.number,
            nonce=attempt.nonce,
            slot=attempt.nonce,
            is_look_up=False,
            asked=_asked(attempt),
            last_look=last_look,
            record=self._recorder(memory.partition, met.execution, call, attempt, self._events.new_id(), met.record.headers),
            is_owned=lambda: memory.is_live,
            headers=met.record.headers,
        )

    def look_up(self, memory: PartitionMemory, execution: Execution, attempt: Attempt, call: ToolCall, event_id: str) -> Job:
        """A question about an attempt whose answer was lost; it changes nothing, so no last look refuses it."""
        return Job(
            call=call,
            attempt=attempt.number,
            nonce=attempt.nonce,
            slot=look_up_slot(attempt),
            is_look_up=True,
            asked=_asked(attempt),
            last_look=_nothing_against,
            record=self._recorder(memory.partition, execution, call, attempt, event_id, ()),
            is_owned=lambda: memory.is_live,
        )

    def _recorder(  # noqa: PLR0917 - what an event about an attempt is made of
        self, partition: int, execution: Execution, call: ToolCall, attempt: Attempt, event_id: str, headers: Headers
    ) -> Callable[[EventData], OutRecord]:
        def record(data: EventData) -> OutRecord:
            return self._events.record(
                call, data, partition=partition, execution=execution, event_id=event_id, generation=attempt.generation, headers=headers
            )[1]

        return record


def look_up_slot(attempt: Attempt) -> str:
    """The place in the window of a look-up about this attempt."""
    return f"look-up:{attempt.nonce}"


def _asked(attempt: Attempt) -> Asked:
    return Asked(attempt=attempt.number, nonce=attempt.nonce, look_ups=attempt.look_ups, settled_ms=attempt.settled_ms)


def _nothing_against() -> None:
    """A question has no last look."""


def _reason(answer: Answer) -> str:
    match answer:
        case Wait(reason=reason):
            return reason
        case Hold(detail=detail):
            return f"held by {detail}"
        case End(code=code):
            return code.value
