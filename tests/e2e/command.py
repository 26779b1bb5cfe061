"""The `enact` command as people run it: a process of its own, its own data folder, nothing from this shell's settings."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from enact.broker.pid_file import PidFile, ProcessMark, is_running
from enact.broker.storage import Storage
from topology.stages import RUNNING_STAGES

ROOT = Path(__file__).resolve().parent.parent.parent
WHO = ("--tenant", "acme", "--account", "account-1")
STARTED = "enact is running"


def clean_environment(**settings: str) -> dict[str, str]:
    """This shell's environment without settings of enact, and with these."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ENACT_") or name == "ENACT_CACHE_DIR"}
    kept.pop("KAFKA_BOOTSTRAP_SERVERS", None)
    return kept | settings


class Enact:
    """The command line on one data folder."""

    def __init__(self, data_dir: Path, **settings: str) -> None:
        self.data_dir = data_dir
        self.environment = clean_environment(ENACT_DATA_DIR=str(data_dir), **settings)

    def run(self, *arguments: str, stdin: str | None = None, timeout_s: float = 60) -> subprocess.CompletedProcess[str]:
        """Run a verb to its end."""
        command = [sys.executable, "-m", "cli.main", *arguments]
        return subprocess.run(
            command, cwd=ROOT, env=self.environment, input=stdin, capture_output=True, text=True, timeout=timeout_s, check=False
        )

    def ask(self, *arguments: str, exit_code: int = 0, stdin: str | None = None) -> Any:
        """Run a verb with --json; its document."""
        done = self.run(*arguments, "--json", stdin=stdin)
        assert done.returncode == exit_code, f"{arguments} ended with {done.returncode}: {done.stdout}{done.stderr}"
        return json.loads(done.stdout)

    def status(self, intent_id: str) -> str:
        """The status of an execution, UNKNOWN while the api does not know it."""
        done = self.run("status", intent_id, *WHO, "--json")
        return str(json.loads(done.stdout).get("status", "UNKNOWN"))

    def wait_for(self, intent_id: str, status: str, timeout_s: float = 30) -> None:
        """Wait for a status. Raises: AssertionError with the last one seen."""
        deadline = time.monotonic() + timeout_s
        while (found := self.status(intent_id)) != status:
            assert time.monotonic() < deadline, f"{intent_id} is {found}, expected {status} within {timeout_s} s"
            time.sleep(0.2)


class Up:
    """A running `enact up`."""

    def __init__(self, enact: Enact, *arguments: str) -> None:
        self._enact = enact
        self._arguments = arguments
        self._log = enact.data_dir.with_suffix(".up.log")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, timeout_s: float = 90) -> None:
        """Start and wait until it says that it runs."""
        with self._log.open("wb") as log:
            command = [sys.executable, "-m", "cli.main", "up", *self._arguments]
            self._process = subprocess.Popen(
                command, cwd=ROOT, env=self._enact.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )
        deadline = time.monotonic() + timeout_s
        while STARTED not in self.said:
            assert self._process.poll() is None, f"enact up ended with {self._process.returncode}: {self.said}"
            assert time.monotonic() < deadline, f"enact up is not ready within {timeout_s} s: {self.said}"
            time.sleep(0.1)

    @property
    def said(self) -> str:
        """Everything it has printed."""
        return self._log.read_text(encoding="utf-8")

    @property
    def file(self) -> dict[str, Any]:
        """What it tells the other commands."""
        told: dict[str, Any] = json.loads((self._enact.data_dir / "up.json").read_text())
        return told

    def marks(self) -> Sequence[ProcessMark]:
        """Every process of it: supervisor, stages, sandbox, broker."""
        found = [*PidFile(self._enact.data_dir / "enact.pid.json").read(), *PidFile(Storage(self._enact.data_dir).pid_path).read()]
        wanted = {"supervisor", "broker", "sandbox.0", *(f"{stage}.0" for stage in RUNNING_STAGES)}
        assert {mark.name for mark in found} == wanted
        return found

    def kill(self) -> None:
        """As `kill -9` of the supervisor."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(10)

    def stop(self, timeout_s: float = 60) -> int:
        """As Ctrl-C; its exit code."""
        if self._process is None:
            return 0
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
        return self._process.wait(timeout_s)


def wait_until_gone(marks: Sequence[ProcessMark], timeout_s: float) -> None:
    """Wait until none of these processes runs. Raises: AssertionError naming those that do."""
    deadline = time.monotonic() + timeout_s
    while alive := [mark.name for mark in marks if is_running(mark)]:
        assert time.monotonic() < deadline, f"still running after {timeout_s} s: {alive}"
        time.sleep(0.05)
