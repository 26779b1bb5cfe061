"""The checker's fold against enact's own, on the same log: a difference is a fault in one of the two."""

from collections.abc import Iterator

from enact.errors import EnactError
from enact.execution import apply, verdict
from enact.execution_state import Execution
from enact.records import ExecutionEvent, Step
from enact.records.codec import decode
from tests.chaos.checker.evidence import Evidence, Key, shown
from tests.chaos.checker.finding import OK, Finding, violation


def folds_agree(evidence: Evidence) -> Iterator[Finding]:
    """Both folds see the same permitted claims and the same verdict, for every execution and step."""
    try:
        ours = _folded(evidence)
    except EnactError as error:
        yield violation(f"enact cannot read its own log: {error.message}")
        return
    for key, execution in evidence.log.executions.items():
        for step in Step:
            mine, its = execution.steps[step.value], ours[key].step(step)
            status = verdict(its).status
            permitted = {claim.nonce for claim in mine.valid} == {attempt.nonce for attempt in its.attempts}
            if execution.is_merely_known or (mine.status == (status.value if status is not None else None) and permitted):
                yield OK
            else:
                yield violation(f"{shown(key)} {step.value}: the checker's fold says {mine.status}, enact's {status}")


def _folded(evidence: Evidence) -> dict[Key, Execution]:
    """Raises: EnactError for a record that enact cannot read."""
    log_ms: dict[int, int] = {}
    found: dict[Key, Execution] = {}
    for partition, timestamp_ms, value in evidence.raw("executions"):
        log_ms[partition] = max(log_ms.get(partition, 0), timestamp_ms)
        event = decode(ExecutionEvent, value)
        if event.action_intent_id:
            key = (event.tenant_id, event.action_intent_id)
            found[key] = apply(found.get(key), event, log_ms=log_ms[partition])
    return found
