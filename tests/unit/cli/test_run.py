"""`enact run`: the stage's own entry point takes the place of this process, or the refusal says what to do."""

import sys

import pytest
from typer.testing import CliRunner

from cli.exit_codes import Exit
from cli.main import app


@pytest.fixture
def executed(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What took this process's place."""
    found: list[list[str]] = []
    monkeypatch.setattr("cli.run.os.execv", lambda program, arguments: found.append([program, *arguments[1:]]))
    return found


@pytest.mark.parametrize("name", ["tool_mapping", "tool-mapping"])
def test_a_stage_runs_by_its_own_entry_point(monkeypatch: pytest.MonkeyPatch, executed: list[list[str]], name: str) -> None:
    monkeypatch.setenv("ENACT_KAFKA__BOOTSTRAP_SERVERS", "127.0.0.1:9092")

    result = CliRunner().invoke(app, ["run", name])

    assert result.exit_code == Exit.OK, result.output
    assert executed == [[sys.executable, "-P", "-m", "services.tool_mapping"]]


@pytest.mark.parametrize(("name", "told"), [("nothing", "no stage nothing"), ("monitor", "comes with a later version")])
def test_an_unknown_stage_and_one_of_a_later_version_are_told_apart(executed: list[list[str]], name: str, told: str) -> None:
    result = CliRunner().invoke(app, ["run", name])

    assert result.exit_code == Exit.USAGE
    assert told in result.stderr
    assert "validation, tool_mapping, invocation" in result.stderr
    assert executed == []


def test_without_a_cluster_it_names_the_variable_and_enact_up(monkeypatch: pytest.MonkeyPatch, executed: list[list[str]]) -> None:
    monkeypatch.delenv("ENACT_KAFKA__BOOTSTRAP_SERVERS", raising=False)
    monkeypatch.delenv("KAFKA_BOOTSTRAP_SERVERS", raising=False)

    result = CliRunner().invoke(app, ["run", "validation"])

    assert result.exit_code == Exit.CONFIGURATION
    assert "ENACT_KAFKA__BOOTSTRAP_SERVERS" in result.stderr
    assert "enact up" in result.stderr
    assert executed == []
