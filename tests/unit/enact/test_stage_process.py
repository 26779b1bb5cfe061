"""How a stage process starts, stops and ends; the real signals and pipes of a child process."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator

import pytest

from enact.errors import ConfigurationError, EnactError, FencedError
from enact.health import HealthState
from enact.records import Switch
from enact.settings import KernelSettings
from enact.stage_process import ExitCode, ProcessContext, Runnable, TryAgainError, run_stage
from enact.watchdog import end_after_stop, end_with_supervisor

ENVIRON = {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1", "ENACT_HEALTH__PORT": "0"}
PATIENCE_S = 20.0

CHILD = """
import sys, threading
from enact.settings import KernelSettings
from enact.stage_process import run_stage

class Waiting:
    def __init__(self, context): self.context = context
    def run(self, stop):
        print("running", flush=True)
        while not stop.wait(0.05):
            self.context.health.beat()
        print("stopping", self.context.health.missing_to_be_ready()[-1], flush=True)
        if MODE == "deaf":
            threading.Event().wait()

MODE = sys.argv[1]
sys.exit(run_stage("validation", Waiting, KernelSettings))
"""


class Doing:
    def __init__(self, act: Callable[[], None]) -> None:
        self.act = act

    def run(self, stop: threading.Event) -> None:
        self.act()


def raising(error: Exception) -> Callable[[ProcessContext[KernelSettings]], Runnable]:
    def act() -> None:
        raise error

    return lambda _: Doing(act)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigurationError("ENACT_X is wrong."), ExitCode.CONFIGURATION),
        (FencedError(), ExitCode.TRY_AGAIN),
        (TryAgainError(), ExitCode.TRY_AGAIN),
        (EnactError("odd"), ExitCode.UNEXPECTED),
        (ZeroDivisionError(), ExitCode.UNEXPECTED),
    ],
)
def test_each_kind_of_failure_has_its_exit_code(error: Exception, code: ExitCode) -> None:
    assert run_stage("validation", raising(error), KernelSettings, environ=ENVIRON) == code


def test_a_schema_registry_that_is_away_ends_the_process_before_its_stage_is_made(capfd: pytest.CaptureFixture[str]) -> None:
    environ = ENVIRON | {"ENACT_SCHEMA_REGISTRY__URL": "http://127.0.0.1:1"}

    code = run_stage("validation", raising(ZeroDivisionError()), KernelSettings, environ=environ, subjects=lambda _: {"a-value": Switch})

    assert code == ExitCode.TRY_AGAIN
    assert "The schema registry does not answer" in capfd.readouterr().err


def test_a_stage_that_returns_ends_with_zero_and_got_what_it_needs() -> None:
    seen: list[ProcessContext[KernelSettings]] = []

    def build(context: ProcessContext[KernelSettings]) -> Runnable:
        seen.append(context)
        return Doing(lambda: None)

    assert run_stage("validation", build, KernelSettings, connectors=("crm",), environ=ENVIRON) == 0
    assert seen[0].name == "validation"
    assert set(seen[0].metrics.call_s) == {"crm"}
    assert isinstance(seen[0].health, HealthState)


def test_a_wrong_configuration_is_one_line_with_every_variable(capsys: pytest.CaptureFixture[str]) -> None:
    code = run_stage("validation", raising(ZeroDivisionError()), KernelSettings, environ={"ENACT_HEALTH__PORT": "x", "ENACT_PROFILE": "y"})

    written = capsys.readouterr().err
    assert code == ExitCode.CONFIGURATION
    assert written.count("\n") == 1
    assert written.startswith("enact validation cannot start: ")
    assert "ENACT_HEALTH__PORT" in written
    assert "ENACT_PROFILE" in written


def test_without_a_cluster_the_stage_does_not_start(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_stage("validation", raising(ZeroDivisionError()), KernelSettings, environ={}) == ExitCode.CONFIGURATION
    assert "ENACT_KAFKA__BOOTSTRAP_SERVERS" in capsys.readouterr().err


@pytest.fixture
def spawn() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    children: list[subprocess.Popen[str]] = []

    def start(mode: str = "", fd: int | None = None, **environ: str) -> subprocess.Popen[str]:
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, mode],
            env={**os.environ, **ENVIRON, **environ} | ({} if fd is None else {"ENACT_SUPERVISOR_FD": str(fd)}),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            pass_fds=[] if fd is None else [fd],
        )
        children.append(child)
        assert child.stdout is not None
        assert child.stdout.readline() == "running\n"
        return child

    yield start
    for child in children:
        child.kill()
        child.wait()
        assert child.stdout is not None
        child.stdout.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_asks_for_a_stop_and_takes_readiness_away(spawn: Callable[..., subprocess.Popen[str]], number: signal.Signals) -> None:
    child = spawn()

    child.send_signal(number)

    assert child.stdout is not None
    assert child.stdout.readline() == "stopping the process is stopping\n"
    assert child.wait(PATIENCE_S) == 0


def test_a_second_signal_does_not_wait(spawn: Callable[..., subprocess.Popen[str]]) -> None:
    child = spawn("deaf")
    child.send_signal(signal.SIGTERM)
    assert child.stdout is not None
    assert child.stdout.readline().startswith("stopping")

    child.send_signal(signal.SIGTERM)

    assert child.wait(PATIENCE_S) == ExitCode.UNEXPECTED


def test_a_stop_that_hangs_is_ended(spawn: Callable[..., subprocess.Popen[str]]) -> None:
    child = spawn("deaf", ENACT_SHUTDOWN_TIMEOUT_S="0.3")

    child.send_signal(signal.SIGTERM)

    assert child.wait(PATIENCE_S) == ExitCode.UNEXPECTED


def test_a_child_stops_when_its_supervisors_pipe_closes(spawn: Callable[..., subprocess.Popen[str]]) -> None:
    reading, writing = os.pipe()
    child = spawn(fd=reading)
    os.close(reading)

    os.close(writing)

    assert child.wait(PATIENCE_S) == 0


def test_a_deaf_child_is_gone_five_seconds_after_its_supervisor() -> None:
    ended: list[int] = []
    reading, writing = os.pipe()
    stop = threading.Event()
    thread = end_with_supervisor(reading, stop, grace_s=0.0, end=ended.append)
    assert not stop.is_set()

    os.close(writing)
    thread.join(PATIENCE_S)
    os.close(reading)

    assert stop.is_set()
    assert ended == [ExitCode.TRY_AGAIN]


def test_the_stop_watchdog_waits_for_the_stop() -> None:
    ended, stop = list[int](), threading.Event()
    thread = end_after_stop(stop, 0.0, end=ended.append)
    assert ended == []

    stop.set()
    thread.join(PATIENCE_S)

    assert ended == [ExitCode.UNEXPECTED]
