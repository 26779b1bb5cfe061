"""What `enact up` says and tells others, and that the README's commands are commands."""

import json
import os
import shlex
from io import StringIO
from pathlib import Path

import pytest
import typer
from rich.console import Console
from typer.main import get_command
from typer.testing import CliRunner

from cli.child import Change, ChildState
from cli.exit_codes import Exit
from cli.main import app
from cli.output import as_typed
from cli.platform import Platform
from cli.platform_options import PlatformOptions
from cli.progress import Progress
from cli.up import _show, parsed_instances, started_stages
from cli.up_file import Running, forget_running, running, write_running
from enact.broker.pid_file import started_mark
from enact.settings import KernelSettings, forget_environment, load
from topology.stages import RUNNING_STAGES

ROOT = Path(__file__).resolve().parent.parent.parent.parent


def commands_of_the_readme() -> list[list[str]]:
    """Every `enact …` line of its shell blocks."""
    blocks = (ROOT / "README.md").read_text(encoding="utf-8").split("```sh\n")[1:]
    lines = [line.partition("#")[0] for block in blocks for line in block.partition("```")[0].splitlines()]
    return [shlex.split(line)[1:] for line in lines if line.startswith("enact ")]


@pytest.mark.parametrize("arguments", commands_of_the_readme(), ids=" ".join)
def test_the_readme_shows_commands_that_exist(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENACT_TENANT", "acme")
    monkeypatch.setenv("ENACT_ACCOUNT", "account-1")
    command, rest, context = get_command(app), arguments, None

    while True:
        context = command.make_context(command.name or "enact", rest, parent=context)
        if not hasattr(command, "resolve_command"):
            break
        _, found, rest = command.resolve_command(context, [*context._protected_args, *context.args])
        assert found is not None
        command = found

    assert context.params


def test_the_readme_names_example_files_that_exist() -> None:
    named = [word for arguments in commands_of_the_readme() for word in arguments if word.startswith("docs/examples/")]

    assert len(named) == 3
    assert all((ROOT / name).is_file() for name in named)


@pytest.mark.parametrize("example", sorted((ROOT / "docs" / "examples").glob("*.json")), ids=lambda path: path.stem)
def test_every_example_is_an_intent_that_lacks_only_what_new_fills_in(example: Path) -> None:
    from cli.intent_file import read_intents  # noqa: PLC0415 - what is tested, beside its only use

    text = example.read_text(encoding="utf-8")

    assert "action_intent_id, expires_at_epoch are missing" in read_intents(text, file="x").problems[0]
    first, second = (read_intents(text, file="x", new_until_s=2_000_000_000) for _ in range(2))
    assert first.problems == ()
    assert first.intents[0].expires_at_epoch == 2_000_000_000
    assert first.intents[0].action_intent_id != second.intents[0].action_intent_id


def test_new_leaves_what_an_intent_says_itself() -> None:
    from cli.intent_file import read_intents  # noqa: PLC0415 - as above

    tree = json.loads((ROOT / "docs" / "examples" / "crm-task.json").read_text()) | {"action_intent_id": "mine", "expires_at_epoch": 7}

    (found,) = read_intents(json.dumps(tree), file="x", new_until_s=9).intents

    assert (found.action_intent_id, found.expires_at_epoch) == ("mine", 7)


def test_instances_are_read_by_stage() -> None:
    assert parsed_instances(["invocation=2", "tool-mapping=3"]) == {"invocation": 2, "tool_mapping": 3}
    assert parsed_instances([]) == {}


@pytest.mark.parametrize("text", ["invocation", "invocation=", "invocation=0", "invocation=17", "invocation=x", "monitor=2", "=2"])
def test_instances_that_mean_nothing_are_refused_with_the_stages(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as caught:
        parsed_instances([text])

    assert caught.value.exit_code == Exit.USAGE
    assert "validation, tool_mapping" in capsys.readouterr().err


def test_a_stage_can_be_left_out_by_either_of_its_names() -> None:
    assert started_stages([]) == RUNNING_STAGES
    assert started_stages(["tool-mapping", "invocation"]) == tuple(
        stage for stage in RUNNING_STAGES if stage not in {"tool_mapping", "invocation"}
    )


@pytest.mark.parametrize("without", [["nonsense"], list(RUNNING_STAGES)])
def test_leaving_out_what_is_not_there_or_everything_is_refused(without: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as caught:
        started_stages(without)

    assert caught.value.exit_code == Exit.USAGE
    assert "validation, tool_mapping" in capsys.readouterr().err


def test_wrong_settings_end_up_with_the_variable_and_without_a_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENACT_API__PORT", "many")

    result = CliRunner().invoke(app, ["up"])

    assert result.exit_code == Exit.CONFIGURATION
    assert "ENACT_API__PORT" in result.stderr


# without the api


def test_without_the_api_every_other_stage_is_started_and_nobody_is_told_of_it(tmp_path: Path) -> None:
    settings = load(KernelSettings, {"ENACT_DATA_DIR": str(tmp_path)})
    platform = Platform(settings, PlatformOptions(has_api=False, has_free_ports=True))

    started = [spec.stage for spec in platform._specs()]
    platform._tell_others()
    screen = StringIO()
    _show(Console(file=screen, width=200, highlight=False), platform)

    assert started == [stage for stage in RUNNING_STAGES if stage != "api"]
    assert running(tmp_path).api_url is None
    assert "api " not in screen.getvalue()
    assert "enact list" not in screen.getvalue()


# what others are told


def test_what_runs_is_told_and_forgotten(tmp_path: Path) -> None:
    what = Running(pid=os.getpid(), started=started_mark(os.getpid()), api_url="http://127.0.0.1:1", partitions=4, replication_factor=1)

    write_running(tmp_path, what)
    assert running(tmp_path) == what

    forget_running(tmp_path)
    forget_running(tmp_path)
    assert running(tmp_path) == Running()


def test_what_a_killed_enact_left_behind_counts_as_nothing_running(tmp_path: Path) -> None:
    write_running(tmp_path, Running(pid=os.getpid(), started="another start of the same pid", api_url="http://127.0.0.1:1"))

    assert running(tmp_path) == Running()


@pytest.mark.parametrize(
    ("started_as", "typed"), [("bin/enact", "bin/enact"), ("elsewhere/pytest", "enact"), ("cli/main.py", "-m cli.main")]
)
def test_commands_are_shown_as_they_have_to_be_typed_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, started_as: str, typed: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("cli.output.sys.argv", [str(tmp_path / started_as)])
    monkeypatch.setattr("cli.output.shutil.which", lambda _: None)

    assert as_typed(load(KernelSettings, {})).endswith(typed)
    assert as_typed(load(KernelSettings, {"ENACT_DATA_DIR": "/a b"})).startswith("ENACT_DATA_DIR='/a b' ")


def test_an_enact_on_the_path_is_typed_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.output.sys.argv", [str(tmp_path / "enact")])
    monkeypatch.setattr("cli.output.shutil.which", lambda _: str(tmp_path / "enact"))

    assert as_typed(load(KernelSettings, {})) == "enact"


def test_settings_of_the_shell_can_be_forgotten_but_not_where_the_jars_are(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ENACT_PROFILE", "ENACT_KAFKA__SASL_PASSWORD", "KAFKA_BOOTSTRAP_SERVERS", "ENACT_CACHE_DIR", "OTHER"):
        monkeypatch.setenv(name, "x")

    forget_environment()

    left = {name for name in os.environ if name.startswith("ENACT_") or name in {"KAFKA_BOOTSTRAP_SERVERS", "OTHER"}}
    assert left == {"ENACT_CACHE_DIR", "OTHER"}


# progress


def test_a_start_in_a_pipe_is_a_few_lines_and_every_fault() -> None:
    file = StringIO()
    progress = Progress(Console(file=file, width=100, highlight=False), process_count=2)

    with progress:
        progress.step("Kafka is ready.")
        for name in ("api.0", "validation.0"):
            progress.change(Change(name, ChildState.STARTING, f"{name} starting (pid 7)"))
        progress.change(Change("api.0", ChildState.WAITING, "api.0 ended (exit 70)"))
        for name in ("api.0", "validation.0"):
            progress.change(Change(name, ChildState.READY, f"{name} ready"))
    progress.change(Change("api.0", ChildState.READY, "api.0 ready again"))

    lines = [line.partition("  ")[2].strip() for line in file.getvalue().splitlines()]
    assert [line.removeprefix("s  ").strip() for line in lines[:3]] == [
        "0.0 s  Kafka is ready.",
        "0.0 s  api.0 ended (exit 70)",
        "0.0 s  Processes: api, validation are ready.",
    ]
    assert file.getvalue().endswith("api.0 ready again\n")
    assert "\x1b" not in file.getvalue()
