"""Every error enact can raise or record, by class and by code.

Classes say what the caller must do (`DESIGN` 9); codes say what happened and are public. A message names
the field, what was found (type or length, never the value) and the next step. Foreign errors are
translated once, by type, at the door.
"""

from enum import StrEnum

from enact.records.enums import ErrorCategory, ErrorClass


class ErrorCode(StrEnum):
    """Stable public codes; their sentences are in `enact.error_catalogue`."""

    MALFORMED_RECORD = "MALFORMED_RECORD"
    UNKNOWN_SCHEMA = "UNKNOWN_SCHEMA"
    NULL_VALUE = "NULL_VALUE"
    KEY_MISMATCH = "KEY_MISMATCH"
    INTENT_TOO_LARGE = "INTENT_TOO_LARGE"
    INTENT_ID_REUSED = "INTENT_ID_REUSED"
    UNKNOWN_GENERATION = "UNKNOWN_GENERATION"
    FIELD_MISSING = "FIELD_MISSING"
    NOT_APPROVED = "NOT_APPROVED"
    UNKNOWN_ACTION_TYPE = "UNKNOWN_ACTION_TYPE"
    UNKNOWN_VERSION = "UNKNOWN_VERSION"
    PARAMETERS_INVALID = "PARAMETERS_INVALID"
    NUMBER_NOT_EXACT = "NUMBER_NOT_EXACT"
    DEADLINE_TOO_FAR = "DEADLINE_TOO_FAR"
    APPROVAL_INVALID = "APPROVAL_INVALID"
    CREDENTIALS_MISSING = "CREDENTIALS_MISSING"
    MAPPING_FAILED = "MAPPING_FAILED"
    REQUEST_DRIFT = "REQUEST_DRIFT"
    TOOL_REJECTED = "TOOL_REJECTED"
    PARTIAL_EFFECT = "PARTIAL_EFFECT"
    RETRIES_EXHAUSTED = "RETRIES_EXHAUSTED"
    KILL_SWITCH_ENABLED = "KILL_SWITCH_ENABLED"
    DEADLINE_PASSED = "DEADLINE_PASSED"
    OUTCOME_UNKNOWN = "OUTCOME_UNKNOWN"
    CANCELLED = "CANCELLED"
    RESOLVED_NOT_APPLIED = "RESOLVED_NOT_APPLIED"
    UNEXPECTED_ERROR = "UNEXPECTED_ERROR"
    RATE_LIMITED = "RATE_LIMITED"
    DOWNSTREAM_ERROR = "DOWNSTREAM_ERROR"
    UNREACHABLE = "UNREACHABLE"
    ANSWER_LOST = "ANSWER_LOST"
    AUTH_REJECTED = "AUTH_REJECTED"
    CONFIGURATION = "CONFIGURATION"
    STATE_LOST = "STATE_LOST"
    FENCED = "FENCED"
    DELIVERY_FAILED = "DELIVERY_FAILED"
    BROKER = "BROKER"


class EnactError(Exception):
    """Something went wrong inside enact; the message says what and what to do.

    `is_transport_failure`: no answer came, or one that says that the system itself fails; what a circuit breaker counts.
    """

    code: ErrorCode = ErrorCode.UNEXPECTED_ERROR
    is_transport_failure = False

    def __init__(self, message: str | None = None, *, code: ErrorCode | None = None) -> None:
        super().__init__(message if message is not None else (type(self).__doc__ or "").strip())
        if code is not None:
            self.code = code

    @property
    def message(self) -> str:
        """The sentence for people."""
        return str(self.args[0])


class ConfigurationError(EnactError):
    """The process cannot start as configured: set the named variable and start again."""

    code = ErrorCode.CONFIGURATION


class PermanentError(EnactError):
    """The call can never pass as it is: the attempt was not applied and is not repeated."""

    code = ErrorCode.TOOL_REJECTED
    error_class = ErrorClass.VALIDATION
    category = ErrorCategory.TOOL_ERROR


class ValidationError(PermanentError):
    """The record does not meet its contract: correct the named field and publish again."""

    code = ErrorCode.PARAMETERS_INVALID
    category = ErrorCategory.VALIDATION_ERROR


class MappingError(PermanentError):
    """The intent cannot be mapped to a tool call: correct the registry entry or the parameters."""

    code = ErrorCode.MAPPING_FAILED
    category = ErrorCategory.VALIDATION_ERROR


class ApprovalError(PermanentError):
    """The approval evidence is missing or does not fit: have the intent approved again."""

    code = ErrorCode.APPROVAL_INVALID
    error_class = ErrorClass.AUTH
    category = ErrorCategory.VALIDATION_ERROR


class AuthError(PermanentError):
    """The external system refused our credentials: renew them for this tenant and connector."""

    code = ErrorCode.AUTH_REJECTED
    error_class = ErrorClass.AUTH


class RejectedError(PermanentError):
    """The external system refused the request: see its reason, correct and redrive."""


class TransientError(EnactError):
    """Definitely not executed and worth another try. `retry_after_s` is the provider's floor, if it gave one."""

    code = ErrorCode.DOWNSTREAM_ERROR
    error_class = ErrorClass.DOWNSTREAM

    def __init__(self, message: str | None = None, *, code: ErrorCode | None = None, retry_after_s: float | None = None) -> None:
        super().__init__(message, code=code)
        self.retry_after_s = retry_after_s


class RateLimitError(TransientError):
    """The external system asked us to slow down."""

    code = ErrorCode.RATE_LIMITED
    error_class = ErrorClass.RATE_LIMIT


class DownstreamError(TransientError):
    """The external system failed before it applied anything, by its own contract."""

    is_transport_failure = True


class NotNowError(DownstreamError):
    """The external system works, declined this one request without applying anything, and may be asked again."""

    is_transport_failure = False


class UnreachableError(TransientError):
    """No connection was made, or it failed before the first byte was sent."""

    code = ErrorCode.UNREACHABLE
    is_transport_failure = True


class AmbiguousError(EnactError):
    """The call may have been executed: nobody can say. Handled by effect class, never retried blindly."""

    code = ErrorCode.ANSWER_LOST
    error_class = ErrorClass.UNKNOWN
    is_transport_failure = True


class UnusableAnswerError(AmbiguousError):
    """An answer came and does not say what was done; the call may have been executed."""

    is_transport_failure = False


class AnswerTimeoutError(AmbiguousError):
    """The tool did not answer in time; the call may have been executed."""

    error_class = ErrorClass.TIMEOUT


class CallRefusedError(EnactError):
    """The last look before the first byte said no: nothing was sent. `reason` is a closed word."""

    def __init__(self, reason: str, message: str | None = None) -> None:
        super().__init__(message or f"The last look refused the call: {reason}.")
        self.reason = reason


class StateLostError(EnactError):
    """Local or broker state is not trustworthy: the partition is quarantined until an operator looks."""

    code = ErrorCode.STATE_LOST


class FencedError(EnactError):
    """Another process owns this partition or directory; this one must stop."""

    code = ErrorCode.FENCED


class DeliveryError(EnactError):
    """A record was not acknowledged; it may or may not be in the log. The batch is taken again."""

    code = ErrorCode.DELIVERY_FAILED


class NotReadyError(DeliveryError):
    """Something that this record needs was not read here yet. The batch is taken again."""


class RecordTooLargeError(EnactError):
    """A record is larger than its topic accepts; it was refused, and with it whatever lay in the same request."""

    code = ErrorCode.DELIVERY_FAILED


class BrokerError(EnactError):
    """The Kafka cluster refused or failed a request in a way that waiting does not mend."""

    code = ErrorCode.BROKER
