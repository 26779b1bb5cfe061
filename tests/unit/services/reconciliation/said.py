"""What the four topics say of one execution in tests, as the records they are."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from enact.ids import key_of
from enact.kafka.transport import InRecord
from enact.records import ActionOutcome, Admission, Decision, EventData, ExecutionEvent, LedgerEntry, LedgerType, SourcePosition, Status
from enact.records.codec import encode
from services.reconciliation.bounds import Bounds
from services.reconciliation.case import Case, admission_of, entry_of, outcome_of
from services.reconciliation.repairs import Topics
from tests.factories import in_record
from tests.unit.enact.event_factories import EXPIRES_S, START_MS, an_event

TENANT, ID = "tenant-1", "intent-1"
KEY = key_of(TENANT, ID)
TOPICS = Topics(
    admissions="admissions", executions="executions", ledger="ledger", outcomes="outcomes", returned="returned", notifications="told"
)
BOUNDS = Bounds(pending_ms=60_000, overdue_ms=50_000, told_ms=40_000, expiry_ms=30_000, back_off_ms=10_000)
_SOURCE = SourcePosition(topic="enact.intents.approved.v1", partition=0, offset=0)


@dataclass(frozen=True, slots=True)
class Said:
    """One record of one of the topics."""

    topic: str
    record: Admission | ExecutionEvent | LedgerEntry | ActionOutcome
    at_ms: int = START_MS

    def in_record(self, offset: int) -> InRecord:
        """As it was read."""
        key = KEY if self.topic in {"executions", "outcomes"} else ID.encode()
        return in_record(self.topic, key, encode(self.record), offset=offset, at_ms=self.at_ms)


def admitted(generation: int = 1, *, at_ms: int = START_MS, **changes: Any) -> Said:
    admission = Admission(
        tenant_id=TENANT,
        action_intent_id=ID,
        generation=generation,
        decision=Decision.ADMITTED,
        source=_SOURCE,
        decided_at_ms=at_ms,
        account_id="account-1",
        action_type="create_task",
        expires_at_epoch=EXPIRES_S,
    )
    return Said("admissions", replace(admission, **changes), at_ms)


def happened(data: EventData, *, at_ms: int = START_MS, **more: Any) -> Said:
    return Said("executions", an_event(data, at_ms=at_ms, **more), at_ms)


def entered(type_: LedgerType, version: int = -1, generation: int = 1, *, at_ms: int = START_MS) -> Said:
    entry = LedgerEntry(
        entry_id=f"{type_}-{version}",
        tenant_id=TENANT,
        account_id="account-1",
        action_intent_id=ID,
        generation=generation,
        version=version,
        type=type_,
        actor="test",
        at_ms=at_ms,
        stage="test",
        details={"action_type": "create_task"},
        execution_trace_id="trace",
        source=_SOURCE,
    )
    return Said("ledger", entry, at_ms)


def told(status: Status, version: int, generation: int = 1, *, at_ms: int = START_MS) -> Said:
    outcome = ActionOutcome(
        tenant_id=TENANT,
        account_id="account-1",
        action_intent_id=ID,
        status=status,
        version=version,
        generation=generation,
        attempt_count=1,
        tool_name="crm.create_task",
        tool_schema_version="1",
        registry_version=1,
        execution_trace_id="trace",
        decision_trace_id="trace",
    )
    return Said("outcomes", outcome, at_ms)


def begun(*, at_ms: int = START_MS) -> list[Said]:
    """Admitted, and the ledger says so."""
    return [admitted(at_ms=at_ms), entered(LedgerType.EXECUTION_STARTED, at_ms=at_ms)]


def add(case: Case, one: Said, offset: int, log_ms: int) -> None:
    """One record; `offset` counts if it is an event."""
    value, at_ms = encode(one.record), one.at_ms
    if one.topic == "admissions":
        case.add_admission(admission_of(value), at_ms)
    elif one.topic == "executions":
        case.add_event(offset, value, at_ms=at_ms, log_ms=log_ms)
    elif one.topic == "ledger":
        case.add_entry(entry_of(value), at_ms)
    else:
        case.add_outcome(outcome_of(value), at_ms)


def add_all(case: Case, said: Iterable[Said]) -> None:
    """Records of one topic have offsets in this order, from 0."""
    offset, log_ms = 0, 0
    for one in said:
        is_event = one.topic == "executions"
        log_ms = max(log_ms, one.at_ms) if is_event else log_ms
        add(case, one, offset, log_ms)
        offset += is_event


def case_of(said: Iterable[Said]) -> Case:
    """The case after all of it."""
    case = Case()
    add_all(case, said)
    return case
