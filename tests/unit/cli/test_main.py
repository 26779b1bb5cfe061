"""`enact` itself: its list of verbs is true, its exit codes are all explained, and it loads only what a verb needs."""

import subprocess
import sys

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from cli.exit_codes import EXIT_CODES_HELP, MEANINGS, Exit
from cli.main import app
from cli.verbs import VERBS

HEAVY = ("pydantic", "confluent_kafka", "aiohttp", "fastavro", "rich", "sqlalchemy", "yaml", "msgspec")


def imported_by(code: str) -> set[str]:
    """Which heavy packages a fresh interpreter has loaded after some code."""
    told = f"{code}\nimport sys\nprint(*(name for name in {HEAVY!r} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize("name", VERBS)
def test_the_help_says_of_each_verb_what_the_verb_says_of_itself(name: str) -> None:
    group = get_command(app)
    assert hasattr(group, "commands")

    command = group.commands[name]

    assert command.get_short_help_str(200) == VERBS[name].help
    assert command.name == name


def test_the_help_lists_every_verb() -> None:
    shown = CliRunner().invoke(app, ["--help"]).stdout

    for name in VERBS:
        assert f"\n  {name} " in shown


def test_a_misspelt_verb_is_met_with_the_right_one() -> None:
    result = CliRunner().invoke(app, ["stauts"])

    assert result.exit_code == Exit.USAGE
    assert "Did you mean 'status'?" in result.stderr


def test_an_interrupted_verb_says_so_and_ends_with_its_own_code(monkeypatch: pytest.MonkeyPatch) -> None:
    def get(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("cli.status.get", get)

    result = CliRunner().invoke(app, ["status", "x", "--tenant", "acme", "--account", "a", "--api-url", "http://127.0.0.1:1"])

    assert result.exit_code == Exit.INTERRUPTED
    assert result.stderr.startswith("Interrupted.")


def test_every_exit_code_has_its_meaning_in_the_help() -> None:
    assert set(MEANINGS) == set(Exit)
    for code in Exit:
        assert f" {code.value} {MEANINGS[code]}".replace("`", "") in EXIT_CODES_HELP


def test_the_help_loads_nothing_heavy() -> None:
    code = "from typer.testing import CliRunner; from cli.main import app; assert CliRunner().invoke(app, ['--help']).exit_code == 0"

    assert imported_by("import typer.testing") == imported_by(code)


def test_asking_for_a_status_loads_no_kafka_client_and_no_http_framework() -> None:
    assert not imported_by("import cli.status") & {"confluent_kafka", "aiohttp", "sqlalchemy", "yaml", "rich"}
