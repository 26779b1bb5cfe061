"""Invariants about stops: after an acknowledged engage, and without a broker, no call begins later than its bound."""

from collections.abc import Iterator
from typing import Any

from tests.chaos.checker.evidence import Evidence, Key, shown
from tests.chaos.checker.finding import OK, Finding, unknown, violation

FREEZES = ("stop", "freeze")
WITHOUT_BROKER = ("broker_kill", "broker_stop")
"""Faults after which nobody can reach any broker until `to_ms`."""


def no_call_after_a_stop(evidence: Evidence) -> Iterator[Finding]:
    """No receipt later than the acknowledged engage + 2 s + epsilon for a matching scope, until its release was sent."""
    bound_ms = (evidence.bounds["stop_s"] + evidence.bounds["epsilon_s"]) * 1000
    calls = _calls(evidence)
    for command in evidence.commands:
        if command["kind"] != "engage" or command["acked_ms"] is None:
            continue
        from_ms, to_ms = command["acked_ms"] + bound_ms, _released_ms(evidence, command)
        late = [(at_ms, key, name) for at_ms, key, name in calls if from_ms < at_ms < to_ms and _is_stopped(evidence, key, command)]
        yield from _judged(evidence, late, command["acked_ms"], f"engage {command['scope']}") if late else [OK]


def no_call_without_a_broker(evidence: Evidence) -> Iterator[Finding]:
    """A process that lost the broker stops calling within 2 s."""
    bound_ms = (evidence.bounds["stop_s"] + evidence.bounds["epsilon_s"]) * 1000
    calls = _calls(evidence)
    for fault in evidence.faults:
        if fault["kind"] in WITHOUT_BROKER:
            to_ms = fault["to_ms"] if fault["to_ms"] is not None else evidence.ended_ms
            late = [call for call in calls if fault["from_ms"] + bound_ms < call[0] < to_ms]
            yield from _judged(evidence, late, fault["from_ms"], f"{fault['kind']} of {fault['target']}") if late else [OK]


def _judged(evidence: Evidence, late: list[tuple[int, Key | None, str]], since_ms: int, why: str) -> Iterator[Finding]:
    """A call of a process that was frozen between its last look and its first byte is a named residual window: not decided."""
    for at_ms, key, name in late:
        what = f"{name} of {shown(key)} came {at_ms - since_ms} ms after {why}"
        if _was_frozen(evidence, since_ms, at_ms):
            yield unknown(f"{what}, from a process that had been frozen")
        elif _is_just_after(_freezes_of_the_world(evidence), since_ms, at_ms):
            yield unknown(f"{what}, when a frozen world read what had been sent to it: nobody saw when that was")
        else:
            yield violation(what)


def _was_frozen(evidence: Evidence, since_ms: int, at_ms: int) -> bool:
    """Whether a freeze of invocation ended within half a second before the call and began before the stop took hold."""
    return _is_just_after(_freezes(evidence), since_ms, at_ms)


def _is_just_after(freezes: Iterator[tuple[int, int]], since_ms: int, at_ms: int) -> bool:
    return any(from_ms < since_ms + 2_000 and to_ms <= at_ms <= to_ms + 500 for from_ms, to_ms in freezes)


def _freezes_of_the_world(evidence: Evidence) -> Iterator[tuple[int, int]]:
    """From when to when the practice world stood still: its receipts are of when it read, not of when it was called."""
    for fault in evidence.faults:
        if fault["kind"] == "world_freeze" and fault["to_ms"] is not None:
            yield fault["from_ms"], fault["to_ms"]


def _freezes(evidence: Evidence) -> Iterator[tuple[int, int]]:
    """From when to when invocation stood still, by a signal from outside or by a failpoint's."""
    for fault in evidence.faults:
        if fault["kind"] in FREEZES and str(fault["target"]).startswith("invocation") and fault["to_ms"] is not None:
            yield fault["from_ms"], fault["to_ms"]
    for line in evidence.lines("failpoints.jsonl"):
        if line["stage"] == "invocation" and line["what"] == "stop":
            yield line["t_ms"], line["t_ms"] + round(line["seconds"] * 1000)


def last_calls_ms(evidence: Evidence) -> list[int]:
    """For each acknowledged engage, how long after it the last matching call came that the stop did not prevent."""
    calls, found = _calls(evidence), []
    for command in evidence.commands:
        if command["kind"] == "engage" and command["acked_ms"] is not None:
            acked_ms, to_ms = command["acked_ms"], _released_ms(evidence, command)
            after = [at_ms - acked_ms for at_ms, key, _ in calls if acked_ms < at_ms < to_ms and _is_stopped(evidence, key, command)]
            found.append(max(after, default=0))
    return found


def _calls(evidence: Evidence) -> list[tuple[int, Key | None, str]]:
    """When the world was called, for whom: receipts of the practice world and writes of internal objects."""
    calls = [(receipt.at_ms, receipt.key, receipt.name) for receipt in evidence.receipts]
    return calls + [(one.at_ms, one.key, one.name) for one in evidence.applied if one.name.startswith("internal")]


def _released_ms(evidence: Evidence, engage: dict[str, Any]) -> float:
    """When the first release of this engagement was sent; for ever if none was."""
    return min((c["sent_ms"] for c in evidence.commands if c["kind"] == "release" and releases(c, engage)), default=float("inf"))


def releases(release: dict[str, Any], engage: dict[str, Any]) -> bool:
    """Whether a release ends this engagement: by its name, or all that were open in the scope when it was sent.

    An engage that was in force although its answer was an error told no name: then the scope and the order say it.
    """
    named, name = release.get("engagement_id"), engage.get("engagement_id")
    is_meant = engage["sent_ms"] <= release["sent_ms"] if named is None or name is None else named == name
    return bool(release["scope"] == engage["scope"] and is_meant)


def _is_stopped(evidence: Evidence, key: Key | None, command: dict[str, Any]) -> bool:
    """Whether this scope stops this intent's calls. Whose call nobody knows counts as stopped by everything."""
    scope: str = command["scope"]
    if scope == "global" or key is None:
        return True
    kind, _, name = scope.partition(":")
    publications = evidence.published.get(key, [])
    match kind:
        case "tenant":
            return key[0] == name
        case "action_type":
            return any(line["action_type"] == name for line in publications)
        case "connector":
            execution = evidence.log.executions.get(key)
            subject = execution.steps["execute"].subject if execution is not None else None
            return subject is not None and subject["connector"] == name
    return False
