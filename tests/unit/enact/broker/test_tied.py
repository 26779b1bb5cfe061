"""Programs tied to our life; that the kernel ends them with us is tested in tests/integration/broker."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from enact.broker import tie
from enact.broker.embedded import EmbeddedBroker, describe_exit
from enact.broker.file_lock import FileLock
from enact.broker.tied import TiedProcess


def test_the_program_keeps_the_pid_and_writes_to_the_log(tmp_path: Path) -> None:
    seen: list[int] = []
    process = TiedProcess(
        [sys.executable, "-c", "import os; print(os.getpid()); raise SystemExit(3)"], log_path=tmp_path / "log", on_exit=seen.append
    )

    status = process.wait(20)

    assert status == process.exit_status == 3
    assert (tmp_path / "log").read_text() == f"{process.pid}\n"
    process.send(signal.SIGTERM)  # it has ended: nothing happens, to nobody


def test_a_signalled_program_reports_the_signal(tmp_path: Path) -> None:
    process = TiedProcess([sys.executable, "-c", "import time; time.sleep(60)"], log_path=tmp_path / "log")
    running = process.exit_status

    process.send(signal.SIGKILL)

    assert running is None
    assert process.wait(20) == -signal.SIGKILL


def test_a_log_that_cannot_be_written_is_an_error_at_once(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        TiedProcess([sys.executable], log_path=tmp_path / "missing" / "log")


def test_a_program_whose_parent_is_gone_already_is_not_started() -> None:
    not_its_parent = os.getppid()

    done = subprocess.run(
        [sys.executable, "-I", "-S", str(tie.__file__), str(not_its_parent), sys.executable, "-c", "print('ran')"],
        capture_output=True,
        check=False,
    )

    assert (done.returncode, done.stdout) == (0, b"")


def test_a_lock_excludes_others_until_it_is_released(tmp_path: Path) -> None:
    first, second = FileLock(tmp_path / "a" / "lock"), FileLock(tmp_path / "a" / "lock")

    taken = first.try_acquire(), first.try_acquire(), second.try_acquire()
    first.release()

    assert taken == (True, True, False)
    assert second.try_acquire()
    assert not first.is_held
    second.release()


def test_a_broker_that_never_ran_is_stopped_and_killed_without_effect(tmp_path: Path) -> None:
    broker = EmbeddedBroker(tmp_path, cache_dir=tmp_path)

    broker.stop()
    broker.kill()
    broker.hurry()

    assert not broker.is_running
    assert not broker.is_ready()
    assert (broker.pid, broker.exit_status) == (None, None)


def test_how_a_broker_ended_is_said_in_words() -> None:
    assert [describe_exit(status) for status in (None, 1, -9, -250)] == [
        "still running",
        "exit status 1",
        "killed by SIGKILL",
        "killed by signal 250",
    ]
