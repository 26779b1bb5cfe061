"""Makes the calls: its own thread, its own event loop, each permitted call once, each answer appended as a fact.

A call in flight is never cancelled by a revoke or a shutdown: what it learned is appended, by whoever learned
it. A fact whose append is not acknowledged is appended again with the same event id until it is.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple, Protocol

import uvloop
from msgspec import Struct
from msgspec.structs import replace

from connectors.contract import Call, CallResult, Connector
from enact.canonical import parse_json
from enact.clock import Clock
from enact.errors import CallRefusedError, EnactError, PermanentError, RecordTooLargeError
from enact.failpoints import Failpoint, hit
from enact.kafka.transport import Headers, OutRecord, Writer
from enact.log import get_logger
from enact.records import ErrorClass, EventData, Fact, Released, Step, ToolCall
from services.invocation.answers import Asked, Tried, fact_of_error, fact_of_look_up, fact_of_result

_TIMEOUT_SLACK_S = 1.0
_REAPPEND_AFTER_S = 0.5
_LOOK_UP_TIMEOUT_S = 20.0
_BUSY_CALLS = 32
_GATHER_S = 0.01
_BEAT_S = 1.0


OnAnswer = Callable[[ToolCall, str, CallResult | BaseException | None], None]
"""(call, slot, what came of it) of a call or a look-up."""


class CallMeter(Protocol):
    """What the caller tells the metrics."""

    def called(self, connector: str, result: str, seconds: float, error_class: ErrorClass | None = None) -> None:
        """A call ended with applied, partial, not_applied, unknown or released after `seconds`."""

    def scheduled(self) -> None:
        """A further attempt was given a time."""


class Job(Struct, frozen=True, kw_only=True):
    """One permitted call, or one look-up of an attempt whose answer was lost.

    `slot` is its place in the window. `last_look` raises CallRefusedError. `record` builds the one event about this
    attempt: the same id each time, so that an append which is made again is the same event.
    """

    call: ToolCall
    attempt: int
    nonce: str
    slot: str
    is_look_up: bool
    asked: Asked
    last_look: Callable[[], None]
    record: Callable[[EventData], OutRecord]
    is_owned: Callable[[], bool]
    headers: Headers = ()


class _Append(NamedTuple):
    """What a call taught, on its way into the log."""

    slot: str
    record: OutRecord
    shorter: Callable[[], OutRecord]


class Caller:
    """Runs jobs. `start` and `submit` may be called from the loop's thread."""

    def __init__(
        self,
        connectors: Mapping[str, Connector],
        writer: Writer,
        clock: Clock,
        meter: CallMeter,
        on_done: Callable[[str], None],
        *,
        on_answer: OnAnswer,
    ) -> None:
        """`on_done` hears of a slot when what was learned is in the log; `on_answer` of every call and look-up that was not refused."""
        self._connectors, self._writer, self._clock, self._meter, self._on_done = connectors, writer, clock, meter, on_done
        self._on_answer = on_answer
        self._loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="caller", daemon=True)
        self._tasks: set[asyncio.Task[None]] = set()
        self._jobs: deque[Job] = deque()
        self._learned: list[_Append] = []
        self._log = get_logger("invocation")
        self.beats = 0
        """Grows every second in which the loop can still do something: the watchdog ends a process whose calls would wait for ever."""

    def start(self) -> None:
        """Begin to take jobs."""
        self._thread.start()

    def submit(self, job: Job) -> None:
        """Make this call, soon. Waking the other thread costs more than the rest: jobs that wait go along with the first."""
        self._jobs.append(job)
        if len(self._jobs) == 1:
            self._loop.call_soon_threadsafe(self._begin_all)

    def append(self, record: OutRecord, nonce: str) -> None:
        """Append an event about a claim until it is acknowledged; then the claim has left the window."""
        self._loop.call_soon_threadsafe(self._append, nonce, record, lambda: record)

    def close(self) -> None:
        """End the thread; calls still in flight are left to take-over."""
        if not self._thread.is_alive():
            return
        asyncio.run_coroutine_threadsafe(self._close_connectors(), self._loop)
        self._thread.join(timeout=5)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.call_soon(self._beat)
        self._loop.run_forever()

    def _beat(self) -> None:
        self.beats += 1
        self._loop.call_later(_BEAT_S, self._beat)

    async def _close_connectors(self) -> None:
        for connector in self._connectors.values():
            await connector.close()
        self._loop.stop()

    def _begin_all(self) -> None:
        while self._jobs:
            self._begin(self._jobs.popleft())

    def _begin(self, job: Job) -> None:
        task = self._loop.create_task(self._do(job))
        self._tasks.add(task)
        task.add_done_callback(partial(self._ended, job))

    def _ended(self, job: Job, task: asyncio.Task[None]) -> None:
        """A bug of ours on the way may not cost the answer its place in the log: what is not said stays open for ever."""
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            now_ms = self._clock.wall_ms()
            self._noted(job.call, error)
            tried = Tried(call=job.call, attempt=job.attempt, nonce=job.nonce, started_ms=now_ms, is_owned=job.is_owned())
            is_look_up = job.is_look_up
            self._conclude(job, fact_of_look_up(job.asked, error, now_ms, now_ms) if is_look_up else fact_of_error(tried, error, now_ms))

    async def _do(self, job: Job) -> None:
        data: EventData
        started_ms, started_s = self._clock.wall_ms(), self._clock.boot_s()
        if job.is_look_up:
            found = await self._look_up(job)
            self._on_answer(job.call, job.slot, found)
            data = fact_of_look_up(job.asked, found, started_ms, self._clock.wall_ms())
        else:
            data = await self._call(job, started_ms)
            error = data.error if isinstance(data, Fact) else None
            took_s = self._clock.boot_s() - started_s
            self._meter.called(job.call.connector, _result_word(data), took_s, error.error_class if error else None)
        if isinstance(data, Fact) and data.not_before_ms is not None:
            self._meter.scheduled()
        hit(Failpoint.AFTER_SEND_BEFORE_FACT)
        self._conclude(job, data)

    async def _call(self, job: Job, started_ms: int) -> EventData:
        call = job.call
        try:
            connector = self._connector(call)
            act = connector.execute if call.step is Step.EXECUTE else connector.compensate
            async with asyncio.timeout(call.timeout_ms / 1000 + _TIMEOUT_SLACK_S):
                result: CallResult | BaseException = await act(_call_of(job))
            hit(Failpoint.AFTER_ANSWER)
        except CallRefusedError as refused:
            return Released(attempt=job.attempt, nonce=job.nonce, reason=refused.reason)
        except (EnactError, TimeoutError) as error:
            result = error
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - a connector's bug after who knows what: the answer is unknown
            result = self._noted(call, error)
        self._on_answer(call, job.slot, result)
        tried = Tried(call=call, attempt=job.attempt, nonce=job.nonce, started_ms=started_ms, is_owned=job.is_owned())
        now_ms = self._clock.wall_ms()
        return fact_of_error(tried, result, now_ms) if isinstance(result, BaseException) else fact_of_result(tried, result, now_ms)

    async def _look_up(self, job: Job) -> CallResult | BaseException | None:
        hit(Failpoint.BEFORE_LOOK_UP)
        try:
            async with asyncio.timeout(_LOOK_UP_TIMEOUT_S):
                return await self._connector(job.call).look_up(_call_of(job))
        except (EnactError, TimeoutError) as error:
            return error
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - as above; asked again, and not for ever
            return self._noted(job.call, error)

    def _connector(self, call: ToolCall) -> Connector:
        connector = self._connectors.get(call.connector)
        if connector is None:
            raise PermanentError(f"No connector named {call.connector} is installed here: install it or correct the registry entry.")
        return connector

    def _noted(self, call: ToolCall, error: BaseException) -> BaseException:
        self._log.error("connector_bug", error, connector=call.connector, action_intent_id=call.action_intent_id)
        return error

    def _conclude(self, job: Job, data: EventData) -> None:
        """What was learned reaches the log, if need be without the details that do not fit into a record."""
        bare = _bare(data)
        try:
            record = job.record(data)
        except Exception as error:  # noqa: BLE001 - the connector's words cannot be written; what happened still can
            self._log.error("answer_unwritable", error, connector=job.call.connector, action_intent_id=job.call.action_intent_id)
            record = job.record(bare)
        self._gather(_Append(job.slot, record, lambda: job.record(bare)))

    def _gather(self, append: "_Append") -> None:
        """Facts of many calls go to the broker together; while there are few, each goes at once."""
        self._learned.append(append)
        if len(self._tasks) < _BUSY_CALLS:
            self._append_learned()
        elif len(self._learned) == 1:
            self._loop.call_later(_GATHER_S, self._append_learned)

    def _append_learned(self) -> None:
        learned, self._learned = self._learned, []
        for slot, record, shorter in learned:
            self._append(slot, record, shorter)

    def _append(self, slot: str, record: OutRecord, shorter: Callable[[], OutRecord]) -> None:
        def reported(error: EnactError | None, partition: int, offset: int) -> None:
            del partition, offset
            if error is None:
                self._on_done(slot)
                hit(Failpoint.AFTER_FACT)
                return
            self._log.warning("fact_append_failed", error, event_id=slot)
            again = shorter() if isinstance(error, RecordTooLargeError) else record
            self._loop.call_soon_threadsafe(self._loop.call_later, _REAPPEND_AFTER_S, self._append, slot, again, shorter)

        try:
            self._writer.send(record, reported)
        except EnactError as error:
            reported(error, -1, -1)


def _bare(data: EventData) -> EventData:
    """A fact in its shortest form: what the world did, in no words but ours."""
    if not isinstance(data, Fact):
        return data
    error = data.error and replace(data.error, message="The answer's details do not fit into a record; see the stage's log.")
    return replace(data, refs=(), tool_run_ref=None, raw_response_artifact_ref=None, error=error)


def _result_word(data: EventData) -> str:
    return data.effect.value.lower() if isinstance(data, Fact) else "released"


def _call_of(job: Job) -> Call:
    call = job.call
    return Call(
        tool_name=call.tool_name,
        tenant_id=call.tenant_id,
        account_id=call.account_id,
        action_intent_id=call.action_intent_id,
        step=call.step,
        attempt=job.attempt,
        nonce=job.nonce,
        idempotency_key=call.idempotency_key,
        arguments=parse_json(call.arguments),
        timeout_ms=call.timeout_ms,
        traceparent=next((value.decode("ascii", "replace") for name, value in job.headers if name == "traceparent"), None),
        last_look=job.last_look,
    )
