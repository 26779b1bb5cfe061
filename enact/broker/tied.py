"""Start a program whose life is tied to ours: when this process ends, however it ends, the kernel kills it (Linux).

Elsewhere the program starts without the tie, and the next start ends what was left behind (`pid_file`).
"""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from enact.broker import tie
from enact.broker.pid_file import started_mark


class TiedProcess:
    """A program in a session of its own (a terminal's Ctrl-C does not reach it), ended by the kernel if we end first.

    The signal follows the *thread* that started the program, so a thread of its own starts it and stays until
    the program has ended. Output and errors are appended to `log_path`.

    Raises: OSError if it cannot be started.
    """

    def __init__(self, command: Sequence[str], *, log_path: Path, on_exit: Callable[[int], None] | None = None) -> None:
        self._command = [sys.executable, "-I", "-S", str(Path(tie.__file__).resolve()), str(os.getpid()), *command]
        self._log_path = log_path
        self._on_exit = on_exit
        self._started = threading.Event()
        self._ended = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._failure: OSError | None = None
        threading.Thread(target=self._run, name="tied-process", daemon=True).start()
        self._started.wait()
        if self._failure is not None:
            raise self._failure

    @property
    def pid(self) -> int:
        """The program's pid."""
        return self._popen().pid

    @property
    def exit_status(self) -> int | None:
        """The exit status, negative for a signal; None while it runs."""
        if not self._ended.is_set() and started_mark(self.pid) is None:
            self._ended.wait(5.0)  # it has ended, the waiting thread is about to learn it
        return self._popen().returncode if self._ended.is_set() else None

    def send(self, number: signal.Signals) -> None:
        """Send a signal if the program has not ended."""
        if not self._ended.is_set():
            self._popen().send_signal(number)

    def wait(self, timeout_s: float) -> int | None:
        """The exit status, or None if the program still runs after `timeout_s`."""
        self._ended.wait(timeout_s)
        return self.exit_status

    def _popen(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError("The program was not started.")
        return self._process

    def _run(self) -> None:
        try:
            with self._log_path.open("ab") as log:
                self._process = subprocess.Popen(
                    self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
                )
        except OSError as error:
            self._failure = error
            return
        finally:
            self._started.set()
        status = self._process.wait()
        self._ended.set()
        if self._on_exit is not None:
            self._on_exit(status)
