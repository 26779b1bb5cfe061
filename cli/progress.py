"""What is seen of a start: a few lines, a spinner on a terminal, every fault; the same words in a pipe, without colours."""

import sys
import time
from datetime import datetime
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.status import Status
from rich.text import Text

from cli.child import Change, ChildState

PIPE_WIDTH = 100
_QUIET = frozenset({ChildState.STARTING, ChildState.READY})
_WELL = _QUIET | {ChildState.ENDED}


def console() -> Console:
    """For people: as wide as the terminal (at most 110), 100 columns and no colours in a pipe."""
    found = Console(highlight=False, markup=False, emoji=False)
    found.width = min(found.width, 110) if found.is_terminal else PIPE_WIDTH
    return found


def headline(screen: Console, text: str, style: str = "bold") -> None:
    """Opens a part of what is shown."""
    screen.print()
    screen.rule(Text(text, style=style), align="left", style="dim")


class Progress:
    """Tells a start step by step. Inside `with`, starting processes are counted; afterwards each change is a line with its time."""

    def __init__(self, screen: Console, *, process_count: int) -> None:
        self._screen = screen
        self._count = process_count
        self._ready: set[str] = set()
        self._started_s = time.monotonic()
        self._status: Status | None = None
        self._is_starting = False

    def __enter__(self) -> Self:
        self._is_starting = True
        if self._screen.is_terminal:
            self._status = self._screen.status("Starting", spinner="dots")
            self._status.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._status is not None:
            self._status.stop()
        self._status = None
        self._is_starting = False

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.monotonic() - self._started_s

    def step(self, line: str) -> None:
        """One step, done."""
        self._print(f"{self.seconds:5.1f} s  {line}")

    def change(self, change: Change) -> None:
        """Something happened to a process: while all start, what goes well is only counted."""
        style = "" if change.state in _WELL else "yellow"
        if not self._is_starting:
            at = datetime.now().astimezone().strftime("%H:%M:%S")
            self._print(f"{at}  {change.line}", style)
            return
        if change.state is ChildState.READY:
            self._ready.add(change.name)
        if change.state not in _QUIET:
            self._print(f"{self.seconds:5.1f} s  {change.line}", style)
            return
        self._doing(f"Starting {self._count} processes, one for each stage: {len(self._ready)} ready")
        if len(self._ready) == self._count and change.state is ChildState.READY:
            self.step(f"Processes: {', '.join(name.removesuffix('.0') for name in sorted(self._ready))} are ready.")

    def _doing(self, what: str) -> None:
        if self._status is not None:
            self._status.update(Text(what))

    def _print(self, line: str, style: str = "") -> None:
        self._screen.print(Text(line, style=style), soft_wrap=True)
        sys.stdout.flush()
