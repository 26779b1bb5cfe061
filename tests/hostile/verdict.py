"""Whether every sample ended where it belongs: compares what was published with what people are told and what was kept."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from enact import ids
from enact.error_catalogue import Consequence, row_of
from enact.errors import EnactError
from enact.intent_text import intent_json
from enact.kafka.transport import InRecord
from enact.records import ActionOutcome, ApprovedIntent, ReturnedIntent, Status, ToolCall, ValidatedIntent
from enact.records.codec import decode
from tests.hostile.case import SECRET, Sample

STATUS = {
    None: Status.SUCCEEDED,
    Consequence.FAILED_AND_DEAD_LETTER: Status.FAILED,
    Consequence.EXPIRED: Status.EXPIRED,
    Consequence.IN_DOUBT: Status.IN_DOUBT,
}
KEPT = {Consequence.DEAD_LETTER_ONLY, Consequence.FAILED_AND_DEAD_LETTER}

Key = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What lies in the topics afterwards. `told` is everything that goes to people and other systems, as bytes."""

    outcomes: Mapping[Key, ActionOutcome]
    letters: Mapping[str, Sequence[InRecord]]
    executions: frozenset[Key]
    told: Sequence[bytes]
    read: Callable[[str, int, int], InRecord | None]


def expected_good(samples: Iterable[Sample]) -> dict[Key, Sample]:
    """Executions beside the hostile ones, and those that only look hostile."""
    return {key: sample for sample in samples for key in (*sample.good, *([sample.who] if sample.who and sample.row.ends is None else []))}


def violations(samples: Sequence[Sample], seen: Seen) -> list[str]:
    """Every sample that ended elsewhere or says too little or too much, in words; empty = none."""
    found = [*_outcomes(samples, seen), *_letters(samples, seen)]
    wanted = {key for sample in samples for key in (*sample.good, *([sample.who] if sample.who else []))}
    found += [f"an outcome that nobody asked for: {key}" for key in seen.outcomes.keys() - wanted]
    found += [f"an execution that nobody asked for: {key}" for key in seen.executions - wanted]
    found += [f"a hostile value is told: {told[:300]!r}" for told in seen.told if SECRET.encode() in told]
    return found


def table(samples: Iterable[Sample], seen: Seen) -> str:
    """How many of each code ended how."""
    counts: Counter[tuple[str, str]] = Counter()
    for sample in samples:
        for key in expected_good([sample]):
            counts["-", str(seen.outcomes[key].status) if key in seen.outcomes else "nothing"] += 1
        if sample.row.ends is None:
            continue
        outcome = seen.outcomes.get(sample.who) if sample.who else None
        counts[str(sample.row.code), str(outcome.status) if outcome else "dead letter only"] += 1
    return "\n".join(f"{code:<22} {end:<18} {count:>6}" for (code, end), count in sorted(counts.items()))


def _outcomes(samples: Iterable[Sample], seen: Seen) -> Iterable[str]:
    for key, sample in expected_good(samples).items():
        outcome = seen.outcomes.get(key)
        allowed = {Status.SUCCEEDED, Status.EXPIRED} if sample.row.is_late else {Status.SUCCEEDED}
        if outcome is None or outcome.status not in allowed:
            yield f"{sample.row.name}: {key} should have succeeded: {_shown(outcome)}"
    for sample in samples:
        if sample.who is None or sample.row.ends is None:
            continue
        row, outcome = sample.row, seen.outcomes.get(sample.who)
        if outcome is None or outcome.status is not STATUS[row.ends] or outcome.error_code != row.code:
            yield f"{row.name}: should be {STATUS[row.ends]} {row.code}: {_shown(outcome)}"
            continue
        if (said := outcome.error_class) != row_of(str(row.code)).error_class:
            yield f"{row.name}: its error_class is {said}"
        yield from _unsaid(row.name, row.says, outcome.error_message or "")


def _letters(samples: Iterable[Sample], seen: Seen) -> Iterable[str]:
    left: dict[tuple[str, bytes | None], list[InRecord]] = defaultdict(list)
    for stage, letters in seen.letters.items():
        for letter in letters:
            left[stage, letter.key].append(letter)
    for sample in samples:
        row = sample.row
        if row.ends not in KEPT:
            continue
        published = sample.records[-1]
        candidates = left[row.stage, published.key]
        kept = next((one for one in candidates if _keeps(sample, one)), None)
        if kept is None:
            yield f"{row.name}: no dead letter of {row.stage} keeps its bytes ({len(candidates)} have its key)"
            continue
        candidates.remove(kept)
        headers = {name: value.decode() for name, value in kept.headers if name.startswith(("__connect", "enact-"))}
        if headers["enact-error-code"] != row.code:
            yield f"{row.name}: its dead letter says {headers['enact-error-code']}: {headers['__connect.errors.exception.message']}"
        yield from _unsaid(row.name, row.says, headers["__connect.errors.exception.message"])
        if not set(published.headers) <= set(kept.headers):
            yield f"{row.name}: its dead letter lost headers of the record"
        if not _names_its_source(sample, kept, headers, seen):
            yield f"{row.name}: its dead letter names a source that does not hold it: {headers}"
    for sample in samples:
        if not sample.row.has_signal:
            left["recording", sample.records[-1].key].pop()
    for (stage, key), letters in left.items():
        yield from (f"a dead letter of {stage} that nobody asked for: {key!r} {dict(letter.headers)}" for letter in letters)


def _unsaid(name: str, says: Iterable[str], message: str) -> Iterable[str]:
    missing = [said for said in says if said not in message]
    if missing:
        yield f"{name}: the message lacks {missing}: {message}"


def _keeps(sample: Sample, letter: InRecord) -> bool:
    """The published bytes; or, from a later stage, its own record with the intent in it."""
    published = sample.records[-1]
    if letter.value == (published.value if sample.kept is None else sample.kept):
        return True
    if published.value is None or letter.value is None or sample.row.stage == "validation":
        return False
    try:
        intent = decode(ApprovedIntent, published.value)
        if sample.row.stage == "tool_mapping":
            return decode(ValidatedIntent, letter.value).intent == intent
        return decode(ToolCall, letter.value).intent == intent_json(intent)
    except EnactError:
        return False


def _names_its_source(sample: Sample, letter: InRecord, headers: Mapping[str, str], seen: Seen) -> bool:
    """The position in the headers is that of the record which is kept; of a failed call, that of its last event."""
    source = seen.read(
        headers["__connect.errors.topic"], int(headers["__connect.errors.partition"]), int(headers["__connect.errors.offset"])
    )
    if source is None:
        return False
    if sample.row.stage == "invocation" and sample.who is not None:
        return source.key == ids.key_of(*sample.who)
    if source.value == letter.value and source.key == letter.key:
        return True
    return _original(source) == letter.value


def _original(source: InRecord) -> bytes | None:
    try:
        returned = decode(ReturnedIntent, source.value or b"")
    except EnactError:
        return None
    return returned.original.value if returned.original else None


def _shown(outcome: Any) -> str:
    return "there is no outcome" if outcome is None else f"{outcome.status} {outcome.error_code} {outcome.error_message}"
