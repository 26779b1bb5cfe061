"""Closed sets that travel in records: Avro enums on the wire, with `UNKNOWN` as the reader's default.

A reader that meets a symbol it does not know sees `UNKNOWN`, counts it and keeps the record.
Nobody ever writes `UNKNOWN` except where its meaning is the word itself (`Effect.UNKNOWN`).
"""

from enum import StrEnum


class Step(StrEnum):
    """The two kinds of external call an execution can make."""

    EXECUTE = "execute"
    COMPENSATE = "compensate"


class Status(StrEnum):
    """What people see of an execution. The legal moves are in `enact.lifecycle`."""

    PENDING = "PENDING"
    EXECUTING = "EXECUTING"
    RETRYING = "RETRYING"
    HELD = "HELD"
    IN_DOUBT = "IN_DOUBT"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    EXPIRED = "EXPIRED"
    CANCELLED = "CANCELLED"
    UNKNOWN = "UNKNOWN"


class Effect(StrEnum):
    """What the world did, as far as a fact or a whole step knows. `NONE` = nothing was ever claimed."""

    NONE = "NONE"
    NOT_APPLIED = "NOT_APPLIED"
    UNKNOWN = "UNKNOWN"
    PARTIAL = "PARTIAL"
    APPLIED = "APPLIED"


class FactSource(StrEnum):
    """Who learned a fact."""

    CALL = "CALL"
    LOOKUP = "LOOKUP"
    TAKE_OVER = "TAKE_OVER"
    LATE = "LATE"
    HUMAN = "HUMAN"
    UNKNOWN = "UNKNOWN"


class EffectKind(StrEnum):
    """What a tool promises about calling it again after an answer was lost."""

    IDEMPOTENT = "IDEMPOTENT"
    UPSERT = "UPSERT"
    LOOKUP = "LOOKUP"
    NONE = "NONE"
    UNKNOWN = "UNKNOWN"


class ParkReason(StrEnum):
    """Why a step waits. `SWITCH`, `BREAKER` and `LIMIT` show as HELD, the others leave the status."""

    RETRY = "RETRY"
    SWITCH = "SWITCH"
    BREAKER = "BREAKER"
    LIMIT = "LIMIT"
    QUEUE = "QUEUE"
    REDRIVE = "REDRIVE"
    REGISTRY = "REGISTRY"
    UNKNOWN = "UNKNOWN"


class EventType(StrEnum):
    """The types of the execution log. An unknown one quarantines the partition, so there is no default."""

    PARKED = "PARKED"
    CLAIMED = "CLAIMED"
    RELEASED = "RELEASED"
    FACT = "FACT"
    REFUSED = "REFUSED"
    CANCEL_REQUESTED = "CANCEL_REQUESTED"
    EXPIRED = "EXPIRED"
    REDRIVE_REQUESTED = "REDRIVE_REQUESTED"
    FOLD_VERSION = "FOLD_VERSION"


class ApprovalSource(StrEnum):
    """Who approved an intent."""

    HUMAN = "HUMAN"
    POLICY = "POLICY"
    UNKNOWN = "UNKNOWN"


class ApprovalEvidence(StrEnum):
    """How far the approval of an admitted intent was proven."""

    FIELDS_PRESENT = "FIELDS_PRESENT"
    SIGNATURE_NOT_CHECKED = "SIGNATURE_NOT_CHECKED"
    SIGNATURE_CHECKED = "SIGNATURE_CHECKED"
    UNKNOWN = "UNKNOWN"


class Decision(StrEnum):
    """What validation decided about one (tenant, id, generation)."""

    ADMITTED = "ADMITTED"
    REFUSED = "REFUSED"
    UNKNOWN = "UNKNOWN"


class ErrorCategory(StrEnum):
    """Public `error_category`: whose fault it is."""

    TOOL_ERROR = "TOOL_ERROR"
    VALIDATION_ERROR = "VALIDATION_ERROR"
    SYSTEM_ERROR = "SYSTEM_ERROR"
    UNKNOWN = "UNKNOWN"


class ErrorClass(StrEnum):
    """Public `error_class`: what kind of failure a seller sees."""

    AUTH = "AUTH"
    RATE_LIMIT = "RATE_LIMIT"
    VALIDATION = "VALIDATION"
    DOWNSTREAM = "DOWNSTREAM"
    TIMEOUT = "TIMEOUT"
    UNKNOWN = "UNKNOWN"


class CompensationStatus(StrEnum):
    """Where the undoing of an execution stands."""

    NONE = "NONE"
    PENDING = "PENDING"
    IN_DOUBT = "IN_DOUBT"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    UNKNOWN = "UNKNOWN"


class SignalType(StrEnum):
    """What the perception layer is told."""

    ACTION_EXECUTED = "ACTION_EXECUTED"
    ACTION_FAILED = "ACTION_FAILED"
    UNKNOWN = "UNKNOWN"


class LedgerType(StrEnum):
    """Past facts of the ledger: one entry for each transition."""

    EXECUTION_STARTED = "EXECUTION_STARTED"
    INTENT_REFUSED = "INTENT_REFUSED"
    TOOL_CALL_MAPPED = "TOOL_CALL_MAPPED"
    ATTEMPT_CLAIMED = "ATTEMPT_CLAIMED"
    ATTEMPT_CONCLUDED = "ATTEMPT_CONCLUDED"
    RETRY_SCHEDULED = "RETRY_SCHEDULED"
    EXECUTION_HELD = "EXECUTION_HELD"
    EXECUTION_RELEASED = "EXECUTION_RELEASED"
    DOUBT_RAISED = "DOUBT_RAISED"
    DOUBT_RESOLVED = "DOUBT_RESOLVED"
    ACTION_EXECUTED = "ACTION_EXECUTED"
    ACTION_FAILED = "ACTION_FAILED"
    CANCEL_ACCEPTED = "CANCEL_ACCEPTED"
    CANCEL_REFUSED = "CANCEL_REFUSED"
    REDRIVE_ACCEPTED = "REDRIVE_ACCEPTED"
    REDRIVE_REFUSED = "REDRIVE_REFUSED"
    RESOLVE_REFUSED = "RESOLVE_REFUSED"
    COMPENSATION_REQUESTED = "COMPENSATION_REQUESTED"
    COMPENSATION_COMPLETED = "COMPENSATION_COMPLETED"
    COMPENSATION_IN_DOUBT = "COMPENSATION_IN_DOUBT"
    COMPENSATION_FAILED = "COMPENSATION_FAILED"
    OUTCOME_CONTRADICTED = "OUTCOME_CONTRADICTED"
    SWITCH_ENGAGED = "SWITCH_ENGAGED"
    SWITCH_RELEASED = "SWITCH_RELEASED"
    REGISTRY_CHANGED = "REGISTRY_CHANGED"
    DEAD_LETTERED = "DEAD_LETTERED"
    DEAD_LETTER_DISPOSED = "DEAD_LETTER_DISPOSED"
    UNKNOWN = "UNKNOWN"


class NotificationKind(StrEnum):
    """Why a person is told."""

    RETRIES_EXHAUSTED = "RETRIES_EXHAUSTED"
    EXPIRED = "EXPIRED"
    IN_DOUBT = "IN_DOUBT"
    HELD = "HELD"
    OUTCOME_CONTRADICTED = "OUTCOME_CONTRADICTED"
    FAILED = "FAILED"
    COMPENSATION_FAILED = "COMPENSATION_FAILED"
    ANOMALY = "ANOMALY"
    UNKNOWN = "UNKNOWN"


class SwitchState(StrEnum):
    """One engagement of a kill switch: engaged, then released for ever."""

    ENGAGED = "ENGAGED"
    RELEASED = "RELEASED"
    UNKNOWN = "UNKNOWN"


class SwitchMode(StrEnum):
    """`HOLD` parks until released or expired; `REJECT` ends executions as FAILED."""

    HOLD = "HOLD"
    REJECT = "REJECT"
    UNKNOWN = "UNKNOWN"


class RiskClass(StrEnum):
    """Shown to people, never decided on."""

    MINIMAL = "MINIMAL"
    LOW = "LOW"
    MEDIUM = "MEDIUM"
    HIGH = "HIGH"
    UNKNOWN = "UNKNOWN"


class CompensationStrategy(StrEnum):
    """How an action type is undone."""

    AUTOMATIC = "AUTOMATIC"
    MANUAL = "MANUAL"
    NONE = "NONE"
    UNKNOWN = "UNKNOWN"
