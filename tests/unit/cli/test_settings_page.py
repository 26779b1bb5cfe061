"""The page of settings shows every variable of every stage once, and is noticed when it is stale."""

import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import services
from cli.exit_codes import Exit
from cli.settings_page import PATH, STAGES, main, page
from enact.settings import KernelSettings
from enact.settings_table import describe


def test_every_stage_with_settings_of_its_own_is_on_the_page() -> None:
    own = {stage.name for stage in pkgutil.iter_modules(services.__path__) if _settings_class(stage.name) is not None}

    assert set(STAGES) == own
    assert all(STAGES[stage] is _settings_class(stage) for stage in own)


def test_every_variable_stands_on_the_page_once() -> None:
    shown = re.findall(r"^\| `(\w+)` \|", page(), re.MULTILINE)

    classes: list[type[KernelSettings]] = [KernelSettings, *STAGES.values()]
    declared = {row.variable for settings_class in classes for row in describe(settings_class)}
    assert set(shown) == declared
    assert len(shown) == len(declared)


def test_every_variable_has_a_meaning_and_no_cell_breaks_the_table() -> None:
    rows = [line for line in page().splitlines() if line.startswith("| `")]

    assert rows
    assert all(re.fullmatch(r"\| `\w+` \| [^|]+ \| [^|]+ \| [^|]+ \|", row) for row in rows)


def test_a_stale_page_is_noticed_and_written_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / PATH).write_text("old")

    stale = main(["--check"], tmp_path)
    left_alone = (tmp_path / PATH).read_text()
    written, fresh = main([], tmp_path), main(["--check"], tmp_path)

    assert (stale, left_alone, written, fresh) == (Exit.STALE, "old", 0, 0)
    assert (tmp_path / PATH).read_text() == page()
    assert "make render" in capsys.readouterr().err


def _settings_class(stage: str) -> type[KernelSettings] | None:
    """The class of `services/<stage>/settings.py`, if there is one."""
    try:
        module = importlib.import_module(f"services.{stage}.settings")
    except ModuleNotFoundError:
        return None
    found = [
        one for one in vars(module).values() if isinstance(one, type) and issubclass(one, KernelSettings) and one is not KernelSettings
    ]
    assert len(found) == 1
    return found[0]
