"""The bugs: each is a mistake that somebody could make, as a patch of the one place where it would be made.

Every function changes the process it runs in, before the stage is started there.
"""

import hashlib
import threading
from collections.abc import Callable, Sequence
from typing import Any

from msgspec.structs import replace

from connectors.http import HttpAnswer, HttpClient, HttpRequest
from enact import execution, execution_state
from enact.errors import AmbiguousError, UnreachableError
from enact.execution_state import Attempt, Execution, StepState
from enact.kafka import assignment, owned_partition
from enact.kafka.assignment import Assignment
from enact.kafka.crash_marker import spans_of
from enact.kafka.owned_partition import OwnedPartition, Phase
from enact.kafka.stage_loop import StageLoop
from enact.kafka.state import PartitionState
from enact.kafka.transport import InRecord, NextOffset, Offset, TopicPartition
from enact.metrics import ClaimResult
from enact.records import Claimed, EffectKind, ExecutionEvent, Fact, Status, SwitchState
from enact.switch_view import SwitchView
from enact.switches import SwitchWatch
from services.invocation import answers
from services.invocation import caller as caller_module
from services.invocation.claims import Candidate, Claims
from services.invocation.gate import Gate, Request
from services.invocation.memory import PartitionMemory, ReadBack
from services.invocation.nonces import NonceMemory
from services.invocation.owner import Owner
from services.invocation.request_check import RequestCheck
from services.invocation.stage import InvocationStage
from tests.chaos.planted.patching import plant, plant_everywhere

LETTER_DELAY_S = 12.0


def offset_before_effect() -> None:
    """The offset is committed when a record is read, not when its effects are acknowledged."""
    handle = StageLoop._handle

    def hasty(self: StageLoop, records: Sequence[InRecord]) -> None:
        spans = spans_of(records)
        self._offsets.move({tp: NextOffset(span.last + 1) for tp, span in spans.items()})
        self._offsets.commit_now(spans)
        handle(self, records)

    plant(StageLoop, "_handle", hasty)


def offset_before_fact() -> None:
    """An input counts as done when it is read, although the execution log knows nothing of it yet."""

    def done(self: Owner, partition: TopicPartition, position: NextOffset) -> NextOffset:
        return position

    plant(Owner, "done", done)


def no_claim() -> None:
    """The call is made without asking the log."""
    _start_unread(is_appended=False)


def no_read_back() -> None:
    """The call is made as soon as the claim was sent, not when it was read."""
    _start_unread(is_appended=True)


def _start_unread(*, is_appended: bool) -> None:
    append = Claims.append

    def starting(self: Claims, candidate: Candidate, data: Any) -> None:
        if not isinstance(data, Claimed):
            append(self, candidate, data)
            return
        if is_appended:
            append(self, candidate, data)
        candidate.memory.appending[candidate.subject] = candidate.memory.appending.get(candidate.subject, "started")
        self._desk.nonces.start(data.nonce)
        self._end(data.nonce, ClaimResult.STARTED)
        now_ms, call = self._desk.clock.wall_ms(), candidate.call
        known = candidate.execution or Execution(tenant_id=call.tenant_id, action_intent_id=call.action_intent_id, first_ms=now_ms)
        place = InRecord("", candidate.memory.partition, Offset(0), now_ms, None, None, candidate.headers)
        met = ReadBack(subject=candidate.subject, execution=known, attempt=_attempt(data, now_ms), call=call, claim=data, record=place)
        self._desk.caller.submit(self._jobs.call(candidate.memory, met))

    plant(Claims, "append", starting)
    _last_look_without_fold()


def claim_without_fold() -> None:
    """A claim that was read back counts as permitted whatever stands before it in the log."""
    note = InvocationStage._note

    def noting(
        self: InvocationStage, memory: PartitionMemory, event: ExecutionEvent, record: InRecord, before: Execution | None, after: Execution
    ) -> None:
        note(self, memory, event, record, before, after)
        claim, state = event.data, after.step(event.step)
        call = event.subject or state.generation.subject
        if isinstance(claim, Claimed) and claim.nonce in memory.met.invalid and call is not None:
            memory.met.invalid.remove(claim.nonce)
            subject, attempt = (record.key or b"", event.step), _attempt(claim, record.timestamp_ms)
            met = ReadBack(subject=subject, execution=after, attempt=attempt, call=call, claim=claim, record=record)
            memory.met.ours.append(met)

    plant(InvocationStage, "_note", noting)
    _last_look_without_fold()


def _attempt(claim: Claimed, now_ms: int) -> Attempt:
    return Attempt(
        number=claim.attempt,
        nonce=claim.nonce,
        generation=1,
        owner=claim.owner,
        digest=claim.request_digest,
        effect_class=claim.effect_class,
        max_attempts=claim.max_attempts,
        claimed_ms=now_ms,
        lease_ms=claim.lease_ms,
    )


def _last_look_without_fold() -> None:
    permitted = Gate._permitted

    def lenient(request: Request) -> Any:
        return permitted(request) if request.nonce is None else None

    plant(Gate, "_permitted", staticmethod(lenient))


def facts_by_attempt() -> None:
    """A fact belongs to the attempt with its number, whoever's nonce it carries."""
    learn = execution._learn

    def learning(step: StepState, fact: Fact, log_ms: int) -> StepState:
        same = next((attempt for attempt in reversed(step.attempts) if attempt.number == fact.attempt), None)
        return learn(step, fact if same is None else replace(fact, nonce=same.nonce), log_ms)

    plant(execution, "_learn", learning)


def rewind_calls_again() -> None:
    """A claim that is read a second time starts its call a second time."""

    def start(self: NonceMemory, nonce: str) -> bool:
        self._waiting.pop(nonce, None)
        return True

    def end(self: Claims, nonce: str, result: ClaimResult) -> None:
        self._unmet.pop(nonce, None)

    plant(NonceMemory, "start", start)
    plant(Claims, "_end", end)


def restore_at_the_end() -> None:
    """A state that must be rebuilt begins at the end of the log."""
    plan = owned_partition.restore_plan

    def hasty(state: PartitionState, *places: Any) -> tuple[OwnedPartition, NextOffset]:
        owned, start = plan(state, *places)
        return owned, owned.restore_to if owned.phase is Phase.RESTORING else start

    plant(assignment, "restore_plan", hasty)


def key_with_attempt() -> None:
    """The idempotency key is another one for each attempt."""
    call_of = caller_module._call_of

    def keyed(job: Any) -> Any:
        call = call_of(job)
        return replace(call, idempotency_key=hashlib.sha256(f"{call.idempotency_key}.{call.attempt}".encode()).hexdigest())

    plant(caller_module, "_call_of", keyed)


def http_sends_again() -> None:
    """A request whose answer was lost is sent again by the client."""
    send = HttpClient.send

    async def sending(self: HttpClient, request: HttpRequest) -> HttpAnswer:
        try:
            return await send(self, request)
        except AmbiguousError:
            return await send(self, request)

    plant(HttpClient, "send", sending)


def lost_answer_is_a_failure() -> None:
    """A call whose answer was lost counts as not made."""
    fact_of_error = answers.fact_of_error

    def hopeful(tried: Any, error: BaseException, now_ms: int) -> Fact:
        taken = UnreachableError("The answer was lost.") if isinstance(error, AmbiguousError) else error
        return fact_of_error(tried, taken, now_ms)

    plant(caller_module, "fact_of_error", hopeful)


def switch_only_at_the_gate() -> None:
    """The switches are looked at before the claim and not again before the first byte."""
    are_open = Gate._switches_open

    def lenient(self: Gate, request: Request) -> Any:
        return are_open(self, request) if request.nonce is None else None

    plant(Gate, "_switches_open", lenient)


def stale_switch_is_open() -> None:
    """What was last seen of the switches counts however long ago that was."""
    plant(SwitchWatch, "is_fresh", property(lambda _: True))


def release_ends_all() -> None:
    """A release ends whatever stops its scope, not only the engagement it names."""
    apply = SwitchView.apply

    def releasing(self: SwitchView, key: bytes, switch: Any) -> None:
        apply(self, key, switch)
        if switch is not None and switch.state is SwitchState.RELEASED:
            for other in [k for k, e in self._open.items() if e.scope == switch.scope]:
                apply(self, other, None)

    plant(SwitchView, "apply", releasing)


def state_kept_over_a_loss() -> None:
    """A partition that was lost and comes back goes on with the state it had, at the end of the log."""
    opened = Assignment._open
    kept: dict[int, OwnedPartition] = {}

    def keeping(self: Assignment, logs: Sequence[TopicPartition]) -> dict[TopicPartition, NextOffset]:
        again = [tp for tp in logs if tp.partition in kept]
        fresh = [tp for tp in logs if tp.partition not in kept]
        starts = dict(opened(self, fresh)) if fresh else {}
        kept.update({tp.partition: self.owned[tp.partition] for tp in fresh})
        ends = self._reader.end_offsets(again) if again else {}
        for tp in again:
            owned = self.owned[tp.partition] = kept[tp.partition]
            owned.phase, owned.restore_to, owned.emit_from = Phase.RESTORING, ends[tp], ends[tp]
            starts[tp] = ends[tp]
        return starts

    plant(Assignment, "_open", keeping)
    plant(PartitionState, "close", lambda _: None)


def retry_of_an_unknown_result() -> None:
    """A call without any promise whose answer was lost is made again."""
    plant(execution_state, "_REPEATABLE", (*execution_state._REPEATABLE, EffectKind.NONE))


def verdict_ignores_unknown() -> None:
    """An execution in doubt is told as failed."""
    verdict = execution.verdict

    def sure(step: StepState) -> execution.Verdict:
        said = verdict(step)
        return execution.Verdict(Status.FAILED, said.effect) if said.status is Status.IN_DOUBT else said

    plant_everywhere("verdict", verdict, sure)


def dead_letter_not_awaited() -> None:
    """A dead letter is on its way, and the offset does not wait for it."""

    def writing(self: StageLoop) -> None:
        for letter in self._letters:
            threading.Timer(LETTER_DELAY_S, self._writer.send, [letter.record]).start()
        self._letters.clear()

    plant(StageLoop, "_write_letters", writing)


def approval_not_asked_again() -> None:
    """Whatever lies in the topic of tool calls is called."""
    plant(RequestCheck, "ask", lambda *_: None)


BUGS: dict[str, Callable[[], None]] = {
    bug.__name__: bug
    for bug in (
        offset_before_effect,
        offset_before_fact,
        no_claim,
        no_read_back,
        claim_without_fold,
        facts_by_attempt,
        rewind_calls_again,
        restore_at_the_end,
        key_with_attempt,
        http_sends_again,
        lost_answer_is_a_failure,
        switch_only_at_the_gate,
        stale_switch_is_open,
        release_ends_all,
        state_kept_over_a_loss,
        retry_of_an_unknown_result,
        verdict_ignores_unknown,
        dead_letter_not_awaited,
        approval_not_asked_again,
    )
}
