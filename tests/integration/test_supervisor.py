"""The supervisor with real processes: crashes heal, and however it ends, nothing stays behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cli.child import Change, ChildState
from cli.processes import ProcessSpec
from cli.supervisor import NotReadyError, Supervisor
from enact.broker.pid_file import PidFile, ProcessMark, is_running, mark_of
from enact.broker.ports import free_port

# What a stage does towards its supervisor: serves /readyz, ends on SIGTERM, ends when the pipe closes.
STAGE = """
import http.server, os, signal, sys, threading
def follow():
    os.read(int(os.environ["ENACT_SUPERVISOR_FD"]), 1)
    os._exit(0)
threading.Thread(target=follow, daemon=True).start()
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
class Health(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/readyz" else 404)
        self.end_headers()
    def log_message(self, *_): pass
print("serving", flush=True)
http.server.HTTPServer(("127.0.0.1", int(os.environ["ENACT_HEALTH__PORT"])), Health).serve_forever()
"""
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(120)"

# What `enact up` does around the supervisor.
UP = f"""
import sys
from pathlib import Path
from cli.processes import ProcessSpec
from cli.supervisor import Supervisor
from enact.broker.embedded import EmbeddedBroker
from enact.broker.ports import free_port
folder = Path(sys.argv[1])
broker = EmbeddedBroker(folder, port=0, controller_port=0) if sys.argv[2] == "broker" else None
ports = [free_port() for _ in range(2)]
specs = [ProcessSpec(stage=f"dummy_{{i}}", command=(sys.executable, "-c", {STAGE!r}),
                     environ={{"ENACT_HEALTH__PORT": str(port)}}, health_port=port) for i, port in enumerate(ports)]
supervisor = Supervisor(specs, data_dir=folder, broker=broker, on_change=lambda change: print(change.line, flush=True), grace_s=10)
with supervisor.signals():
    supervisor.claim()
    if broker is not None:
        broker.start()
        broker.wait_ready()
    supervisor.start()
    supervisor.wait_ready()
    print("ALL READY", broker.pid if broker is not None else 0, flush=True)
    supervisor.run()
    supervisor.stop()
print("STOPPED", flush=True)
"""


def spec(name: str, program: str, *, has_health: bool = True) -> ProcessSpec:
    port = free_port() if has_health else None
    return ProcessSpec(
        stage=name,
        command=(sys.executable, "-c", program),
        environ={} if port is None else {"ENACT_HEALTH__PORT": str(port)},
        health_port=port,
    )


def until(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return condition()


def restarts_after_a_look(supervisor: Supervisor) -> int:
    supervisor.tick()
    return supervisor.children[0].restarts


class Up:
    """`enact up` in a process of its own."""

    def __init__(self, folder: Path, kind: str) -> None:
        self.folder = folder
        self.process = subprocess.Popen([sys.executable, "-c", UP, str(folder), kind], stdout=subprocess.PIPE, text=True)
        self.lines: list[str] = []
        self.broker_pid = int(self.read_until("ALL READY").split()[-1])

    def read_until(self, start: str) -> str:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip())
            if line.startswith(start):
                return line
        raise AssertionError("\n".join(self.lines))

    def marks(self) -> list[ProcessMark]:
        found = list(PidFile(self.folder / "enact.pid.json").read())
        broker = mark_of("broker", self.broker_pid) if self.broker_pid else None
        return found if broker is None else [*found, broker]

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Callable[[str], Up]]:
    started: list[Up] = []

    def start(kind: str) -> Up:
        started.append(Up(tmp_path, kind))
        return started[-1]

    yield start
    for one in started:
        one.end()


def test_after_kill_9_of_the_supervisor_nothing_is_left_within_ten_seconds(up: Callable[[str], Up]) -> None:
    running = up("broker")
    marks = running.marks()
    assert [mark.name for mark in marks] == ["supervisor", "dummy_0.0", "dummy_1.0", "broker"]
    assert all(is_running(mark) for mark in marks)

    began = time.monotonic()
    running.process.kill()
    running.process.wait()
    all_gone = until(lambda: not any(is_running(mark) for mark in marks), 10)

    print(f"all gone {time.monotonic() - began:.2f} s after kill -9")
    assert all_gone, [mark for mark in marks if is_running(mark)]


def test_one_ctrl_c_stops_everything_in_order(up: Callable[[str], Up]) -> None:
    running = up("broker")
    marks = running.marks()

    running.process.send_signal(signal.SIGINT)
    running.read_until("STOPPED")

    assert running.process.wait(10) == 0
    assert not any(is_running(mark) for mark in marks)
    assert not (running.folder / "enact.pid.json").exists()
    assert running.lines.index("Stopping the broker.") > next(i for i, line in enumerate(running.lines) if line.startswith("Stopping 2"))


def test_a_killed_broker_comes_back_on_its_port(up: Callable[[str], Up]) -> None:
    running = up("broker")

    os.kill(running.broker_pid, signal.SIGKILL)
    running.read_until("broker serves again")

    assert any(line.startswith("broker ended (killed by SIGKILL") for line in running.lines)
    assert sum("dummy" in line and "starting" in line for line in running.lines) == 2  # the stages were left running


def test_a_crashed_process_is_started_again(tmp_path: Path) -> None:
    changes: list[Change] = []
    supervisor = Supervisor([spec("dummy", STAGE)], data_dir=tmp_path, on_change=changes.append, grace_s=5)
    try:
        supervisor.start()
        assert supervisor.wait_ready(20)
        (child,) = supervisor.children
        first_pid = child.pid
        assert first_pid is not None

        os.kill(first_pid, signal.SIGKILL)
        assert until(lambda: restarts_after_a_look(supervisor) == 1, 10)
        assert supervisor.wait_ready(20)

        assert child.pid not in {None, first_pid}
        assert [change.state for change in changes] == [
            ChildState.STARTING,
            ChildState.READY,
            ChildState.WAITING,
            ChildState.STARTING,
            ChildState.READY,
        ]
        assert child.log_path.read_text().count("serving") == 2
    finally:
        supervisor.stop()


def test_a_process_with_a_wrong_configuration_is_shown_with_its_own_words(tmp_path: Path) -> None:
    program = "import sys; print('ENACT_PROFILE: input should be development or production.', flush=True); sys.exit(64)"
    supervisor = Supervisor([spec("dummy", program)], data_dir=tmp_path, grace_s=5)
    try:
        supervisor.start()

        with pytest.raises(NotReadyError, match=r"dummy\.0 cannot start as configured(.|\n)*ENACT_PROFILE"):
            supervisor.wait_ready(20)

        assert supervisor.children[0].restarts == 0
    finally:
        supervisor.stop()


def test_a_process_that_ignores_sigterm_is_killed_after_the_grace_time(tmp_path: Path) -> None:
    changes: list[Change] = []
    supervisor = Supervisor([spec("stubborn", STUBBORN, has_health=False)], data_dir=tmp_path, on_change=changes.append, grace_s=0.5)
    supervisor.start()
    (child,) = supervisor.children
    assert child.pid is not None
    mark = mark_of("stubborn", child.pid)
    assert mark is not None
    assert until(lambda: child.log_path.read_text() == "up\n", 10)

    supervisor.stop()

    assert not is_running(mark)
    assert any("did not end in time" in change.line for change in changes)


def test_what_a_killed_supervisor_left_behind_is_ended_by_the_next_one_and_nobody_else(tmp_path: Path) -> None:
    ignoring_the_pipe = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(120)"], start_new_session=True)
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(120)"], start_new_session=True)
    changes: list[Change] = []
    supervisor = Supervisor([], data_dir=tmp_path, on_change=changes.append)
    try:
        left = mark_of("validation.0", ignoring_the_pipe.pid)
        assert left is not None
        recycled = ProcessMark(name="recording.0", pid=stranger.pid, started=left.started + "0")
        PidFile(tmp_path / "enact.pid.json").write([left, recycled])

        supervisor.claim()

        assert ignoring_the_pipe.wait(10) == -signal.SIGTERM
        assert stranger.poll() is None
        assert [change.name for change in changes] == ["validation.0"]
    finally:
        for process in (ignoring_the_pipe, stranger):
            process.kill()
            process.wait()
        supervisor.stop()
