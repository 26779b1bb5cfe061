"""`enact bench`: what it shows, what it writes, how it ends; the measuring itself is tested on a broker."""

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cli.exit_codes import Exit
from cli.main import app
from enact.errors import BrokerError
from tests.unit.benchmarks.results import result


@pytest.fixture
def measuring(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], dict[str, Any]]], list[Path]]:
    """Puts something else in the place of the run; returns the folders it was given."""

    def put(run: Callable[[], dict[str, Any]]) -> list[Path]:
        folders: list[Path] = []

        class Told:
            def __init__(self, size: object, bare_loop: object, folder: Path, **options: object) -> None:
                folders.append(folder)

            def run(self) -> dict[str, Any]:
                assert folders[-1].is_dir()
                return run()

        monkeypatch.setattr("benchmarks.whole.Bench", Told)
        monkeypatch.setattr("enact.settings.forget_environment", lambda: None)  # the tests' own environment stays
        return folders

    return put


def test_it_shows_tables_and_leaves_nothing_behind(measuring: Callable[..., list[Path]]) -> None:
    folders = measuring(result)

    ended = CliRunner().invoke(app, ["bench", "--quick"])

    assert ended.exit_code == Exit.OK, ended.output
    assert "throughput against the bare loop" in ended.output
    assert "MISSED" in ended.output
    assert not folders[0].exists()


def test_the_result_is_written_as_json_page_and_picture(measuring: Callable[..., list[Path]], tmp_path: Path) -> None:
    measuring(result)

    ended = CliRunner().invoke(app, ["bench", "--out", str(tmp_path / "results")])

    assert ended.exit_code == Exit.OK, ended.output
    written = json.loads((tmp_path / "results" / "result.json").read_text())
    assert written["ratios"]["throughput"] == 0.25
    assert (tmp_path / "results" / "result.svg").read_text().startswith("<svg")
    assert "(result.svg)" in (tmp_path / "results" / "result.md").read_text()


def test_json_stands_alone_on_stdout(measuring: Callable[..., list[Path]]) -> None:
    measuring(result)

    ended = CliRunner().invoke(app, ["bench", "--json"])

    assert json.loads(ended.stdout)["kind"] == "full"


@pytest.mark.parametrize("error", [RuntimeError("saturated: 3 of 5 ended"), BrokerError("The broker does not answer.")])
def test_what_fails_is_told_and_ends_as_a_problem(measuring: Callable[..., list[Path]], error: Exception) -> None:
    def fail() -> dict[str, Any]:
        raise error

    folders = measuring(fail)

    ended = CliRunner().invoke(app, ["bench", "--quick"])

    assert ended.exit_code == Exit.PROBLEM
    assert str(error) in ended.stderr
    assert not folders[0].exists()


def test_a_signal_ends_it_in_good_order(measuring: Callable[..., list[Path]]) -> None:
    def be_told_to_stop() -> dict[str, Any]:
        os.kill(os.getpid(), signal.SIGTERM)
        return result()

    folders = measuring(be_told_to_stop)

    ended = CliRunner().invoke(app, ["bench", "--quick"])

    assert ended.exit_code == 130
    assert not folders[0].exists()


def test_outside_the_source_tree_it_says_where_it_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "benchmarks.whole", None)

    ended = CliRunner().invoke(app, ["bench", "--quick"])

    assert ended.exit_code == Exit.CONFIGURATION
    assert "checkout" in ended.stderr
