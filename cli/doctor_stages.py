"""`enact doctor`, the stages: what `enact up` started, each group's members and lag. Reads only."""

import http.client
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from cli.doctor_finding import Finding, fail, ok, warn
from enact.broker.ports import LOOPBACK
from enact.kafka.inspection import GroupFacts
from enact.kafka.transport import NextOffset, TopicPartition
from topology.stages import STAGES, group_name
from topology.topics import topic_name

MUCH_LAG = 1_000
_TIMEOUT_S = 2.0


class Groups(Protocol):
    """What is needed of `enact.kafka.inspection.Inspection`."""

    def groups(self, names: Sequence[str]) -> Mapping[str, GroupFacts]:
        """Each of them."""


class Offsets(Protocol):
    """What is needed of `enact.kafka.admin.KafkaAdmin`."""

    def committed_offsets(self, group: str) -> Mapping[TopicPartition, NextOffset]:
        """Empty for a group that does not exist."""

    def begin_offsets(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, NextOffset]:
        """The log start offsets."""

    def end_offsets(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, NextOffset]:
        """The high watermarks."""


def health(ports: Mapping[str, int], *, logs: Path, enact: str) -> Iterator[Finding]:
    """`/readyz` of every process that a running `enact up` wrote down."""
    if not ports:
        step = f"`{enact} up --sandbox` starts everything here; `{enact} run STAGE` one stage against a cluster of yours."
        yield warn("processes", "nothing that `enact up` started is running in this data folder", step)
    for name, port in ports.items():
        yield readiness(name, ask(port, "/readyz"), log=logs / f"{name}.log")


def readiness(name: str, answer: tuple[int, str] | None, *, log: Path) -> Finding:
    """What an answer of `/readyz` means; None = nobody answered."""
    if answer is None:
        return fail(name, "does not answer", f"Its log says why: {log}. `enact up` starts it again by itself.")
    status, text = answer
    if status == http.HTTPStatus.OK:
        return ok(name, "ready")
    return warn(name, f"not ready: {_missing(text)}", f"Wait a moment and look again; if it stays, its log says more: {log}.")


def groups(
    stages: Sequence[str],
    asked: Groups,
    offsets: Offsets,
    *,
    prefix: str,
    counts: Mapping[str, int],
    enact: str,
    started: Mapping[str, Path],
) -> Iterator[Finding]:
    """Members and lag of each stage's group. `counts`: partitions of each topic; `started`: the logs of what runs here."""
    names = {stage: group_name(stage, prefix) for stage in stages}
    found = asked.groups(list(names.values()))
    for stage, name in names.items():
        behind = lag(stage, name, offsets, prefix=prefix, counts=counts)
        yield membership(stage, found[name], behind, enact=enact, log=started.get(stage))


def membership(stage: str, group: GroupFacts, behind: int, *, enact: str, log: Path | None = None) -> Finding:
    """One group: does anybody work, and does it keep up? `log` is that of a process which should, None if nothing was started here."""
    name = f"group {stage}"
    waiting = f"{behind} record{'' if behind == 1 else 's'} behind"
    if not group.member_count:
        if log is not None:
            return fail(name, f"nobody is in it, although its process was started; {waiting}", f"Its log says why: {log}.")
        return warn(name, f"nobody is in it; {waiting}", f"Start it: `{enact} up`, or `{enact} run {stage}` against a cluster of yours.")
    members = f"{group.member_count} member{'' if group.member_count == 1 else 's'}, {waiting}"
    if group.state != "STABLE":
        return warn(name, f"{members}, {group.state.lower()}", "Members are joining or leaving: look again in a few seconds.")
    if behind > MUCH_LAG:
        return warn(name, members, "Look again: if it grows, add instances (`enact up --instances`), up to P of them.")
    return ok(name, members)


def lag(stage: str, group: str, offsets: Offsets, *, prefix: str, counts: Mapping[str, int]) -> int:
    """Records that the group has still to read, over its inputs and its log. What was never committed counts from the beginning."""
    declared = STAGES[stage]
    names = [topic_name(short, prefix) for short in (*declared.reads, *((declared.log,) if declared.log else ()))]
    partitions = [TopicPartition(name, number) for name in names for number in range(counts.get(name, 0))]
    committed = offsets.committed_offsets(group)
    begins, ends = offsets.begin_offsets(partitions), offsets.end_offsets(partitions)
    return sum(max(0, int(ends[one]) - max(int(committed.get(one, begins[one])), int(begins[one]))) for one in partitions)


def ask(port: int, path: str) -> tuple[int, str] | None:
    """What a process answers on this machine; None if it does not."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=_TIMEOUT_S)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode(errors="replace")
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def _missing(text: str) -> str:
    try:
        told: Any = json.loads(text)
        return "; ".join(str(one) for one in told["missing"])
    except (ValueError, KeyError, TypeError):
        return "it does not say why"
