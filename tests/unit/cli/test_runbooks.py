"""What a runbook tells somebody to type, to look for and to read exists: commands, metrics, log lines, dead-letter codes."""

import re
import shlex
from pathlib import Path

import pytest
from typer import Exit as Left
from typer.exceptions import TyperException
from typer.main import get_command

from cli.main import app
from enact.errors import ErrorCode
from enact.metrics import Metrics

ROOT = Path(__file__).resolve().parents[3]
RUNBOOKS = sorted((ROOT / "docs" / "runbooks").glob("*.md"))
CODE_ROOTS = ("enact", "services", "cli", "connectors")
_COMMAND = re.compile(r"^\s*enact .*$", re.MULTILINE)
_SPAN = re.compile(r"`([^`\n]+)`")
_FENCE = re.compile(r"```\w*\n(.*?)```", re.DOTALL)
# What stands for something to fill in, and what it is filled with here.
_FILLED = {"STAGE": "validation", "PARTITION:OFFSET": "0:0", "CODE": "UNKNOWN_VERSION", "ID": "int-1", "…": "x"}


def commands_of(text: str) -> list[str]:
    """Every `enact …` of a page: lines of its blocks, and spans with at least a verb."""
    blocks = [line.strip() for block in _FENCE.findall(text) for line in _COMMAND.findall(block)]
    spans = [span for span in _SPAN.findall(_FENCE.sub("", text)) if span.startswith("enact ")]
    return [line.partition("  #")[0] for line in (*blocks, *spans)]


def problem_of(line: str) -> str | None:
    """Why the command line does not take this, or None."""
    words = [_FILLED.get(word, word) for word in shlex.split(line)[1:]]
    command, context = get_command(app), None
    is_only_named = len(words) <= 2
    while True:
        try:
            context = command.make_context(command.name or "enact", words, parent=context)
            if not hasattr(command, "resolve_command"):
                return None
            _, found, words = command.resolve_command(context, [*context._protected_args, *context.args])
        except Left:
            return None
        except TyperException as error:
            return str(error) or type(error).__name__
        command = found
        if not words and is_only_named:
            return None


def metric_names() -> set[str]:
    """Every series that a stage can show."""
    return set(re.findall(r"^# TYPE (\S+)", Metrics("invocation", connectors=("crm",)).exposition().decode(), re.MULTILINE))


def code_text() -> str:
    return "\n".join(path.read_text(encoding="utf-8") for root in CODE_ROOTS for path in (ROOT / root).rglob("*.py"))


@pytest.fixture(autouse=True)
def _somebody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENACT_TENANT", "acme")
    monkeypatch.setenv("ENACT_ACCOUNT", "account-1")


@pytest.mark.parametrize("page", RUNBOOKS, ids=lambda page: page.stem)
def test_every_command_of_a_runbook_is_one(page: Path) -> None:
    lines = commands_of(page.read_text(encoding="utf-8"))

    assert lines, "a runbook tells somebody to do something"
    assert {line: problem for line in lines if (problem := problem_of(line)) is not None} == {}


@pytest.mark.parametrize("line", ["enact nothing x y", "enact dlq list nowhere --limit 5", "enact switch engage --scope global --reason x"])
def test_a_command_that_does_not_exist_is_caught(line: str) -> None:
    assert problem_of(line) is not None


@pytest.mark.parametrize("page", RUNBOOKS, ids=lambda page: page.stem)
def test_every_metric_log_line_and_code_of_a_runbook_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    actions = set(re.findall(r'action="(\w+)"', text))
    codes = {span for span in _SPAN.findall(text) if re.fullmatch(r"[A-Z]+(_[A-Z]+)+", span)}
    series = {span.partition("{")[0] for span in _SPAN.findall(text) if re.fullmatch(r"enact_[a-z_]+(\{.*\})?", span)}

    code = code_text()

    assert {name for name in actions if f'"{name}"' not in code} == set()
    assert {name for name in codes - set(ErrorCode) if not re.search(rf"\b{name}\b", code)} == set()
    assert series - metric_names() == set()
