"""What the runbooks tell people to type, watch and look for exists."""

import ast
import re
import shlex
from pathlib import Path

import pytest
from typer.main import get_command

from cli.main import app
from enact.metrics import Metrics
from tests.architecture.tree import ROOT

RUNBOOKS = sorted((ROOT / "docs/runbooks").glob("*.md"))
LOGGED = ("enact", "services", "connectors", "cli")
ROW = re.compile(r"`([a-z]+(?:_[a-z]+)+)`")


def commands(text: str) -> list[str]:
    """Every `enact …` line of the shell blocks."""
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    return [line.strip() for block in blocks for line in block.splitlines() if line.strip().startswith("enact ")]


def inline_commands(text: str) -> list[str]:
    """Every `enact …` in a sentence, as far as it is written out."""
    return [found for found in re.findall(r"`(enact [^`]+)`", text) if found.upper() != found and "STAGE" not in found]


def metrics(text: str) -> set[str]:
    return set(re.findall(r"`(enact_[a-z_]+)`", text))


def actions_named(text: str) -> set[str]:
    """Words with underscores in backquotes that are no metric, topic or setting: log actions."""
    return {word for word in ROW.findall(text) if not word.startswith("enact_")} - FIELDS


FIELDS = {"next_offset", "begin_offset"}


def actions_in_the_code() -> set[str]:
    """The first argument of every call of a logger."""
    found: set[str] = set()
    for root in LOGGED:
        for path in (ROOT / root).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
                    first = node.args[0]
                    if node.func.attr in {"info", "warning", "error", "critical"} and isinstance(first, ast.Constant):
                        found.add(str(first.value))
    return found


def parse(command: str) -> None:
    """As a shell and `enact` take it. Raises: whatever is wrong with it."""
    found, rest, context = get_command(app), shlex.split(command)[1:], None
    while True:
        context = found.make_context(found.name or "enact", rest, parent=context)
        if not hasattr(found, "resolve_command"):
            return
        _, following, rest = found.resolve_command(context, [*context._protected_args, *context.args])
        if following is None:
            raise ValueError(command)
        found = following


@pytest.mark.parametrize("path", RUNBOOKS, ids=lambda path: path.stem)
def test_every_command_of_a_runbook_can_be_typed(path: Path) -> None:
    text = path.read_text(encoding="utf-8")

    for command in (*commands(text), *inline_commands(text)):
        parse(command)

    assert commands(text) or path.stem == "README"


@pytest.mark.parametrize("path", RUNBOOKS, ids=lambda path: path.stem)
def test_every_metric_of_a_runbook_is_measured(path: Path) -> None:
    exposed = Metrics("invocation", connectors=["crm"]).exposition().decode()

    missing = {name for name in metrics(path.read_text(encoding="utf-8")) if f"# TYPE {name}" not in exposed}

    assert missing == set()


@pytest.mark.parametrize("path", RUNBOOKS, ids=lambda path: path.stem)
def test_every_log_action_of_a_runbook_is_logged_somewhere(path: Path) -> None:
    assert actions_named(path.read_text(encoding="utf-8")) - actions_in_the_code() == set()


def test_what_does_not_exist_would_be_seen() -> None:
    with pytest.raises(Exception, match="No such command"):
        parse("enact repair everything")
    with pytest.raises(Exception, match="No such option"):
        parse("enact replay recording --from-nowhere")
    assert actions_named("`partition_quarantined`, `enact_held`, `no_such_action`") - actions_in_the_code() == {"no_such_action"}
    assert metrics("`enact_no_such_metric` and `enact_held`") == {"enact_no_such_metric", "enact_held"}


def test_every_runbook_is_in_the_list_of_runbooks() -> None:
    listed = set(re.findall(r"\]\(([a-z-]+\.md)\)", (ROOT / "docs/runbooks/README.md").read_text(encoding="utf-8")))

    assert listed == {path.name for path in RUNBOOKS} - {"README.md"}
