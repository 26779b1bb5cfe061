"""`enact doctor`, the work: registry, switches, dead letters, what is in doubt. Reads only."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from typing import Protocol

from cli.doctor_finding import Finding, fail, ok, warn
from enact.kafka.transport import NextOffset, Reader, TopicPartition
from enact.records import Switch, SwitchState
from enact.registry import RegistryView
from topology.stages import STAGES, dead_letters
from topology.topics import topic_name

NEWEST = 100
CODE_HEADER = "enact-error-code"
_TAKE_S = 0.2
_PATIENCE = 25
_IN_DOUBT = re.compile(r"^enact_in_doubt(?:\{[^}]*\})? ([0-9.e+]+)$", re.MULTILINE)


class Bounds(Protocol):
    """What is needed of `enact.kafka.admin.KafkaAdmin`."""

    def begin_offsets(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, NextOffset]:
        """The log start offsets."""

    def end_offsets(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, NextOffset]:
        """The high watermarks."""


def registry(view: RegistryView, enact: str) -> Finding:
    """Whether any action can be taken at all."""
    entries = view.entries()
    if not entries:
        step = f"`{enact} registry apply` adds those that ship with enact, `{enact} registry apply FILE` yours."
        return fail("registry", "empty: every intent would be refused as UNKNOWN_ACTION_TYPE", step)
    kinds = {one.action_type for one in entries}
    return ok("registry", f"{len(kinds)} action types, {len(entries)} versions")


def switches(found: Sequence[Switch], enact: str) -> Iterator[Finding]:
    """What is stopped on purpose."""
    engaged = [one for one in found if one.state is SwitchState.ENGAGED]
    for one in engaged:
        step = f"When it is over: `{enact} switch release {one.scope} --engagement {one.engagement_id} --reason 'say why'`."
        yield warn("switch", f"{one.scope} is stopped ({one.mode.value}) by {one.actor}: {one.reason}", step)
    if not engaged:
        yield ok("switches", "nothing is stopped")


def kept(bounds: Bounds, reader: Reader, *, prefix: str, counts: Mapping[str, int]) -> Iterator[Finding]:
    """Dead letters of every stage: how many, and the codes of the newest."""
    total = 0
    with closing(reader):
        for stage in (one for one, declared in STAGES.items() if declared.has_dead_letters):
            topic = topic_name(dead_letters(stage), prefix)
            partitions = [TopicPartition(topic, number) for number in range(counts.get(topic, 0))]
            begins, ends = bounds.begin_offsets(partitions), bounds.end_offsets(partitions)
            held = {one: (int(begins[one]), int(ends[one])) for one in partitions if ends[one] > begins[one]}
            count = sum(end - begin for begin, end in held.values())
            total += count
            if count:
                codes = Counter(_codes(reader, held))
                said = ", ".join(f"{number} {code}" for code, number in codes.most_common())
                step = "Each is a whole record with the reason in its headers. Correct the cause; publish what is still wanted again."
                yield warn("dead letters", f"{count} in {topic}; the newest: {said or 'expired while looking'}", step)
    if not total:
        yield ok("dead letters", "none")


def in_doubt(metrics: Sequence[str], enact: str) -> Finding:
    """Executions that wait for a person, as every invocation counts them. `metrics` are their /metrics pages."""
    found = [float(number) for page in metrics for number in _IN_DOUBT.findall(page)]
    if not found:
        text = "not known: no invocation that `enact up` started answers here"
        return warn("in doubt", text, "Read enact_in_doubt on the /metrics page of yours.")
    count = int(sum(found))
    if not count:
        return ok("in doubt", "none")
    look = f"`{enact} list --status IN_DOUBT` shows an account's; look in the other system, then say what you found:"
    step = f"{look} `{enact} resolve ID --as applied|not-applied --reason 'say how you know'`."
    return warn("in doubt", f"{count} wait{'s' if count == 1 else ''} for a person", step)


def _codes(reader: Reader, held: Mapping[TopicPartition, tuple[int, int]]) -> Iterator[str]:
    """The codes of the newest records of each partition."""
    left = {one: end for one, (_, end) in held.items()}
    reader.assign({one: NextOffset(max(begin, end - NEWEST)) for one, (begin, end) in held.items()})
    for _ in range(_PATIENCE):
        batch = reader.take(NEWEST, _TAKE_S)
        for record in batch.records:
            yield dict(record.headers).get(CODE_HEADER, b"no code").decode(errors="replace")
        positions = {TopicPartition(one.topic, one.partition): int(one.offset) + 1 for one in batch.records}
        positions |= {one: int(end) for one, end in batch.ends.items()}
        left = {one: end for one, end in left.items() if positions.get(one, 0) < end}
        if not left:
            return
