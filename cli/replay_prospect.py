"""What a replay would meet: how many executions have ended and are told again, are open, in doubt, or not known to the log.

Reads the topics themselves, without a group, and changes nothing. What the stage does with each of them is its own rule; here is only
what its log says now.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any, Protocol

from cli.replay_plan import Move
from enact.clock import Clock
from enact.errors import ValidationError
from enact.execution import apply, verdict
from enact.execution_state import Execution
from enact.ids import key_of, parts_of
from enact.kafka.transport import InRecord, NextOffset, Reader, TopicPartition
from enact.lifecycle import TERMINAL
from enact.reading import read_between
from enact.records import Admission, ApprovedIntent, Decision, ExecutionEvent, FoldVersionSet, ReturnedIntent, Status
from enact.records.codec import decode

READ_TIMEOUT_S = 600.0
UNREADABLE, UNKNOWN = "unreadable", "unknown"

WORDS: Mapping[str, str] = {
    "ended": "have ended: what they ended with is told again, nothing is called",
    "open": "are open: they go on as the log permits, no call is made twice",
    "in_doubt": "are in doubt and stay so",
    "admitted": "were admitted: the same validated intent is sent again",
    "refused": "were refused: the same refusal is sent again",
    UNKNOWN: "are not in the log: what becomes of them is decided when they are read",
    UNREADABLE: "records name no execution: each becomes a dead letter again",
}
"""Every word of a prospect, and what it means for the executions it counts."""


class _Log(Protocol):
    """What a stage's log says of the executions that were met."""

    def learn(self, key: bytes, record: InRecord) -> None:
        """A record about this execution, in log order."""

    def word(self, key: bytes) -> str:
        """How it stands."""


class _Executions:
    """The fold of the execution log."""

    def __init__(self) -> None:
        self._known: dict[bytes, Execution] = {}

    def learn(self, key: bytes, record: InRecord) -> None:
        """Log time is taken from the events of the execution itself: that can only make it look older than it is."""
        event = decode(ExecutionEvent, record.value or b"")
        if not isinstance(event.data, FoldVersionSet):
            self._known[key] = apply(self._known.get(key), event, log_ms=record.timestamp_ms)

    def word(self, key: bytes) -> str:
        """By the verdict of what was asked for first; a compensation that is under way counts as open."""
        if (execution := self._known.get(key)) is None:
            return UNKNOWN
        statuses = [verdict(step).status for step in (execution.execute, execution.compensate) if step.is_begun]
        if Status.IN_DOUBT in statuses:
            return "in_doubt"
        return "ended" if statuses and all(status in TERMINAL for status in statuses) else "open"


class _Admissions:
    """The decisions of validation; of a generation the first counts, the highest generation is what is told again."""

    def __init__(self) -> None:
        self._known: dict[bytes, tuple[int, Decision]] = {}

    def learn(self, key: bytes, record: InRecord) -> None:
        """A tombstone says nothing."""
        if record.value is None:
            return
        admission = decode(Admission, record.value)
        if key not in self._known or self._known[key][0] < admission.generation:
            self._known[key] = (admission.generation, admission.decision)

    def word(self, key: bytes) -> str:
        """By the decision."""
        if key not in self._known:
            return UNKNOWN
        return "admitted" if self._known[key][1] is Decision.ADMITTED else "refused"


def prospect(
    moves: Sequence[Move], *, log: str, kinds: Mapping[str, type], open_reader: Callable[[], Reader], clock: Clock
) -> Mapping[str, int]:
    """Executions that a replay of a stage with a decision log would meet, by `WORDS`.

    `log` is the full name of the log's topic; `kinds` names what each topic holds.
    Raises: BrokerError if the topics are not read to their ends; ValidationError for a log that cannot be folded.
    """
    known: _Log = _Executions() if kinds[log] is ExecutionEvent else _Admissions()
    found: Counter[str] = Counter()
    with closing(open_reader()) as reader:
        ranges = {move.partition: (move.target, NextOffset(move.target + move.again)) for move in moves}
        met: set[bytes] = set()
        for record in read_between(reader, ranges, clock=clock, timeout_s=READ_TIMEOUT_S):
            key = _key(record) if record.topic == log else _key_of_input(record, kinds[record.topic])
            if key is not None:
                met.add(key)
            elif record.topic != log:
                found[UNREADABLE] += 1
        for record in _whole(reader, log, {move.partition.partition for move in moves if move.again}, clock):
            if (key := _key(record)) in met and key is not None:
                known.learn(key, record)
    found.update(known.word(key) for key in met)
    return {word: found[word] for word in WORDS if found[word]}


def _whole(reader: Reader, log: str, partitions: set[int], clock: Clock) -> Iterator[InRecord]:
    """The log, from its beginning to the end it has now."""
    wanted = [TopicPartition(log, number) for number in sorted(partitions)]
    begins, ends = reader.begin_offsets(wanted), reader.end_offsets(wanted)
    return read_between(reader, {one: (begins[one], ends[one]) for one in wanted}, clock=clock, timeout_s=READ_TIMEOUT_S)


def _key(record: InRecord) -> bytes | None:
    """Of a record of a log: its key begins with tenant and id. None for one that is about no execution."""
    try:
        return key_of(*parts_of(record.key or b"")[:2])
    except ValidationError:
        return None


def _key_of_input(record: InRecord, kind: type) -> bytes | None:
    """None for a record that names no execution."""
    try:
        found: Any = decode(kind, record.value or b"")
        if isinstance(found, ReturnedIntent) and found.tenant_id is None and found.original is not None:
            found = decode(ApprovedIntent, found.original.value or b"")
        return key_of(found.tenant_id, found.action_intent_id)
    except (ValidationError, TypeError, AttributeError):
        return None
