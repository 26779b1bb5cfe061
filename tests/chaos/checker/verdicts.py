"""Invariants about what is said: exactly one verdict for each acknowledged intent, and it is what the log makes of it."""

from collections.abc import Iterator
from typing import Any

from tests.chaos.checker.evidence import Evidence, Key, shown
from tests.chaos.checker.finding import OK, Finding, unknown, violation
from tests.chaos.checker.stops import releases

ENDED = ("SUCCEEDED", "FAILED", "EXPIRED", "CANCELLED")
SAID = (*ENDED, "IN_DOUBT")


def every_intent_has_one_verdict(evidence: Evidence) -> Iterator[Finding]:
    """Each acknowledged intent has one verdict, or is IN_DOUBT, or lives within its bound."""
    letters = _letters_by_id(evidence)
    for key, publications in evidence.published.items():
        final = evidence.final.get(key)
        if final is not None and final["status"] in SAID:
            yield from _one_verdict(evidence, key)
        elif key[1] in letters and final is None:
            yield _letter_alone(key, publications, letters[key[1]])
        else:
            yield _alive(evidence, key, publications)


def _one_verdict(evidence: Evidence, key: Key) -> Iterator[Finding]:
    """Within a generation only proof of an effect may follow an ending, and makes it SUCCEEDED."""
    by_version = sorted((r.tree for r in evidence.outcomes[key] if r.tree is not None), key=lambda tree: int(tree["version"]))
    last: dict[int, str] = {}
    for outcome in by_version:
        status, generation = outcome["status"], int(outcome["generation"])
        before = last.get(generation)
        if before in ENDED and status not in {before, "SUCCEEDED"}:
            yield violation(f"{shown(key)} was {before} and became {status} in generation {generation}")
            return
        last[generation] = status
    execution = evidence.log.executions.get(key)
    wanted = execution.steps["execute"].status if execution is not None else None
    said = evidence.final[key]["status"]
    if execution is not None and execution.is_merely_known:
        yield unknown(f"{shown(key)}: older than the log remembers")
    elif wanted != said:
        yield violation(f"{shown(key)} is told as {said}; the log makes it {wanted}")
    else:
        yield OK


def _letters_by_id(evidence: Evidence) -> dict[str, str]:
    """The error codes of dead letters by the intent id in their key."""
    return {(r.key or b"").decode("utf-8", "replace"): r.headers.get("enact-error-code", b"").decode() for _, r in evidence.dead_letters()}


def _letter_alone(key: Key, publications: list[dict[str, Any]], code: str) -> Finding:
    """Kept for a person, visible, without a verdict: meant for hostile input only."""
    if any(line.get("expects") == "dead_letter" for line in publications):
        return OK
    return unknown(f"{shown(key)} has no verdict, only a dead letter: {code}")


def _alive(evidence: Evidence, key: Key, publications: list[dict[str, Any]]) -> Finding:
    """Not ended: it must wait for something that is still so, and not for longer than its bound."""
    final, execution = evidence.final.get(key), evidence.log.executions.get(key)
    step = execution.steps["execute"] if execution is not None else None
    status = step.status if step is not None else None
    what = f"{shown(key)}: the log says {status}, the outcome {final['status'] if final is not None else 'nothing'}"
    if status in SAID:
        return violation(f"{what}: lost after the log")
    since_ms = max(step.last_ms if step is not None else 0, publications[-1]["acked_ms"])
    expires_ms = publications[0]["expires_at_epoch"] * 1000
    is_past = evidence.ended_ms > expires_ms + evidence.bounds["live_s"] * 1000
    if step is not None and step.park == "SWITCH" and _is_engaged_at_the_end(evidence) and not is_past:
        return OK
    age_s = (evidence.ended_ms - since_ms) / 1000
    if age_s > evidence.bounds["live_s"]:
        return violation(f"{what}, and nothing happened for {age_s:.0f} s: lost")
    return unknown(f"{what}, {age_s:.0f} s ago: the run ended too soon to tell")


def _is_engaged_at_the_end(evidence: Evidence) -> bool:
    ends = [c for c in evidence.commands if c["kind"] == "release" and c["acked_ms"] is not None]
    return any(c["kind"] == "engage" and not any(releases(end, c) for end in ends) for c in evidence.commands)


def every_record_is_accounted_for(evidence: Evidence) -> Iterator[Finding]:
    """Each record of the intents topic was admitted or refused, or lies as a dead letter."""
    admitted = {(r.tree["tenant_id"], r.tree["action_intent_id"]) for r in evidence.topic("admissions") if r.tree is not None}
    places = {
        (h.get("__connect.errors.topic"), h.get("__connect.errors.partition"), h.get("__connect.errors.offset"))
        for _, letter in evidence.dead_letters()
        for h in [letter.headers]
    }
    sources = {(partition, offset) for topic, partition, offset in places if topic is not None and topic.endswith(b"intents.approved.v1")}
    for record in evidence.topic("intents.approved"):
        tree = record.tree or {}
        is_decided = (tree.get("tenant_id"), tree.get("action_intent_id")) in admitted
        is_letter = (str(record.partition).encode(), str(record.offset).encode()) in sources
        what = f"the record at {record.partition}/{record.offset} of the intents topic was neither decided nor kept as a dead letter"
        yield OK if is_decided or is_letter else violation(what)


def outcomes_have_signal_and_ledger(evidence: Evidence) -> Iterator[Finding]:
    """No outcome without its signal and its ledger entries; no signal twice under two ids."""
    ids: dict[tuple[str, str, str], set[str]] = {}
    for record in evidence.topic("signals"):
        if (tree := record.tree) is not None:
            ids.setdefault((tree["tenant_id"], tree["data"]["action_intent_id"], tree["type"]), set()).add(tree["signal_id"])
    entries = _ledger(evidence)
    for key, outcome in evidence.final.items():
        status = outcome["status"]
        if status not in SAID:
            continue
        wanted = "ACTION_EXECUTED" if status == "SUCCEEDED" else "ACTION_FAILED"
        signals, known = ids.get((*key, wanted), set()), entries.get(key, set())
        if status == "IN_DOUBT":
            yield OK if ("DOUBT_RAISED", None) in known else violation(f"{shown(key)} is IN_DOUBT without its ledger entry")
        elif not signals:
            yield violation(f"{shown(key)} is {status} without its signal")
        elif len(signals) > outcome["generation"]:
            yield violation(f"{shown(key)} has {len(signals)} {wanted} signals in {outcome['generation']} generations")
        elif (wanted, None) not in known:
            yield violation(f"{shown(key)} is {status} without its ledger entry {wanted}")
        else:
            yield OK
    for claim in evidence.log.claims():
        if claim.is_valid:
            key = (claim.tenant_id, claim.action_intent_id)
            has_entry = ("ATTEMPT_CLAIMED", (claim.step, claim.attempt)) in entries.get(key, set())
            yield OK if has_entry else violation(f"{shown(key)}: attempt {claim.attempt} is not in the ledger")


def _ledger(evidence: Evidence) -> dict[Key, set[tuple[str, tuple[str, int] | None]]]:
    """What each execution has in the ledger: types, and for claims which attempt."""
    found: dict[Key, set[tuple[str, tuple[str, int] | None]]] = {}
    for record in evidence.topic("ledger"):
        if (tree := record.tree) is not None:
            attempt = (tree["step"], tree["attempt"]) if tree["type"] == "ATTEMPT_CLAIMED" else None
            found.setdefault((tree["tenant_id"], tree["action_intent_id"]), set()).add((tree["type"], attempt))
    return found


def logs_are_readable(evidence: Evidence) -> Iterator[Finding]:
    """Whatever lies in a topic can be read by the published schemas; hostile input is not ours and lies in dead letters too."""
    for short in ("admissions", "executions", "tool-results", "outcomes", "signals", "ledger"):
        problems = [record for record in evidence.topic(short) if record.problem is not None]
        yield violation(f"{short}: {len(problems)} records cannot be read: {problems[0].problem}") if problems else OK
