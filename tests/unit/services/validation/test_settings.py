import pytest

from enact.errors import ConfigurationError
from enact.settings import load
from services.validation.checks import Limits
from services.validation.settings import Settings


def test_the_defaults_are_the_defaults_of_the_checks() -> None:
    assert load(Settings, {}).validation.limits == Limits()


def test_each_number_can_be_set() -> None:
    settings = load(Settings, {"ENACT_VALIDATION__DEDUPE_HORIZON_S": "4000000", "ENACT_VALIDATION__MAX_INTENT_BYTES": "2048"})

    assert settings.validation.limits == Limits(dedupe_horizon_s=4_000_000, max_intent_bytes=2_048)


def test_numbers_that_leave_an_intent_no_life_are_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"ENACT_VALIDATION: .*dedupe_horizon_s must be more"):
        load(Settings, {"ENACT_VALIDATION__DEDUPE_HORIZON_S": "777600"})
