"""The checker's own fold of the execution log, written from its rules and sharing no code with `enact.execution`.

Plain and slow: one object for each step, changed event by event. Only what the invariants need is kept.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

DAY_MS = 86_400_000
HORIZON_MS = 30 * DAY_MS
RANK = {"OPEN": 0, "UNKNOWN": 1, "RELEASED": 2, "NOT_APPLIED": 2, "PARTIAL": 3, "APPLIED": 4}
REPEATABLE = ("IDEMPOTENT", "UPSERT")


@dataclass
class Claim:
    """One CLAIMED event, valid or not. `state` is kept only for a valid one."""

    tenant_id: str
    action_intent_id: str
    step: str
    generation: int
    attempt: int
    nonce: str
    digest: str
    kind: str
    settle_ms: int
    max_attempts: int
    lease_ms: int
    owner: str
    partition: int
    offset: int
    claimed_ms: int
    refusal: str | None = None
    state: str = "OPEN"
    is_given_up: bool = False
    is_permanent: bool = False

    @property
    def is_valid(self) -> bool:
        """Whether the log before it permits it."""
        return self.refusal is None

    @property
    def settled_ms(self) -> int:
        """Log time from which a look-up's "not found" counts."""
        return self.claimed_ms + self.lease_ms + (self.settle_ms if self.kind == "LOOKUP" else 0)


@dataclass
class Step:
    """One step of one execution."""

    generation: int = 1
    subject: dict[str, Any] | None = None
    digest: str | None = None
    bar: str | None = None
    ending: str | None = None
    claims: list[Claim] = field(default_factory=list)
    burnt: set[str] = field(default_factory=set)
    evidence: set[str] = field(default_factory=set)
    park: str | None = None
    last_ms: int = 0

    @property
    def valid(self) -> list[Claim]:
        """The claims that opened an attempt, over all generations."""
        return [claim for claim in self.claims if claim.is_valid]

    @property
    def used(self) -> list[Claim]:
        """What `max_attempts` counts."""
        return [claim for claim in self.valid if claim.generation == self.generation and claim.state != "RELEASED"]

    @property
    def unsettled(self) -> list[Claim]:
        """Open or UNKNOWN."""
        return [claim for claim in self.valid if RANK[claim.state] < 2]

    def has(self, state: str) -> bool:
        """Whether an attempt, or other evidence, says so."""
        return state in self.evidence or any(claim.state == state for claim in self.valid)

    @property
    def status(self) -> str | None:
        """The verdict as a join over all attempts; None if nothing is known of the step."""
        if self.has("APPLIED"):
            return "SUCCEEDED"
        if self.has("OPEN"):
            return "EXECUTING"
        if self.has("UNKNOWN"):
            return "RETRYING" if self._has_automatic_step() else "IN_DOUBT"
        if self.has("PARTIAL"):
            return "FAILED"
        if self.ending is not None:
            return self.ending
        if self.park in {"SWITCH", "BREAKER", "LIMIT"}:
            return "HELD"
        if self.used:
            return "RETRYING"
        is_begun = bool(self.subject or self.valid or self.evidence or self.bar or self.generation > 1)
        return "PENDING" if is_begun else None

    def _has_automatic_step(self) -> bool:
        unknown = [claim for claim in self.valid if claim.state == "UNKNOWN"]
        if any(claim.is_given_up for claim in unknown):
            return False
        if unknown[-1].kind == "LOOKUP":
            return True
        is_over = self.ending is not None or self.bar is not None
        return all(claim.kind in REPEATABLE for claim in unknown) and not is_over and len(self.used) < self._max_attempts()

    def _max_attempts(self) -> int:
        return next((claim.max_attempts for claim in self.valid if claim.generation == self.generation), 0)

    def end_if_due(self) -> None:
        """The current generation ends at the first event after which it is over."""
        if self.has("APPLIED"):
            self.ending = "SUCCEEDED"
        elif self.ending is None:
            denied = [claim for claim in self.used if claim.state == "NOT_APPLIED"]
            is_failed = self.has("PARTIAL") or any(claim.is_permanent for claim in denied)
            is_exhausted = bool(denied) and not self.unsettled and len(denied) >= self._max_attempts()
            if is_failed or is_exhausted:
                self.ending = "FAILED"
            elif self.bar is not None and not self.unsettled:
                self.ending = self.bar


class Folded:
    """One execution."""

    def __init__(self) -> None:
        self.steps = {"execute": Step(), "compensate": Step()}
        self.first_ms: int | None = None
        self.seen: set[str] = set()
        self.is_merely_known = False

    def apply(self, event: dict[str, Any], *, log_ms: int, partition: int, offset: int) -> None:
        """One event at its place in the log; a repeat changes nothing."""
        if event["event_id"] in self.seen:
            return
        self.seen.add(event["event_id"])
        given = event["first_ms"] if event["first_ms"] is not None else log_ms
        self.first_ms = given if self.first_ms is None else min(self.first_ms, given)
        if self.first_ms < log_ms - (HORIZON_MS - 2 * DAY_MS):
            self.is_merely_known = True
            return
        step = self.steps[event["step"]]
        step.last_ms = log_ms
        is_current = event["generation"] == step.generation
        self._keep_subject(step, event, is_current=is_current)
        data, kind = event["data"], event["type"]
        if kind == "PARKED" and is_current and step.ending is None:
            step.park = data["reason"]
        elif kind == "CLAIMED":
            self._claim(step, event, log_ms=log_ms, partition=partition, offset=offset)
        elif kind == "RELEASED":
            _release(step, data["nonce"])
        elif kind == "FACT":
            _learn(step, data, log_ms)
        elif kind == "REFUSED" and is_current:
            _bar(step, "EXPIRED" if data["code"] == "DEADLINE_PASSED" else "FAILED")
        elif kind == "CANCEL_REQUESTED":
            _bar(step, "CANCELLED")
        elif kind == "EXPIRED" and is_current and log_ms >= self._deadline_ms(step, event):
            _bar(step, "EXPIRED")
        elif kind == "REDRIVE_REQUESTED" and is_current:
            _redrive(step, log_ms)
        step.end_if_due()

    @staticmethod
    def _keep_subject(step: Step, event: dict[str, Any], *, is_current: bool) -> None:
        subject = event["subject"]
        is_better = subject is not None and (step.subject is None or not _is_full(step.subject))
        if is_current and is_better and (step.subject is None or _is_full(subject)):
            step.subject = subject

    def _deadline_ms(self, step: Step, event: dict[str, Any]) -> int:
        known_s = (step.subject or {}).get("expires_at_epoch") or event["data"]["expires_at_epoch"]
        deadline_ms = int(known_s) * 1000
        return deadline_ms if event["step"] == "execute" else min(deadline_ms, (self.first_ms or 0) + HORIZON_MS - 4 * DAY_MS)

    def _claim(self, step: Step, event: dict[str, Any], *, log_ms: int, partition: int, offset: int) -> None:
        data = event["data"]
        claim = Claim(
            tenant_id=event["tenant_id"],
            action_intent_id=event["action_intent_id"],
            step=event["step"],
            generation=event["generation"],
            attempt=data["attempt"],
            nonce=data["nonce"],
            digest=data["request_digest"],
            kind=data["effect_class"]["kind"],
            settle_ms=data["effect_class"]["settle_ms"] or 0,
            max_attempts=data["max_attempts"],
            lease_ms=data["lease_ms"],
            owner=data["owner"]["incarnation_id"],
            partition=partition,
            offset=offset,
            claimed_ms=log_ms,
        )
        claim.refusal = self._refusal(step, claim, log_ms)
        step.claims.append(claim)
        if claim.is_valid:
            step.digest, step.park = step.digest or claim.digest, None

    def _refusal(self, step: Step, claim: Claim, log_ms: int) -> str | None:
        """Why the log before this claim does not permit it."""
        valid = step.valid
        reasons = {
            "not the current generation": claim.generation != step.generation,
            "ended": step.ending is not None,
            "barred": step.bar is not None,
            "not the next attempt": claim.attempt != max((c.attempt for c in valid), default=0) + 1,
            "its nonce is burnt": claim.nonce in step.burnt,
            "its nonce is a former claim's": any(c.nonce == claim.nonce for c in valid),
            "something is applied": step.has("APPLIED") or step.has("PARTIAL"),
            "another digest": step.digest is not None and step.digest != claim.digest,
            "an earlier claim is open or cannot be repeated": any(not _may_follow(c, claim) for c in step.unsettled),
            "no attempt is left": len(step.used) >= (step._max_attempts() or claim.max_attempts),
            "the action itself is not settled": claim.step == "compensate" and not self._may_compensate(log_ms),
        }
        return next((why for why, holds in reasons.items() if holds), None)

    def _may_compensate(self, log_ms: int) -> bool:
        execute = self.steps["execute"]
        applied = {claim.digest for claim in execute.valid if claim.state == "APPLIED"}
        left = execute.unsettled
        return execute.ending is not None and all(claim.digest in applied and log_ms >= claim.settled_ms for claim in left)


def _is_full(subject: dict[str, Any]) -> bool:
    """Whether a subject is a whole call, or a refusal, and not only what a command knew."""
    return bool(subject.get("tool_name")) or subject.get("refusal") is not None


def _may_follow(earlier: Claim, claim: Claim) -> bool:
    return earlier.state == "UNKNOWN" and earlier.kind in REPEATABLE and not earlier.is_given_up and earlier.digest == claim.digest


def _release(step: Step, nonce: str) -> None:
    step.burnt.add(nonce)
    for claim in step.valid:
        if claim.nonce == nonce and RANK[claim.state] < RANK["RELEASED"]:
            claim.state = "RELEASED"


def _learn(step: Step, fact: dict[str, Any], log_ms: int) -> None:
    """Evidence raises whatever the nonce; an assertion that nothing happened only under its conditions."""
    effect = fact["effect"]
    if effect not in RANK:
        return
    claim = next((c for c in step.valid if c.nonce == fact["nonce"]), None)
    if claim is None:
        if effect in {"PARTIAL", "APPLIED"}:
            step.evidence.add(effect)
        return
    is_permanent = bool(fact["error"] and fact["error"]["is_permanent"])
    if effect == "UNKNOWN":
        if claim.state in {"OPEN", "UNKNOWN"}:
            claim.state, claim.is_given_up, step.park = "UNKNOWN", claim.is_given_up or is_permanent, None
        return
    if effect == "NOT_APPLIED" and not _may_deny(claim, fact, log_ms):
        return
    if RANK[effect] <= RANK[claim.state]:
        return
    claim.state, claim.is_permanent, step.park = effect, is_permanent, None
    if fact["source"] == "HUMAN" and effect == "NOT_APPLIED" and claim.generation == step.generation and step.ending is None:
        step.ending = "FAILED"


def _may_deny(claim: Claim, fact: dict[str, Any], log_ms: int) -> bool:
    source = fact["source"]
    if source in {"CALL", "LATE"}:
        return True
    if source == "LOOKUP":
        began_ms = fact["started_at_ms"]
        return began_ms is not None and min(began_ms, log_ms) >= claim.settled_ms
    return bool(source == "HUMAN" and claim.state == "UNKNOWN" and log_ms >= claim.claimed_ms + claim.lease_ms)


def _bar(step: Step, status: str) -> None:
    if step.bar is None and step.ending is None:
        step.bar = status


def _redrive(step: Step, log_ms: int) -> None:
    is_without_effect = step.ending is not None and not step.has("APPLIED") and not step.has("PARTIAL") and not step.unsettled
    if is_without_effect and all(log_ms >= claim.settled_ms for claim in step.valid):
        step.generation += 1
        step.subject = step.digest = step.bar = step.ending = step.park = None


@dataclass
class FoldedLog:
    """The whole execution log."""

    executions: dict[tuple[str, str], Folded] = field(default_factory=dict)

    def claims(self) -> Iterator[Claim]:
        """Every CLAIMED event of every execution, valid or not."""
        for execution in self.executions.values():
            for step in execution.steps.values():
                yield from step.claims


def fold_log(events: Iterator[tuple[int, int, int, dict[str, Any]]]) -> FoldedLog:
    """Fold (partition, offset, append time, event), in offset order within each partition."""
    log, log_ms = FoldedLog(), dict[int, int]()
    for partition, offset, timestamp_ms, event in events:
        log_ms[partition] = max(log_ms.get(partition, 0), timestamp_ms)
        if event["type"] != "FOLD_VERSION":
            key = (event["tenant_id"], event["action_intent_id"])
            execution = log.executions.setdefault(key, Folded())
            execution.apply(event, log_ms=log_ms[partition], partition=partition, offset=offset)
    return log
