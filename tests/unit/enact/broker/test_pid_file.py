"""Who is ours: a pid alone proves nothing."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from enact.broker.pid_file import PidFile, ProcessMark, end, is_running, mark_of, started_mark

NOBODY = 4_194_304  # above the largest pid Linux gives


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    yield process
    process.kill()
    process.wait()


def marked(process: subprocess.Popen[bytes]) -> ProcessMark:
    mark = mark_of("sleeper", process.pid)
    assert mark is not None
    return mark


def test_marks_survive_the_file(tmp_path: Path) -> None:
    mark = mark_of("me", os.getpid())
    assert mark is not None
    file = PidFile(tmp_path / "new" / "pids.json")

    file.write([mark])

    assert file.read() == (mark,)
    assert is_running(file.read()[0])


@pytest.mark.parametrize("text", ["", "{", "[]", '{"processes": [{"pid": "x"}]}', '{"processes": 3}'])
def test_an_unreadable_file_names_nobody(tmp_path: Path, text: str) -> None:
    path = tmp_path / "pids.json"
    path.write_text(text)

    assert PidFile(path).read() == ()


def test_a_missing_file_names_nobody_and_can_be_deleted(tmp_path: Path) -> None:
    file = PidFile(tmp_path / "pids.json")

    file.delete()

    assert file.read() == ()


def test_a_process_is_ended_and_named(sleeper: subprocess.Popen[bytes]) -> None:
    mark = marked(sleeper)

    ended = end([mark], grace_s=0.0)

    assert ended == (mark,)
    assert sleeper.wait(10) < 0


def test_a_process_with_the_same_pid_and_another_start_is_left_alone(sleeper: subprocess.Popen[bytes]) -> None:
    mark = marked(sleeper)

    ended = end([replace(mark, started=mark.started + "0"), replace(mark, started="another boot:1")], grace_s=0.0)

    assert ended == ()
    assert sleeper.poll() is None


def test_a_zombie_does_not_run() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and nobody has reaped it

    assert started_mark(process.pid) is None
    process.wait()


def test_a_pid_nobody_has_is_not_running() -> None:
    assert mark_of("nobody", NOBODY) is None
    assert end([ProcessMark(name="nobody", pid=NOBODY, started="x")], grace_s=0.0) == ()
