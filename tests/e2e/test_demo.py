"""`enact demo`, as `make demo` runs it: every status is shown and explained, and nothing is left behind."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from enact.broker.pid_file import PidFile, ProcessMark
from enact.broker.storage import Storage
from tests.e2e.command import ROOT, clean_environment, wait_until_gone


def start(tmp_path: Path, **settings: str) -> subprocess.Popen[str]:
    """The demo in a temporary folder of its own, whatever else this shell is set up for."""
    environment = clean_environment(TMPDIR=str(tmp_path), **settings)
    command = [sys.executable, "-m", "cli.main", "demo"]
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def processes_of(tmp_path: Path, count: int) -> list[ProcessMark]:
    """The demo's processes, once there are so many."""
    deadline = time.monotonic() + 60
    while True:
        marks = [m for folder in tmp_path.glob("enact-demo-*") for m in PidFile(folder / "enact.pid.json").read()]
        if len(marks) >= count:
            folder = next(tmp_path.glob("enact-demo-*"))
            return [*marks, *PidFile(Storage(folder).pid_path).read()]
        assert time.monotonic() < deadline, f"{len(marks)} of {count} processes"
        time.sleep(0.1)


def test_the_demo_shows_every_end_with_its_reason_and_leaves_nothing(tmp_path: Path) -> None:
    settings = {"ENACT_PROFILE": "production", "ENACT_TOPIC_PREFIX": "other", "ENACT_EXECUTION_ENABLED": "false"}
    demo = start(tmp_path, **settings, KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:9")
    marks = processes_of(tmp_path, 7)

    said, _ = demo.communicate(timeout=100)

    print(said)
    assert demo.returncode == 0, said
    wait_until_gone(marks, 1)
    assert list(tmp_path.iterdir()) == []
    table = said.partition("What happened to each")[2].partition("calls = ")[0]
    for status in ("SUCCEEDED", "FAILED", "EXPIRED", "IN_DOUBT", "CANCELLED", "RETRYING", "HELD"):
        assert status in table
    assert "parameters.subject is required" in " ".join(table.split())
    assert re.search(r"one, published 3 times +SUCCEEDED +1 +1", table)
    assert re.search(r"CRM is down for 2 calls +RETRYING → +3 +1", table)
    for lies_there in ("7 tasks", "1 fire", "1 opportunity", "3 accounts"):
        assert lies_there in said
    assert re.search(r"a field of a CRM account +SUCCEEDED +1 +–", table)
    assert "enact resolve demo-doubt --tenant acme --as applied" in said
    assert "enact.invocation.dlq.v1: TOOL_REJECTED" in said
    assert "\x1b" not in said
    words = [line for line in said.splitlines() if "cli.main" not in line]  # a command may be as long as the way to this folder
    assert max(len(line) for line in words) <= 130


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_demo_that_is_interrupted_or_killed_leaves_no_process(tmp_path: Path, number: signal.Signals) -> None:
    demo = start(tmp_path)
    marks = processes_of(tmp_path, 7)

    os.kill(demo.pid, number)
    demo.communicate(timeout=60)

    wait_until_gone(marks, 10)
    if number is signal.SIGINT:
        assert demo.returncode == 130
        assert list(tmp_path.iterdir()) == []
