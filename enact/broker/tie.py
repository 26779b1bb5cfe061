"""The wrapper between a process and the program it starts: ask for the parent-death signal, then become the program (same pid).

Run as `python -I -S tie.py <parent pid> <program> <arguments>`: it imports nothing but the standard library.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Sequence

_PR_SET_PDEATHSIG = 1


def become(parent_pid: int, command: Sequence[str]) -> None:
    """Tie this process to its parent and turn into `command`; returns only if the parent is gone already."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() == parent_pid:  # it may have ended before the signal was asked for
        os.execv(command[0], list(command))  # noqa: S606 - to become the program is the point


if __name__ == "__main__":
    become(int(sys.argv[1]), sys.argv[2:])
