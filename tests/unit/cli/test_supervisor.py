"""The supervisor's decisions, on programs that only pretend to run and a clock that is moved by hand."""

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.child import Change, ChildState
from cli.processes import EXIT_CONFIGURATION, BackOff, ProcessSpec, exit_in_words, stage_specs
from cli.supervisor import SELF, NotReadyError, Supervisor
from enact.broker.errors import PortTakenError
from enact.broker.file_lock import FileLock
from enact.broker.pid_file import PidFile, ProcessMark, mark_of
from enact.broker.ports import LOOPBACK, free_port
from enact.clock import ManualClock
from enact.errors import BrokerError, ConfigurationError
from enact.stage_process import ExitCode
from topology.stages import STAGE_NAMES


class Program:
    """Pretends to run until a test or a signal ends it."""

    def __init__(self, *, heeds_sigterm: bool = True) -> None:
        self.pid = os.getpid()
        self.status: int | None = None
        self.signals: list[int] = []
        self.heeds_sigterm = heeds_sigterm

    def poll(self) -> int | None:
        return self.status

    def send_signal(self, sig: int) -> None:
        self.signals.append(sig)
        if sig == signal.SIGKILL or self.heeds_sigterm:
            self.status = -sig


class Broker:
    """Pretends to be a broker."""

    log_path = Path("broker.log")

    def __init__(self) -> None:
        self.is_running = True
        self.exit_status: int | None = None
        self.answers = True
        self.calls: list[str] = []
        self.refuses = False

    def start(self) -> None:
        self.calls.append("start")
        if self.refuses:
            raise BrokerError("Port 9092 is taken.")
        self.is_running = True

    def is_ready(self) -> bool:
        return self.answers

    def stop(self) -> None:
        self.calls.append("stop")
        self.is_running = False

    def hurry(self) -> None:
        self.calls.append("hurry")

    def die(self) -> None:
        self.is_running, self.exit_status = False, -9


class World:
    """A supervisor of two processes, with everything it touches."""

    def __init__(self, folder: Path) -> None:
        self.clock = ManualClock()
        self.programs: dict[str, list[Program]] = {}
        self.ready_ports: set[int] = {1, 2}
        self.broker = Broker()
        self.changes: list[Change] = []
        self.heeds_sigterm = True
        specs = [ProcessSpec(stage=name, command=("x",), health_port=port) for port, name in enumerate(["validation", "recording"], 1)]
        self.supervisor = Supervisor(
            specs,
            data_dir=folder,
            broker=self.broker,
            on_change=self.changes.append,
            grace_s=0.0,
            clock=self.clock,
            launcher=self.launch,
            probe=self.ready_ports.__contains__,
        )

    def launch(self, spec: ProcessSpec, log_path: Path, supervisor_fd: int) -> Program:
        program = Program(heeds_sigterm=self.heeds_sigterm)
        self.programs.setdefault(spec.name, []).append(program)
        return program

    def lines(self, name: str) -> list[str]:
        return [change.line for change in self.changes if change.name == name]

    def state(self, name: str) -> ChildState:
        return next(child.state for child in self.supervisor.children if child.name == name)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.heeds_sigterm = True
    world.supervisor.stop()


def test_each_process_is_reported_ready_once_with_how_many_are(world: World) -> None:
    world.supervisor.start()

    world.supervisor.tick()
    world.supervisor.tick()

    assert world.lines("validation.0")[1:] == ["validation.0 ready on port 1 (1 of 2)"]
    assert world.lines("recording.0")[1:] == ["recording.0 ready on port 2 (2 of 2)"]
    assert world.supervisor.wait_ready(0)


def test_a_process_that_ended_is_started_again_after_the_back_off_not_before(world: World) -> None:
    world.supervisor.start()
    world.programs["validation.0"][0].status = -signal.SIGSEGV

    world.supervisor.tick()
    world.clock.advance(0.4)
    world.supervisor.tick()
    starts_before = len(world.programs["validation.0"])
    world.clock.advance(0.2)
    world.supervisor.tick()

    assert starts_before == 1
    assert len(world.programs["validation.0"]) == 2
    assert len(world.programs["recording.0"]) == 1
    assert "validation.0 ended (killed by SIGSEGV): starting it again in 0.5 s" in world.lines("validation.0")[1]


def test_a_process_that_refuses_its_configuration_is_explained_and_left_ended(world: World, tmp_path: Path) -> None:
    world.supervisor.start()
    (tmp_path / "logs").mkdir(exist_ok=True)
    (tmp_path / "logs" / "validation.0.log").write_text("ENACT_PROFILE: not one of development, production.\n")
    world.programs["validation.0"][0].status = 64

    with pytest.raises(NotReadyError, match=r"validation\.0 cannot start as configured.*\n.*ENACT_PROFILE"):
        world.supervisor.wait_ready(10)
    world.clock.advance(1000)
    world.supervisor.tick()

    assert world.state("validation.0") is ChildState.REFUSED
    assert len(world.programs["validation.0"]) == 1
    assert "ENACT_PROFILE" in world.lines("validation.0")[-1]


def test_waiting_ends_with_the_names_of_those_that_are_not_ready(world: World) -> None:
    world.ready_ports.discard(2)
    world.supervisor.start()

    with pytest.raises(NotReadyError, match=r"^recording\.0 did not become ready within 0 s"):
        world.supervisor.wait_ready(0)


def test_a_stop_request_ends_the_wait_without_an_error(world: World) -> None:
    world.ready_ports.clear()
    world.supervisor.start()

    world.supervisor.request_stop()

    assert not world.supervisor.wait_ready(100)


def test_a_dead_broker_is_started_again_while_the_stages_stay(world: World) -> None:
    world.supervisor.start()
    world.broker.answers = False

    world.broker.die()
    world.supervisor.tick()
    world.clock.advance(0.6)
    world.supervisor.tick()
    world.supervisor.tick()
    world.broker.answers = True
    world.supervisor.tick()

    first, *rest = world.lines("broker")
    assert first.startswith("broker ended (killed by SIGKILL")
    assert rest == ["broker starting", "broker serves again"]
    assert world.broker.calls == ["start"]
    assert all(len(programs) == 1 for programs in world.programs.values())


def test_a_broker_that_cannot_start_is_tried_again_with_its_reason_shown(world: World) -> None:
    world.supervisor.start()
    world.broker.refuses = True
    world.broker.die()

    world.supervisor.tick()
    world.clock.advance(0.6)
    world.supervisor.tick()
    world.supervisor.tick()

    assert world.broker.calls == ["start"]
    assert world.lines("broker")[-1] == "broker could not be started, next try in 1 s: Port 9092 is taken."


def test_stopping_asks_all_then_kills_the_late_and_ends_the_broker_last(world: World, tmp_path: Path) -> None:
    world.heeds_sigterm = False
    world.supervisor.start()

    world.supervisor.stop()

    assert [programs[0].signals for programs in world.programs.values()] == [[signal.SIGTERM, signal.SIGKILL]] * 2
    assert world.broker.calls == ["stop"]
    assert [change.name for change in world.changes][-1] == "broker"
    assert not (tmp_path / "enact.pid.json").exists()


def test_a_second_stop_request_does_not_wait_for_the_grace_time(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.heeds_sigterm = False
    world.supervisor._grace_s = 1_000_000.0
    world.supervisor.start()

    world.supervisor.request_stop()
    world.supervisor.request_stop()
    world.supervisor.stop()

    assert all(programs[0].signals == [signal.SIGTERM, signal.SIGKILL] for programs in world.programs.values())


def test_the_pid_file_names_the_supervisor_and_every_child(world: World, tmp_path: Path) -> None:
    world.supervisor.start()

    marks = PidFile(tmp_path / "enact.pid.json").read()

    assert [mark.name for mark in marks] == [SELF, "validation.0", "recording.0"]


def test_a_recycled_pid_in_a_stale_pid_file_is_nobody_of_ours(world: World, tmp_path: Path) -> None:
    stale = ProcessMark(name="validation.0", pid=os.getpid(), started="an earlier boot:7")
    PidFile(tmp_path / "enact.pid.json").write([stale])

    world.supervisor.claim()

    assert world.lines("validation.0") == []  # and this process, which has the pid now, still runs


def test_a_second_supervisor_on_the_folder_is_refused(world: World, tmp_path: Path) -> None:
    world.supervisor.claim()

    with pytest.raises(ConfigurationError, match=r"already runs on .*ENACT_DATA_DIR"):
        World(tmp_path).supervisor.claim()


def test_a_live_supervisor_is_respected_even_if_its_lock_file_was_deleted(world: World, tmp_path: Path) -> None:
    parent = mark_of(SELF, os.getppid())
    assert parent is not None
    PidFile(tmp_path / "enact.pid.json").write([parent])

    with pytest.raises(ConfigurationError, match=rf"\(pid {parent.pid}\)"):
        world.supervisor.claim()

    assert FileLock(tmp_path / "enact.lock").try_acquire()


def test_the_back_off_doubles_to_fifteen_seconds_and_a_minute_of_running_clears_it() -> None:
    back_off = BackOff()

    delays = [back_off.after_running(1.0) for _ in range(8)]
    after_a_minute = back_off.after_running(60.0)

    assert delays == [0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 15.0, 15.0]
    assert after_a_minute == 0.5


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (64, "exit 64: it cannot start as configured"),
        (70, "exit 70: an unexpected error"),
        (75, "exit 75: it stopped itself because something around it is wrong"),
        (3, "exit 3"),
        (-11, "killed by SIGSEGV"),
        (-9, "killed by SIGKILL (from outside; often the system ran out of memory)"),
        (-250, "killed by signal 250"),
    ],
)
def test_exit_statuses_are_said_in_words(status: int, words: str) -> None:
    assert exit_in_words(status) == words


def test_the_exit_status_that_is_not_tried_again_is_the_stages_own_word_for_it() -> None:
    assert int(ExitCode.CONFIGURATION) == EXIT_CONFIGURATION
    assert all(": " in exit_in_words(int(code)) for code in ExitCode)


def test_health_ports_follow_the_order_of_the_stages_and_instances_add_twenty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.processes.require_free", lambda port, **_: None)

    specs = stage_specs(environ={"ENACT_PROFILE": "development"}, instances={"invocation": 2})

    ports = {spec.name: spec.health_port for spec in specs}
    assert [ports[f"{name}.0"] for name in STAGE_NAMES] == list(range(9401, 9401 + len(STAGE_NAMES)))
    assert ports["invocation.1"] == 9423
    assert specs[-1].environ == {"ENACT_PROFILE": "development", "ENACT_HEALTH__PORT": "9423"}
    assert specs[0].command[1:] == ("-P", "-m", "services.validation")


def test_a_taken_health_port_is_explained_and_free_ports_are_distinct(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("enact.broker.ports.is_free", lambda port: port != 9403)

    with pytest.raises(PortTakenError, match=r"Port 9403, wanted for health and metrics of invocation\.0.*--health-port"):
        stage_specs(environ={})
    monkeypatch.undo()
    specs = stage_specs(environ={}, with_free_ports=True, instances={"invocation": 3})

    assert len({spec.health_port for spec in specs}) == len(specs) == len(STAGE_NAMES) + 2


def test_each_instance_of_the_api_answers_on_its_own_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("enact.broker.ports.is_free", lambda port: port != 8082)

    def api_ports(instances: int, environ: dict[str, str], *, with_free_ports: bool = False) -> list[str | None]:
        specs = stage_specs(["api"], environ=environ, instances={"api": instances}, with_free_ports=with_free_ports)
        return [spec.environ.get("ENACT_API__PORT") for spec in specs]

    assert api_ports(2, {"ENACT_API__PORT": "8080"}) == ["8080", "8081"]
    assert api_ports(2, {"ENACT_API__PORT": "0"}) == ["0", "0"]
    assert api_ports(2, {}) == [None, None]
    assert len({*api_ports(3, {"ENACT_API__PORT": "8080"}, with_free_ports=True)}) == 3
    with pytest.raises(PortTakenError, match=r"Port 8082, wanted for api\.2.*ENACT_API__PORT"):
        api_ports(3, {"ENACT_API__PORT": "8080"})


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that another program listens on."""
    with socket.socket() as other:
        other.bind((LOOPBACK, 0))
        other.listen(1)
        yield other.getsockname()[1]


def _refused(world: World, spec: ProcessSpec) -> None:
    """It starts, and ends because it cannot start as configured."""
    world.supervisor.keep([spec])
    world.supervisor.start()
    world.programs[spec.name][0].status = EXIT_CONFIGURATION
    world.supervisor.tick()


def test_a_process_whose_chosen_port_was_taken_meanwhile_starts_on_another(world: World, taken: int) -> None:
    _refused(world, ProcessSpec(stage="validation", command=("x",), health_port=taken, may_move=True))

    world.supervisor.tick()

    (child,) = world.supervisor.children
    assert child.state is ChildState.STARTING
    assert child.spec.health_port not in {taken, None}
    assert child.spec.environ == {"ENACT_HEALTH__PORT": str(child.spec.health_port)}
    assert any(f"took port {taken} first" in line for line in world.lines("validation.0"))


@pytest.mark.parametrize("may_move", [True, False])
def test_a_port_that_somebody_asked_for_and_any_other_fault_of_configuration_end_it(world: World, taken: int, *, may_move: bool) -> None:
    port = free_port() if may_move else taken

    _refused(world, ProcessSpec(stage="validation", command=("x",), health_port=port, may_move=may_move))

    assert world.state("validation.0") is ChildState.REFUSED


def test_only_ports_that_nobody_asked_for_may_move() -> None:
    asked = stage_specs(["validation"], environ={}, first_port=free_port())
    chosen = stage_specs(["validation"], environ={}, with_free_ports=True)

    assert [spec.may_move for spec in (*asked, *chosen)] == [False, True]
