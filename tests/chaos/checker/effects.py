"""Invariants about the world: one effect, one receipt for each permitted attempt, nothing without approval, nothing unsaid."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from tests.chaos.checker.evidence import Evidence, shown
from tests.chaos.checker.finding import OK, Finding, unknown, violation

ONCE = ("NONE", "LOOKUP")
WITHOUT_EFFECT = ("FAILED", "EXPIRED", "CANCELLED")
NAMES = ("subject", "label", "title", "name")
CLOCK_TOLERANCE_MS = 5


def applies_at_most_once(evidence: Evidence) -> Iterator[Finding]:
    """Applies per (intent, step) <= 1 for NONE and LOOKUP; distinct effects <= 1 for IDEMPOTENT and UPSERT."""
    for (key, step), changes in evidence.applied_by.items():
        kind = evidence.published[key][0]["effect_class"] if key in evidence.published else "UNKNOWN"
        objects = {change.object_id for change in changes}
        what = f"{shown(key)} {step} ({kind}): applied {len(changes)} times to {len(objects)} objects"
        if kind == "UNKNOWN":
            yield unknown(f"{what}; its effect class is not known")
        elif len(objects) > 1 or (kind in ONCE and len(changes) > 1):
            yield violation(what)
        else:
            yield OK
    for change in evidence.applied:
        if change.key is None:
            yield violation(f"{change.name}: an effect under a key of nobody's")


def receipts_are_permitted(evidence: Evidence) -> Iterator[Finding]:
    """Receipts per attempt <= 1, and each receipt's nonce belongs to a claim that the log before it permits."""
    counts = Counter(receipt.nonce for receipt in evidence.receipts)
    for receipt in evidence.receipts:
        claim = receipt.claim
        if not receipt.nonce:
            yield violation(f"{receipt.name} for {shown(receipt.key)} names no attempt")
        elif claim is None:
            yield violation(f"{receipt.name}: no claim in the log has its nonce")
        elif not claim.is_valid:
            yield violation(f"{receipt.name}: the claim at {claim.partition}/{claim.offset} was not permitted: {claim.refusal}")
        elif counts[receipt.nonce] > 1:
            yield violation(f"{receipt.name}: {counts[receipt.nonce]} receipts for attempt {claim.attempt} of {shown(receipt.key)}")
        elif receipt.at_ms + CLOCK_TOLERANCE_MS < claim.claimed_ms:
            yield violation(f"{receipt.name} came {claim.claimed_ms - receipt.at_ms} ms before its claim stood in the log")
        elif receipt.tenant is not None and receipt.tenant != claim.tenant_id:
            yield violation(f"{receipt.name}: made in the name of {receipt.tenant} for {shown(receipt.key)}")
        else:
            yield OK
    for claims in evidence.claims.values():
        if sum(claim.is_valid for claim in claims) > 1:
            yield violation(f"{len(claims)} valid claims share a nonce: {shown((claims[0].tenant_id, claims[0].action_intent_id))}")


def released_claims_never_called(evidence: Evidence) -> Iterator[Finding]:
    """RELEASED says that a call was never sent: such an attempt has no receipt."""
    called = {receipt.nonce for receipt in evidence.receipts}
    for execution in evidence.log.executions.values():
        for step in execution.steps.values():
            for nonce in step.burnt:
                yield violation(f"nonce {nonce} was released and called") if nonce in called else OK


def calls_are_approved(evidence: Evidence) -> Iterator[Finding]:
    """No receipt without a valid approval for that request."""
    for receipt in evidence.receipts:
        publications = evidence.published.get(receipt.key) if receipt.key is not None else None
        if publications is None:
            yield violation(f"{receipt.name} for {shown(receipt.key)}: nobody published that")
        elif not any(line["is_approved"] for line in publications):
            yield violation(f"{receipt.name} for {shown(receipt.key)}: its approval is worth nothing")
        else:
            yield OK
    for key, contents in _objects_made(evidence):
        wanted = {_named(line) for line in evidence.published.get(key, []) if line["is_approved"]}
        if None not in wanted and wanted and not any(text in contents for text in wanted):
            yield violation(f"{shown(key)}: the object holds none of what was approved")


def _named(line: dict[str, Any]) -> str | None:
    """The text that names what the intent makes, if its kind has one."""
    parameters = line["intent"].get("parameters") or {}
    return next((parameters[name] for name in NAMES if isinstance(parameters, dict) and isinstance(parameters.get(name), str)), None)


def _objects_made(evidence: Evidence) -> Iterator[tuple[tuple[str, str], list[str]]]:
    """Each object that an intent made, with the texts it holds."""
    held = {line["id"]: [v for v in line["fields"].values() if isinstance(v, str)] for line in evidence.lines("objects.jsonl")}
    for (key, step), changes in evidence.applied_by.items():
        for change in changes:
            if step == "execute" and change.operation == "create" and change.object_id in held:
                yield key, held[change.object_id]


def succeeded_means_applied(evidence: Evidence) -> Iterator[Finding]:
    """SUCCEEDED if and only if applied; without effects never applied, also a minute later."""
    resolved = {(c.get("tenant_id"), c.get("action_intent_id")) for c in evidence.commands if c["kind"] == "resolve"}
    watched_ms = int(evidence.bounds["watch_s"] * 1000)
    for key, outcome in evidence.final.items():
        status, is_applied = outcome["status"], bool(evidence.applied_by.get((key, "execute")))
        what = f"{shown(key)} is {status}"
        if status == "SUCCEEDED" and not is_applied:
            is_said = key in resolved
            yield unknown(f"{what}, as a person said; nothing was applied") if is_said else violation(f"{what}: nothing was applied")
        elif status not in WITHOUT_EFFECT or (is_applied and outcome["error_code"] == "PARTIAL_EFFECT"):
            yield OK
        elif is_applied:
            yield unknown(f"{what}, as a person said, and applied") if key in resolved else violation(f"{what} and applied")
        elif evidence.ended_ms - _last_told_ms(evidence, key) < watched_ms:
            yield unknown(f"{what}: not watched for {watched_ms / 1000:g} s after")
        else:
            yield OK


def _last_told_ms(evidence: Evidence, key: tuple[str, str]) -> int:
    return max(record.timestamp_ms for record in evidence.outcomes[key])
