"""An instance directory has one holder, one id for ever, and a new incarnation in each life."""

import fcntl
import subprocess
import sys
from pathlib import Path

import pytest

from enact import instance
from enact.errors import ConfigurationError
from enact.instance import InstanceDirectory

HOLD = """
import pathlib, sys
from enact.instance import InstanceDirectory
held = InstanceDirectory(pathlib.Path(sys.argv[1]))
print(held.number, flush=True)
input()
"""


def holder(root: Path) -> "subprocess.Popen[str]":
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(root)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "0\n"
    return process


def test_each_holder_gets_the_lowest_free_directory(tmp_path: Path) -> None:
    first, second = InstanceDirectory(tmp_path), InstanceDirectory(tmp_path)

    assert (first.number, second.number) == (0, 1)
    assert (first.path, second.path) == (tmp_path / "0", tmp_path / "1")
    assert first.owner.instance_id != second.owner.instance_id
    assert first.owner.boot_id == second.owner.boot_id != ""


def test_a_killed_process_frees_its_directory_and_the_next_one_is_the_same_instance_in_another_life(tmp_path: Path) -> None:
    with holder(tmp_path) as process:
        beside = InstanceDirectory(tmp_path)
        known = (tmp_path / "0" / "instance-id").read_text()
        process.kill()
        process.wait(10)

    successor = InstanceDirectory(tmp_path)

    assert beside.number == 1
    assert successor.number == 0
    assert successor.owner.instance_id == known
    assert successor.owner.incarnation_id != beside.owner.incarnation_id


def test_an_id_that_was_never_written_to_its_end_is_made_anew(tmp_path: Path) -> None:
    for number in (0, 1):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "instance-id").write_text("")

    one, other = InstanceDirectory(tmp_path), InstanceDirectory(tmp_path)

    assert "" not in {one.owner.instance_id, other.owner.instance_id}
    assert one.owner.instance_id != other.owner.instance_id


def test_too_many_instances_are_refused_with_the_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(instance, "_MAX_INSTANCES", 1)
    held = InstanceDirectory(tmp_path)

    with pytest.raises(ConfigurationError, match="1 instances already run in ENACT_DATA_DIR"):
        InstanceDirectory(tmp_path)

    assert held.number == 0


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")

    with pytest.raises(ConfigurationError, match=r"ENACT_DATA_DIR: .*file/0 cannot be written or locked \(Not a directory\)"):
        InstanceDirectory(tmp_path / "file")


def test_a_folder_that_cannot_be_locked_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_locks(_file: int, _operation: int) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)

    with pytest.raises(ConfigurationError, match="No locks available"):
        InstanceDirectory(tmp_path)


def test_without_a_boot_id_no_other_process_is_ever_of_the_same_boot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(instance, "_BOOT_ID", tmp_path / "absent")

    one, other = InstanceDirectory(tmp_path), InstanceDirectory(tmp_path)

    assert one.owner.boot_id != other.owner.boot_id
