"""The bare client loop as the second column: the same work without a product around it, on the same broker, in turn with ours."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from enact.broker.embedded import EmbeddedBroker
from enact.broker.ports import free_port

ROOT = Path(__file__).resolve().parents[1]
USUAL_PLACE = ROOT.parent / "shared" / "bench" / "bare_loop.py"


@dataclass(frozen=True, slots=True, kw_only=True)
class BareLoop:
    """The program that is compared with, and why it is not there if it is not."""

    program: Path | None
    absent_because: str | None = None

    @classmethod
    def find(cls, given: Path | None) -> "BareLoop":
        program = given or USUAL_PLACE
        if program.is_file():
            return cls(program=program)
        shown = given if given is not None else os.path.relpath(USUAL_PLACE, ROOT)
        return cls(program=None, absent_because=f"there is no {shown}: name the bare loop with --bare-loop")

    def run(self, broker: EmbeddedBroker, *, count: int, rate: float | None, delay_ms: float, partitions: int) -> dict[str, Any]:
        """Its own figures: exec_per_s, p50_ms, p90_ms, p99_ms, cpu_ms_per_exec, cpu_s by process.

        Raises: RuntimeError with the end of what it said if it fails.
        """
        command = [sys.executable, str(self.program), "--bootstrap", broker.bootstrap_servers, "--mode", "log", "--n", str(count)]
        command += ["--rate", str(rate or 0), "--delay-ms", str(delay_ms), "--parts", str(partitions), "--tool-port", str(free_port())]
        environ = {**os.environ, "BROKER_PID": str(broker.pid)}
        process = subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
        try:
            out, errors = process.communicate(timeout=240)
        except BaseException:
            process.send_signal(signal.SIGTERM)  # it ends its own processes and deletes its topics
            process.communicate(timeout=30)
            raise
        if process.returncode != 0 or not out.strip():
            raise RuntimeError(f"the bare loop failed (exit {process.returncode}): {errors[-800:]}")
        found: dict[str, Any] = json.loads(out.strip().splitlines()[-1])
        return found
