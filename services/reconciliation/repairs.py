"""What is done about a finding: sent again, expired, or told to a person. Records only; every id is a function of the cause."""

from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from enact import ids
from enact.canonical import sha256_hex
from enact.kafka.transport import OutRecord
from enact.metrics import Remedy
from enact.records import (
    EVENT_TYPES,
    ExecutionEvent,
    Expired,
    Notification,
    NotificationKind,
    ReturnedIntent,
    Step,
    ToolCall,
)
from enact.records.codec import encode
from services.reconciliation.bounds import Bounds
from services.reconciliation.case import Case, Repair
from services.reconciliation.judgement import Finding, Lack

ACTOR: Final = "enact.reconciliation"
CAUSE: Final = "RECONCILIATION"

TEXTS: Final = {
    Lack.NOT_IN_LOG: "It was approved, and no call was ever begun. Look whether tool-mapping and invocation run and have no lag.",
    Lack.STANDS_STILL: "Its next step is overdue. Look whether invocation runs, and why its partition stands still.",
    Lack.NO_OUTCOME: "It is over, and its outcome was never published. Look whether recording runs and has no lag.",
    Lack.NO_LEDGER: "It is over, and its ledger is not complete. Look whether validation and recording run and have no lag.",
    Lack.NOT_EXPIRED: "Its deadline passed, and the execution log does not say so. Look whether invocation runs, and at the clocks.",
    Lack.UNREADABLE: "Its events cannot be read. Look at the partition of the execution log: invocation has stopped there, too.",
}
"""What a person is told when repairing did not help."""


class Topics(Struct, frozen=True, kw_only=True):
    """Full names of what is read and written."""

    admissions: str
    executions: str
    ledger: str
    outcomes: str
    returned: str
    notifications: str


class Plan(Struct, frozen=True, kw_only=True):
    """What to do now, and what to remember of it once it is done. `name` tells this try from every other of the same lack."""

    remedy: Remedy
    repair: Repair
    name: str


def plan(case: Case, finding: Finding, now_ms: int, bounds: Bounds) -> Plan | None:
    """The next remedy; None = not now, or a person was told already.

    Each remedy of a generation is tried `max_tries` times with doubling waits, then a person is told, once. What validation
    does not know cannot be sent again, and what cannot be read cannot be mended: a person is told at once.
    """
    remedy = Remedy.EXPIRED if finding.lack is Lack.NOT_EXPIRED else Remedy.RETURNED
    tried = case.repair
    if (tried.remedy, tried.generation) != (remedy, finding.generation):
        tried = Repair(remedy=remedy, generation=finding.generation)
    if tried.is_told or now_ms < tried.next_ms:
        return None
    is_hopeless = finding.lack is Lack.UNREADABLE or (remedy is Remedy.RETURNED and case.admitted is None)
    if is_hopeless or tried.tries >= bounds.max_tries:
        return Plan(remedy=Remedy.TOLD, repair=replace(tried, is_told=True), name=str(tried.tries))
    wait_ms = bounds.back_off_ms << tried.tries
    again = replace(tried, tries=tried.tries + 1, next_ms=now_ms + wait_ms)
    return Plan(remedy=remedy, repair=again, name=str(again.tries))


def record_of(key: bytes, case: Case, finding: Finding, found: Plan, *, partition: int, now_ms: int, topics: Topics) -> OutRecord:
    """The record that does it, in the execution's own partition. `key` is that of the execution log: tenant, id."""
    tenant_id, action_intent_id = ids.parts_of(key)
    who = (tenant_id, action_intent_id)
    match found.remedy:
        case Remedy.RETURNED:
            returned = ReturnedIntent(tenant_id=tenant_id, action_intent_id=action_intent_id, generation=finding.generation, cause=CAUSE)
            return OutRecord(topics.returned, partition, action_intent_id.encode(), encode(returned))
        case Remedy.EXPIRED:
            return OutRecord(topics.executions, partition, key, encode(_expired(who, case, finding, found, now_ms)))
        case Remedy.TOLD:
            return OutRecord(topics.notifications, partition, action_intent_id.encode(), encode(_told(who, case, finding, now_ms)))


def _expired(who: tuple[str, str], case: Case, finding: Finding, found: Plan, now_ms: int) -> ExecutionEvent:
    """EXPIRED as FOLD.md wants it from here: what the Admission knows as its subject until the log holds a full one.

    Tried again it is another event: the fold drops repeats, and one that came before its time by the broker's clock had no effect.
    """
    tenant_id, action_intent_id = who
    execution, subject = case.execution, _subject(who, case, finding.generation)
    return ExecutionEvent(
        tenant_id=tenant_id,
        action_intent_id=action_intent_id,
        generation=finding.generation,
        step=Step.EXECUTE,
        event_id=sha256_hex([ACTOR, "EXPIRED", tenant_id, action_intent_id, finding.generation, found.name]),
        type=EVENT_TYPES[Expired],
        at_ms=now_ms,
        actor=ACTOR,
        first_ms=execution.first_ms if execution is not None else None,
        subject=None if _has_full_subject(case) else subject,
        data=Expired(expires_at_epoch=subject.expires_at_epoch),
    )


def _subject(who: tuple[str, str], case: Case, generation: int) -> ToolCall:
    known = case.execution.execute.generation.subject if case.execution is not None else None
    admitted = case.admitted
    if known is not None and (known.expires_at_epoch or admitted is None):
        return known
    tenant_id, action_intent_id = who
    return ToolCall(
        tenant_id=tenant_id,
        account_id=admitted.account_id if admitted else "",
        action_intent_id=action_intent_id,
        generation=generation,
        step=Step.EXECUTE,
        action_type=admitted.action_type if admitted else "",
        expires_at_epoch=admitted.expires_at_epoch if admitted else 0,
        execution_trace_id=ids.execution_trace_id(tenant_id, action_intent_id),
        intent_sha256=admitted.intent_sha256 if admitted else "",
    )


def _has_full_subject(case: Case) -> bool:
    subject = case.execution.execute.generation.subject if case.execution is not None else None
    return subject is not None and subject.is_full


def _told(who: tuple[str, str], case: Case, finding: Finding, now_ms: int) -> Notification:
    tenant_id, action_intent_id = who
    cause = f"{CAUSE}:{finding.generation}:{case.repair.remedy or Remedy.RETURNED}:{finding.lack}"
    action_type = case.admitted.action_type if case.admitted else ""
    return Notification(
        notification_id=ids.notification_id(tenant_id, action_intent_id, NotificationKind.ANOMALY, cause),
        kind=NotificationKind.ANOMALY,
        tenant_id=tenant_id,
        action_intent_id=action_intent_id,
        text=f"{ids.execution_id(action_intent_id)} ({action_type or 'unknown action'}): {TEXTS[finding.lack]}",
        at_ms=now_ms,
    )
