"""What people see: tables that never cut an id, files that cannot be read in words."""

import json
from pathlib import Path

import pytest
import typer

from cli.exit_codes import Exit
from cli.output import print_json, say, table_lines, text_of, warn

COLUMNS = ["id", "status", "what came of it"]
ROWS = [["new-0123456789abcdef", "SUCCEEDED", "made: " + "word " * 12], ["b", "FAILED", "http://127.0.0.1:8090/a-very-long-address"]]


def test_a_wide_table_has_one_line_for_each_row() -> None:
    lines = table_lines(COLUMNS, ROWS, None)

    assert len(lines) == 3
    assert lines[0] == "id                    status     what came of it"


def test_only_the_last_column_is_wrapped_and_nothing_is_cut() -> None:
    lines = table_lines(COLUMNS, ROWS, 60)

    assert max(len(line) for line in lines[:-1]) <= 60
    assert lines[2].startswith(" " * 33 + "word")
    assert lines[-1].endswith("http://127.0.0.1:8090/a-very-long-address")


def test_on_a_narrow_terminal_the_last_column_stands_below_its_row() -> None:
    lines = table_lines(COLUMNS, [*ROWS, ["c", "HELD", ""]], 40)

    assert lines[0] == "id                    status"
    assert lines[1] == "new-0123456789abcdef  SUCCEEDED"
    assert lines[2].startswith("  made: word")
    assert lines[-3:] == ["b                     FAILED", "  http://127.0.0.1:8090/a-very-long-address", "c                     HELD"]


def test_a_very_narrow_terminal_gets_a_block_for_each_row() -> None:
    lines = table_lines(COLUMNS, ROWS, 30)

    assert lines[0] == "id               new-0123456789abcdef"
    assert lines[3] == ""
    assert lines[-1] == "what came of it  http://127.0.0.1:8090/a-very-long-address"


def test_control_characters_of_a_cell_do_not_reach_the_terminal() -> None:
    lines = table_lines(["who", "why"], [["kim", "red\x1b[31m\nline"]], None)

    assert lines == ["who  why", "kim  red [31m line"]


@pytest.mark.parametrize(("name", "words"), [("nothing", "does not exist"), (".", "is a folder"), ("bytes", "is not text in UTF-8")])
def test_a_file_that_cannot_be_read_is_said_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, words: str
) -> None:
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    monkeypatch.chdir(tmp_path)

    with pytest.raises(typer.Exit) as caught:
        text_of(name, "a YAML file", as_json=False)

    assert caught.value.exit_code == Exit.REFUSED
    assert capsys.readouterr().err == f"{name} {words}: name a YAML file.\n"


@pytest.mark.parametrize("mark", ["\x1b[2J", "\r", "\x07", "\x9b2J", "\u202e", "\u2066"])
def test_what_comes_from_outside_steers_no_terminal_and_is_whole_for_programs(mark: str, capsys: pytest.CaptureFixture[str]) -> None:
    say(f"approved by kim{mark}x")
    warn(f"approved by kim{mark}x")
    told = capsys.readouterr()
    print_json({"approved_by": f"kim{mark}x"})
    for_programs = capsys.readouterr().out

    assert mark[0] not in told.out + told.err + for_programs
    assert json.loads(for_programs) == {"approved_by": f"kim{mark}x"}
    assert all(mark[0] not in line for line in table_lines(["who"], [[f"kim{mark}x"]], None))
