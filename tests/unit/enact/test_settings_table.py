"""The table of settings says for every variable what it takes, what it is otherwise, and what it means."""

import pytest
from pydantic import Field, SecretStr

from enact.settings import KernelSettings
from enact.settings_table import describe


class StageSettings(KernelSettings):
    """Some stage's own."""

    max_in_flight: int = Field(default=500, description="calls at most")
    secret: SecretStr = Field(description="never shown")


def test_the_table_names_every_variable_with_its_meaning() -> None:
    rows = {row.variable: row for row in describe(StageSettings)}

    assert rows["ENACT_KAFKA__BOOTSTRAP_SERVERS"].default == "–"
    assert rows["ENACT_PROFILE"][1:3] == ("development, production", "development")
    assert rows["ENACT_OUTBOUND__ALLOW"].type == "comma list"
    assert rows["ENACT_MAX_IN_FLIGHT"] == ("ENACT_MAX_IN_FLIGHT", "whole number", "500", "calls at most")
    assert rows["ENACT_BROKER__PORT"][1:3] == ("whole number", "–")
    assert rows["ENACT_EXECUTION_ENABLED"][1:3] == ("true, false", "true")
    assert rows["ENACT_SHUTDOWN_TIMEOUT_S"][1:3] == ("number", "60")
    assert rows["ENACT_SECRET"][1:3] == ("secret", "required")
    assert all(row.meaning and row.variable.startswith("ENACT_") for row in rows.values())


def test_a_type_without_a_word_is_refused() -> None:
    class Odd(KernelSettings):
        limit: complex = 1j

    with pytest.raises(TypeError, match="WORDS"):
        list(describe(Odd))
