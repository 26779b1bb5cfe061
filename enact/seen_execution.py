"""What a caller can see of one execution in the ledger, and the reader that looks there.

Commands rest on this: it works when the api is down, because it reads the one ledger partition of the id itself.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from enact.clock import Clock
from enact.errors import ValidationError
from enact.ids import key_of
from enact.kafka.partitioner import partition_of
from enact.kafka.transport import InRecord, Reader, TopicPartition
from enact.reading import MAX_RECORDS, WAIT_S, read_to_end
from enact.records import Effect, LedgerEntry, LedgerType, Status, Step
from enact.records.codec import decode

_RELEASED = "RELEASED"
_ABOUT_NO_EXECUTION = frozenset({LedgerType.DEAD_LETTERED, LedgerType.DEAD_LETTER_DISPOSED, LedgerType.REGISTRY_CHANGED})


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenAttempt:
    """One claim of the ledger and the last that was said about it. `effect` None = not concluded."""

    step: Step
    attempt: int
    generation: int
    nonce: str
    lease_ms: int
    claimed_ms: int
    effect: Effect | None = None
    is_released: bool = False

    @property
    def is_undecided(self) -> bool:
        """True if nobody has said yet whether this call had an effect."""
        return not self.is_released and self.effect in (None, Effect.UNKNOWN)


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenExecution:
    """One execution as its ledger tells it. `first_ms` None = its log has no event that the ledger speaks of.

    `generation` is that of the action, `compensate_generation` that of its compensation (None = there was none).
    """

    tenant_id: str
    account_id: str
    action_intent_id: str
    action_type: str
    execution_trace_id: str
    generation: int
    status: Status | None
    first_ms: int | None
    expires_at_epoch: int | None
    compensate_generation: int | None
    attempts: tuple[SeenAttempt, ...]

    def undecided(self, step: Step) -> tuple[SeenAttempt, ...]:
        """The attempts of a step whose effect nobody knows."""
        return tuple(attempt for attempt in self.attempts if attempt.step is step and attempt.is_undecided)


def see(entries: Sequence[LedgerEntry]) -> SeenExecution | None:
    """What the entries of one (tenant, id) tell together; None if they tell of no execution. Any order, repeats allowed."""
    told = [entry for entry in entries if entry.type not in _ABOUT_NO_EXECUTION]
    if not told:
        return None
    execute = [entry for entry in told if entry.step is not Step.COMPENSATE]
    with_status = [entry for entry in execute if entry.status is not None]
    latest = max(with_status, key=lambda entry: (entry.generation, entry.version), default=None)
    first_times = [int(text) for entry in told if (text := entry.details.get("first_ms", "")).isdecimal()]
    return SeenExecution(
        tenant_id=told[0].tenant_id,
        account_id=_first(entry.account_id for entry in told),
        action_intent_id=told[0].action_intent_id,
        action_type=_first(entry.details.get("action_type", "") for entry in told),
        execution_trace_id=_first(entry.execution_trace_id for entry in told),
        generation=max([1, *(entry.generation for entry in execute)]),
        status=latest.status if latest is not None else None,
        first_ms=min(first_times, default=None),
        expires_at_epoch=int(expires) if (expires := _first(e.details.get("expires_at_epoch", "") for e in told)).isdecimal() else None,
        compensate_generation=max((entry.generation for entry in told if entry.step is Step.COMPENSATE), default=None),
        attempts=_attempts(told),
    )


def _attempts(entries: Sequence[LedgerEntry]) -> tuple[SeenAttempt, ...]:
    """Attempt numbers are never reused within a step, so (step, attempt) joins a claim with its conclusions."""
    conclusions: dict[tuple[Step, int], list[LedgerEntry]] = {}
    claims: dict[tuple[Step, int], LedgerEntry] = {}
    for entry in entries:
        if entry.attempt is None:
            continue
        key = (entry.step or Step.EXECUTE, entry.attempt)
        if entry.type is LedgerType.ATTEMPT_CLAIMED:
            claims.setdefault(key, entry)
        elif entry.type in (LedgerType.ATTEMPT_CONCLUDED, LedgerType.DOUBT_RESOLVED) and "effect" in entry.details:
            conclusions.setdefault(key, []).append(entry)
    seen = []
    for (step, number), claim in sorted(claims.items(), key=lambda item: (item[0][0].value, item[0][1])):
        last = max(conclusions.get((step, number), ()), key=lambda entry: entry.version, default=None)
        said = last.details["effect"] if last is not None else None
        is_released = said == _RELEASED
        seen.append(
            SeenAttempt(
                step=step,
                attempt=number,
                generation=claim.generation,
                nonce=claim.details.get("nonce", ""),
                lease_ms=int(claim.details.get("lease_ms", "0")),
                claimed_ms=claim.at_ms,
                effect=None if said is None or is_released else _effect(said),
                is_released=is_released,
            )
        )
    return tuple(seen)


def _effect(text: str) -> Effect:
    return Effect[text] if text in Effect.__members__ else Effect.UNKNOWN


def _first(texts: Iterable[str]) -> str:
    return next((text for text in texts if text), "")


class LedgerOfOne:
    """The ledger partition of one id, read from its beginning to its end and then followed. One thread; close it."""

    def __init__(self, reader: Reader, *, topic: str, tenant_id: str, action_intent_id: str, clock: Clock) -> None:
        self._reader = reader
        self._partition = TopicPartition(topic, partition_of(action_intent_id, reader.partition_count(topic)))
        self._tenant_id = tenant_id
        self._id = action_intent_id
        self._keys = (action_intent_id.encode(), key_of(action_intent_id))
        self._clock = clock

    def read(self, timeout_s: float) -> list[LedgerEntry]:
        """Every entry of the execution that is in the ledger now.

        Raises: BrokerError if the end of the partition is not reached in time.
        """
        records = read_to_end(self._reader, self._partition, clock=self._clock, timeout_s=timeout_s)
        return [entry for record in records for entry in self._entry(record)]

    def wait_for(self, is_wanted: Callable[[LedgerEntry], bool], timeout_s: float) -> LedgerEntry | None:
        """The first later entry of the execution that is wanted; None if none comes in time."""
        deadline_s = self._clock.boot_s() + timeout_s
        while True:
            for record in self._reader.take(MAX_RECORDS, WAIT_S).records:
                for entry in self._entry(record):
                    if is_wanted(entry):
                        return entry
            if self._clock.boot_s() >= deadline_s:
                return None

    def partition_count(self, topic: str) -> int:
        """Of any topic of the same cluster. Raises: BrokerError if it does not exist."""
        return self._reader.partition_count(topic)

    def close(self) -> None:
        """End the reader."""
        self._reader.close()

    def _entry(self, record: InRecord) -> tuple[LedgerEntry, ...]:
        """The entry, if it is this execution's; one that cannot be decoded says nothing to us."""
        if record.key not in self._keys or record.value is None:
            return ()
        try:
            entry = decode(LedgerEntry, record.value)
        except ValidationError:
            return ()
        is_ours = entry.tenant_id == self._tenant_id and entry.action_intent_id == self._id
        return (entry,) if is_ours else ()
