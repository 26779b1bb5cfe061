"""What the supervisor runs: one operating-system process per stage instance, the same entry point as in a container."""

import http.client
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from enact.broker.ports import LOOPBACK, free_port, require_free
from enact.settings import child_environment
from topology.stages import STAGE_NAMES

FIRST_HEALTH_PORT = 9401
PORTS_PER_INSTANCE = 20
API_PORT = "ENACT_API__PORT"
HEALTH_PORT = "ENACT_HEALTH__PORT"
EXIT_CONFIGURATION = 64
_LOG_LIMIT_BYTES = 8 * 1024 * 1024

_EXITS = {
    0: "it ended by itself",
    1: "an unexpected error",
    EXIT_CONFIGURATION: "it cannot start as configured",
    70: "an unexpected error",
    75: "it stopped itself because something around it is wrong",
    137: "killed from outside (SIGKILL; often the system ran out of memory)",
    143: "ended from outside (SIGTERM)",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessSpec:
    """One process to keep running. Without `health_port` it counts as ready once it runs.

    `environ` is added to the supervisor's own environment. `may_move`: its health port is any free one, nobody asked for this very one.
    """

    stage: str
    command: tuple[str, ...]
    instance: int = 0
    environ: Mapping[str, str] = field(default_factory=dict)
    health_port: int | None = None
    may_move: bool = False

    def moved(self) -> "ProcessSpec":
        """The same on another free port. Raises: PortTakenError if there is none."""
        port = free_port()
        return replace(self, health_port=port, environ={**self.environ, HEALTH_PORT: str(port)})

    @property
    def name(self) -> str:
        """Its name in messages, in the pid file and of its log: `validation.0`."""
        return f"{self.stage}.{self.instance}"


class Running(Protocol):
    """What the supervisor needs of a started process; `subprocess.Popen` is one."""

    @property
    def pid(self) -> int:
        """Its pid."""

    def poll(self) -> int | None:
        """The exit status, negative for a signal; None while it runs."""

    def send_signal(self, sig: int) -> None:
        """Send a signal; nothing happens if it has ended."""


Launch = Callable[[ProcessSpec, Path, int], Running]
"""Starts a process: what, where its log is, and the file descriptor that closes when the supervisor ends."""


def stage_specs(
    stages: Sequence[str] = STAGE_NAMES,
    *,
    environ: Mapping[str, str],
    instances: Mapping[str, int] | None = None,
    with_free_ports: bool = False,
    setting: str = "--health-port",
    first_port: int = FIRST_HEALTH_PORT,
) -> tuple[ProcessSpec, ...]:
    """Specs of `python -m services.<stage>`, `instances` of each (1 by default), instance 0 of all stages first.

    A stage's health port is `first_port` + its place among all stages, instance k adds 20·k; `setting` is what the
    message about a taken port names. Instance k of the api answers on the port of `environ` + k (0 stays 0: any free one).

    Raises: ConfigurationError (PortTakenError) if a port is taken; KeyError for an unknown stage.
    """
    index = {name: position for position, name in enumerate(STAGE_NAMES)}
    wanted = sorted((k, index[stage], stage) for stage in stages for k in range((instances or {}).get(stage, 1)))
    api_port = int(environ.get(API_PORT, 0))
    chosen: list[int] = [api_port]

    def choose(port: int, *, what: str, setting: str) -> int:
        if with_free_ports:
            port = free_port(taken=chosen)
        else:
            require_free(port, what=what, setting=setting)
        chosen.append(port)
        return port

    specs: list[ProcessSpec] = []
    for k, position, stage in wanted:
        port = choose(first_port + position + PORTS_PER_INSTANCE * k, what=f"health and metrics of {stage}.{k}", setting=setting)
        own = {HEALTH_PORT: str(port)}
        if stage == "api" and k and api_port:
            own[API_PORT] = str(choose(api_port + k, what=f"api.{k}", setting=API_PORT))
        command = (sys.executable, "-P", "-m", f"services.{stage}")
        environment = {**environ, **own}
        spec = ProcessSpec(stage=stage, instance=k, command=command, environ=environment, health_port=port, may_move=with_free_ports)
        specs.append(spec)
    return tuple(specs)


def launch(spec: ProcessSpec, log_path: Path, supervisor_fd: int) -> subprocess.Popen[bytes]:
    """Start a process in a session of its own: a terminal's Ctrl-C reaches the supervisor only, which stops all in order."""
    log_path.parent.mkdir(parents=True, exist_ok=True)
    if log_path.exists() and log_path.stat().st_size > _LOG_LIMIT_BYTES:
        log_path.replace(log_path.with_suffix(".log.1"))
    with log_path.open("ab") as log:
        return subprocess.Popen(
            spec.command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=child_environment({**spec.environ, "ENACT_SUPERVISOR_FD": str(supervisor_fd)}),
            pass_fds=(supervisor_fd,),
            start_new_session=True,
        )


def is_ready(port: int, *, timeout_s: float = 0.5) -> bool:
    """Whether `/readyz` on 127.0.0.1 answers 200."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=timeout_s)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def exit_in_words(status: int) -> str:
    """An exit status for people: `exit 64: it cannot start as configured`, `killed by SIGSEGV`."""
    if status < 0:
        try:
            name = signal.Signals(-status).name
        except ValueError:
            name = f"signal {-status}"
        return f"killed by {name}" + (" (from outside; often the system ran out of memory)" if status == -signal.SIGKILL else "")
    meaning = _EXITS.get(status)
    return f"exit {status}: {meaning}" if meaning else f"exit {status}"


class BackOff:
    """How long to wait before the next start: half a second, doubling to 15 s; a minute of running clears it."""

    def __init__(self, *, first_s: float = 0.5, longest_s: float = 15.0, clears_after_s: float = 60.0) -> None:
        self._first_s = first_s
        self._longest_s = longest_s
        self._clears_after_s = clears_after_s
        self._failures = 0

    def after_running(self, seconds: float) -> float:
        """Seconds to wait after a process has ended that ran for so many seconds."""
        if seconds >= self._clears_after_s:
            self._failures = 0
        delay_s: float = min(self._first_s * 2**self._failures, self._longest_s)
        self._failures = min(self._failures + 1, 16)
        return delay_s


def log_tail(path: Path, *, lines: int = 8) -> str:
    """The end of a log, indented for a message; empty if there is none."""
    try:
        with path.open("rb") as file:
            file.seek(max(path.stat().st_size - 16_384, 0))
            text = file.read().decode(errors="replace")
    except OSError:
        return ""
    return "\n".join("  | " + line[:300] for line in text.splitlines()[-lines:])
