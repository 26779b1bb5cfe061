"""What every program here does as a program: say a line at once, end on a signal as on Ctrl-C."""

import sys


def tell(line: str) -> None:
    """A line that is seen at once, also through a pipe."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def interrupt() -> None:
    """For `cli.supervisor.on_stop_signals`."""
    raise KeyboardInterrupt
