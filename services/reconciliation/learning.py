"""From a record of one of the four topics to what it adds to a case: the same for the stage and for `enact reconcile`."""

from collections.abc import Callable
from typing import Protocol

from enact.errors import ErrorCode, ValidationError
from enact.ids import key_of
from enact.kafka.transport import InRecord
from services.reconciliation.case import Case, admission_of, entry_of, outcome_of
from services.reconciliation.repairs import Topics

_NO_EXECUTION = key_of("", "")


class Cases(Protocol):
    """The cases of one partition."""

    def open(self, key: bytes) -> Case | None:
        """The case of an execution, to be changed in place; a new one if nothing is known; None if it is final."""

    def log_time(self, at_ms: int) -> int:
        """Log time at a record of the execution log with this timestamp."""


class Learning:
    """What to do with the records of each topic."""

    def __init__(self, topics: Topics) -> None:
        self._by_topic: dict[str, Callable[[InRecord, bytes, Cases], None]] = {
            topics.admissions: _learn_admission,
            topics.executions: _learn_event,
            topics.ledger: _learn_entry,
            topics.outcomes: _learn_outcome,
        }

    @property
    def topics(self) -> tuple[str, ...]:
        """What must be read."""
        return tuple(self._by_topic)

    def learn(self, record: InRecord, cases: Cases) -> None:
        """Add what a record says to its case. Raises: ValidationError if it says nothing readable."""
        if record.value is None:
            raise ValidationError("The record has no value: let only enact write this topic.", code=ErrorCode.NULL_VALUE)
        self._by_topic[record.topic](record, record.value, cases)


def _learn_admission(record: InRecord, value: bytes, cases: Cases) -> None:
    view = admission_of(value)
    if (case := cases.open(key_of(view.tenant_id, view.action_intent_id))) is not None:
        case.add_admission(view, record.timestamp_ms)


def _learn_event(record: InRecord, value: bytes, cases: Cases) -> None:
    """Kept as bytes; its key says whose it is."""
    log_ms = cases.log_time(record.timestamp_ms)
    key = _key(record)
    if key != _NO_EXECUTION and (case := cases.open(key)) is not None:
        case.add_event(record.offset, value, at_ms=record.timestamp_ms, log_ms=log_ms)


def _learn_entry(record: InRecord, value: bytes, cases: Cases) -> None:
    view = entry_of(value)
    if (case := cases.open(key_of(view.tenant_id, view.action_intent_id))) is not None:
        case.add_entry(view, record.timestamp_ms)


def _learn_outcome(record: InRecord, value: bytes, cases: Cases) -> None:
    view, key = outcome_of(value), _key(record)
    if (case := cases.open(key)) is not None:
        case.add_outcome(view, record.timestamp_ms)


def _key(record: InRecord) -> bytes:
    if not record.key:
        raise ValidationError("The record has no key: let only enact write this topic.", code=ErrorCode.KEY_MISMATCH)
    return record.key
