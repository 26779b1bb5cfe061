"""CPU of the api's fold: five ledger entries of one execution, from their bytes to rows and offsets in SQLite.

`python -m benchmarks.api_fold [executions] [records a batch]` prints microseconds of CPU for each execution. Entries are as long
as the stages write them, and lie in the ledger as a busy pipeline writes them: those of one execution far apart.
The client library's share (fetching the records) is not in it.
"""

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from enact.clock import SystemClock
from enact.ids import entry_id
from enact.kafka.local import LocalBroker
from enact.kafka.transport import InRecord, Offset
from enact.records import ExternalRef, LedgerEntry, LedgerType, SourcePosition, Status, Step
from enact.records.codec import encode
from services.api.follower import Follower
from services.api.read_model import ReadModel, sqlite_url

TOPIC = "enact.ledger.v1"
SPREAD = 400
START_MS = 1_790_000_000_000
DIGEST = "3f786850e387550fdab836ed7e6dc881de23001b3f786850e387550fdab836ed"
INTENT = {
    "action_type": "CREATE_CRM_TASK",
    "expires_at_epoch": "1790000600",
    "intent_sha256": DIGEST,
    "registry_version": "3",
    "target_type": "Account",
    "target_id": "0015g00000XyZabAAB",
    "approval_source": "HUMAN",
    "approved_by": "anna@example.org",
    "approved_at": "1789999990",
    "approval_evidence": DIGEST,
    "decision_id": "decision-000117",
    "proposal_id": "proposal-000117",
    "decision_trace_id": "0af7651916cd43dd8448eb211c80319c",
}
CALL = {
    "tool_name": "crm.create_task",
    "connector": "crm",
    "effect_class": "UPSERT",
    "idempotency_key": DIGEST,
    "request_digest": DIGEST,
}
CLAIM = {"first_ms": str(START_MS), "nonce": DIGEST[:32], "request_digest": DIGEST, "lease_ms": "25000", "owner": DIGEST[:32]}
FACT = {"first_ms": str(START_MS), "effect": "APPLIED", "by": "CALL"}
ENDING = {
    "signal_id": DIGEST,
    "status": "SUCCEEDED",
    "action_type": "CREATE_CRM_TASK",
    "tool_name": "crm.create_task",
    "attempt_count": "1",
}
TASK = ExternalRef(system="crm", object_type="Task", object_id="00T5g00000AbCdEEAV", object_url="https://crm.example/00T5g00000AbCdEEAV")


def values(number: int) -> list[tuple[bytes, bytes]]:
    """The five entries of a one-attempt success: key and value."""
    intent_id = f"018f3a52-7c9e-7b1a-9d2e-{number:012d}"

    def entry(type: LedgerType, at: int, *, status: Status | None, details: dict[str, str], attempt: int | None, **more: Any) -> bytes:
        made = LedgerEntry(
            entry_id=entry_id("acme", intent_id, 1, type, step=Step.EXECUTE, attempt=attempt, cause="event"),
            tenant_id="acme",
            account_id="account-1",
            action_intent_id=intent_id,
            generation=1,
            version=number * 2 + at,
            step=Step.EXECUTE,
            attempt=attempt,
            type=type,
            actor="invocation",
            at_ms=START_MS + number + at,
            stage="invocation",
            status=status,
            details=details,
            execution_trace_id="0af7651916cd43dd8448eb211c80319c",
            source=SourcePosition(topic="enact.executions.v1", partition=3, offset=number * 2 + at),
            **more,
        )
        return encode(made)

    told = [
        entry(LedgerType.EXECUTION_STARTED, -1, status=Status.PENDING, details=INTENT, attempt=None),
        entry(LedgerType.TOOL_CALL_MAPPED, -1, status=None, details=INTENT | CALL, attempt=None),
        entry(LedgerType.ATTEMPT_CLAIMED, 0, status=Status.EXECUTING, details=CLAIM, attempt=1),
        entry(LedgerType.ATTEMPT_CONCLUDED, 1, status=None, details=FACT, attempt=1),
        entry(LedgerType.ACTION_EXECUTED, 1, status=Status.SUCCEEDED, details=ENDING, attempt=1, external_object_refs=(TASK,)),
    ]
    return [(intent_id.encode(), value) for value in told]


def ledger(executions: int) -> list[InRecord]:
    """What a partition holds when so many executions went through, each stage some hundred records behind the one before."""
    placed = [(number * 5 + at * SPREAD, pair) for number in range(executions) for at, pair in enumerate(values(number))]
    placed.sort(key=lambda one: one[0])
    return [InRecord(TOPIC, 0, Offset(at), START_MS, key, value) for at, (_, (key, value)) in enumerate(placed)]


def measure(executions: int, batch: int) -> tuple[float, float]:
    """Microseconds of CPU for each execution, and bytes of the read model for each."""
    records = ledger(executions)
    with tempfile.TemporaryDirectory() as folder:
        model = ReadModel.at(sqlite_url(Path(folder)))
        follower = Follower(topic=TOPIC, reader=LocalBroker().log_reader(), ledger=model.ledger, clock=SystemClock())
        before = time.process_time()
        for at in range(0, len(records), batch):
            follower.apply(records[at : at + batch])
        spent = time.process_time() - before
        model.close()
        size = sum(file.stat().st_size for file in Path(folder).iterdir())
    return spent / executions * 1e6, size / executions


if __name__ == "__main__":
    count, rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5_000, 5
    for size_of_batch in [int(sys.argv[2])] if len(sys.argv) > 2 else [200, 2_000]:
        measured = [measure(count, size_of_batch) for _ in range(rounds)]
        cpu_us, size_bytes = min(measured)
        print(
            f"{count} executions, {size_of_batch} records a batch: {cpu_us:.0f} us of CPU (least of {rounds}), {size_bytes:.0f} bytes each"
        )
