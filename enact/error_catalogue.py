"""What each error code means: for sellers, for operators, and what happens to the execution.

The one source of `error_class` and `error_category`; `DESIGN` 9 is the contract. Sentences hold no values.
"""

from dataclasses import dataclass
from enum import StrEnum

from enact.errors import ErrorCode
from enact.records.enums import ErrorCategory, ErrorClass
from enact.records.execution_event import ErrorInfo


class Consequence(StrEnum):
    """What follows from a code.

    `ATTEMPT` settles or leaves open one attempt and decides nothing about the execution by itself.
    `INTERNAL` concerns a process, never a single execution.
    """

    DEAD_LETTER_ONLY = "DEAD_LETTER_ONLY"
    FAILED_AND_DEAD_LETTER = "FAILED_AND_DEAD_LETTER"
    FAILED = "FAILED"
    EXPIRED = "EXPIRED"
    CANCELLED = "CANCELLED"
    IN_DOUBT = "IN_DOUBT"
    ATTEMPT = "ATTEMPT"
    INTERNAL = "INTERNAL"


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueRow:
    """One code. `seller` is plain words for the owner of the account, `operator` says what to do."""

    error_class: ErrorClass
    category: ErrorCategory
    consequence: Consequence
    seller: str
    operator: str

    @property
    def has_dead_letter(self) -> bool:
        """True if a record refused with this code is kept for a person."""
        return self.consequence in {Consequence.DEAD_LETTER_ONLY, Consequence.FAILED_AND_DEAD_LETTER}


def row_of(code: str) -> CatalogueRow:
    """The row of a code; a code from a newer writer reads as UNEXPECTED_ERROR."""
    return CATALOGUE.get(code) or CATALOGUE[ErrorCode.UNEXPECTED_ERROR]


def error_info(code: str, message: str, *, is_permanent: bool = True) -> ErrorInfo:
    """A failure in public words, with the class and category of its code."""
    row = row_of(code)
    return ErrorInfo(category=row.category, error_class=row.error_class, code=code, message=message, is_permanent=is_permanent)


def _invalid(consequence: Consequence, seller: str, operator: str, error_class: ErrorClass = ErrorClass.VALIDATION) -> CatalogueRow:
    return CatalogueRow(
        error_class=error_class, category=ErrorCategory.VALIDATION_ERROR, consequence=consequence, seller=seller, operator=operator
    )


def _tool(error_class: ErrorClass, consequence: Consequence, seller: str, operator: str) -> CatalogueRow:
    return CatalogueRow(
        error_class=error_class, category=ErrorCategory.TOOL_ERROR, consequence=consequence, seller=seller, operator=operator
    )


def _system(consequence: Consequence, seller: str, operator: str, error_class: ErrorClass = ErrorClass.UNKNOWN) -> CatalogueRow:
    return CatalogueRow(
        error_class=error_class, category=ErrorCategory.SYSTEM_ERROR, consequence=consequence, seller=seller, operator=operator
    )


_ONLY, _FAILED_KEPT, _FAILED = Consequence.DEAD_LETTER_ONLY, Consequence.FAILED_AND_DEAD_LETTER, Consequence.FAILED
_UNREADABLE = "The request could not be read, so nothing was done."
_INCOMPLETE = "The request was not complete or not correct, so nothing was done."
_OURS = "Something went wrong on our side; our operators have been told."

CATALOGUE: dict[str, CatalogueRow] = {
    ErrorCode.MALFORMED_RECORD: _invalid(
        _ONLY,
        _UNREADABLE,
        "The record cannot be decoded; correct the publisher and publish again.",
    ),
    ErrorCode.UNKNOWN_SCHEMA: _invalid(
        _ONLY, _UNREADABLE, "The record names a schema that is not known here; upgrade enact or correct the publisher."
    ),
    ErrorCode.NULL_VALUE: _invalid(
        _ONLY,
        _UNREADABLE,
        "The record has no value; intents are never deleted, cancel the execution instead.",
    ),
    ErrorCode.KEY_MISMATCH: _invalid(
        _ONLY,
        _UNREADABLE,
        "The record key is not the action_intent_id; correct the publisher's key.",
    ),
    ErrorCode.INTENT_TOO_LARGE: _invalid(
        _ONLY, _UNREADABLE, "The intent is larger than the limit; keep large content elsewhere and pass a reference."
    ),
    ErrorCode.INTENT_ID_REUSED: _invalid(
        _ONLY,
        "This request reuses the number of another one, so it was ignored.",
        "An id names one content for ever; publish the changed intent under a new id.",
    ),
    ErrorCode.UNKNOWN_GENERATION: _invalid(
        _ONLY, _UNREADABLE, "The record names a generation that no redrive opened; redrive the execution instead of publishing generations."
    ),
    ErrorCode.FIELD_MISSING: _invalid(
        _FAILED_KEPT, _INCOMPLETE, "A required field is missing or empty; correct it and publish under a new id."
    ),
    ErrorCode.NOT_APPROVED: _invalid(
        _FAILED_KEPT,
        "The request was not approved, so nothing was done.",
        "Only intents with status APPROVED run; have it approved and publish under a new id.",
    ),
    ErrorCode.UNKNOWN_ACTION_TYPE: _invalid(
        _FAILED_KEPT,
        "This kind of action is not available, so nothing was done.",
        "Apply a registry entry for the action type, then redrive.",
    ),
    ErrorCode.UNKNOWN_VERSION: _invalid(
        _FAILED_KEPT, "This version of the action is not available, so nothing was done.", "Apply the named registry version, then redrive."
    ),
    ErrorCode.PARAMETERS_INVALID: _invalid(
        _FAILED_KEPT, _INCOMPLETE, "A parameter does not fit its schema; correct it and publish under a new id."
    ),
    ErrorCode.NUMBER_NOT_EXACT: _invalid(
        _FAILED_KEPT, _INCOMPLETE, "A number cannot be carried exactly; send numbers beyond 2^53 as text and publish under a new id."
    ),
    ErrorCode.DEADLINE_TOO_FAR: _invalid(
        _FAILED_KEPT,
        "The request was valid for too long a time, so nothing was done.",
        "The deadline is beyond the dedupe horizon; publish with an earlier one.",
    ),
    ErrorCode.APPROVAL_INVALID: _invalid(
        _FAILED_KEPT,
        "The approval could not be confirmed, so nothing was done.",
        "The approval evidence is missing or does not fit; have it approved again.",
        ErrorClass.AUTH,
    ),
    ErrorCode.CREDENTIALS_MISSING: _tool(
        ErrorClass.AUTH,
        _FAILED_KEPT,
        "We have no access to your system yet, so nothing was done.",
        "Store credentials for this tenant and connector, then redrive.",
    ),
    ErrorCode.AUTH_REJECTED: _tool(
        ErrorClass.AUTH,
        _FAILED_KEPT,
        "Your system refused our access, so nothing was done.",
        "Renew the credentials of this tenant and connector, then redrive.",
    ),
    ErrorCode.MAPPING_FAILED: _invalid(
        _FAILED_KEPT, _INCOMPLETE, "The parameters give no valid tool call; correct the registry entry as a new version or the parameters."
    ),
    ErrorCode.REQUEST_DRIFT: _invalid(
        _FAILED_KEPT,
        "The request no longer matches what was approved, so nothing was done.",
        "The call differs from the one that was fixed; compare registry versions and look for a writer that is not enact.",
    ),
    ErrorCode.TOOL_REJECTED: _tool(
        ErrorClass.VALIDATION,
        _FAILED_KEPT,
        "Your system refused the request, so nothing was done.",
        "Read the tool's reason, correct the data there or here, then redrive.",
    ),
    ErrorCode.PARTIAL_EFFECT: _tool(
        ErrorClass.DOWNSTREAM,
        _FAILED_KEPT,
        "Your system did only a part of the request and stopped.",
        "The tool finished a part only; look at the recorded objects, then compensate or complete by hand.",
    ),
    ErrorCode.RETRIES_EXHAUSTED: _tool(
        ErrorClass.DOWNSTREAM,
        _FAILED_KEPT,
        "Your system could not be reached after several tries; nothing was done.",
        "All attempts failed; look at the connector's health, then redrive.",
    ),
    ErrorCode.KILL_SWITCH_ENABLED: _system(
        _FAILED,
        "Actions of this kind are switched off at present, so nothing was done.",
        "A switch in mode REJECT ended this; release it and redrive if wanted.",
    ),
    ErrorCode.DEADLINE_PASSED: _system(
        Consequence.EXPIRED,
        "The request was not done before its deadline and is no longer valid.",
        "Nothing was sent; publish a new intent if it is still wanted.",
        ErrorClass.TIMEOUT,
    ),
    ErrorCode.OUTCOME_UNKNOWN: _tool(
        ErrorClass.UNKNOWN,
        Consequence.IN_DOUBT,
        "We cannot say yet whether your system did this; someone is looking.",
        "The call may have been executed; look in the external system and resolve it as applied or not applied.",
    ),
    ErrorCode.CANCELLED: _system(
        Consequence.CANCELLED, "The request was cancelled before anything was done.", "Cancelled on request; nothing was sent."
    ),
    ErrorCode.RESOLVED_NOT_APPLIED: _tool(
        ErrorClass.UNKNOWN,
        _FAILED,
        "We found out that your system did not do this.",
        "A person resolved the doubt as not applied; redrive if it is still wanted.",
    ),
    ErrorCode.UNEXPECTED_ERROR: _system(
        _ONLY,
        _OURS,
        "An unexpected error; see the log line with these ids, then redrive.",
    ),
    ErrorCode.RATE_LIMITED: _tool(
        ErrorClass.RATE_LIMIT,
        Consequence.ATTEMPT,
        "Your system asked us to wait; we will try again.",
        "Not applied; the retry respects the tool's wait time.",
    ),
    ErrorCode.DOWNSTREAM_ERROR: _tool(
        ErrorClass.DOWNSTREAM,
        Consequence.ATTEMPT,
        "Your system had a fault; we will try again.",
        "Not applied by the tool's contract; it is retried.",
    ),
    ErrorCode.UNREACHABLE: _tool(
        ErrorClass.DOWNSTREAM,
        Consequence.ATTEMPT,
        "Your system could not be reached; we will try again.",
        "Nothing was sent; it is retried.",
    ),
    ErrorCode.ANSWER_LOST: _tool(
        ErrorClass.TIMEOUT,
        Consequence.ATTEMPT,
        "Your system did not answer; we are finding out what happened.",
        "May be applied; handled by the tool's effect class, never blindly.",
    ),
    ErrorCode.CONFIGURATION: _system(
        Consequence.INTERNAL,
        _OURS,
        "Set the named variable and start again.",
    ),
    ErrorCode.STATE_LOST: _system(
        Consequence.INTERNAL, _OURS, "A partition is quarantined because its state or log is not trustworthy; follow the runbook."
    ),
    ErrorCode.FENCED: _system(
        Consequence.INTERNAL,
        _OURS,
        "Another process owns this partition or directory; this one stops.",
    ),
    ErrorCode.DELIVERY_FAILED: _system(
        Consequence.INTERNAL,
        _OURS,
        "A record was not acknowledged; the batch is taken again.",
    ),
    ErrorCode.BROKER: _system(
        Consequence.INTERNAL,
        _OURS,
        "The Kafka cluster refused a request; look at the broker and the topics.",
    ),
}
