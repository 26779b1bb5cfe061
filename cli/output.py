"""What every verb says and how it ends: exit codes, JSON for programs, tables for people, refusals that say what to do."""

import json
import re
import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import wrap
from typing import Any, NoReturn

import typer

from cli.exit_codes import Exit
from enact.errors import ConfigurationError, EnactError
from enact.settings import KernelSettings

_GAP = 2
_LEAST = 20
_STEERING = r"\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069"
"""What moves a terminal's cursor, colours it, or turns the direction of a line; some of it comes from outside."""

_CONTROL = re.compile(rf"[\x00-\x0a{_STEERING}]+")
_CONTROL_IN_LINES = re.compile(rf"[\x00-\x08{_STEERING}]")


def say(text: str) -> None:
    """Lines for people, on stdout: whatever they tell, they steer no terminal."""
    sys.stdout.write(f"{_CONTROL_IN_LINES.sub(' ', text)}\n")


def warn(text: str) -> None:
    """One line for people, on stderr: `--json` output stays clean."""
    sys.stderr.write(f"{_CONTROL_IN_LINES.sub(' ', text)}\n")


def print_json(value: Any) -> None:
    """The answer for programs: one JSON document on stdout."""
    text = json.dumps(value, ensure_ascii=False, indent=2)
    sys.stdout.write(f"{_CONTROL_IN_LINES.sub(lambda found: f'{chr(92)}u{ord(found[0]):04x}', text)}\n")


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table for people. Nothing but the last column is ever wrapped: an id cut in two helps nobody.

    Where the terminal is too narrow, the last column stands below its row; where even that is too wide, each row is a block.
    A file or a pipe has no width of its own: there everything stands in one line.
    """
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    say("\n".join(table_lines(columns, rows, width)))


def table_lines(columns: Sequence[str], rows: Sequence[Sequence[str]], width: int | None) -> list[str]:
    """The lines of a table, or of blocks; `width` None = as wide as it gets."""
    rows = [[_CONTROL.sub(" ", cell) for cell in row] for row in rows]
    widths = [max(len(row[place]) for row in (columns, *rows)) for place in range(len(columns) - 1)]
    head = sum(widths) + _GAP * len(widths)
    if width is not None and head - _GAP > width:
        blocks = ["\n".join(fact_lines(dict(zip(columns, row, strict=True)))) for row in rows]
        return "\n\n".join(blocks).splitlines()
    starts = ["".join(f"{cell:<{size + _GAP}}" for cell, size in zip(row[:-1], widths, strict=True)) for row in (columns, *rows)]
    lasts = [columns[-1], *(row[-1] for row in rows)]
    lines: list[str] = []
    if width is None or width - head >= _LEAST:
        for start, last in zip(starts, lasts, strict=True):
            first, *more = _wrapped(last, None if width is None else width - head)
            lines += [f"{start}{first}".rstrip(), *(" " * head + text for text in more)]
        return lines
    for start, last in zip(starts[1:], lasts[1:], strict=True):
        lines += [start.rstrip(), *(" " * _GAP + text for text in _wrapped(last, width - _GAP) if text)]
    return [starts[0].rstrip(), *lines]


def _wrapped(text: str, width: int | None) -> list[str]:
    """At spaces only; at least one line."""
    return [text] if width is None else wrap(text, width, break_long_words=False, break_on_hyphens=False) or [""]


def end(code: Exit, message: str, *, as_json: bool = False, **details: Any) -> NoReturn:
    """End with `code` and say why: as JSON on stdout, or as a line on stderr."""
    if as_json:
        print_json({"error": code.name, "message": message, **details})
    else:
        warn(message)
    raise typer.Exit(code)


def refuse(error: EnactError, *, as_json: bool = False) -> NoReturn:
    """End as the class of an error says: its sentence already says what to do."""
    from enact.commands import CommandRefusedError, UnknownExecutionError
    from enact.errors import PermanentError

    match error:
        case ConfigurationError():
            code = Exit.CONFIGURATION
        case UnknownExecutionError():
            code = Exit.NOT_FOUND
        case CommandRefusedError() | PermanentError():
            code = Exit.REFUSED
        case _:
            code = Exit.PROBLEM
    end(code, error.message, as_json=as_json, error_code=error.code.value)


def text_of(file: str, what: str, *, as_json: bool) -> str:
    """The text of a file that was named on the command line. Ends with exit code 3 if it cannot be read; `what` it should be."""
    path = Path(file)
    try:
        if path.is_dir():
            raise IsADirectoryError
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        end(Exit.REFUSED, f"{file} {_unreadable(error)}: name {what}.", as_json=as_json)


def _unreadable(error: Exception) -> str:
    match error:
        case FileNotFoundError():
            return "does not exist"
        case IsADirectoryError():
            return "is a folder"
        case PermissionError():
            return "may not be read by you"
        case UnicodeDecodeError():
            return "is not text in UTF-8"
        case _:
            return f"cannot be read ({error})"


def facts(pairs: Mapping[str, str | None]) -> None:
    """Name and value, one pair a line; what has no value is left out."""
    for line in fact_lines(pairs):
        say(line)


def fact_lines(pairs: Mapping[str, str | None]) -> list[str]:
    """As `facts` says them."""
    width = max((len(name) for name, value in pairs.items() if value), default=0)
    return [f"{name:<{width}}  {value}" for name, value in pairs.items() if value]


def time_of(at_ms: int) -> str:
    """A moment as people and programs read it, to the second, in UTC."""
    from datetime import UTC, datetime

    return datetime.fromtimestamp(at_ms // 1_000, tz=UTC).isoformat().replace("+00:00", "Z")


def as_typed(settings: KernelSettings) -> str:
    """`enact` as it has to be typed in this folder, so that a command shown to a person works when pasted.

    With the data folder in front if it is not the usual one.
    """
    started = Path(sys.argv[0]).absolute()
    on_path = shutil.which("enact")
    if started.name == "main.py":
        program = f"{sys.executable} -m cli.main"
    elif started.name != "enact" or (on_path is not None and Path(on_path).resolve() == started.resolve()):
        program = "enact"
    else:
        program = str(started.relative_to(Path.cwd()) if started.is_relative_to(Path.cwd()) else started)
    usual = KernelSettings.model_fields["data_dir"].default
    return program if settings.data_dir == usual else f"ENACT_DATA_DIR={shlex.quote(str(settings.data_dir))} {program}"
