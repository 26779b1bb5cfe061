"""What every verb says and how it ends: exit codes, JSON for programs, tables for people, refusals that say what to do."""

import json
import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from enum import IntEnum
from pathlib import Path
from typing import Any, NoReturn

import typer

from enact.errors import ConfigurationError, EnactError
from enact.settings import KernelSettings

_PIPE_WIDTH = 240


class Exit(IntEnum):
    """Exit codes of `enact`. 2 is the code of a wrong command line, 64, 70 and 75 also those of a stage process."""

    OK = 0
    PROBLEM = 1
    USAGE = 2
    REFUSED = 3
    NOT_FOUND = 4
    TOO_LATE = 5
    IN_DOUBT = 6
    RECORDED = 7
    CONFIGURATION = 64


EXIT_CODES_HELP = (
    "Exit codes: 0 done · 1 something around enact failed (broker, api); try again · 2 wrong command line · "
    "3 refused, nothing was changed · 4 no such execution · 5 too late, it had ended · 6 in doubt, a person must look · "
    "7 recorded, the answer is still to come · 64 configuration. `enact topics` has its own, see `enact topics --help`."
)


def say(text: str) -> None:
    """One line for people, on stdout."""
    sys.stdout.write(f"{text}\n")


def warn(text: str) -> None:
    """One line for people, on stderr: `--json` output stays clean."""
    sys.stderr.write(f"{text}\n")


def print_json(value: Any) -> None:
    """The answer for programs: one JSON document on stdout."""
    say(json.dumps(value, ensure_ascii=False, indent=2))


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table for people; the last column gets the space that is left."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(cell.replace("[", r"\[") for cell in row))
    # A file or a pipe has no width of its own, and an id cut in two helps nobody.
    Console(width=None if sys.stdout.isatty() else _PIPE_WIDTH).print(table)


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


def facts(pairs: Mapping[str, str | None]) -> None:
    """Name and value, one pair a line; what has no value is left out."""
    width = max((len(name) for name, value in pairs.items() if value), default=0)
    for name, value in pairs.items():
        if value:
            say(f"{name:<{width}}  {value}")


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
