import pytest

from enact.error_catalogue import CATALOGUE, Consequence, error_info, row_of
from enact.errors import ErrorCode
from enact.records.enums import ErrorCategory, ErrorClass

EXPECTED = {
    Consequence.DEAD_LETTER_ONLY: {
        "MALFORMED_RECORD",
        "UNKNOWN_SCHEMA",
        "NULL_VALUE",
        "KEY_MISMATCH",
        "INTENT_TOO_LARGE",
        "INTENT_ID_REUSED",
        "UNKNOWN_GENERATION",
        "UNEXPECTED_ERROR",
    },
    Consequence.FAILED_AND_DEAD_LETTER: {
        "FIELD_MISSING",
        "NOT_APPROVED",
        "UNKNOWN_ACTION_TYPE",
        "UNKNOWN_VERSION",
        "PARAMETERS_INVALID",
        "NUMBER_NOT_EXACT",
        "DEADLINE_TOO_FAR",
        "APPROVAL_INVALID",
        "CREDENTIALS_MISSING",
        "AUTH_REJECTED",
        "MAPPING_FAILED",
        "REQUEST_DRIFT",
        "TOOL_REJECTED",
        "PARTIAL_EFFECT",
        "RETRIES_EXHAUSTED",
    },
    Consequence.FAILED: {"KILL_SWITCH_ENABLED", "RESOLVED_NOT_APPLIED"},
    Consequence.EXPIRED: {"DEADLINE_PASSED"},
    Consequence.CANCELLED: {"CANCELLED"},
    Consequence.IN_DOUBT: {"OUTCOME_UNKNOWN"},
    Consequence.ATTEMPT: {"RATE_LIMITED", "DOWNSTREAM_ERROR", "UNREACHABLE", "ANSWER_LOST"},
    Consequence.INTERNAL: {"CONFIGURATION", "STATE_LOST", "FENCED", "DELIVERY_FAILED", "BROKER"},
}


@pytest.mark.parametrize("code", list(ErrorCode))
def test_every_code_has_a_row_with_a_sentence_for_sellers_and_one_for_operators(code: ErrorCode) -> None:
    row = CATALOGUE[code]

    assert row.seller.endswith(".")
    assert row.operator.endswith(".")
    assert row.error_class in ErrorClass
    assert row.category is not ErrorCategory.UNKNOWN


def test_the_catalogue_has_no_row_without_a_code() -> None:
    assert set(CATALOGUE) == set(ErrorCode)


@pytest.mark.parametrize("consequence", list(Consequence))
def test_what_happens_is_what_the_design_says(consequence: Consequence) -> None:
    codes = {str(code) for code, row in CATALOGUE.items() if row.consequence is consequence}

    assert codes == EXPECTED[consequence]


def test_only_what_a_person_can_mend_has_a_dead_letter() -> None:
    assert row_of(ErrorCode.APPROVAL_INVALID).has_dead_letter
    assert row_of(ErrorCode.NULL_VALUE).has_dead_letter
    assert not row_of(ErrorCode.DEADLINE_PASSED).has_dead_letter
    assert not row_of(ErrorCode.KILL_SWITCH_ENABLED).has_dead_letter


def test_credentials_and_approval_are_of_class_auth() -> None:
    for code in (ErrorCode.CREDENTIALS_MISSING, ErrorCode.AUTH_REJECTED, ErrorCode.APPROVAL_INVALID):
        assert row_of(code).error_class is ErrorClass.AUTH


def test_a_code_of_a_newer_writer_reads_as_unexpected_and_is_kept_in_the_error() -> None:
    info = error_info("SOMETHING_NEW", "It broke.")

    assert row_of("SOMETHING_NEW") is CATALOGUE[ErrorCode.UNEXPECTED_ERROR]
    assert info.code == "SOMETHING_NEW"
    assert info.message == "It broke."
    assert info.category is ErrorCategory.SYSTEM_ERROR
    assert info.is_permanent
