"""`enact doctor` on this machine: every finding, each with what to do."""

import json
import re
import socket
from pathlib import Path

import pytest

from cli import doctor_machine as machine
from cli.doctor_finding import Level
from cli.exit_codes import Exit
from enact.broker.jars import KAFKA_VERSION, Jar, sha256_of
from tests.unit.cli.command import run

LOCK = "aiohttp==3.14.5 \\\n    --hash=sha256:00\nuvicorn[standard]==1.0 \\\n    --hash=sha256:00\n    # via x==9\n"


def test_a_variable_that_nothing_reads_is_told_with_the_one_that_was_meant() -> None:
    known = {"ENACT_KAFKA__BOOTSTRAP_SERVERS", "ENACT_TENANT"}

    findings = list(machine.unread_variables(["ENACT_KAFKA_BOOTSTRAP_SERVERS", "ENACT_TENANT", "ENACT_X"], known))

    assert [one.level for one in findings] == [Level.WARN, Level.WARN]
    assert "Did you mean ENACT_KAFKA__BOOTSTRAP_SERVERS?" in findings[0].next_step
    assert findings[1].text == "ENACT_X is read by nothing"


@pytest.mark.parametrize(("found", "level"), [((3, 11, 7), Level.OK), ((3, 12, 0), Level.FAIL), ((3, 10, 1), Level.FAIL)])
def test_another_python_is_a_failure(found: tuple[int, int, int], level: Level) -> None:
    finding = machine.python(found)

    assert finding.level is level
    assert bool(finding.next_step) == (level is Level.FAIL)


def test_packages_are_compared_with_the_lock() -> None:
    same = machine.packages(LOCK, {"aiohttp": "3.14.5", "uvicorn": "1.0"}.get)
    other = machine.packages(LOCK, {"aiohttp": "3.13.0", "uvicorn": "1.0"}.get)
    missing = machine.packages(LOCK, {"uvicorn": "1.0"}.get)

    assert (same.level, other.level, missing.level) == (Level.OK, Level.WARN, Level.FAIL)
    assert same.text.startswith("2 packages")
    assert "aiohttp 3.13.0 instead of 3.14.5" in other.text
    assert "aiohttp is missing" in missing.text


def test_the_packages_of_this_environment_are_those_of_the_lock() -> None:
    assert machine.packages(machine.LOCK.read_text(encoding="utf-8")).level is Level.OK
    assert machine.packages(None).level is Level.OK


def test_a_data_folder_that_cannot_be_used_is_a_failure_and_none_is_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    new = machine.data_folder(tmp_path / "new" / "deep")
    in_a_file = machine.data_folder(tmp_path / "file")

    assert (new.level, in_a_file.level) == (Level.OK, Level.FAIL)
    assert "ENACT_DATA_DIR" in in_a_file.next_step
    assert not (tmp_path / "new").exists()


def test_a_data_folder_without_the_right_to_write_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.doctor_machine.os.access", lambda *_: False)

    assert machine.data_folder(tmp_path).level is Level.FAIL


@pytest.mark.parametrize(("free", "level"), [(6e9, Level.OK), (4e9, Level.WARN), (4e8, Level.FAIL)])
def test_little_room_is_told_before_it_is_none(free: float, level: Level) -> None:
    assert machine.disk(int(free)).level is level


def test_a_taken_port_is_a_failure_unless_the_cluster_is_elsewhere_or_enact_holds_it() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen(1)
        port = taken.getsockname()[1]

        (alone,) = machine.ports({port: "ENACT_API__PORT"}, is_running=False, has_cluster=False)
        (elsewhere,) = machine.ports({port: "ENACT_API__PORT"}, is_running=False, has_cluster=True)
        (ours,) = machine.ports({port: "ENACT_API__PORT"}, is_running=True, has_cluster=False)

    assert (alone.level, elsewhere.level, ours.level) == (Level.FAIL, Level.WARN, Level.OK)
    assert alone.name == f"port {port}"
    assert "ENACT_API__PORT" in alone.next_step


def test_free_ports_are_one_line() -> None:
    (free,) = machine.ports({}, is_running=False, has_cluster=False)

    assert free.level is Level.OK


def test_java_comes_as_a_package_or_is_missed(tmp_path: Path) -> None:
    assert machine.java(machine.packaged_java()).level is Level.OK
    assert machine.java(tmp_path / "java").level is Level.FAIL
    assert machine.java(None).level is Level.FAIL


def test_the_broker_s_jars_are_there_missing_or_not_what_was_published(tmp_path: Path) -> None:
    folder = tmp_path / f"kafka-{KAFKA_VERSION}"
    folder.mkdir()
    (folder / "a-1.jar").write_bytes(b"jar")
    good = Jar("g", "a", "1", sha256_of(folder / "a-1.jar"))

    whole = machine.jars(tmp_path, (good,))
    missing = machine.jars(tmp_path, (good, Jar("g", "b", "1", "00")))
    wrong = machine.jars(tmp_path, (Jar("g", "a", "1", "00"),))

    assert (whole.level, missing.level, wrong.level) == (Level.OK, Level.WARN, Level.FAIL)
    assert "1 of 2" in missing.text
    assert "a-1.jar" in wrong.text


# the whole command, with nothing running


@pytest.fixture
def nothing_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ENACT_KAFKA__BOOTSTRAP_SERVERS", "KAFKA_BOOTSTRAP_SERVERS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ENACT_DATA_DIR", str(tmp_path / "none"))
    monkeypatch.setattr(machine, "is_free", lambda _: True)


@pytest.mark.usefixtures("nothing_runs")
def test_with_nothing_running_it_says_what_is_not_and_how_to_start(tmp_path: Path) -> None:
    result = run("doctor")

    assert result.exit_code == Exit.OK, result.output
    assert "warn  broker              not running" in result.stdout
    assert "up --sandbox" in result.stdout
    assert "Nothing was changed." in result.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("nothing_runs")
def test_every_wrong_setting_is_a_failure_of_its_own_and_the_machine_is_still_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENACT_API__PORT", "many")
    monkeypatch.setenv("ENACT_API__PROT", "1")

    result = run("doctor", "--json")

    told = json.loads(result.stdout)
    wrong = [one for one in told["findings"] if one["name"] == "settings"]
    assert result.exit_code == Exit.PROBLEM
    assert [one["text"].partition(":")[0] for one in wrong] == ["ENACT_API__PORT", "ENACT_API__PROT"]
    assert told["fail"] == 2
    assert "python" in {one["name"] for one in told["findings"]}


@pytest.mark.usefixtures("nothing_runs")
def test_every_variable_that_something_reads_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = re.findall(r"^\| `(ENACT_\w+)`", (machine.LOCK.parent.parent / "docs" / "settings.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert len(rows) > 30

    monkeypatch.setattr("cli.doctor.given_variables", lambda: [*rows, "ENACT_TENANT", "ENACT_ACCOUNT", "ENACT_API_URL"])

    assert "is read by nothing" not in run("doctor").stdout


@pytest.mark.usefixtures("nothing_runs")
def test_a_shell_that_stops_execution_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENACT_EXECUTION_ENABLED", "false")

    result = run("doctor")

    assert "warn  execution           ENACT_EXECUTION_ENABLED is false" in result.stdout


@pytest.mark.usefixtures("nothing_runs")
def test_a_cluster_that_does_not_answer_is_a_failure_and_no_secret_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENACT_KAFKA__BOOTSTRAP_SERVERS", "127.0.0.1:1")
    monkeypatch.setenv("ENACT_KAFKA__REQUEST_TIMEOUT_S", "0.5")
    monkeypatch.setenv("ENACT_KAFKA__SASL_PASSWORD", "open-sesame")

    result = run("doctor", "--json")

    (broker,) = [one for one in json.loads(result.stdout)["findings"] if one["name"] == "broker"]
    assert result.exit_code == Exit.PROBLEM
    assert broker["level"] == "fail"
    assert "127.0.0.1:1" in broker["text"]
    assert "open-sesame" not in result.output
